"""A first sweep file for a store, and a sweep that is tried out: both are sweeps as any other."""

from pathlib import Path

import numpy as np
import pytest

from sweep.api.init import first_sweep, splits_of
from sweep.api.preflight import bind, open_data
from sweep.api.smoke import smoke
from sweep.cli import main
from sweep.config.reading import load_yaml
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.store import Store, write_store
from sweep.store.slices import Slice
from tests.support.stores import make_store
from tests.support.sweeps import settings


def store_of(path: Path, splits: dict[str, list[str]], **columns: str) -> Store:
    """A slice for each label of each split, of a patient of its own."""
    shown = [(split, label) for split, labels in splits.items() for label in labels]
    slices = [
        Slice(f"k{n}", f"p{n}", split, frozenset({label}), "test", columns=columns)
        for n, (split, label) in enumerate(shown)
    ]
    images = [np.full((8, 8), n, np.float32) for n in range(len(slices))]
    labels = sorted({label for _, label in shown})
    form = {"shape": (8, 8), "label_names": labels, "task": "multiclass", "source": {}}
    return write_store(path, slices, images, **form)


def parts(store: Store) -> tuple[tuple[str, ...], ...]:
    found = splits_of(store)
    return found.train, found.validation, found.test


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("1 2 3 4 5", (("1", "2", "3"), ("4",), ("5",))),
        ("1 2 9 10", (("1", "2"), ("9",), ("10",))),
        ("test train val", (("train",), ("val",), ("test",))),
        ("Training Validation", (("Training",), ("Validation",), ())),
        ("1 2", (("1",), ("2",), ())),
        ("north south west", (("north",), ("south",), ("west",))),
    ],
)
def test_splits_get_the_parts_that_their_names_say(
    names: str, expected: tuple[tuple[str, ...], ...], tmp_path: Path
) -> None:
    assert parts(store_of(tmp_path / "s.h5", {name: ["a", "b"] for name in names.split()})) == (
        expected
    )


def test_a_split_in_which_a_label_cannot_be_scored_does_not_choose(tmp_path: Path) -> None:
    both, one = ["a", "b"], ["a"]
    store = store_of(tmp_path / "s.h5", {"1": both, "2": both, "3": one, "4": both})
    train, validation, _ = parts(store)
    assert validation != ("3",)
    assert train


@pytest.mark.parametrize("splits", [{"1": ["a", "b"]}, {"1": ["a", "b"], "2": ["a"]}])
def test_a_store_that_no_sweep_can_run_on_is_refused(
    splits: dict[str, list[str]], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="ingest the data again"):
        splits_of(store_of(tmp_path / "s.h5", splits))


@pytest.mark.parametrize("gpus", [0, 2])
def test_the_file_is_a_sweep_that_the_data_can_carry(gpus: int, tmp_path: Path) -> None:
    both = ["a", "b"]
    store = store_of(tmp_path / "a: b.h5", dict.fromkeys(("1", "2", "3"), both), site="A")
    text = first_sweep(store, "a: b", gpus)
    raw = load_yaml(text)
    config = SweepConfig.from_dict(raw)
    assert open_data(config).fingerprint == store.fingerprint
    assert config.name == "a- b"
    assert (config.cluster.trial.gpu > 0) == (gpus > 0)
    assert "# group_dro: site" in text
    assert "2 GPUs seen here" in text or "no GPU seen here" in text
    # What stands in comments can be set as it stands there.
    uncommented = load_yaml(
        text.replace("# finalists", "finalists").replace("  # group", "  group")
    )
    assert SweepConfig.from_dict(uncommented).train.group_dro == "site"


def test_init_writes_a_file_once(
    tmp_path: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(store.path)]) == 0
    printed = capsys.readouterr().out
    file = tmp_path / "sweep.yaml"
    assert main(["init", str(store.path), "--out", str(file)]) == 0
    assert file.read_text() == printed
    assert main(["init", str(store.path), "--out", str(file), "--name", "other"]) == 2
    assert "the sweep file is there already" in capsys.readouterr().err
    assert file.read_text() == printed


@pytest.fixture
def tiny(tmp_path: Path) -> SweepConfig:
    plain = settings(make_store(tmp_path / "tiny.h5"))
    space = {"model.norm": {"choice": ["batch", "group", "layer"]}, "train.epochs": {"int": [2, 9]}}
    return SweepConfig.from_dict(
        {
            **plain,
            "search": {"trials": 30, "space": space, "limits": {"hours": 5}},
            "notify": {"command": ["false"]},
        }
    )


def test_a_sweep_that_is_tried_out_is_small_and_says_so(tiny: SweepConfig, tmp_path: Path) -> None:
    said: list[str] = []
    small, folder = smoke(tiny, 4, tmp_path / "out" / "try", said.append)
    assert folder == tmp_path / "out" / "try"
    assert small.name == "tiny-limit-4"
    assert (small.search.total, small.train.epochs, small.search.scheduler) == (3, 1, "none")
    assert not small.notify
    store = open_data(small)
    assert store.path == tmp_path / "out" / "try.h5"
    assert max(store.split_counts().values()) == 4
    assert store.fingerprint != Store.open(tiny.data.store).fingerprint
    assert "its scores say nothing" in said[-1]
    assert bind(small, store).config.stress.levels == tiny.stress.levels


def test_a_sweep_that_is_bound_is_not_tried_out_on_other_data(
    tiny: SweepConfig, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="bound to, with fingerprint 0123"):
        smoke(tiny.replace({"data.fingerprint": "0123"}), 4, tmp_path / "try", pytest.fail)
    assert not (tmp_path / "try.h5").exists()


@pytest.mark.parametrize("scheduler", ["asha", "topk", "hyperband", "median", "pasha"])
def test_whatever_stops_trials_early_has_no_say_in_it(
    scheduler: str, tiny: SweepConfig, tmp_path: Path
) -> None:
    raw = tiny.to_plain()
    raw["search"]["space"].pop("train.epochs")
    raw["search"] |= {"scheduler": scheduler, "keep": 1 if scheduler == "topk" else None}
    small, _ = smoke(SweepConfig.from_dict(raw), 4, tmp_path / "try", lambda text: None)
    assert small.search.scheduler == "none"


def test_a_second_try_has_a_folder_of_its_own(
    tiny: SweepConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert smoke(tiny, 4, None, lambda text: None)[1] == Path("sweeps/tiny-limit-4")
    (tmp_path / "sweeps" / "tiny-limit-4" / "trials").mkdir(parents=True)
    assert smoke(tiny, 4, None, lambda text: None)[1] == Path("sweeps/tiny-limit-4-2")


@pytest.mark.parametrize(("most", "said"), [(0, "give 4 or more"), (-1, "give 4 or more")])
def test_too_few_slices_are_refused(
    most: int, said: str, tiny: SweepConfig, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        smoke(tiny, most, tmp_path / "try", lambda text: None)
    assert not (tmp_path / "try.h5").exists()
