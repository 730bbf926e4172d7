"""Levels of equal similarity, calibrated on a store: the file they go to, and the table."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import artifacts_sim
from artifacts_sim.calibration.calibrate import Calibration, other, record
from artifacts_sim.calibration.ssim import Measure
from sweep.config.artifacts import NO_OPTIONS, Options, listed, require_used
from sweep.core.errors import UserError
from sweep.core.files import write_text
from sweep.core.text import MISSING, ruled_table
from sweep.learn.drawable import require_drawable
from sweep.learn.levels import calibrate_all, cores, describe
from sweep.learn.reference import ReferencePlan, choose
from sweep.learn.signals import check_signal
from sweep.store import Store


def calibrate_store(
    path: Path,
    plan: ReferencePlan,
    out: Path,
    artifacts: Sequence[str] | None = None,
    say: Callable[[str], None] = lambda text: None,
    workers: int | None = None,
    options: Options = NO_OPTIONS,
) -> list[Calibration]:
    """Calibrate artifacts on slices of a store, and write the levels.

    Args:
        path: The path of the store.
        plan: Which slices, and how they are looked at.
        out: New file of levels; it appears complete or not at all.
        artifacts: Names, also of variants in ``options``, or of a family; None: all artifacts.
        say: Told of every artifact that is done.
        workers: How many artifacts at a time; None: one for each CPU core.
        options: The options of artifacts, by name.

    Raises:
        UserError: No store, an unknown split, artifact or option, too few slices or patients,
            slices that an artifact does not accept, k-space of a store that keeps none, or an
            ``out`` that exists.

    """
    names = listed(artifacts or artifacts_sim.names(), options, "--artifacts")
    require_used("--options", options, names)
    _refuse_existing(out)
    store = Store.open(path)
    check_signal(store, plan.signal)
    rows = store.indices(plan.splits)
    require_drawable(store, rows, names, options, plan.scan_draws, "--options ")
    chosen = choose(store, plan)
    done = calibrate_all(chosen, plan, names, workers or cores(), say, options=options)
    write_text(out, levels_text(record(done, describe(store, plan, chosen), plan.measure)))
    return done


def _refuse_existing(out: Path) -> None:
    if out.exists():
        raise UserError(
            "the file of levels exists, and scores may rest on it",
            out,
            "remove it, or choose another name",
        )


def levels_text(written: Mapping[str, Any]) -> str:
    """A record of levels as JSON, with a line for each list of numbers."""
    text = json.dumps(written, indent=1) + "\n"
    return re.sub(  # strings hold no line ends, so none is touched
        r"\[\n[^][{}\"]*\]", lambda found: "[" + " ".join(found[0][1:-1].split()) + "]", text
    )


def levels_table(calibrations: Sequence[Calibration], measure: Measure = "foreground") -> str:
    """A line for each level of each artifact; below them what is missing, and why."""
    header = ["artifact", "knob", "level", "value", "95 % interval", f"{measure} SSIM"]
    header += ["held out", f"{other(measure)} SSIM", "PSNR dB"]
    rows = [row for one in calibrations for row in _rows(one)]
    return "\n".join([ruled_table(header, rows), *_missing(calibrations)])


def _rows(one: Calibration) -> Iterator[list[str]]:
    names = [one.artifact, one.knob]
    for number, level in enumerate(one.levels, start=1):
        interval = level.interval and f"[{level.interval[0]:.4g}, {level.interval[1]:.4g}]"
        yield [
            *names,
            str(number),
            _text(level.knob, ".4g"),
            interval or MISSING,
            _text(level.ssim, ".3f"),
            _text(level.held_out_ssim, ".3f"),
            _text(level.other_ssim, ".3f"),
            _text(level.psnr_db, ".1f"),
        ]
        names = ["", ""]


def _text(value: float | None, form: str) -> str:
    return MISSING if value is None else format(value, form)


def _missing(calibrations: Iterable[Calibration]) -> Iterator[str]:
    for one in calibrations:
        for number, level in enumerate(one.levels, start=1):
            if level.missing:
                yield (
                    f"{one.artifact}: level {number} (SSIM {level.target:g}) not reached: "
                    f"{level.missing}"
                )
