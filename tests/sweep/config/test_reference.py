"""What is said of settings is what the settings are."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from sweep.config.reading import load_yaml
from sweep.config.reference import GIVEN, Setting, described, sections
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from tools import settings_page

DATA = {"store": "a.h5", "train": ["x"], "validation": ["y"]}
LEAST: dict[str, Any] = {"name": "a", "data": DATA}
# With the sections that are null by default.
PRIMARY = {"between": ["batch", "group"]}
WHOLE = {
    "name": "a",
    "data": {**DATA, "test": ["z"]},
    "search": {"space": {"model.norm": {"choice": ["batch", "group"]}}},
    "finalists": {"primary": PRIMARY},
}
ALL = [one for section in sections() for one in section.settings]
LEAVES = [one for one in ALL if "section" not in one.kind]
WITH_DEFAULT = [one for one in LEAVES if one.default != GIVEN and "[]" not in one.name]


def ids(one: Setting) -> str:
    return one.name


def values(plain: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in plain.items():
        yield f"{before}{name}", value
        if isinstance(value, Mapping):
            yield from values(value, f"{before}{name}.")


def test_every_setting_of_a_resolved_sweep_is_named() -> None:
    resolved = {name for name, _ in values(SweepConfig.from_dict(LEAST).to_plain())}
    assert resolved <= {one.name for one in ALL}


@pytest.mark.parametrize("one", LEAVES, ids=ids)
def test_each_says_what_it_does_in_words_of_users(one: Setting) -> None:
    assert one.text.endswith(".")
    assert not re.search(r"`(sweep|mrimodels|artifacts_sim)\.|\bNone\b", one.text + one.when)
    assert not one.when or one.when.endswith(".")


@pytest.mark.parametrize("one", WITH_DEFAULT, ids=ids)
def test_its_default_is_what_a_sweep_has_that_does_not_set_it(one: Setting) -> None:
    sweep = SweepConfig.from_dict(WHOLE if one.name.startswith("finalists.") else LEAST)
    assert sweep.replace({one.name: load_yaml(one.default)}) == sweep


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("train.epochs", 0),
        ("train.augment.crop", 0),
        ("search.reduction", 1),
        ("stress.batch_size", 0),
        ("cluster.hang_minutes", 0),
        ("search.limits.hours", 0),
        ("tracking.models", -1),
    ],
)
def test_its_range_is_the_one_that_its_error_names(name: str, value: Any) -> None:
    (one,) = described(name).settings
    with pytest.raises(UserError) as raised:
        SweepConfig.from_dict(LEAST).replace({name: value})
    assert one.rule
    assert f"give {one.rule}" in str(raised.value)


def test_a_section_is_described_with_its_settings_and_a_setting_alone() -> None:
    assert {one.name for one in described("search.limits").settings} == {
        f"search.limits.{name}" for name in ("hours", "gpu_hours", "epochs")
    }
    assert [one.name for one in described("train.lr").settings] == ["train.lr"]
    assert described("notify").name == "notify[]"
    with pytest.raises(UserError, match="there is no such setting"):
        described("train.lt")


def test_the_page_is_the_one_of_these_settings() -> None:
    text = settings_page.PAGE.read_text(encoding="utf-8")
    assert text == settings_page.page(), "run python -m tools.settings_page"
