"""Knobs that count pixels count those of the file, at whatever size a store shows them."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import Geometry, Shift
from sweep.ingest import engine
from sweep.ingest.formats.volumes.reading import volume_format
from sweep.ingest.making import Making
from sweep.ingest.volumes import plan_volumes
from sweep.learn.signals import Images
from sweep.store import Store
from sweep.store.splits import SplitAssigner, equal_folds

CPU = torch.device("cpu")
FIELD_MM = 96
# Spacing of rows and of columns: those of square pixels, and those of pixels that a size resamples.
SPACINGS_MM = [(1.0, 1.0), (2.0, 1.0), (1.0, 1.5)]
DRAWS = [f"scan {number}" for number in range(64)]


def ingested(folder: Path, pixel_mm: tuple[float, float], size: int | None) -> Store:
    """A blob in the middle of a field of view of 96 mm, as NIfTI, at a size."""
    (rows, columns) = (round(FIELD_MM / spacing) for spacing in pixel_mm)
    y = (np.arange(rows) + 0.5) * pixel_mm[0] - FIELD_MM / 2
    x = (np.arange(columns) + 0.5) * pixel_mm[1] - FIELD_MM / 2
    blob = 1000 * np.exp(-(y[:, None] ** 2 + x**2) / (2 * 6**2))
    voxels = np.stack([blob, blob]).astype(np.float32).transpose(2, 1, 0)
    folder.mkdir(exist_ok=True)
    nibabel.save(
        nibabel.Nifti1Image(voxels, np.diag([pixel_mm[1], pixel_mm[0], 3, 1])), folder / "a.nii"
    )
    (folder / "b.nii").write_bytes((folder / "a.nii").read_bytes())
    (folder / "m.csv").write_text("file,label,patient\na.nii,x,p0\nb.nii,y,p1\n")
    assigner = SplitAssigner(equal_folds(2))
    plan = plan_volumes(folder / "m.csv", folder, volume_format(), Making(assigner, size=size))
    return engine.ingest(plan, folder / f"{size}.h5").store


def damaged(store: Store, name: str, knob: float) -> tuple[np.ndarray, np.ndarray]:
    """One slice, clean (H, W), and under as many draws as there are, (B, H, W)."""
    signals = Images.of(store, np.zeros(len(DRAWS), np.int64), CPU)
    shift = Shift.of(artifacts_sim.get(name), knob=knob)
    damage = signals.apply(shift, shift.sample(keys=DRAWS, seed=0))
    return store.read([0])[0].astype(float), damage.numpy().astype(float)


def moments_mm(image: np.ndarray, pixel_mm: tuple[float, float]) -> tuple[list, list]:
    """Mean place and variance along rows and along columns."""
    means, variances = [], []
    for axis in (0, 1):
        profile = image.sum(axis=1 - axis)
        place = np.arange(len(profile)) * pixel_mm[axis]
        means.append(mean := float((profile * place).sum() / profile.sum()))
        variances.append(float((profile * (place - mean) ** 2).sum() / profile.sum()))
    return means, variances


@pytest.mark.parametrize("size", [None, 48, 64, 192])
@pytest.mark.parametrize("pixel_mm", SPACINGS_MM)
def test_fat_lies_as_many_mm_beside_its_place_at_every_size(
    tmp_path: Path, pixel_mm: tuple[float, float], size: int | None
) -> None:
    store = ingested(tmp_path, pixel_mm, size)
    (shown_mm,) = store.pixel_mm([0])
    assert shown_mm is not None
    clean, shifted = damaged(store, "fat_shift", 4)
    # What moves is the fat: the difference of the first moments, over the fat's share of the whole.
    fat = np.clip((clean / np.quantile(clean, 0.99) - 0.5) / 0.3, 0, 1) * clean
    (start, _), _ = moments_mm(clean, shown_mm)
    moved = [abs(moments_mm(one, shown_mm)[0][0] - start) for one in shifted]
    share = fat.sum() / clean.sum()
    np.testing.assert_allclose(np.array(moved) / share, 4 * pixel_mm[0], rtol=0.05)


@pytest.mark.parametrize("size", [None, 48, 64, 192])
@pytest.mark.parametrize("pixel_mm", SPACINGS_MM)
def test_slices_are_as_many_mm_thick_at_every_size(
    tmp_path: Path, pixel_mm: tuple[float, float], size: int | None
) -> None:
    store = ingested(tmp_path, pixel_mm, size)
    (shown_mm,) = store.pixel_mm([0])
    assert shown_mm is not None
    clean, thick = damaged(store, "anisotropy", 7)
    before = np.array(moments_mm(clean, shown_mm)[1])
    grown = np.array([moments_mm(one, shown_mm)[1] for one in thick]) - before
    across = grown.argmax(axis=1)
    for axis in (0, 1):
        # A box of the thickness t, t^2 / 12, and the triangle between slices, t^2 / 6.
        thickness = 2 * np.sqrt(grown[across == axis, axis].mean())
        assert thickness == pytest.approx(8 * pixel_mm[axis], rel=0.03)


def test_a_store_that_does_not_know_counts_the_pixels_that_it_shows(tmp_path: Path) -> None:
    store = ingested(tmp_path, (1.0, 1.0), 48)
    assert store.native([0]) == ((96, 96),)
    art = artifacts_sim.get("fat_shift")
    shift = Shift.of(art, knob=4)
    images, names = torch.from_numpy(store.read([0, 0, 0])), ["k0", "k1", "k2"]
    natives = ((96, 96), None, (48, 48))
    params = shift.sample(keys=names, seed=0)
    mixed = Images(images, store.pixel_mm([0] * 3), natives).apply(shift, params)
    for place, native in enumerate(natives):
        told = shift.apply(images[place : place + 1], params[[place]], Geometry(native=native))
        torch.testing.assert_close(mixed[place : place + 1], told, atol=0, rtol=0)
    assert not torch.equal(mixed[0], mixed[2])
