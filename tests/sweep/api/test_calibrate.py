"""`mrisweep calibrate`: the right slices, a file that says what it is, nothing overwritten."""

import dataclasses
import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim.calibration.calibrate import Calibration, Level
from artifacts_sim.calibration.curve import Slices, likeness
from sweep.api.calibrate import calibrate_store, levels_table
from sweep.cli import main
from sweep.core.errors import UserError
from sweep.learn.reference import ReferencePlan, choose
from sweep.store import Store, write_store
from sweep.store.slices import Slice
from tests.support.stores import make_store

pytestmark = pytest.mark.slow

SMALL = ReferencePlan(splits=("1", "2"), slices=6, held_out=3)  # of 16 patients with 4 slices each


def store_of(path: Path, counts: dict[str, int], empty: frozenset[str] = frozenset()) -> Store:
    """A store of one split with this many slices of each patient; those of `empty` are black."""
    keys = [f"{patient}/{place}" for patient, count in counts.items() for place in range(count)]
    slices = [Slice(key, key.split("/")[0], "train", frozenset("a"), "test") for key in keys]
    ramp = np.arange(64, dtype=np.float32).reshape(8, 8)
    images = [ramp * (key not in empty) for key in keys]
    return write_store(
        path, slices, images, shape=(8, 8), label_names=("a",), task="multiclass", source={}
    )


def calibrated(store: Store, out: Path, *more: str) -> int:
    sizes = ("--slices", "6", "--held-out", "3", "--artifacts", "rician")
    return main(
        ["calibrate", str(store.path), "--split", "1", "2", "--out", str(out), *sizes, *more]
    )


# The choice of slices


def test_slices_come_from_the_splits_named_and_patients_from_one_side(store: Store) -> None:
    chosen = choose(store, SMALL)
    both = (chosen.reference, chosen.held_out)
    assert [len(side.keys) for side in both] == [6, 3]
    assert not set(chosen.reference.patients) & set(chosen.held_out.patients)
    of_split = dict(zip(store.keys.tolist(), store.splits.tolist(), strict=True))
    assert {of_split[key] for side in both for key in side.keys} <= {"1", "2"}


def test_slices_keys_and_patients_belong_together(store: Store) -> None:
    reference = choose(store, SMALL).reference
    images = torch.cat([part.clean for part in reference.parts])
    for image, key, patient in zip(images, reference.keys, reference.patients, strict=True):
        row = store.keys.tolist().index(key)
        assert torch.equal(image, torch.from_numpy(store.images[row].copy()))
        assert store.patients[row] == patient


# 16 patients, dealt in proportion to the slices asked for: of 10 and 8 slices, 9 and 7 patients.
@pytest.mark.parametrize(("slices", "patients"), [(3, 3), (10, 9), (21, 12), (40, 13)])
def test_every_patient_gives_one_slice_before_any_gives_a_second(
    store: Store, slices: int, patients: int
) -> None:
    counts = Counter(choose(store, ReferencePlan(("1", "2"), slices, 8)).reference.patients)
    assert max(counts.values()) - min(counts.values()) <= 1
    assert len(counts) == patients


def test_a_patient_with_few_slices_does_not_end_the_turns(tmp_path: Path) -> None:
    store = store_of(tmp_path / "s.h5", {"a": 1, "b": 9, "c": 9})
    chosen = choose(store, ReferencePlan(("train",), slices=8, held_out=1))
    assert len(chosen.reference.keys) == len(set(chosen.reference.keys)) == 8


def test_the_same_seed_chooses_the_same(store: Store) -> None:
    first, again = choose(store, SMALL), choose(store, SMALL)
    assert first.reference.keys == again.reference.keys
    assert first.held_out.keys == again.held_out.keys


def test_another_seed_chooses_other_patients_and_other_slices_of_them(tmp_path: Path) -> None:
    store = store_of(tmp_path / "s.h5", dict.fromkeys("abcdef", 9))
    chosen = [choose(store, ReferencePlan(("train",), 2, 2, seed)).reference for seed in range(12)]
    assert len({frozenset(reference.patients) for reference in chosen}) > 4
    of_one = {key for reference in chosen for key in reference.keys if key.startswith("a/")}
    assert len(of_one) > 1


