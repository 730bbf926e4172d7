"""Levels of equal similarity, calibrated on a store: the file they go to, and the table."""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import artifacts_sim
from artifacts_sim import ArtifactError
from artifacts_sim.calibration.calibrate import Calibration, calibrate, record
from artifacts_sim.calibration.curve import Slices
from sweep.api.reference import Chosen, ReferencePlan, choose
from sweep.core.errors import UserError, require_known, within
from sweep.core.files import write_text
from sweep.core.text import MISSING, ruled_table
from sweep.store import Store


def calibrate_store(
    path: Path,
    plan: ReferencePlan,
    out: Path,
    artifacts: Sequence[str] | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Calibration]:
    """Calibrate artifacts on slices of a store, and write the levels.

    Args:
        path: The path of the store.
        plan: Which slices.
        out: New file of levels; it appears complete or not at all.
        artifacts: Names, or of a family; None: all of them.
        say: Told of every artifact that is done.

    Raises:
        UserError: No store, an unknown split or artifact, too few slices or patients, slices that
            an artifact does not accept, or an ``out`` that exists.

    """
    names = list(dict.fromkeys(artifacts_sim.expand(artifacts or artifacts_sim.names())))
    require_known("--artifacts", names, artifacts_sim.names())
    _refuse_existing(out)
    store = Store.open(path)
    chosen = choose(store, plan)
    done = []
    for place, name in enumerate(names, start=1):
        began = time.monotonic()
        done.append(_calibrate(name, chosen, plan.seed))
        took = time.monotonic() - began
        say(f"{place}/{len(names)} {name}: {done[-1].evaluations} knob values, {took:.0f} s")
    write_text(out, _laid_out(record(done, describe(store, plan, chosen))))
    return done


def _calibrate(name: str, chosen: Chosen, seed: int) -> Calibration:
    try:
        return calibrate(artifacts_sim.get(name), chosen.reference, chosen.held_out, seed)
    except ArtifactError as error:
        raise within(f"{name} cannot be calibrated on these slices", error) from error


def _refuse_existing(out: Path) -> None:
    if out.exists():
        raise UserError(
            "the file of levels exists, and scores may rest on it",
            out,
            "remove it, or choose another name",
        )


def _laid_out(written: dict[str, Any]) -> str:
    """JSON with a line for each list of numbers; strings hold no line ends, so none is touched."""
    text = json.dumps(written, indent=1) + "\n"
    return re.sub(
        r"\[\n[^][{}\"]*\]", lambda found: "[" + " ".join(found[0][1:-1].split()) + "]", text
    )


def describe(store: Store, plan: ReferencePlan, chosen: Chosen) -> dict[str, Any]:
    """Say what levels were measured on, for their file."""
    reference, held_out = chosen.reference, chosen.held_out
    height, width = reference.images.shape[1:]
    return {
        "source": store.path.name,
        "fingerprint": store.fingerprint,
        "hash": _hash(reference),
        "split": list(plan.splits),
        "slices": len(reference.keys),
        "patients": len(set(reference.patients)),
        "held_out_slices": len(held_out.keys),
        "held_out_patients": len(set(held_out.patients)),
        "height": height,
        "width": width,
        "seed": plan.seed,
    }


def _hash(slices: Slices) -> str:
    """SHA-256 of the keys as a JSON list, then of the pixels as little-endian float32."""
    hashed = hashlib.sha256(json.dumps(slices.keys).encode())
    hashed.update(slices.images.numpy().astype("<f4", copy=False).tobytes())
    return hashed.hexdigest()


def levels_table(calibrations: Sequence[Calibration]) -> str:
    """A line for each level of each artifact; below them what is missing, and why."""
    header = ["artifact", "knob", "level", "value", "95 % interval", "SSIM", "held out", "PSNR dB"]
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
