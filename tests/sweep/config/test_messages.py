"""What is said of settings is said in the words of a sweep file."""

import re

import pytest
import yaml

from sweep.config.declared import place_at
from sweep.config.reading import override
from sweep.config.reference import sections
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError

MINIMAL = {"name": "small", "data": {"store": "a.h5", "train": [1], "validation": [2]}}
JARGON = re.compile(r"\b(valid|tuple|literal|string|boolean|parse|dict|None|True|False)\b|\(\)")


def complaint(*assignments: str) -> str:
    with pytest.raises(UserError) as raised:
        SweepConfig.from_dict(override(yaml.safe_load(yaml.safe_dump(MINIMAL)), assignments))
    return str(raised.value)


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        (
            "data.train=2",
            "data.train cannot take this value; received 2; give a list of text or "
            "integer, such as [2]",
        ),
        ("data.train=[]", "received []; give at least one fold or split name"),
        ("data.validation=[]", "received []; give at least one fold or split name"),
        (
            "data.train=[null]",
            "data.train[0] cannot take this value; received null; give a text or an integer",
        ),
        (
            "stress.levels=[1, x]",
            "stress.levels[1] cannot take this value; received 'x'; give an integer",
        ),
        ("stress.knobs={motion: [1, 2]}", "received [1, 2]; give 5 values or nulls"),
        ("seed=null", "seed cannot take this value; received null; give an integer"),
        ("train.epochs=2.5", "received 2.5; give an integer"),
        ("train.epochs=2020-01-01", "received 2020-01-01; give an integer"),
        ("model.width=1e100", "give an integer"),
        ("name=3", "name cannot take this value; received 3; give a text; in quotes, '3', it is"),
        ("data.scan_draws=maybe", "received 'maybe'; give true or false"),
        (
            "tracking.models=few",
            "tracking.models cannot take this value; received 'few'; give an integer or all",
        ),
        ("keep.checkpoints=3", "keep.checkpoints cannot take this value; received 3; give "),
        ("search.stratify=foo", "known: model.norm"),
        ("search.space={train.lr: {log: [a, null]}}", "received ['a', null]; write it as"),
    ],
)
def test_a_value_is_called_as_it_was_written(assignment: str, said: str) -> None:
    message = complaint(assignment)
    assert said in message
    assert "faults" not in message, "one mistake is one fault"
    assert JARGON.search(message) is None


def test_a_name_is_known_once() -> None:
    assert complaint("search.stratify=foo").count("model.norm") == 1


@pytest.mark.parametrize("setting", [one.name for s in sections() for one in s.settings])
def test_no_setting_answers_a_wrong_kind_in_the_words_of_python(setting: str) -> None:
    """A list in a list in a list is of no kind that a setting takes."""
    *parents, last = setting.replace("[]", "").split(".")
    value: object = [[[]]]
    for key in (last, *reversed(parents)):
        value = {key: value}
    raw = yaml.safe_load(yaml.safe_dump(MINIMAL))
    (first,) = value
    given = value[first]
    raw[first] = {**raw[first], **given} if isinstance(given, dict) and first in raw else given
    with pytest.raises(UserError) as raised:
        SweepConfig.from_dict(raw)
    assert JARGON.search(str(raised.value)) is None


@pytest.mark.parametrize("setting", ["seed", "stress.seed"])
@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_is_one_that_every_generator_takes(setting: str, seed: int) -> None:
    assert f"seed cannot take this value; received {seed}; give 0 to 2^63 - 1" in complaint(
        f"{setting}={seed}"
    )


def test_every_whole_number_has_a_range() -> None:
    """By ``require``; those of a network have theirs in its spec."""
    free = {
        one.name
        for section in sections()
        for one in section.settings
        if one.kind.startswith("integer") and not one.rule and not one.name.startswith("model.")
    }
    assert free == set()


def test_a_path_ends_at_the_setting_that_may_be_of_several_kinds() -> None:
    place = place_at(("keep", "checkpoints", "tuple[str, ...]", 0), SweepConfig)
    assert place.name == "keep.checkpoints"
