"""One slice under every artifact and level, as the panels of a sheet."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from artifacts_sim import Artifact, ArtifactError, Names, Shift
from artifacts_sim.calibration.ssim import foreground, mean_ssim
from sweep.config.artifacts import NO_OPTIONS, Options, artifact_of
from sweep.config.levels import grid_knobs
from sweep.core.choice import shuffled
from sweep.core.errors import UserError, within
from sweep.learn.inputs import corrupt
from sweep.learn.signals import Images
from sweep.store import Store
from sweep.store.geometry import UNKNOWN, Geometry

Image = NDArray[np.float32]
"""A slice: (H, W), in the store's intensity units."""

# By the last word of a knob's name.
UNITS = {"deg": "°", "rad": " rad", "mm": " mm", "px": " px", "hz": " Hz"}


@dataclass(frozen=True, eq=False)
class DamagedPanel:
    """One picture with its caption; ``image`` is None where the artifact has no such level."""

    image: Image | None
    value: str = ""
    ssim: str = ""


@dataclass(frozen=True)
class ArtifactRow:
    """One artifact: its name, the name of its knob, the clean slice and a panel for each level."""

    artifact: str
    knob: str
    panels: tuple[DamagedPanel, ...]


def find_slice(store: Store, key: str | None, seed: int) -> int:
    """Number of the slice with this key; without a key, of one drawn by the seed.

    Raises:
        UserError: No such slice, or an empty one.

    """
    row = _drawn(store, seed) if key is None else _named(store, key)
    if not store.images[row].any():
        raise UserError(
            "the slice for the preview is empty",
            f"{str(store.keys[row])!r}",
            "name another with --slice",
        )
    return row


def _named(store: Store, key: str) -> int:
    found = np.flatnonzero(store.keys == key)
    if not len(found):
        raise UserError(
            f"--slice is not the key of a slice in {store.path}",
            f"{key!r}",
            f"give one like {str(store.keys[0])!r}",
        )
    return int(found[0])


def _drawn(store: Store, seed: int) -> int:
    """The first of the shuffled slices that is not empty, if any."""
    keys = store.keys.tolist()
    rows = shuffled(range(len(store)), keys.__getitem__, seed, "preview")
    return next((row for row in rows if store.images[row].any()), rows[0])


def row_of(
    name: str,
    clean: Image,
    names: Names,
    levels: Sequence[int],
    grid: str,
    seed: int,
    geometry: Geometry = UNKNOWN,
    options: Options = NO_OPTIONS,
) -> ArtifactRow:
    """Damage a slice at every level of one artifact, and measure what is left of it.

    Args:
        name: The name of the artifact, or of a variant.
        clean: (H, W).
        names: What the slice is called, from which its draws come.
        levels: 1 to 5.
        grid: What they mean, see ``sweep.config.levels``.
        seed: The seed of the artifact's draws.
        geometry: The size of its pixels, and of those that it had before a resize.
        options: The options of artifacts, by name.

    Raises:
        UserError: The artifact does not accept the slice, or the grid does not have it with its
            options.

    """
    art, knobs = artifact_of(name, options), grid_knobs(grid, name, options)
    x = Images(torch.from_numpy(clean)[None], (geometry.pixel_mm,), (geometry.native,))
    try:
        panels = [_panel(art, x, names, knobs[level - 1], seed) for level in levels]
    except ArtifactError as error:
        raise within(f"{name} cannot be drawn on slice {names.keys[0]!r}", error) from error
    return ArtifactRow(name, art.knob.name, (DamagedPanel(clean), *panels))


def _panel(art: Artifact, x: Images, names: Names, knob: float | None, seed: int) -> DamagedPanel:
    if knob is None:
        return DamagedPanel(None)
    y = corrupt(x, Shift.of(art, knob=knob), names, seed)
    ssim = float(mean_ssim(x.images, y, foreground(x.images)))
    unit = UNITS.get(art.knob.name.rpartition("_")[2], "")
    return DamagedPanel(y[0].numpy(), f"{knob:.3g}{unit}", f"SSIM {ssim:.2f}")
