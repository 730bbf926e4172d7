"""Levels of equal similarity: the knob values at which an artifact reaches given mean SSIMs.

Equal SSIM is not equal diagnostic damage: the PSNR is reported beside it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artifacts_sim.base import Artifact
from artifacts_sim.calibration.bootstrap import knob_intervals
from artifacts_sim.calibration.curve import Curve, Slices, measure
from artifacts_sim.calibration.ssim import MEASURE
from artifacts_sim.errors import ArtifactError

TARGETS = (0.95, 0.90, 0.80, 0.70, 0.60)
"""Mean foreground SSIM of levels 1 to 5."""

_CLOSE = 2e-3  # to the target; nearer is below what the choice of slices decides
_REACHED = 0.02  # under half of the least step between targets, so that no value serves two
_MOST_STEPS = 16  # of a bisection


@dataclass(frozen=True)
class Level:
    """One level of one artifact.

    Attributes:
        target: The mean SSIM asked for.
        knob: The value that reaches it; None where none does.
        interval: The interval of the knob: 95 %, bootstrap over patients; a resample that does not
            reach the target counts as the knob's limit.
        ssim: Mean over the reference, measured at the knob.
        held_out_ssim: Mean over slices of other patients, with another seed.
        psnr_db: Over the reference's foreground, peak = the slice's maximum.
        missing: Why there is no knob, in words; else empty.

    """

    target: float
    knob: float | None = None
    interval: tuple[float, float] | None = None
    ssim: float | None = None
    held_out_ssim: float | None = None
    psnr_db: float | None = None
    missing: str = ""


@dataclass(frozen=True)
class Calibration:
    """The levels of one artifact, rising.

    Attributes:
        artifact: Its name.
        knob: The name of its knob.
        levels: One for each of `TARGETS`.
        evaluations: How many knob values were measured to find them.

    """

    artifact: str
    knob: str
    levels: tuple[Level, ...]
    evaluations: int

    def to_dict(self) -> dict[str, Any]:
        """Write as names and numbers of four digits, null where a level is missing."""
        return {
            "knob": self.knob,
            "values": [level.knob for level in self.levels],
            "interval": [_rounded_pair(level.interval) for level in self.levels],
            "ssim": [_rounded(level.ssim) for level in self.levels],
            "held_out_ssim": [_rounded(level.held_out_ssim) for level in self.levels],
            "psnr_db": [_rounded(level.psnr_db) for level in self.levels],
        }


def calibrate(art: Artifact, reference: Slices, held_out: Slices, seed: int) -> Calibration:
    """Find the knob values of one artifact's levels.

    The mean SSIM over the reference is measured on a grid of knob values, then between them by
    bisection, with the same draws everywhere. Where it does not fall, the nearest falling curve
    decides. A level that no accepted knob value reaches is missing, never extrapolated.

    Args:
        art: The artifact.
        reference: Slices of at least two patients.
        held_out: Slices of other patients, to check the levels on.
        seed: The seed of the artifact's draws; the held-out slices use seed + 1.

    Raises:
        ArtifactError: Fewer than two patients, a patient on both sides, an empty slice, or images
            that the artifact does not accept.

    """
    _check_patients(reference, held_out)
    curve = Curve(art, reference, seed)
    for target in TARGETS:
        _approach(curve, target)
    intervals = knob_intervals(curve.knobs, curve.ssim, reference.patients, TARGETS, seed)
    levels = []
    for target, interval in zip(TARGETS, intervals, strict=True):
        knob, missing = _reaching(curve, target)
        if knob is None:
            levels.append(Level(target, missing=missing))
            continue
        check = measure(art, held_out, knob, seed + 1)
        found = curve.at(knob)
        levels.append(
            Level(target, knob, interval, found.mean_ssim, check.mean_ssim, found.psnr_db)
        )
    return Calibration(art.name, art.knob.name, tuple(levels), curve.evaluations)


def record(calibrations: Iterable[Calibration], reference: Mapping[str, Any]) -> dict[str, Any]:
    """Write calibrations as plain JSON values.

    Args:
        calibrations: One for each artifact.
        reference: What they were measured on.

    """
    return {
        "format": "mrisweep-levels",
        "version": 1,
        "measure": MEASURE,
        "targets": list(TARGETS),
        "reference": dict(reference),
        "artifacts": {one.artifact: one.to_dict() for one in calibrations},
    }


def _check_patients(reference: Slices, held_out: Slices) -> None:
    patients = set(reference.patients)
    if len(patients) < 2 or not held_out.patients:
        raise ArtifactError(
            "there are too few patients: levels are found on two or more and checked on another",
            f"{len(patients)} to find them on and {len(set(held_out.patients))} to check them on",
            "pass slices of more patients",
        )
    both = sorted(patients & set(held_out.patients))
    if both:
        raise ArtifactError(
            "the check flatters, as levels are found on patients that are held out",
            f"slices of {', '.join(map(repr, both[:3]))} on both sides",
            "take each patient on one side",
        )


def _approach(curve: Curve, target: float) -> None:
    """Halve the bracket around a target until an end is close or the knob cannot be told apart."""
    for _ in range(_MOST_STEPS):
        fit, knobs = curve.fit(), curve.knobs
        if fit[-1] > target:
            return
        below = _first_below(fit, target)
        low, high = knobs[below - 1], knobs[below]
        middle = curve.rounded(float(np.sqrt(low * high)) if low > 0 else high / 2)
        if np.abs(fit[below - 1 : below + 1] - target).min() <= _CLOSE or middle in (low, high):
            return
        curve.measure_at(middle)


def _reaching(curve: Curve, target: float) -> tuple[float | None, str]:
    """Return the knob whose fit is nearest to a target; or None, and why there is none.

    Of several knobs that fit alike, take the one whose own SSIM is nearest.
    """
    fit, knobs, measured = curve.fit(), curve.knobs, curve.ssim.mean(axis=1)
    if fit[-1] > target + _CLOSE:
        return None, f"at its limit {knobs[-1]:.4g} the SSIM is {fit[-1]:.2f}"
    at = min(range(len(fit)), key=lambda i: (abs(fit[i] - target), abs(measured[i] - target)))
    if abs(fit[at] - target) <= _REACHED:
        return float(knobs[at]), ""
    below = _first_below(fit, target)
    return None, (
        f"between {knobs[below - 1]:.4g} and {knobs[below]:.4g} the SSIM falls at once from "
        f"{fit[below - 1]:.2f} to {fit[below]:.2f}"
    )


def _first_below(fit: NDArray[np.float64], target: float) -> int:
    """Where a falling curve first is at the target or under it; not 0, where it is 1."""
    return int(np.searchsorted(-fit, -target))


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _rounded_pair(pair: tuple[float, float] | None) -> list[float | None] | None:
    return None if pair is None else [_rounded(end) for end in pair]
