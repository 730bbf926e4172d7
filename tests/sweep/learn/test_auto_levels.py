"""The grid `auto`: levels of the sweep's own slices, as its classifier gets them, found once."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import Shift
from artifacts_sim.calibration.curve import likeness
from artifacts_sim.calibration.ssim import foreground, mean_ssim
from sweep.config.settings import DataSettings, Normalize, Signal, StressSettings
from sweep.core.errors import UserError
from sweep.learn.inputs import NORMALIZERS, corrupt, gather, normalize
from sweep.learn.levels import (
    cached_levels,
    calibrate_all,
    foreign_grid,
    plan_of,
    with_levels,
)
from sweep.learn.reference import ReferencePlan, StoreSlices, choose
from sweep.store import Store, write_store
from sweep.store.slices import Slice
from tests.support.stores import make_store

CPU = torch.device("cpu")
NAMES = ("rician", "bias", "motion")
STRESS = StressSettings(artifacts=NAMES)


def data_of(store: Store, **changes: object) -> DataSettings:
    settings = DataSettings(store=str(store.path), train=(1, 2), validation=(3,))
    return dataclasses.replace(settings, **changes)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("MRISWEEP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Heard:
    """What was said, and whether anything was calibrated."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, text: str) -> None:
        self.lines.append(text)

    @property
    def calibrated(self) -> bool:
        return any("calibrating" in line for line in self.lines)


def rewritten(store: Store, path: Path, rows: np.ndarray) -> Store:
    """Some slices of a store in another order."""
    slices = [
        Slice(
            key=str(store.keys[row]),
            patient=str(store.patients[row]),
            split=str(store.splits[row]),
            labels=frozenset({store.label_names[int(store.labels[row].argmax())]}),
            origin="test",
        )
        for row in rows
    ]
    return write_store(
        path,
        slices,
        list(store.read(rows)),
        shape=store.images.shape[1:],
        label_names=store.label_names,
        task=store.task,
        source={"another": "source"},
    )


# What levels do not depend on


def test_neither_the_order_of_slices_nor_partners_nor_threads_change_a_level(
    store: Store, tmp_path: Path
) -> None:
    turned = rewritten(store, tmp_path / "turned.h5", np.arange(len(store))[::-1])
    plan = plan_of(data_of(store), STRESS)
    alone, together, threads = (
        calibrate_all(choose(one, plan), plan, names, workers, lambda text: None)
        for one, names, workers in ((store, NAMES[:1], 1), (turned, NAMES, 1), (store, NAMES, 3))
    )
    assert alone[0] == together[0]
    assert together == threads


def test_levels_rest_on_training_patients_alone(store: Store) -> None:
    chosen = choose(store, plan_of(data_of(store, train=(2,), validation=(1, 3)), STRESS))
    rows = np.concatenate([chosen.reference.rows, chosen.held_out.rows])
    assert set(store.splits[rows].tolist()) == {"2"}


def test_threads_and_global_random_states_are_left_alone(
    store: Store, global_random_state: None
) -> None:
    torch.set_num_threads(2)
    plan = ReferencePlan(("1", "2"), 4, 2)
    calibrate_all(choose(store, plan), plan, NAMES, 2, lambda text: None)
    assert torch.get_num_threads() == 2


def test_someone_who_is_told_can_end_it(store: Store) -> None:
    def interrupt(text: str) -> None:
        raise KeyboardInterrupt

    plan = plan_of(data_of(store), STRESS)
    with pytest.raises(KeyboardInterrupt):
        calibrate_all(choose(store, plan), plan, NAMES, 2, interrupt)


# What they mean


@pytest.mark.slow
@pytest.mark.parametrize("signal", ["images", "kspace"])
def test_every_level_has_its_similarity_or_is_missing(kspace_store: Store, signal: Signal) -> None:
    plan = ReferencePlan(("1", "2"), 12, 6, signal=signal)
    chosen = choose(kspace_store, plan)
    for one in calibrate_all(chosen, plan, artifacts_sim.names(), 2, lambda text: None):
        art = artifacts_sim.get(one.artifact)
        for level in one.levels:
            if level.knob is None:
                assert level.missing
                continue
            assert level.knob <= art.knob.limit
            assert level.ssim == pytest.approx(level.target, abs=0.02)
            again = likeness(art, chosen.reference, level.knob, plan.seed)
            assert again.mean_ssim("foreground") == pytest.approx(level.ssim, abs=1e-4)
            assert again.mean_ssim("whole") == pytest.approx(level.other_ssim, abs=1e-4)


