"""Scripts are told what a function takes, where they give something else."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import mrimodels
import sweep
from mrimodels import ModelError
from sweep.config.settings import DataSettings
from sweep.config.training import TrainSettings
from sweep.core.arguments import checked_arguments
from sweep.core.errors import UserError


@checked_arguments
def asked(
    path: str | Path,
    top: int | None = None,
    share: float = 0.5,
    where: str | Sequence[str] = (),
    kind: Literal["a", "b"] = "a",
    shares: Mapping[str, float] | None = None,
    say: Callable[[str], None] = print,
    strict: bool = False,
) -> str:
    """What was asked."""
    return f"{path} {top} {share}"


@pytest.mark.parametrize(
    "given",
    [
        {"path": Path("a")},
        {"top": 3},
        {"top": np.int64(3)},
        {"share": 1},
        {"share": np.float32(0.5)},
        {"where": "norm==group"},
        {"where": ["norm==group"]},
        {"where": ()},
        {"shares": {"train": 1.0}},
        {"say": lambda text: None},
        {"kind": "b", "strict": True},
    ],
)
def test_what_fits_goes_through(given: dict[str, Any]) -> None:
    assert asked(**{"path": "a", **given}).startswith("a ")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"path": 5}, "asked cannot take this value for path; received 5; give a text or a Path"),
        ({"top": "3"}, "for top; received '3'; give a whole number or None"),
        ({"top": True}, "for top; received true; give a whole number or None"),
        ({"top": 2.0}, "for top; received 2; give a whole number or None"),
        ({"share": "x"}, "for share; received 'x'; give a number"),
        ({"where": [3]}, r"for where; received \[3\]; give a text or a list of texts"),
        ({"where": 3}, "for where; received 3; give a text or a list of texts"),
        ({"kind": "c"}, "for kind; received 'c'; give 'a' or 'b'"),
        ({"shares": [1]}, r"for shares; received \[1\]; give a dictionary or None"),
        ({"strict": 1}, "for strict; received 1; give True or False"),
    ],
)
def test_what_does_not_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        asked(**{"path": "a", **given})


def test_a_missing_argument_is_told_as_python_does() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'path'"):
        asked()  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "call",
    [
        lambda: sweep.SweepConfig.from_yaml(5),  # type: ignore[arg-type]
        lambda: sweep.SweepConfig.from_yaml("a.yaml", "a=b"),
        lambda: sweep.SweepConfig.from_dict(5),  # type: ignore[arg-type]
        lambda: sweep.best(5),  # type: ignore[arg-type]
        lambda: sweep.best("a", top="3"),  # type: ignore[arg-type]
        lambda: sweep.resume(3),  # type: ignore[arg-type]
        lambda: sweep.predict("a", 4),  # type: ignore[arg-type]
        lambda: sweep.export("a", onnx=3),  # type: ignore[arg-type]
        lambda: sweep.ingest_dataset([], 4),  # type: ignore[arg-type]
    ],
)
def test_each_name_for_scripts_refuses_what_it_cannot_take(call: Callable[[], object]) -> None:
    with pytest.raises(UserError, match=r"cannot take this value for \w+; received .*; give a"):
        call()


def test_a_checkpoint_that_is_no_path_is_refused() -> None:
    with pytest.raises(ModelError, match="named by its path; received 5; give a path"):
        mrimodels.load(5)  # type: ignore[arg-type]


def test_settings_made_by_hand_name_the_one_of_another_kind() -> None:
    data = DataSettings(store="a.h5", train=(1,), validation=(2,))
    with pytest.raises(UserError, match=r"^name cannot take this value; received 5; give a text"):
        sweep.SweepConfig(name=5, data=data)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"^epochs cannot take this value; received '3'; give"):
        TrainSettings(epochs="3")  # type: ignore[arg-type]
