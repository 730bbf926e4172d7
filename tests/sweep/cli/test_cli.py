"""The command line as a person meets it: help to work from, one clear message, nothing lost."""

import dataclasses
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import mrimodels
import sweep
from sweep.api.best import hypervolumes
from sweep.api.preflight import bind, open_data
from sweep.cli import main
from sweep.config.presets import summary_of
from sweep.config.settings import TrialConfig
from sweep.config.sweep import SweepConfig
from sweep.learn.fit import fit
from sweep.results.folder import SweepFolder
from sweep.store import Store
from tests.support.plugins import lay_out
from tests.support.stores import make_store
from tests.support.sweeps import settings

DATED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ")
COMMANDS = (
    "ingest images",
    "ingest dataset",
    "phantom",
    "calibrate",
    "preview",
    "presets",
    "check",
    "run",
    "resume",
    "watch",
    "submit",
    "status",
    "stop",
    "stress",
    "best",
    "predict",
    "export",
    "sync",
    "completion",
)


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The message of a command that is refused: exit 2, one message, nothing on stdout.

    Before it stand dated lines of a log, or that the sweep file has been read.
    """
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    *log, message = captured.err.splitlines(keepends=True)
    assert all(DATED.match(line) or line.startswith("read ") for line in log)
    assert message.startswith("mrisweep: ")
    return message


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert f"usage: mrisweep {command}" in text
    assert "%%" not in text
    for line in text.splitlines():
        assert "None)" not in line, f"a default that says nothing: {line}"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert command.split()[0] in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "required: COMMAND"),
        (("rnu",), "invalid choice: 'rnu'"),
        (("run",), "required: SWEEP.yaml"),
        (("phantom", "--out", "a", "--seed", "-1"), "'-1' is no seed, which is 0 to 2^63 - 1"),
        (("preview", "a.h5", "--seed", "x"), "'x' is no seed"),
        (("run", "none.yaml"), "no such sweep file; received 'none.yaml'"),
        (("run", "."), "the sweep file is a folder; received '.'"),
        (
            ("best", "--mlflow", "sqlite:///none.db", "--experiment", "x"),
            "there is no such database; received 'sqlite:///none.db'",
        ),
        (("run", "madan2023"), "received 'madan2023'; correct the path, or name a preset; did"),
        (("run", "madaan2023"), "data.store is missing and has no default; received none; give it"),
        (("check", "madaan2023"), "or by --set data.store=VALUE"),
        (("presets", "madan2023"), "no such preset; received 'madan2023'; did you mean 'madaan"),
        (("resume", "none"), "no such folder of a sweep; received 'none'"),
        (("resume", "none", "--trials", "-1"), "--trials is below 0; received -1; give 0 or more"),
        (("sync", "none"), "no such folder of a sweep; received 'none'"),
        (("best", "none"), "no such folder of a sweep; received 'none'"),
        (("best",), "either a sweep's folder or, with --mlflow"),
        (("best", "x", "--mlflow", "sqlite:///x"), "either a sweep's folder or"),
        (("best", "--mlflow", "sqlite:///x"), "--mlflow URI and --experiment NAME go together"),
        (("stress", "none.pt", "--data", "none.h5"), "no such checkpoint; received 'none.pt'"),
        (
            ("predict", "none.pt", "--data", "none.h5", "--out", "p.parquet"),
            "no such checkpoint; received 'none.pt'; take one below checkpoints/",
        ),
        (("export", "none.pt", "--torch", "m.pt2"), "no such checkpoint; received 'none.pt'"),
        (("export", "none.pt"), "no format is asked for"),
        (("ingest", "images", "none.csv", "--images", ".", "--out", "o.h5"), "none.csv"),
        (("phantom", "--out", "p", "--patients", "0"), "patients"),
    ],
)
def test_bad_arguments_get_one_message(
    arguments: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in complaint(capsys, *arguments)
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_presets_are_listed_a_line_each_and_printed_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["presets"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split(maxsplit=1) == ["madaan2023", summary_of("madaan2023")]
    assert main(["presets", "madaan2023"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["name"] == "madaan2023"


def sweep_file(folder: Path, store: Store, **changes: object) -> str:
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(settings(store, **changes)))
    return str(path)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.epoch=2", "no such setting; received 'train.epoch'; did you mean 'epochs'?"),
        ("data.store=none.h5", "none.h5"),
        ("data.validation=[9]", "'9'"),
        ("data.fingerprint=abc", "bound to, with fingerprint abc"),
    ],
)
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_sweep_that_cannot_run_is_refused_before_it_starts(
    command: str,
    assignment: str,
    message: str,
    store: Store,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    file = sweep_file(tmp_path, store)
    assert message in complaint(capsys, command, file, "--set", assignment)
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.yaml"]


def test_check_compares_with_the_machine(
    store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = sweep_file(tmp_path, store)
    text = complaint(capsys, "check", file, "--set", "cluster.evaluators=400")
    assert "400 x 1 CPU (evaluators)" in text


def test_an_existing_folder_is_refused_and_kept(
    store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    text = complaint(capsys, "run", sweep_file(tmp_path, store), "--out", str(out))
    assert "and is not a sweep's; received" in text
    assert "with notes.txt; choose another with --out" in text
    assert (out / "notes.txt").read_text() == "mine"


def test_a_label_with_one_class_in_a_split_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # 9 patients of 3 labels, dealt to 3 folds by threes; of 6 only the first 2 folds have any.
    lopsided = make_store(tmp_path / "s.h5", patients=7, labels=("a", "b", "c"))
    text = complaint(capsys, "check", sweep_file(tmp_path, lopsided))
    assert "slices that have it not; received validation" in text


def test_check_says_what_the_sweep_costs_and_makes_nothing(
    store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    physical = ["--set", "stress.grid=physical"]  # whose levels no earlier test can have found
    modes = ["--set", "stress.modes=[blend, adabn]"]
    assert main(["check", sweep_file(tmp_path, store), *physical, *modes]) == 0
    text = capsys.readouterr().out
    assert "3 trials of at most 3 epochs, " in text
    assert "sampler      sobol, 1 for each of batch, group, layer" in text
    assert "64 slices" in text
    assert "32 slices x 5 distributions" in text
    assert "modes        at most 2 rows once the trials have ended" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sweep.yaml"]
    rows = [*physical, *modes, "--set", "search.stratify=null", "--set", "train.ema=0.9"]
    assert main(["check", sweep_file(tmp_path, store), *rows]) == 0
    assert "modes        at most 9 rows" in capsys.readouterr().out
    groups = ["--set", "search.space.model.norm={choice: [group]}"]
    epochs = ["--set", "search.space.train.epochs={choice: [2, 5]}"]
    assert main(["check", sweep_file(tmp_path, store), *physical, *modes, *groups, *epochs]) == 0
    text = capsys.readouterr().out
    assert "modes        no row of blend, adabn: no network of the sweep has batch norm" in text
    assert "3 trials of at most 5 epochs, " in text, "the most that the space offers"


def test_check_calibrates_nothing_and_says_what_will_be(
    store: Store,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MRISWEEP_CACHE", str(tmp_path / "cache"))
    file = sweep_file(tmp_path, store)
    assert main(["check", file]) == 0
    said = "levels       of rician, bias will be calibrated as the sweep begins, on 44 slices of 11"
    assert said in capsys.readouterr().out
    assert not (tmp_path / "cache").exists()
    config = SweepConfig.from_yaml(file)
    bound, levels = bind(config, open_data(config))
    assert levels is not None
    assert set(bound.stress.knobs) == {"rician", "bias"}
    assert main(["check", file]) == 0
    assert "of rician, bias as calibrated before on the same slices" in capsys.readouterr().out


def test_check_remarks_a_grid_for_other_images(
    store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = sweep_file(tmp_path, store)
    assert main(["check", file, "--set", "stress.grid=calibrated"]) == 0
    text = capsys.readouterr().out
    assert text.count("are for images of 256 x 256 pixels, and these are images of 24 x 24") == 1


def test_check_remarks_options_that_nothing_uses(
    store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = sweep_file(tmp_path, store)
    more = [
        "--set",
        "stress.grid=physical",
        "--set",
        "stress.options.motion-late={window: [0.5, 1]}",
    ]
    assert main(["check", file, *more]) == 0
    assert "options      of motion-late are not used" in capsys.readouterr().out


def test_check_says_what_the_augmentation_lacks_and_what_it_does_not_count(
    store: Store,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MRISWEEP_CACHE", str(tmp_path / "cache"))
    file = sweep_file(tmp_path, store)
    augment = ["--set", "train.augment={artifacts: [ghosting, spike], levels: [1, 4]}"]
    assert main(["check", file, "--set", "stress.grid=calibrated", *augment]) == 0
    text = capsys.readouterr().out
    assert "left out     bias 5: no knob value has that similarity" in text
    assert "left out     of the augmentation ghosting 4: no knob value" in text
    assert "on nodes like this one\n" in text
    assert main(["check", file]) == 0
    text = capsys.readouterr().out
    assert "on nodes like this one, not counting the calibration of levels\n" in text


@pytest.mark.parametrize("command", ["check", "run"])
def test_levels_of_other_options_are_refused(
    command: str, store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sets = ("stress.artifacts=[motion]", "stress.options.motion.order=interleaved")
    asked = [item for one in (*sets, "stress.grid=calibrated") for item in ("--set", one)]
    out = ["--out", str(tmp_path / "sweep")] if command == "run" else []
    assert main([command, sweep_file(tmp_path, store), *asked, *out]) == 2
    text = capsys.readouterr().err
    assert "the calibrated levels of motion were found with other options" in text
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.yaml"]


@pytest.mark.parametrize("command", ["check", "run"])
def test_too_few_training_patients_for_a_calibration_are_refused(
    command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    small = make_store(tmp_path / "s.h5", patients=6)
    file = sweep_file(tmp_path, small)
    text = complaint(capsys, command, file, "--set", "data.train=[1]")
    assert "received 2 in split 1; name more splits, or set stress.grid to calibrated or" in text


@pytest.fixture(scope="module")
def checkpoint(store: Store, tmp_path_factory: pytest.TempPathFactory) -> str:
    trial_config: TrialConfig = SweepConfig.from_dict(settings(store)).trial({"train.epochs": 1})
    return str(fit(trial_config, store, tmp_path_factory.mktemp("fit")).checkpoint)


def test_stress_prints_its_cells_as_json(
    checkpoint: str, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = ["--artifacts", "motion", "--levels", "2", "4", "--split", "1", "2"]
    status = main(["stress", checkpoint, "--data", str(store.path), "--json", *cells])
    assert status == 0
    answer = json.loads(capsys.readouterr().out)
    cells = {(cell["artifact"], cell["level"]) for cell in answer["cells"]}
    assert cells == {("clean", 0), ("motion", 2), ("motion", 4)}
    assert {cell["label"] for cell in answer["cells"]} == {"a", "b"}
    assert "robust/auroc_cvar" in answer["metrics"]


def test_levels_that_a_sweep_did_not_have_are_found_on_its_training_data_or_named(
    checkpoint: str, store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # What is scored may be other data, as long as the training data are where they were.
    external = make_store(tmp_path / "external.h5", patients=12)
    arguments = ("--data", str(external.path), "--levels", "2", "--artifacts")
    assert main(["stress", checkpoint, *arguments, "spike"]) == 0
    assert "levels: " in capsys.readouterr().err
    model, spec, meta = mrimodels.load_checkpoint(Path(checkpoint), torch.device("cpu"))
    meta["config"]["data"]["store"] = str(tmp_path / "gone.h5")
    moved = str(tmp_path / "moved.pt")
    mrimodels.save(Path(moved), model, spec, meta=meta)
    text = complaint(capsys, "stress", moved, *arguments, "spike", "bias")
    assert "the sweep had no levels of spike, and the training slices" in text
    assert "or take --grid calibrated, --grid physical" in text
    assert main(["stress", moved, *arguments, "bias"]) == 0
    assert main(["stress", moved, *arguments, "spike", "--grid", "physical"]) == 0


def test_stress_compares_variants_of_an_artifact(
    checkpoint: str, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    def values(*arguments: str) -> dict[str, list[float]]:
        data = ("--data", str(store.path), "--levels", "5", "--json")
        assert main(["stress", checkpoint, *data, *arguments]) == 0
        found: dict[str, list[float]] = {}
        for cell in json.loads(capsys.readouterr().out)["cells"]:
            found.setdefault(cell["artifact"], []).append(cell["value"])
        return found

    variants = ("rician", "noncentral_chi", "noncentral_chi-one")
    options = ("--options", "noncentral_chi-one.coils=1", "--grid", "physical")
    both = values("--artifacts", *variants, *options)
    assert list(both) == ["clean", *variants]
    alone = values(
        "--artifacts", "noncentral_chi", "--options", "noncentral_chi.coils=1", *options[2:]
    )
    assert alone["noncentral_chi"] == both["noncentral_chi-one"]
    assert (
        values("--artifacts", "noncentral_chi", *options[2:])["noncentral_chi"]
        == (both["noncentral_chi"])
    )


@pytest.mark.parametrize("asked", ["stress", "calibrate", "preview"])
def test_draws_by_a_place_that_the_store_does_not_know_are_refused(
    asked: str,
    checkpoint: str,
    store: Store,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, png = str(store.path), str(tmp_path / "sheet.png")
    commands = {
        "stress": ["stress", checkpoint, "--data", data],
        "calibrate": ["calibrate", data, "--split", "1", "--out", str(tmp_path / "levels.json")],
        "preview": ["preview", data, "--grid", "physical", "--out", png],
    }
    options = ["--artifacts", "motion", "--options", "motion.moves=between_slices"]
    assert main([*commands[asked], *options]) == 2
    told = capsys.readouterr().err
    assert "motion draws by the place of a slice in its scan" in told
    assert "a store whose source numbers the slices of a scan" in told
    assert "Traceback" not in told


def test_an_artifact_with_other_options_than_its_sweep_s_is_calibrated_anew(
    checkpoint: str, store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    trial = SweepConfig.from_dict(
        settings(
            store,
            stress={"artifacts": ["spike"], "levels": [1], "options": {"spike": {"spikes": 2}}},
        )
    ).trial({"train.epochs": 1})
    own = str(fit(trial, store, tmp_path / "fit").checkpoint)
    data = ("--data", str(store.path))
    assert main(["stress", own, *data]) == 0
    assert "levels: " not in capsys.readouterr().err
    assert main(["stress", own, *data, "--options", "spike.spikes=2"]) == 0
    assert "levels: " not in capsys.readouterr().err
    assert main(["stress", own, *data, "--options", "spike.spikes=3"]) == 0
    assert "levels: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--options", "bias.order=3"),
            "--options bias: bias has no such option; received 'order'; leave it out",
        ),
        (
            ("--options", "motion.order=interleaved"),
            "--options are of an artifact that is not among those asked for; received 'motion'",
        ),
        (
            ("--artifacts", "moton"),
            "--artifacts has an unknown name; received 'moton'; did you mean 'motion'?",
        ),
        (("--levels", "7"), "--levels has an unknown name; received '7'; known: 1, 2, 3, 4, 5"),
        (("--levels", "two"), "invalid int value: 'two'"),
        (("--split", "9"), "'9'"),
    ],
)
def test_a_stress_test_that_cannot_be_is_refused(
    checkpoint: str,
    store: Store,
    arguments: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = complaint(capsys, "stress", checkpoint, "--data", str(store.path), *arguments)
    assert message in text


def test_a_store_with_other_labels_is_refused(
    checkpoint: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    other = make_store(tmp_path / "other.h5", labels=("x", "y", "z"))
    text = complaint(capsys, "stress", checkpoint, "--data", str(other.path))
    assert "the checkpoint, ['a', 'b'] (multiclass); received ['x', 'y', 'z']" in text


def test_a_damaged_checkpoint_is_named(
    store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "broken.pt"
    path.write_bytes(b"not a checkpoint")
    assert "broken.pt" in complaint(capsys, "stress", str(path), "--data", str(store.path))


@pytest.fixture
def by_accuracy(sweep_folder: Path, tmp_path: Path) -> SweepFolder:
    """A finished sweep that was to maximise another metric than the usual one."""
    shutil.copytree(sweep_folder, tmp_path / "sweep")
    folder = SweepFolder.open(tmp_path / "sweep")
    folder.write_config(folder.config().replace({"search.objective": "clean/balanced_accuracy"}))
    return folder


def test_best_says_why_it_ranks_nothing_where_all_trials_are_screened(
    sweep_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As when a limit ends a sweep while its trials wait for each other."""
    shutil.copytree(sweep_folder, tmp_path / "sweep")
    folder = SweepFolder.open(tmp_path / "sweep")
    for record in folder.trials():
        only = {name: v for name, v in record.metrics.items() if name == "robust/auroc_cvar"}
        of_screening = {f"screen/{name}": value for name, value in only.items()}
        waits = {"status": "running", "metrics": of_screening, "intervals": {}}
        folder.write_trial(dataclasses.replace(record, **waits))
    assert main(["best", str(folder.path)]) == 0
    said = capsys.readouterr()
    assert "no trial has a score that robust/auroc_cvar ranks" in said.err
    assert "2 of them interrupted; --by screen/robust/auroc_cvar ranks such" in said.err
    assert main(["best", str(folder.path), "--by", "screen/robust/auroc_cvar"]) == 0
    assert "trial-0001" in capsys.readouterr().out