@pytest.mark.parametrize("how", NORMALIZERS)
@pytest.mark.parametrize("signal", ["images", "kspace"])
def test_slices_are_damaged_in_their_signal_and_seen_as_the_classifier_does(
    kspace_store: Store, signal: Signal, how: Normalize
) -> None:
    rows, art = np.arange(6), artifacts_sim.get("ghosting")
    slices = StoreSlices(kspace_store, rows, signal, how)
    batch = gather(kspace_store, rows, CPU, signal)
    clean, inputs = (
        torch.cat([part.clean for part in slices.parts]),
        normalize(corrupt(batch.signals, Shift.of(art, knob=0.6), batch.names, 3), how)[:, 0],
    )
    shown = torch.cat([part.damaged(art, 0.6, 3) for part in slices.parts])
    torch.testing.assert_close(clean, batch.signals.clean(), atol=0, rtol=0)
    # An affine map of the inputs, and the one that makes the clean slice of its own inputs.
    seen_clean = normalize(clean, how)[:, 0]
    for place in range(len(rows)):
        x, y = seen_clean[place].flatten().double(), clean[place].flatten().double()
        slope = (y.max() - y.min()) / (x.max() - x.min())
        expected = (inputs[place].double() - x.min()) * slope + y.min()
        torch.testing.assert_close(
            shown[place].double(), expected, atol=1e-4 * float(y.max()), rtol=0
        )


def test_without_a_normalization_it_is_plain_ssim(store: Store) -> None:
    art, rows = artifacts_sim.get("rician"), np.arange(8)
    images = torch.from_numpy(store.read(rows))
    params = art.sample(knob=0.1, keys=store.keys[rows].tolist(), seed=2)
    plain = mean_ssim(images, art.apply(images, params), foreground(images))
    seen = likeness(art, StoreSlices(store, rows, "images", "none"), 0.1, 2)
    np.testing.assert_allclose(seen.foreground, plain, atol=1e-6)


def test_what_the_normalization_takes_out_does_not_count(store: Store) -> None:
    """A bias field changes the mean and the spread, which zscore gives back in part."""
    art, rows = artifacts_sim.get("bias"), np.arange(8)
    plain, scaled = (
        likeness(art, StoreSlices(store, rows, "images", how), 2.0, 0).mean_ssim("foreground")
        for how in ("none", "zscore")
    )
    assert abs(plain - scaled) > 0.01


def test_the_whole_image_sees_what_falls_beside_the_object(store: Store) -> None:
    """A body on black: over all of the image a ghost costs more, so a level is a weaker one."""
    knobs = {}
    for measure in ("foreground", "whole"):
        plan = ReferencePlan(("train",), 4, 2, normalize="none", measure=measure)
        chosen = choose(store_on_black(store), plan)
        (found,) = calibrate_all(chosen, plan, ["ghosting"], 1, lambda text: None)
        knobs[measure] = found.levels[0].knob
        assert found.levels[0].ssim == pytest.approx(0.95, abs=0.02)
    assert knobs["whole"] < knobs["foreground"]


def store_on_black(store: Store) -> Store:
    """The slices with black around their centre, all in the split 'train'."""
    images = np.zeros_like(store.images)
    images[:, 8:16, 8:16] = store.images[:, 8:16, 8:16]
    splits = np.full(len(store), b"train")
    columns = {**store.columns, "images": images, "split": splits}
    return dataclasses.replace(store, columns=columns)


# What is kept


def test_what_is_kept_is_what_was_found(store: Store, cache: Path) -> None:
    first, again = Heard(), Heard()
    settings, found = with_levels(STRESS, data_of(store), NAMES, store, first)
    repeated, kept = with_levels(STRESS, data_of(store), NAMES, store, again)
    assert first.calibrated
    assert not again.calibrated
    assert again.lines == [], "what changes nothing is not said at every start"
    assert repeated == settings
    assert kept == found
    assert set(settings.knobs) == set(NAMES)
    assert len(list(cache.rglob("*.json"))) == len(NAMES)


def test_a_store_that_is_saved_twice_is_known(store: Store, cache: Path, tmp_path: Path) -> None:
    copies = [rewritten(store, tmp_path / name, np.arange(len(store))) for name in ("a.h5", "b.h5")]
    heard = [Heard(), Heard()]
    settings = [
        with_levels(STRESS, data_of(one), NAMES, one, say)[0]
        for one, say in zip(copies, heard, strict=True)
    ]
    assert settings[0] == settings[1]
    assert [say.calibrated for say in heard] == [True, False]


