"""The command that trains a trial again: it can be pasted, and gives the same trial."""

import dataclasses
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sweep.cli import main, parser
from sweep.config.reading import override
from sweep.config.settings import TrialConfig
from sweep.config.sweep import SweepConfig
from sweep.learn.fit import fit
from sweep.results import ranking
from sweep.results.folder import SweepFolder
from sweep.results.ranking import Ranked
from sweep.results.retraining import _written, command
from sweep.results.sweep_file import asked
from sweep.store import Store
from tests.support.finished import run_trial


def trained_again(row: Ranked) -> SweepConfig:
    """What the command asks for, as a shell takes it apart."""
    text = command(row, asked(Path(row.folder)))
    script = f"mrisweep() {{ printf '%s\\n' \"$@\"; }}\n{text}"
    words = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    options = parser().parse_args(words.stdout.splitlines())
    assert not Path(options.out).exists()
    return SweepConfig.from_yaml(options.sweep, options.set)


def row_of(folder: SweepFolder, params: dict[str, Any], **changes: Any) -> Ranked:
    norm = params.get("model.norm", "batch")
    return dataclasses.replace(
        ranking.of_folder(folder.path)[0],
        **{"params": params, "norm": norm, "seed": 0, "status": "finished", **changes},
    )


def test_the_trial_that_is_trained_again_is_the_one_that_was_recorded(
    config: SweepConfig, store: Store, tmp_path: Path
) -> None:
    """The same settings, so the same numbers to the last bit: trial 1 has a seed of its own."""
    folder = SweepFolder.create(tmp_path / "sweep", config)
    run_trial(folder, config, store, 1)
    (row,) = ranking.of_folder(folder.path)
    again = trained_again(row)
    of_sweep = folder.config().trial(row.params)
    assert again.trial({}) == dataclasses.replace(of_sweep, seed=row.seed)
    assert (again.search.total, again.search.space, again.search.scheduler) == (1, {}, "none")
    assert again.name == "ledger-trial-0001", "trackers do not mix it with those that were searched"
    fitted = fit(again.trial({}), store, tmp_path / "again")
    best = next(one for one in fitted.history if one.epoch == fitted.best_epoch)
    assert best.epoch == row.epoch
    assert {name: best.metrics[name] for name in row.metrics} == row.metrics


SPACE = {
    "model.norm": {"choice": ["batch", "group"]},
    "model.norm_groups": {"choice": [1, 2], "when": {"model.norm": "group"}},
    "train.lr": {"log": [1e-9, 1e-2]},
    "train.augment.levels": {"choice": [[1], [1, 2]]},
    "data.normalize": {"choice": ["robust", "none"]},
}


@pytest.mark.parametrize(
    ("search", "params"),
    [
        (
            {"space": SPACE, "trials": 4},
            {
                "model.norm": "group",
                "model.norm_groups": 2,
                "train.lr": 1e-9,
                "train.augment.levels": [1, 2],
                "data.normalize": "none",
            },
        ),
        (
            {
                "arms": {"plain": {"model.norm": "batch"}, "other": {"model.norm": "layer"}},
                "space": {"train.lr": {"log": [1e-4, 1e-2]}},
                "objectives": ["clean/auroc", "robust/auroc_mean"],
                "trials": 4,
            },
            {"arm": "other", "train.lr": 0.001234567890123},
        ),
        (
            {
                "space": {"seed": {"choice": [5, 6]}, "train.epochs": {"choice": [2, 9]}},
                "sampler": "grid",
                "screen": None,
                "subject_to": ["clean/auroc>=0.1"],
            },
            {"seed": 6, "train.epochs": 9},
        ),
    ],
)
def test_whatever_was_searched_is_in_the_command(
    folder: SweepFolder, search: dict[str, Any], params: dict[str, Any]
) -> None:
    moved = SweepFolder(folder.path.rename(folder.path.with_name("it's $HOME; a sweep")))
    raw = moved.config().to_plain() | {"search": search}
    config = SweepConfig.from_dict(raw)
    moved.write_config(config)
    row = row_of(moved, params, seed=params.get("seed", 0))
    again = trained_again(row)
    assert again.trial({}) == config.trial(params)
    assert again.search.objectives == config.search.objectives
    assert again.stress == config.stress


def test_a_trial_that_was_stopped_is_scored_in_full_at_every_epoch(folder: SweepFolder) -> None:
    """So that the epoch of the row has its scores, whichever is the best in the end."""
    row = row_of(folder, {"model.norm": "group"}, status="pruned")
    again: TrialConfig = trained_again(row).trial({})
    assert again == dataclasses.replace(folder.config().trial(row.params), screen=None)


def test_best_prints_the_command_of_its_first_row(
    folder: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ranking.best(ranking.of_folder(folder.path), folder.config().search.objective)
    assert main(["best", str(folder.path)]) == 0
    text = capsys.readouterr().out
    assert f"to train {rows[0].trial} again:\n{command(rows[0], asked(folder.path))}\n" in text
    assert shlex.split(text.split("again:\n")[1])[0] == "mrisweep"


@pytest.mark.parametrize("name", ["[pilot] lgg", "{a", "yes", "1e3", "it's", "a: b", "%x"])
def test_a_name_is_written_so_that_it_is_read_back(name: str) -> None:
    assert override({}, [f"name={_written(name)}"]) == {"name": name}
