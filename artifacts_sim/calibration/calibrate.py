"""Levels of equal similarity: the knob values at which an artifact reaches given mean SSIMs.

Equal SSIM is not equal diagnostic damage: the PSNR is reported beside it, and the SSIM over what
the chosen measure does not look at.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from artifacts_sim.base import Artifact
from artifacts_sim.calibration.bootstrap import knob_intervals
from artifacts_sim.calibration.curve import Curve, Reference, likeness
from artifacts_sim.calibration.ssim import MEASURES, Measure
from artifacts_sim.errors import ArtifactError
from artifacts_sim.levels import RECORD_FORMAT

TARGETS = (0.95, 0.90, 0.80, 0.70, 0.60)
"""Mean SSIM of levels 1 to 5."""

_CLOSE = 2e-3  # to the target; nearer is below what the choice of slices decides
_REACHED = 0.02  # under half of the least step between targets, so that no value serves two
_MOST_STEPS = 40  # towards one target; a smooth curve takes two or three
_ENOUGH_STEPS = 6  # after which an end within _REACHED will do


@dataclass(frozen=True)
class Level:
    """One level of one artifact.

    Attributes:
        target: The mean SSIM asked for.
        knob: The value that reaches it; None where none does.
        interval: The interval of the knob: 95 %, bootstrap over patients; a resample that does not
            reach the target counts as the knob's limit.
        ssim: Mean over the reference, measured at the knob, by the measure that was chosen.
        held_out_ssim: Mean over slices of other patients, with another seed, by the same measure.
        other_ssim: As `ssim`, by the other measure.
        psnr_db: Over the reference's foreground, peak = the slice's maximum.
        missing: Why there is no knob, in words; else empty.

    """

    target: float
    knob: float | None = None
    interval: tuple[float, float] | None = None
    ssim: float | None = None
    held_out_ssim: float | None = None
    other_ssim: float | None = None
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
        options: Those of its options that are not default, as JSON has them.

    """

    artifact: str
    knob: str
    levels: tuple[Level, ...]
    evaluations: int
    options: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Write as names and numbers of four digits, null where a level is missing.

        Options are written where there are any that are not default.
        """
        return {
            "knob": self.knob,
            **({"options": dict(self.options)} if self.options else {}),
            "values": [level.knob for level in self.levels],
            "interval": [_rounded_pair(level.interval) for level in self.levels],
            "ssim": [_rounded(level.ssim) for level in self.levels],
            "held_out_ssim": [_rounded(level.held_out_ssim) for level in self.levels],
            "other_ssim": [_rounded(level.other_ssim) for level in self.levels],
            "psnr_db": [_rounded(level.psnr_db) for level in self.levels],
            "missing": [level.missing for level in self.levels],
            "evaluations": self.evaluations,
        }

    @classmethod
    def from_dict(cls, artifact: str, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` writes.

        Raises:
            LookupError, TypeError, ValueError: It is something else.

        """
        columns = (
            written[name]
            for name in ("values", "interval", "ssim", "held_out_ssim", "other_ssim", "psnr_db")
        )
        levels = tuple(
            Level(target, knob, interval and (interval[0], interval[1]), *rest)
            for target, knob, interval, *rest in zip(
                TARGETS, *columns, written["missing"], strict=True
            )
        )
        options = dict(written.get("options", {}))
        return cls(artifact, written["knob"], levels, written["evaluations"], options)


def calibrate(
    art: Artifact,
    reference: Reference,
    held_out: Reference,
    seed: int,
    measure: Measure = "foreground",
    told: Callable[[], None] = lambda: None,
) -> Calibration:
    """Find the knob values of one artifact's levels.

    The mean SSIM over the reference is measured at a few knob values from the limit downwards,
    then between them, nearer and nearer to each target, with the same draws everywhere. Where it
    does not fall, a finer grid of knob values is measured, and the nearest falling curve decides.
    A level that no accepted knob value reaches is missing, never extrapolated.

    Args:
        art: The artifact.
        reference: Slices of at least two patients.
        held_out: Slices of other patients, to check the levels on.
        seed: The seed of the artifact's draws; the held-out slices use seed + 1.
        measure: Where SSIM counts.
        told: Called after every knob value that was measured; what it raises ends the search.

    Raises:
        ArtifactError: Fewer than two patients, a patient on both sides, an empty slice, or images
            that the artifact does not accept.

    """
    _check_patients(reference, held_out)
    curve = Curve(art, reference, seed, measure, max(TARGETS), told)
    for target in TARGETS:
        _approach(curve, target)
    if np.diff(curve.mean_ssim).max() > _REACHED / 2:
        curve.look_closer()
        for target in TARGETS:
            _approach(curve, target)
    intervals = knob_intervals(curve.knobs, curve.ssim, reference.patients, TARGETS, seed)
    levels, highest = [], 0.0
    for target, interval in zip(TARGETS, intervals, strict=True):
        knob, missing = _reaching(curve, target, highest)
        if knob is None:
            levels.append(Level(target, missing=missing))
            continue
        highest = knob
        check, found = likeness(art, held_out, knob, seed + 1), curve.at(knob)
        told()
        levels.append(
            Level(
                target,
                knob,
                interval,
                ssim=found.mean_ssim(measure),
                held_out_ssim=check.mean_ssim(measure),
                other_ssim=found.mean_ssim(other(measure)),
                psnr_db=found.psnr_db,
            )
        )
    return Calibration(
        art.name, art.knob.name, tuple(levels), curve.evaluations, _changed_options(art)
    )