def test_the_order_of_the_store_does_not_matter(tmp_path: Path) -> None:
    counts = {"a": 3, "b": 3, "c": 3, "d": 3, "e": 3}
    plan = ReferencePlan(("train",), slices=5, held_out=2)
    one = choose(store_of(tmp_path / "1.h5", counts), plan)
    other = choose(store_of(tmp_path / "2.h5", dict(reversed(counts.items()))), plan)
    assert one.reference.keys == other.reference.keys
    assert one.held_out.keys == other.held_out.keys


def test_empty_slices_are_passed_over(tmp_path: Path) -> None:
    counts = dict.fromkeys("abcdef", 4)
    empty = frozenset(f"{name}/{place}" for name in counts for place in (0, 2))
    chosen = choose(store_of(tmp_path / "s.h5", counts, empty), ReferencePlan(("train",), 8, 4))
    for side in (chosen.reference, chosen.held_out):
        assert not set(side.keys) & empty


# What the knob's millimetres mean


def with_pixels(store: Store, pixel_mm: float) -> Store:
    sizes = np.full((len(store), 2), pixel_mm, np.float32)
    return dataclasses.replace(store, columns={**store.columns, "pixel_mm": sizes})


def test_a_knob_in_mm_is_found_in_the_pixels_of_the_store(store: Store) -> None:
    art = artifacts_sim.get("blur")
    ssim = [
        likeness(art, choose(one, SMALL).reference, knob, 0).foreground
        for one, knob in (
            (store, 4.0),
            (with_pixels(store, 10.0), 4.0),  # 240 mm on 24 pixels, as where nothing is said
            (with_pixels(store, 5.0), 2.0),
            (with_pixels(store, 5.0), 4.0),
        )
    ]
    np.testing.assert_array_equal(ssim[0], ssim[1])
    np.testing.assert_allclose(ssim[0], ssim[2])
    assert (ssim[0] > ssim[3]).all()


def test_slices_of_several_pixel_sizes_are_measured_each_in_its_own(store: Store) -> None:
    art, images = artifacts_sim.get("blur"), torch.from_numpy(store.read(range(6)))
    keys = tuple(store.keys[:6].tolist())
    sizes = [(5.0, 5.0), None, (12.0, 8.0), (5.0, 5.0), None, (5.0, 5.0)]
    mixed = likeness(art, Slices(images, keys, keys, tuple(sizes)), 4.5, 0).foreground
    for place, size in enumerate(sizes):
        alike = likeness(art, Slices(images, keys, keys, (size,) * 6), 4.5, 0).foreground
        assert mixed[place] == pytest.approx(alike[place], rel=1e-6)


# The file


