"""How one artifact's similarity falls as its knob rises, measured on reference slices."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.acquisition.geometry import Geometry
from artifacts_sim.base import Artifact
from artifacts_sim.calibration.isotonic import falling_fit
from artifacts_sim.calibration.ssim import foreground, mean_squared_error, mean_ssim
from artifacts_sim.errors import ArtifactError
from artifacts_sim.params import Params

_PIXELS_AT_ONCE = 2 * 256 * 256  # intermediates of more pixels fall out of a core's cache
_DIGITS = 4  # of a knob value; whatever is measured is measured at the rounded value
_GRID_POINTS = 25  # two to each doubling, down to limit / 4096


@dataclass(frozen=True, eq=False)
class Slices:
    """Slices to measure on.

    Attributes:
        images: (B, H, W) float32 magnitude, none of them empty.
        keys: B names, from which the artifacts' draws come.
        patients: B names; whose slice it is.
        pixel_mm: B pixel sizes (RO, PE), None where unknown; by default all are.

    Raises:
        ArtifactError: Other numbers of keys, patients or pixel sizes than of slices.

    """

    images: Tensor
    keys: tuple[str, ...]
    patients: tuple[str, ...]
    pixel_mm: tuple[tuple[float, float] | None, ...] = ()

    def __post_init__(self) -> None:
        if self.pixel_mm and len(self.pixel_mm) != len(self.images):
            raise ArtifactError(
                "there is not one pixel size per slice",
                f"{len(self.pixel_mm)} pixel sizes for {len(self.images)} slices",
                "pass as many pixel sizes as slices, or none",
            )
        counts = (len(self.images), len(self.keys), len(self.patients))
        if len(set(counts)) != 1:
            raise ArtifactError(
                "there is not one key and one patient per slice",
                "{} slices, {} keys and {} patients".format(*counts),
                "pass as many of each",
            )

    @cached_property
    def foreground(self) -> Tensor:
        """Where similarity counts: (B, H, W) bool."""
        return foreground(self.images)


class Likeness(NamedTuple):
    """How near damaged slices are to the clean ones, over the foreground.

    Attributes:
        ssim: (B,) float64.
        squared_error: (B,) float64, of the slice's squared maximum.

    """

    ssim: NDArray[np.float64]
    squared_error: NDArray[np.float64]

    @property
    def mean_ssim(self) -> float:
        """Mean over the slices."""
        return float(self.ssim.mean())

    @property
    def psnr_db(self) -> float:
        """Peak signal-to-noise ratio, of the mean squared error over the slices."""
        return float(-10 * np.log10(self.squared_error.mean()))


def measure(art: Artifact, slices: Slices, knob: float, seed: int) -> Likeness:
    """Damage every slice at a knob value, a few at a time, and compare it with its clean self."""
    step = max(1, _PIXELS_AT_ONCE // slices.images[0].numel())
    parts = [slice(start, start + step) for start in range(0, len(slices.keys), step)]
    return Likeness(
        *np.concatenate([_measure_part(art, slices, part, knob, seed) for part in parts], axis=1)
    )


def _measure_part(
    art: Artifact, slices: Slices, part: slice, knob: float, seed: int
) -> NDArray[np.float64]:
    clean, mask = slices.images[part], slices.foreground[part]
    params = art.sample(knob=knob, keys=list(slices.keys[part]), seed=seed)
    damaged = _damaged(art, clean, params, slices.pixel_mm[part] or (None,))
    compared = (mean_ssim(clean, damaged, mask), mean_squared_error(clean, damaged, mask))
    numbers: NDArray[np.float64] = torch.stack(compared).cpu().numpy()
    return numbers


def _damaged(
    art: Artifact, clean: Tensor, params: Params, pixel_mm: Sequence[tuple[float, float] | None]
) -> Tensor:
    """Apply to all slices at once where their pixels are alike, else one by one."""
    if len(set(pixel_mm)) == 1:
        return art.apply(clean, params, Geometry(pixel_mm=pixel_mm[0]))
    one_by_one = (
        art.apply(clean[i : i + 1], params[i : i + 1], Geometry(pixel_mm=size))
        for i, size in enumerate(pixel_mm)
    )
    return torch.cat(list(one_by_one))


class Curve:
    """Similarity over the knob: measured where asked, with the same draws at every knob value.

    It starts with the identity at knob 0 and a geometric grid up to the knob's limit.
    """

    def __init__(self, art: Artifact, slices: Slices, seed: int) -> None:
        self._art, self._slices, self._seed = art, slices, seed
        identity = Likeness(np.ones(len(slices.keys)), np.zeros(len(slices.keys)))
        self._measured: dict[float, Likeness] = {0.0: identity}
        for place in range(_GRID_POINTS):
            self.measure_at(art.knob.limit * 2.0 ** (-place / 2))

    def measure_at(self, knob: float) -> None:
        """Add a point, at the knob value rounded to four digits."""
        knob = self.rounded(knob)
        if knob not in self._measured:
            self._measured[knob] = measure(self._art, self._slices, knob, self._seed)

    def rounded(self, knob: float) -> float:
        """Round to four significant digits, and not beyond the limit."""
        return min(float(f"{knob:.{_DIGITS}g}"), self._art.knob.limit)

    def at(self, knob: float) -> Likeness:
        """Return what was measured at one of `knobs`."""
        return self._measured[knob]

    @property
    def evaluations(self) -> int:
        """How many knob values were measured."""
        return len(self._measured) - 1

    @property
    def knobs(self) -> NDArray[np.float64]:
        """The K knob values measured so far, rising from 0."""
        return np.array(sorted(self._measured))

    @property
    def ssim(self) -> NDArray[np.float64]:
        """SSIM of every slice at every knob value: (K, B)."""
        return np.stack([self._measured[knob].ssim for knob in sorted(self._measured)])

    def fit(self) -> NDArray[np.float64]:
        """Mean SSIM at every knob value, as the nearest curve that does not rise: (K,)."""
        return falling_fit(self.ssim.mean(axis=1))