def _changed_options(art: Artifact) -> dict[str, Any]:
    """The options that are not default, as JSON has them."""
    defaults = {one.name: one.default for one in fields(art)}
    changed = {name: own for name, own in art.options.items() if own != defaults[name]}
    return {name: list(own) if isinstance(own, tuple) else own for name, own in changed.items()}


def other(measure: Measure) -> Measure:
    """Return the measure that is reported beside the chosen one."""
    return "whole" if measure == "foreground" else "foreground"


def record(
    calibrations: Iterable[Calibration],
    reference: Mapping[str, Any],
    measure: Measure = "foreground",
) -> dict[str, Any]:
    """Write calibrations as plain JSON values.

    Args:
        calibrations: One for each artifact.
        reference: What they were measured on.
        measure: Where SSIM counted.

    """
    return {
        **RECORD_FORMAT,
        "measure": MEASURES[measure],
        "other_measure": MEASURES[other(measure)],
        "targets": list(TARGETS),
        "reference": dict(reference),
        "artifacts": {one.artifact: one.to_dict() for one in calibrations},
    }


def _check_patients(reference: Reference, held_out: Reference) -> None:
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
    """Narrow the bracket around a target until an end is close or the knob cannot be told apart.

    The next knob value lies on the power law through both ends, near which the similarity falls:
    1 - SSIM = c knob^p. Where that did not halve the bracket, as at a step, the middle is next.
    """
    width = np.inf
    for step in range(_MOST_STEPS):
        fit, knobs = curve.fit(), curve.knobs
        if fit[-1] > target:
            return
        below = _first_below(fit, target)
        ends = slice(below - 1, below + 1)
        gap, (low, high) = np.abs(fit[ends] - target).min(), knobs[ends].tolist()
        before, width = width, np.log(high / low) if low > 0 else np.inf
        asked = [float(np.sqrt(low * high)) if low > 0 else high / 2]
        if width <= before / 2 and width < np.inf:
            own = _on_power_law((low, high), 1 - fit[ends], 1 - target)
            asked = asked if own is None else [own, *asked]
        between = [knob for knob in map(curve.rounded, asked) if low < knob < high]
        if gap <= _CLOSE or (step >= _ENOUGH_STEPS and gap <= _REACHED) or not between:
            return
        curve.measure_at(between[0])


def _on_power_law(
    knobs: tuple[float, float], lost: NDArray[np.float64], target: float
) -> float | None:
    """The knob at which the power law through two points loses the target; None without one."""
    if not 0 < lost[0] < lost[1]:
        return None
    share = np.log(target / lost[0]) / np.log(lost[1] / lost[0])
    return float(knobs[0] * (knobs[1] / knobs[0]) ** share)


def _reaching(curve: Curve, target: float, above: float) -> tuple[float | None, str]:
    """Return the knob above another whose fit is nearest to a target; or None, and why.

    What is measured there is near the target, too. Of several knobs that fit alike, take the one
    whose own SSIM is nearest.
    """
    fit, knobs, measured = curve.fit(), curve.knobs, curve.mean_ssim
    if fit[-1] > target + _CLOSE:
        return None, f"at its limit {knobs[-1]:.4g} the SSIM is {fit[-1]:.3f}"
    gaps, own = np.abs(fit - target), np.abs(measured - target)
    near = np.flatnonzero((own <= _REACHED) & (knobs > above)).tolist()
    if near:
        return float(knobs[min(near, key=lambda i: (gaps[i], own[i]))]), ""
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
