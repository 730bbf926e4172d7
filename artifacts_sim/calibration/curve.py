"""How one artifact's similarity falls as its knob rises, measured on reference slices."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.acquisition.geometry import Geometry
from artifacts_sim.base import Artifact
from artifacts_sim.calibration.isotonic import falling_fit
from artifacts_sim.calibration.ssim import Measure, both_ssims, foreground, mean_squared_error
from artifacts_sim.errors import ArtifactError

PIXELS_AT_ONCE = 2 * 256 * 256
"""Pixels of a part: intermediates of more fall out of a core's cache."""

_DIGITS = 4  # of a knob value; whatever is measured is measured at the rounded value
_STRIDE, _LEAST = 4.0, 4.0**-6  # the first look: from the limit down, to this part of it
_GRID_POINTS = 25


class Part(Protocol):
    """A few slices that are damaged and compared at once."""

    @property
    def clean(self) -> Tensor:
        """(B, H, W) float32 magnitude, none of them empty."""
        ...

    @property
    def foreground(self) -> Tensor:
        """(B, H, W) bool, as `ssim.foreground` gives it."""
        ...

    def damaged(self, art: Artifact, knob: float, seed: int) -> Tensor:
        """(B, H, W) what the artifact makes of them, in the intensities of `clean`."""
        ...


class Reference(Protocol):
    """Slices to measure on, whatever signal they are kept as."""

    @property
    def keys(self) -> tuple[str, ...]:
        """B names, from which the artifacts' draws come."""
        ...

    @property
    def patients(self) -> tuple[str, ...]:
        """B names; whose slice it is."""
        ...

    @property
    def parts(self) -> Sequence[Part]:
        """All slices in their order, a few at a time."""
        ...


@dataclass(frozen=True, eq=False)
class Slices:
    """Magnitude images to measure on, as they are.

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
    def parts(self) -> tuple["_ImagePart", ...]:
        """See `Reference.parts`."""
        count = len(self.keys)
        step = max(1, PIXELS_AT_ONCE // self.images[:1].numel()) if count else 1
        places = [slice(start, start + step) for start in range(0, count, step)]
        sizes = self.pixel_mm or (None,) * count
        return tuple(_ImagePart(self.images[at], self.keys[at], sizes[at]) for at in places)


@dataclass(frozen=True, eq=False)
class _ImagePart:
    clean: Tensor
    keys: tuple[str, ...]
    pixel_mm: tuple[tuple[float, float] | None, ...]

    @cached_property
    def foreground(self) -> Tensor:
        return foreground(self.clean)

    def damaged(self, art: Artifact, knob: float, seed: int) -> Tensor:
        """Apply to all slices at once where their pixels are alike, else one by one."""
        params = art.sample(knob=knob, keys=list(self.keys), seed=seed)
        if len(set(self.pixel_mm)) == 1:
            return art.apply(self.clean, params, Geometry(pixel_mm=self.pixel_mm[0]))
        one_by_one = (
            art.apply(self.clean[i : i + 1], params[i : i + 1], Geometry(pixel_mm=size))
            for i, size in enumerate(self.pixel_mm)
        )
        return torch.cat(list(one_by_one))


class Likeness(NamedTuple):
    """How near damaged slices are to the clean ones.

    Attributes:
        foreground: (B,) float64, SSIM over the foreground.
        whole: (B,) float64, SSIM over all pixels.
        squared_error: (B,) float64, over the foreground, of the slice's squared maximum.

    """

    foreground: NDArray[np.float64]
    whole: NDArray[np.float64]
    squared_error: NDArray[np.float64]

    def ssim(self, measure: Measure) -> NDArray[np.float64]:
        """(B,) by one of the measures."""
        return self.foreground if measure == "foreground" else self.whole

    def mean_ssim(self, measure: Measure) -> float:
        """Mean over the slices, whatever their order."""
        return _mean(self.ssim(measure))

    @property
    def psnr_db(self) -> float:
        """Peak signal-to-noise ratio, of the mean squared error over the slices."""
        return float(-10 * np.log10(_mean(self.squared_error)))


def _mean(values: NDArray[np.float64]) -> float:
    return math.fsum(values.tolist()) / len(values)


def likeness(art: Artifact, reference: Reference, knob: float, seed: int) -> Likeness:
    """Damage every slice at a knob value, a few at a time, and compare it with its clean self."""
    compared = [_compare(art, part, knob, seed) for part in reference.parts]
    return Likeness(*np.concatenate(compared, axis=1))


def _compare(art: Artifact, part: Part, knob: float, seed: int) -> NDArray[np.float64]:
    clean, mask = part.clean, part.foreground
    damaged = part.damaged(art, knob, seed)
    ssims = both_ssims(clean, damaged, mask)
    numbers: NDArray[np.float64] = torch.stack(
        [*ssims, mean_squared_error(clean, damaged, mask)]
    ).numpy(force=True)
    return numbers


class Curve:
    """Similarity over the knob: measured where asked, with the same draws at every knob value.

    It starts with the identity at knob 0, and a first look from the knob's limit downwards, each
    time at a quarter, until the similarity is above all that is asked for. `look_closer` has more.

    Args:
        art: The artifact.
        reference: The slices.
        seed: The seed of the artifact's draws.
        measure: The similarity.
        highest: The greatest mean SSIM that will be asked for.
        told: Called after every knob value that was measured.

    """

    def __init__(
        self,
        art: Artifact,
        reference: Reference,
        seed: int,
        measure: Measure,
        highest: float,
        told: Callable[[], None],
    ) -> None:
        self._art, self._reference, self._seed, self._told = art, reference, seed, told
        self.measure: Measure = measure
        ones = np.ones(len(reference.keys))
        self._measured: dict[float, Likeness] = {0.0: Likeness(ones, ones, np.zeros_like(ones))}
        part = 1.0
        while part >= _LEAST:
            knob = self.measure_at(art.knob.limit * part)
            if self._measured[knob].mean_ssim(measure) > highest:
                break
            part /= _STRIDE

    def look_closer(self) -> None:
        """Measure at two points to each doubling, down to limit / 4096."""
        for place in range(_GRID_POINTS):
            self.measure_at(self._art.knob.limit * 2.0 ** (-place / 2))

    def measure_at(self, knob: float) -> float:
        """Add a point, at the knob value `rounded`, which is returned."""
        knob = self.rounded(knob)
        if knob not in self._measured:
            self._measured[knob] = likeness(self._art, self._reference, knob, self._seed)
            self._told()
        return knob

    def rounded(self, knob: float) -> float:
        """The value that takes effect, to four significant digits, and not beyond the limit."""
        return min(float(f"{self._art.effective(knob):.{_DIGITS}g}"), self._art.knob.limit)

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
        return np.stack([self._measured[knob].ssim(self.measure) for knob in self.knobs.tolist()])

    @property
    def mean_ssim(self) -> NDArray[np.float64]:
        """Mean SSIM at every knob value: (K,)."""
        return np.array([self._measured[knob].mean_ssim(self.measure) for knob in self.knobs])

    def fit(self) -> NDArray[np.float64]:
        """Mean SSIM at every knob value, as the nearest curve that does not rise: (K,)."""
        return falling_fit(self.mean_ssim)
