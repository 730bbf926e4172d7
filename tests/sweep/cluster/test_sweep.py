"""Whole sweeps on a local Ray cluster: fair, repeatable, never losing a result."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import mrimodels
from sweep.api.check import estimate
from sweep.api.gc import gc
from sweep.api.pace import Room
from sweep.api.stress import stress_checkpoint
from sweep.config.levels import knobs_of
from sweep.config.settings import StressSettings
from sweep.config.sweep import SweepConfig
from sweep.learn.fit import fit
from sweep.learn.modes import LocalModes
from sweep.results.folder import SweepFolder
from sweep.results.inventory import Kind, inventory, sizes, sizes_text
from sweep.results.rows import score_rows
from sweep.results.trials import TrialLog
from sweep.store import Store
from tests.support.sweeps import PATIENCE_S, Sweep, placeless, study_statuses, wait_until

pytestmark = [
    pytest.mark.cluster,
    # MLflow's own, see tests/sweep/results/test_mlflow.py.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
Finished = tuple[Sweep, subprocess.CompletedProcess[str]]

DATED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ")
STAGES = (
    "folder  ",
    "MLflow  ",
    "starting Ray on this machine",
    "starting the evaluators",
    "starting the first trials",
    "training",
    "trial-000",
)


def assert_whole(sweep: Sweep, trials: int) -> None:
    """Every trial once, everywhere, and none left running."""
    folder = SweepFolder.open(sweep.folder)
    records = folder.trials()
    assert len(records) == trials
    assert {record.status for record in records} <= {"finished", "pruned"}
    assert study_statuses(folder) == [record.status for record in records]
    runs = sweep.runs("trial")
    assert Counter(run.data.tags["trial"] for run in runs) == Counter(r.trial for r in records)
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert [run.info.status for run in sweep.runs("sweep")] == ["FINISHED"]
    for record in records:
        epochs = [epoch.epoch for epoch in folder.epochs(record.trial)]
        assert epochs == list(range(1, len(epochs) + 1))


def test_a_sweep_runs_quietly_to_its_table(finished: Finished) -> None:
    sweep, done = finished
    assert done.returncode == 0, done.stderr
    assert_whole(sweep, 3)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("note: ")]
    said = [line[21:] for line in lines if DATED.match(line)]
    assert len(said) == len(lines), f"dated lines, and no noise of libraries:\n{done.stderr}"
    assert sum("  |  " in line and " finished " in line for line in said) == 3, "one of each trial"
    places = [next(n for n, line in enumerate(said) if line.startswith(one)) for one in STAGES]
    assert places == sorted(places), "what it is at is named, and where its results go at the start"
    assert "robust/auroc_cvar" in done.stdout
    assert f"mlflow ui --backend-store-uri {sweep.uri}" in done.stdout


def test_the_folder_is_as_large_as_check_says(finished: Finished, store: Store) -> None:
    sweep, done = finished
    held = sizes(inventory(sweep.folder))
    assert sizes_text(held) in done.stdout
    said = estimate(SweepConfig.from_yaml(sweep.file), store, Room(1)).space
    assert 1 / 1.5 < sum(said.end.values()) / sum(held.values()) < 1.5
    assert Kind.TUNE not in held, "nobody reads it"


def test_the_folder_says_how_its_levels_were_made(finished: Finished, store: Store) -> None:
    sweep, done = finished
    assert "levels: " in done.stderr
    folder = SweepFolder.open(sweep.folder)
    config = folder.config()
    made = json.loads((folder.path / "levels.json").read_text())
    assert config.stress.grid == "auto"
    assert config.stress.knobs == {
        name: tuple(row["values"]) for name, row in made["artifacts"].items()
    }
    assert set(made["artifacts"]) == {"rician", "bias"}
    assert made["reference"]["fingerprint"] == store.fingerprint
    assert made["reference"]["split"] == ["1", "2"]
    for row in made["artifacts"].values():
        reached = zip(made["targets"], row["ssim"], strict=True)
        assert all(ssim is None or abs(ssim - target) <= 0.02 for target, ssim in reached)
    # It is a grid as any file of levels: another sweep may take it as it is.
    again = StressSettings(grid=str(folder.path / "levels.json"))
    assert knobs_of(again, "bias") == config.stress.knobs["bias"]


def test_a_trial_of_the_cluster_ends_with_the_weights_of_a_plain_fit(
    finished: Finished, store: Store, tmp_path: Path
) -> None:
    folder = SweepFolder.open(finished[0].folder)
    for record in folder.trials():
        reported = folder.epochs(record.trial)
        trial_config = folder.config().trial(record.params)
        plain = fit(trial_config, store, tmp_path / record.trial)
        assert plain.best_epoch == record.best_epoch or len(reported) < trial_config.train.epochs
        for mine, theirs in zip(plain.history, reported, strict=False):
            assert mine.metrics == theirs.metrics
            assert mine.train_loss == theirs.train_loss
        if plain.best_epoch == record.best_epoch:
            cluster = mrimodels.load(folder.checkpoint(record.trial, record.best_epoch))[0]
            ours = mrimodels.load(plain.checkpoint)[0].state_dict()
            assert all(torch.equal(v, ours[k]) for k, v in cluster.state_dict().items())


def test_stress_repeats_the_recorded_scores(finished: Finished, store: Store) -> None:
    for row in finished[0].best():
        again = stress_checkpoint(Path(row["checkpoint"]), store.path)
        assert again.metrics == pytest.approx(row["metrics"], abs=1e-6)


def test_the_folder_and_the_server_answer_alike(finished: Finished) -> None:
    sweep = finished[0]
    assert sweep.best() == sweep.best("--mlflow", sweep.uri, "--experiment", "tiny")


def reports(sweep: Sweep) -> int:
    return len(list((sweep.folder / "results").glob("*/*.parquet")))


def reached(sweep: Sweep, epoch: int) -> int:
    return len(list((sweep.folder / "results").glob(f"*/epoch-{epoch:04d}.parquet")))


def parent(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def workers(driver: int, name: str) -> list[int]:
    """Workers of the driver's own cluster (their parent is its raylet) whose title has a name."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            title = (entry / "cmdline").read_text()
            ours = title.startswith("ray::") and parent(parent(int(entry.name))) == driver
        except OSError:  # it ended meanwhile
            continue
        if ours and name in title:
            found.append(int(entry.name))
    return found