def test_best_follows_the_objective_of_the_sweep(
    by_accuracy: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["best", str(by_accuracy.path)]) == 0
    header, _, *lines = capsys.readouterr().out.split("\n\n")[0].splitlines()  # no notes
    assert "clean/balanced_accuracy" in header
    assert "auroc" not in header
    ranked = sweep.best(by_accuracy.path, by="clean/balanced_accuracy")
    rows = itertools.takewhile(bool, lines)  # what collapsed is said below an empty line
    assert [line.split()[1] for line in rows] == [row.trial for row in ranked]
    assert sweep.best(by_accuracy.path) == ranked
    assert main(["best", str(by_accuracy.path), "--by", "clean/auroc"]) == 0
    assert "clean/auroc" in capsys.readouterr().out


@pytest.fixture
def of_two(sweep_folder: Path, tmp_path: Path) -> SweepFolder:
    """A finished sweep that was to maximise two metrics together."""
    shutil.copytree(sweep_folder, tmp_path / "sweep")
    folder = SweepFolder.open(tmp_path / "sweep")
    wanted = {"search.objectives": ["clean/auroc", "robust/auroc_mean"], "search.objective": "auto"}
    folder.write_config(folder.config().replace(wanted))
    return folder


def test_best_of_two_objectives_marks_the_front_and_lists_it(
    of_two: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    def asked(*more: str) -> list[dict[str, Any]]:
        assert main(["best", str(of_two.path), *more, "--json"]) == 0
        rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
        return rows

    def point(row: dict[str, Any]) -> tuple[float, float]:
        return row["metrics"]["clean/auroc"], row["metrics"]["robust/auroc_mean"]

    rows, front = asked(), asked("--pareto")
    assert [sum(point(row)) for row in rows] == sorted(map(sum, map(point, rows)), reverse=True)
    assert front == [row for row in sorted(rows, key=point)[::-1] if row["pareto_rank"] == 0]
    assert sweep.best(of_two.path, pareto=True) == sweep.best(
        of_two.path, by="clean/auroc,robust/auroc_mean", pareto=True
    )
    assert [row["norm"] for row in asked("--pareto", "--norm", "group")] == ["group"]
    assert main(["best", str(of_two.path), "--pareto"]) == 0
    text = capsys.readouterr().out
    covered = hypervolumes(of_two.path)
    assert list(covered) == [None, "batch", "group"]
    assert f"hypervolume  {covered[None]:.3f} of the square" in text
    assert "of norms     batch 0." in text
    assert text.splitlines()[0].split()[:4] == ["#", "trial", "norm", "front"]


def test_a_front_of_a_sweep_of_one_objective_is_of_two_metrics_that_are_named(
    sweep_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["best", str(sweep_folder), "--pareto"]
    assert "a Pareto front is of two different metrics; received a sweep with the one" in complaint(
        capsys, *command
    )
    assert "received clean/auroc; name them, such as --by clean/auroc,robust/" in complaint(
        capsys, *command, "--by", "clean/auroc"
    )
    assert "no trial has this metric; received 'clean/roc'" in complaint(
        capsys, *command, "--by", "clean/auroc,clean/roc"
    )
    assert main([*command, "--by", "clean/balanced_accuracy, robust/auroc_worst"]) == 0
    text = capsys.readouterr().out
    assert "of the square from 0 to 1 of clean/balanced_accuracy and robust/auroc_worst" in text


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("more", [(), ("--pareto",)])
def test_best_of_two_objectives_asked_of_the_server_is_the_same(
    of_two: SweepFolder, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    assert main(["sync", str(of_two.path)]) == 0
    capsys.readouterr()
    uri = f"sqlite:///{of_two.path.parent / 'mlflow.db'}"
    assert main(["best", "--mlflow", uri, "--experiment", "ledger", *more]) == 0
    of_server = capsys.readouterr().out
    assert main(["best", str(of_two.path), *more]) == 0
    assert capsys.readouterr().out == of_server


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_best_asked_of_the_server_follows_it_too(
    by_accuracy: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sync", str(by_accuracy.path)]) == 0
    capsys.readouterr()
    uri = f"sqlite:///{by_accuracy.path.parent / 'mlflow.db'}"
    assert main(["best", "--mlflow", uri, "--experiment", "ledger"]) == 0
    of_server = capsys.readouterr().out
    assert main(["best", str(by_accuracy.path)]) == 0
    assert capsys.readouterr().out == of_server


@pytest.mark.slow
@pytest.mark.parametrize(
    ("group", "name"), [("mrisweep.artifacts", "rician"), ("mrisweep.norms", "batch")]
)
def test_a_package_that_takes_a_name_of_ours_gets_one_message(
    store: Store, tmp_path: Path, group: str, name: str
) -> None:
    site = tmp_path / "site"
    lay_out(site, {group: {name: "nothing:NOTHING"}})
    done = subprocess.run(
        [sys.executable, "-m", "sweep", "check", sweep_file(tmp_path, store)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *sys.path])},
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "has a name that is taken; received nothing:NOTHING; rename it there" in done.stderr


def best_checkpoint(folder: Path) -> str:
    return sweep.best(folder, top=1)[0].checkpoint


def test_predict_says_in_a_line_what_it_did(
    sweep_folder: Path, store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "p.parquet"
    command = ["predict", best_checkpoint(sweep_folder), "--data", str(store.path)]
    assert main([*command, "--split", "3", "--out", str(out)]) == 0
    line = capsys.readouterr().out
    assert line.startswith(f"{out}: 32 slices of 8 patients in ")
    assert line.count("\n") == 1
    assert main([*command, "--out", str(out), "--force", "--json", "--batch-size", "5"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["slices"], done["patients"], done["labels"]) == (96, 24, ["a", "b"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--split", "9"), "no such split in the store; received '9' for "),
        (("--split", "9"), "which has '1' (32 slices), '2' (32 slices), '3' (32 slices)"),
        (("--device", "meta"), "no such device on this machine; received 'meta'"),
        (("--device", "abacus"), "no such device on this machine; received 'abacus'"),
        (("--batch-size", "0"), "--batch-size is below 1; received 0; give 1 or more"),
        (("--out", "."), "the output is a folder"),
        (("--data", "file", "--out", "file", "--force"), "the output is one of the inputs"),
        (("--out", "file/p.parquet"), "a part of the output's path is no folder"),
        (("--data", "file"), "the store is not a readable HDF5 file"),
    ],
)
def test_predict_refuses_in_one_message_and_leaves_nothing(
    arguments: tuple[str, ...],
    message: str,
    sweep_folder: Path,
    store: Store,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    command = ["predict", best_checkpoint(sweep_folder), "--data", str(store.path)]
    assert message in complaint(capsys, *command, "--out", "p.parquet", *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("arguments", [["run", "s.yaml", "--out", ""], ["best", ""]])
def test_an_empty_argument_is_no_path(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """As of a variable of the shell that is not set; it would be the current folder."""
    assert main(arguments) == 2
    before = " ".join(arguments[:-1])
    assert f"an argument is empty; received {before} ''; give a value" in capsys.readouterr().err