def test_an_artifact_more_is_calibrated_alone(store: Store, cache: Path) -> None:
    with_levels(STRESS, data_of(store), NAMES[:2], store)
    heard = Heard()
    with_levels(STRESS, data_of(store), NAMES, store, heard)
    assert [line[:19] for line in heard.lines if "/" in line] == ["levels: 1/1 motion:"]


@pytest.mark.parametrize(
    ("data", "stress"),
    [
        ({"train": (2,)}, {}),
        ({"normalize": "zscore"}, {}),
        ({}, {"seed": 1}),
        ({}, {"measure": "whole"}),
    ],
    ids=["split", "normalize", "seed", "measure"],
)
def test_whatever_decides_levels_is_in_the_name_of_what_is_kept(
    store: Store, cache: Path, data: dict[str, object], stress: dict[str, object]
) -> None:
    names = ("bias",)
    with_levels(STRESS, data_of(store), names, store)
    heard = Heard()
    with_levels(dataclasses.replace(STRESS, **stress), data_of(store, **data), names, store, heard)
    assert heard.calibrated


def test_the_signal_is_in_it_too(kspace_store: Store, cache: Path) -> None:
    knobs = []
    for signal in ("images", "kspace"):
        heard = Heard()
        data = data_of(kspace_store, signal=signal)
        settings, _ = with_levels(STRESS, data, ("ghosting",), kspace_store, heard)
        knobs.append(settings.knobs["ghosting"])
        assert heard.calibrated
    assert knobs[0] != knobs[1]


def test_neither_the_order_of_splits_nor_the_batch_size_matters(store: Store, cache: Path) -> None:
    with_levels(STRESS, data_of(store), ("bias",), store)
    heard, other = Heard(), dataclasses.replace(STRESS, batch_size=1, levels=(2,))
    with_levels(other, data_of(store, train=("2", 1)), ("bias",), store, heard)
    assert not heard.calibrated


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-40],
        lambda text: "[1]",
        lambda text: text.replace('"values"', '"valeus"'),
        lambda text: text.replace('"version": 1', '"version": 0'),
        lambda text: text.replace('"values": [', '"values": [99999,'),
    ],
)
def test_what_is_damaged_is_made_anew(store: Store, cache: Path, damage: object) -> None:
    good, _ = with_levels(STRESS, data_of(store), ("bias",), store)
    (file,) = cache.rglob("*.json")
    text = file.read_text()
    assert damage(text) != text
    file.write_text(damage(text))
    assert not cached_levels(store, plan_of(data_of(store), STRESS), ("bias",))
    heard = Heard()
    assert with_levels(STRESS, data_of(store), ("bias",), store, heard)[0] == good
    assert heard.calibrated
    assert file.read_text() == text