def test_workers_that_die_cost_no_result(
    finished: Finished, make_sweep: Callable[..., Sweep]
) -> None:
    sweep = make_sweep()
    with sweep.start(*sweep.run_arguments()) as process:
        try:
            for name, epoch in (("Evaluator", 1), ("Trainable", 2)):
                # The sweep goes on after each. The trial that loses its worker has an epoch to go:
                # after its first one it waits, and its worker is set up for the next trial, which
                # Tune would not retry.
                before = reached(sweep, epoch)
                wait_until(
                    lambda epoch=epoch, before=before: reached(sweep, epoch) > before, process
                )
                wait_until(lambda name=name: workers(process.pid, name), process)
                os.kill(workers(process.pid, name)[0], signal.SIGKILL)
            out, err = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == 0, err
    assert_whole(sweep, 3)
    assert placeless(sweep.best()) == placeless(finished[0].best())
    assert out.split("\n\n")[0] == finished[1].stdout.split("\n\n")[0], "the table and no noise"


def test_a_sweep_that_is_stopped_time_and_again_ends_as_one_that_never_was(
    finished: Finished, make_sweep: Callable[..., Sweep]
) -> None:
    sweep = make_sweep()
    command = sweep.run_arguments()
    for how in (signal.SIGINT, signal.SIGHUP, signal.SIGKILL):  # SIGTERM: among the modes, below
        so_far = reports(sweep)
        status, err = sweep.interrupt(how, lambda so_far=so_far: reports(sweep) > so_far, *command)
        if how == signal.SIGKILL:
            assert status == -signal.SIGKILL
        else:
            assert status == 130, err
            assert f"continue with: mrisweep resume {sweep.folder}" in err
            assert "Traceback" not in err
            assert {run.info.status for run in sweep.runs("sweep")} == {"KILLED"}
        command = ("resume", str(sweep.folder))
    kept = {path: path.stat().st_mtime_ns for path in (sweep.folder / "results").glob("*/*")}
    assert len(kept) >= 3
    gc(sweep.folder, {"checkpoints": "none", "predictions": "none"})  # but what it goes on from
    done = sweep.command(*command, "--trials", "3")
    assert done.returncode == 0, done.stderr
    assert_whole(sweep, 6)
    assert all(path.stat().st_mtime_ns == at for path, at in kept.items()), "nothing done twice"
    rows = [row for row in placeless(sweep.best()) if row["trial"] < "trial-0003"]
    assert rows == placeless(finished[0].best())


def test_a_limit_ends_a_sweep_in_order_and_a_higher_one_lets_it_go_on(
    finished: Finished, make_sweep: Callable[..., Sweep]
) -> None:
    sweep = make_sweep()
    done = sweep.run("search.limits.epochs=4", "search.scheduler=none", "stress.modes=[blend]")
    assert done.returncode == 0, done.stderr
    said = "search.limits.epochs is reached, "
    assert f"{said}4 of 4 epochs are used (epochs: batch 3, group 1, layer 0)" in done.stderr
    assert f"mrisweep resume {sweep.folder} --limit epochs=8" in done.stderr
    folder = SweepFolder.open(sweep.folder)
    records = folder.trials()
    assert [record.status for record in records] == ["finished", "running"]
    assert [record.best_epoch is None for record in records] == [False, False]
    assert study_statuses(folder) == ["finished", "running"], "a limit is no result"
    assert set(records[0].modes) == {"blend"}, "what belongs to a trial that ended is made"
    statuses = {run.data.tags["trial"]: run.info.status for run in sweep.runs("trial")}
    assert statuses == {"trial-0000": "FINISHED", "trial-0001": "KILLED"}
    assert [run.info.status for run in sweep.runs("sweep")] == ["KILLED"]

    kept = {path: path.read_bytes() for path in kept_files(sweep.folder)}
    again = sweep.command("resume", str(sweep.folder))
    assert again.returncode == 0, again.stderr
    assert said in again.stderr
    assert sizeless(again.stdout) == sizeless(done.stdout)
    assert {path: path.read_bytes() for path in kept_files(sweep.folder)} == kept
    for order in (("--trials", "3"), ("--limit", "epochs=2")):
        refused = sweep.command("resume", str(sweep.folder), *order)
        assert refused.returncode == 2
        assert "search.limits.epochs is used up" in refused.stderr

    lifted = sweep.command("resume", str(sweep.folder), "--limit", "epochs=none")
    assert lifted.returncode == 0, lifted.stderr
    assert_whole(sweep, 3)
    assert {len(folder.epochs(record.trial)) for record in folder.trials()} == {3}
    known = {(row["trial"], row["epoch"]): row for row in placeless(finished[0].best())}
    rows = [row for row in placeless(sweep.best()) if row["mode"] == "trained"]
    shared = [row for row in rows if (row["trial"], row["epoch"]) in known]
    assert shared
    for row in shared:
        assert row["metrics"] == known[row["trial"], row["epoch"]]["metrics"]