def test_the_file_says_what_the_levels_rest_on(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "new" / "levels.json"
    assert calibrated(store, out, "--seed", "3") == 0
    written = json.loads(out.read_text())
    chosen = choose(store, ReferencePlan(("1", "2"), 6, 3, seed=3))
    hashed = hashlib.sha256(json.dumps(list(chosen.reference.keys)).encode())
    hashed.update(store.read(chosen.reference.rows).tobytes())
    names = ["format", "version", "measure", "other_measure", "targets", "reference", "artifacts"]
    assert list(written) == names
    assert "normalized on their own" in written["reference"].pop("intensities")
    assert written["reference"] == {
        "source": store.path.name,
        "fingerprint": store.fingerprint,
        "hash": hashed.hexdigest(),
        "split": ["1", "2"],
        "slices": 6,
        "patients": 6,
        "held_out_slices": 3,
        "held_out_patients": 3,
        "height": 24,
        "width": 24,
        "signal": "images",
        "normalize": "robust",
        "scan_draws": True,
        "seed": 3,
    }
    assert list(written["artifacts"]) == ["rician"]
    assert [path.name for path in out.parent.iterdir()] == ["levels.json"]


def test_the_same_question_gives_the_same_file(store: Store, tmp_path: Path) -> None:
    outs = [tmp_path / "a.json", tmp_path / "b.json"]
    assert [calibrated(store, out) for out in outs] == [0, 0]
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_the_measure_and_the_scaling_are_chosen_and_said(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "levels.json"
    assert calibrated(store, out, "--measure", "whole", "--normalize", "none") == 0
    written = json.loads(out.read_text())
    assert written["reference"]["normalize"] == "none"
    assert written["measure"].endswith("all pixels, the background too")
    assert "averaged over the foreground" in written["other_measure"]
    header = capsys.readouterr().out.splitlines()[0]
    assert header.index("whole SSIM") < header.index("held out") < header.index("foreground SSIM")


def test_k_space_of_a_store_without_it_is_refused(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrated(store, tmp_path / "levels.json", "--signal", "kspace") == 2
    assert "the store keeps no k-space" in capsys.readouterr().err


def test_results_go_to_stdout_and_progress_to_stderr(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "levels.json"
    calibrated(store, out)
    printed = capsys.readouterr()
    row = json.loads(out.read_text())["artifacts"]["rician"]
    for value in row["values"]:
        assert f"{value:.4g}" in printed.out
    assert str(out) in printed.out
    assert "1/1 rician" in printed.err


def test_a_file_of_levels_is_never_overwritten(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "levels.json"
    out.write_text("precious")
    assert calibrated(store, out) == 2
    assert "the file of levels exists, and scores may rest on it" in capsys.readouterr().err
    assert out.read_text() == "precious"


# The table


def test_the_table_says_in_words_what_is_missing() -> None:
    found = Level(0.95, 1.061, (1.001, 1.0891), 0.9494, 0.9502, 0.7112, 20.71)
    lost = Level(0.9, missing="at its limit 6 the SSIM is 0.93")
    table = levels_table([Calibration("bias", "log_gain", (found, lost), 30)]).splitlines()
    first, second = (" ".join(line.split()) for line in table[2:4])
    assert first == "bias log_gain 1 1.061 [1.001, 1.089] 0.949 0.950 0.711 20.7"
    assert second == "2 - - - - - -"
    assert table[4] == ("bias: level 2 (SSIM 0.9) not reached: at its limit 6 the SSIM is 0.93")
    assert len(table) == 5


# Bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--split", "9"], "no such split in the store; received '9'"),
        (["--split", "1", "--slices", "40"], "and --slices asks for more; received 40"),
        (
            ["--split", "1", "--slices", "8", "--held-out", "30"],
            "and --held-out asks for more; received 30",
        ),
        (["--split", "1", "--slices", "1"], "at least 2 slices"),
        (
            ["--split", "1", "--held-out", "0"],
            "checked on at least 1, and this is fewer; received --slices",
        ),
        (["--split", "1", "--artifacts", "motoin"], "did you mean 'motion'?"),
        ([], "--split"),
    ],
    ids=["split", "slices", "held-out", "one slice", "no check", "artifact", "no split"],
)
def test_bad_input_is_explained_and_writes_nothing(
    store: Store,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    out = tmp_path / "levels.json"
    assert main(["calibrate", str(store.path), "--out", str(out), *arguments]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""
    assert not list(tmp_path.iterdir())


def test_too_few_patients_are_refused(tmp_path: Path) -> None:
    store = store_of(tmp_path / "s.h5", {"a": 20, "b": 20})
    with pytest.raises(
        UserError,
        match=r"at least 2 patients.*, and these are fewer; received 2 in split train; name",
    ):
        choose(store, ReferencePlan(("train",), slices=4, held_out=2))


def test_slices_that_an_artifact_refuses_are_the_users_to_mend(tmp_path: Path) -> None:
    store = make_store(tmp_path / "good.h5", patients=6, per_patient=1)
    slices = [Slice(key, key, "train", frozenset("a"), "test") for key in store.patients.tolist()]
    signed = write_store(
        tmp_path / "signed.h5",
        slices,
        store.images - 80,
        shape=(24, 24),
        label_names=("a",),
        task="multiclass",
        source={},
    )
    with pytest.raises(
        UserError,
        match=r"rician cannot be calibrated on these slices: the values are not finite numbers",
    ):
        calibrate_store(
            signed.path,
            ReferencePlan(("train",), 3, 1),
            tmp_path / "levels.json",
            artifacts=["rician"],
        )
    assert not (tmp_path / "levels.json").exists()