def test_a_place_that_cannot_be_written_costs_a_message(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MRISWEEP_CACHE", str(tmp_path / "file" / "cache"))
    heard = Heard()
    settings, _ = with_levels(STRESS, data_of(store), ("bias",), store, heard)
    assert settings.knobs["bias"][0] > 0
    assert "levels: those of bias are not kept for the next sweep" in heard.lines[-2]


# What is asked for


def test_what_is_written_is_not_calibrated(store: Store) -> None:
    mine = {"bias": (0.1, 0.2, 0.3, 0.4, None)}
    settings = dataclasses.replace(STRESS, knobs=mine)
    assert with_levels(settings, data_of(store), ("bias",), store) == (settings, None)
    fixed = dataclasses.replace(STRESS, grid="physical")
    assert with_levels(fixed, data_of(store), NAMES, store) == (fixed, None)
    more, _ = with_levels(settings, data_of(store), ("bias", "rician"), store)
    assert more.knobs["bias"] == mine["bias"]


def test_too_few_patients_are_refused_with_a_way_out(tmp_path: Path) -> None:
    small = make_store(tmp_path / "s.h5", patients=6, per_patient=2)  # two in each fold
    with pytest.raises(
        UserError,
        match=r"stress.grid is auto: levels are found on at least 2 patients and .*; received 2 in "
        r"split 1; name more splits, or set stress.grid to calibrated or physical",
    ):
        with_levels(STRESS, data_of(small, train=(1,)), NAMES, small)


def test_three_patients_are_enough(tmp_path: Path) -> None:
    small = make_store(tmp_path / "s.h5", patients=7, per_patient=2)
    settings, levels = with_levels(STRESS, data_of(small, train=(1,)), ("bias",), small)
    assert settings.knobs["bias"][0] > 0
    assert levels.record["reference"]["patients"] == 2


def test_missing_levels_and_those_that_others_do_not_share_are_said(store: Store) -> None:
    _, levels = with_levels(STRESS, data_of(store), ("partial_fourier",), store)
    (one,) = levels.calibrations
    missing = [number for number, level in enumerate(one.levels, start=1) if level.missing]
    remarks = list(levels.remarks((1, 2, 3, 4, 5)))
    assert missing
    for number in missing:
        assert any(f"partial_fourier: level {number} " in line for line in remarks)
    assert not any("level 5" in line for line in levels.remarks((1,)))
    off = dataclasses.replace(one.levels[0], missing="", knob=1.0, held_out_ssim=0.85)
    changed = dataclasses.replace(one, levels=(off, *one.levels[1:]))
    (line,) = dataclasses.replace(levels, calibrations=(changed,)).remarks((1,))
    assert "has 0.85 on training patients that it was not found on" in line


# Fixed grids


def test_a_fixed_grid_for_other_images_is_remarked(store: Store, tmp_path: Path) -> None:
    calibrated = dataclasses.replace(STRESS, grid="calibrated")
    line = foreign_grid(calibrated, data_of(store), store)
    assert "for images of 256 x 256 pixels, and these are images of 24 x 24" in line
    assert "stress.grid: auto" in line
    large = dataclasses.replace(
        store, columns={**store.columns, "images": np.zeros((96, 250, 260), np.float32)}
    )
    assert foreign_grid(calibrated, data_of(store), large) == ""
    assert "are kspace" in foreign_grid(calibrated, data_of(store, signal="kspace"), large)
    written = dict.fromkeys(NAMES, (0.1, 0.2, 0.3, 0.4, 0.5))
    for silent in (
        STRESS,
        dataclasses.replace(STRESS, grid="physical"),
        dataclasses.replace(calibrated, knobs=written),
    ):
        assert foreign_grid(silent, data_of(store), store) == ""


def test_an_interruption_costs_only_what_is_at_work(store: Store) -> None:
    plan, kept, lines = ReferencePlan(("1", "2"), 4, 2), [], []

    def say(text: str) -> None:
        lines.append(text)
        if text.startswith("1/2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        calibrate_all(choose(store, plan), plan, ["rician", "bias"], 1, say, kept.append)
    assert [one.artifact for one in kept] == ["rician"]
    assert lines[-1] == "interrupted before bias; the same command goes on with these"


# Options


def test_levels_are_found_and_kept_by_options(store: Store, cache: Path) -> None:
    late = {"window": (0.5, 1.0)}
    alone, _ = with_levels(STRESS, data_of(store), ("motion",), store)
    both = dataclasses.replace(STRESS, options={"motion-late": late})
    heard = Heard()
    settings, levels = with_levels(both, data_of(store), ("motion", "motion-late"), store, heard)
    assert [line[:24] for line in heard.lines if "/" in line] == ["levels: 1/1 motion-late:"]
    assert settings.knobs["motion"] == alone.knobs["motion"] != settings.knobs["motion-late"]
    # It is the options that decide, not how the variant is called.
    renamed, again = dataclasses.replace(STRESS, options={"motion": late}), Heard()
    found, _ = with_levels(renamed, data_of(store), ("motion",), store, again)
    assert not again.calibrated
    assert found.knobs["motion"] == settings.knobs["motion-late"]
    rows = levels.record["artifacts"]
    assert "options" not in rows["motion"]
    assert rows["motion-late"]["options"] == {"window": [0.5, 1.0]}


def test_the_levels_of_a_variant_have_their_similarity(store: Store) -> None:
    options = {"noncentral_chi-many": {"coils": 32}}
    plan = plan_of(data_of(store), STRESS)
    chosen = choose(store, plan)
    names = ["noncentral_chi-many"]
    (one,) = calibrate_all(chosen, plan, names, 1, lambda text: None, options=options)
    art, level = artifacts_sim.get("noncentral_chi", coils=32), one.levels[1]
    again = likeness(art, chosen.reference, level.knob, plan.seed)
    assert again.mean_ssim("foreground") == pytest.approx(level.ssim, abs=1e-4)
    assert level.ssim == pytest.approx(level.target, abs=0.02)