def sizeless(table: str) -> list[str]:
    """What `run` prints, without how large the folder is: what was under way catches up."""
    return [line for line in table.splitlines() if " MB: " not in line]


def kept_files(folder: Path) -> list[Path]:
    """What a sweep is, without what Tune and the journal add as they are opened.

    Nor the record of the trial under way, which catches up with an epoch that its worker wrote as
    the limit was reached.
    """
    kinds = ("sweep.*", "used.json", "trials/*-0000.json", "results/*/*.parquet", "checkpoints/*/*")
    return sorted(path for kind in kinds for path in folder.glob(kind))


def test_trials_side_by_side_on_copies_of_a_store_that_is_gone_score_as_alone(
    finished: Finished, make_sweep: Callable[..., Sweep], store: Store, tmp_path: Path
) -> None:
    own = Path(shutil.copy(store.path, tmp_path / "own.h5"))
    copy = tmp_path / "stage" / f"{store.fingerprint}.h5"
    share = {"cpu": 0.5}
    sweep = make_sweep(
        data={"store": str(own), "train": [1, 2], "validation": [3]},
        cluster={"trial": share, "evaluators": 2, "evaluator": share, "stage": str(copy.parent)},
        search={
            "trials": 3,
            "scheduler": "none",
            "space": {
                "model.norm": {"choice": ["batch", "group", "layer"]},
                "train.lr": {"log": [1e-3, 1e-2]},
            },
        },
    )
    with sweep.start(*sweep.run_arguments()) as process:
        try:
            wait_until(copy.exists, process)
            own.unlink()
            _, err = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == 0, err
    assert_whole(sweep, 3)
    one_by_one = {(row["trial"], row["epoch"]): row for row in finished[0].best()}
    together = {(row["trial"], row["epoch"]): row for row in sweep.best()}
    shared = one_by_one.keys() & together.keys()
    assert shared
    for key in shared:
        assert together[key]["params"] == one_by_one[key]["params"]
        assert together[key]["metrics"] == one_by_one[key]["metrics"]


def test_modes_are_added_to_a_sweep_that_ended_and_survive_a_signal(
    finished: Finished, store: Store, tmp_path: Path
) -> None:
    """In the copy of a finished sweep: its trials stay, only the rows are new."""
    sweep = Sweep(finished[0].file, Path(shutil.copytree(finished[0].folder, tmp_path / "out")))
    folder = SweepFolder.open(sweep.folder)
    modes = ["prediction_time", "blend", "adabn", "precise"]
    wanted = {"stress.modes": modes, "tracking.to": ["jsonl"]}
    folder.write_config(folder.config().replace(wanted))
    results = sweep.folder / "results"
    before = {path: path.stat().st_mtime_ns for path in results.glob("*/*.parquet")}

    def rows() -> bool:
        return any(results.glob("*/modes/*.parquet"))

    status, err = sweep.interrupt(signal.SIGTERM, rows, "resume", str(sweep.folder))
    if status != 0:  # all may have been done by then
        assert status == 130, err
        assert f"continue with: mrisweep resume {sweep.folder}" in err
        assert "Traceback" not in err
    by_the_pool = {record.trial: record.modes for record in folder.trials()}
    assert sum(map(len, by_the_pool.values())) >= 1
    config = folder.config()
    here = LocalModes(config.stress, store, store.indices(config.data.validation))
    with TrialLog(folder, config.search.objective) as trial_log:
        score_rows(folder, config, store, trial_log, here)
    for record in folder.trials():
        assert set(record.modes) == (set(modes) if record.norm == "batch" else set())
        assert record.modes.items() >= by_the_pool[record.trial].items(), "nothing is done twice"
    assert {path: path.stat().st_mtime_ns for path in results.glob("*/*.parquet")} == before
    assert {row["mode"] for row in sweep.best()} == {"trained", *modes}
