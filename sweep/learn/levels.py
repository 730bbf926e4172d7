"""The grid ``auto``: levels calibrated on a sweep's own training slices, kept for the next one.

What they depend on is in one place, ``ReferencePlan``: splits, signal, normalization, measure and
seed. Each artifact is calibrated on its own, so its levels do not depend on the others; several
are at work at a time, in threads, as processes would run the calling script again.
"""

import dataclasses
import hashlib
import inspect
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

import artifacts_sim
from artifacts_sim import Artifact, ArtifactError, Grid
from artifacts_sim.calibration.calibrate import Calibration, calibrate, record
from artifacts_sim.levels import RECORD_FORMAT
from sweep.config.artifacts import NO_OPTIONS, Options, artifact_of
from sweep.config.levels import grid_record, uncalibrated
from sweep.config.settings import DataSettings, LevelKnobs, Signal, StressSettings
from sweep.core.errors import UserError, within
from sweep.core.files import cache_folder, write_text
from sweep.core.reading import read_json
from sweep.core.text import number_of, size_text
from sweep.learn.reference import Chosen, ReferencePlan, StoreSlices, choose
from sweep.store import Store

HELD_OUT_WITHIN = 0.03  # of the target, on patients that the levels were not found on
SAME_SIZE = 0.05  # a matrix that differs by less has the levels of another
DECIDES = ("core", "store", "learn")  # rooms of ``sweep`` whose code levels rest on
Say = Callable[[str], None]


@dataclass(frozen=True)
class Levels:
    """Levels that were calibrated.

    Attributes:
        calibrations: One for each artifact.
        record: What ``mrisweep calibrate`` would write of them.

    """

    calibrations: tuple[Calibration, ...]
    record: Mapping[str, Any]

    @property
    def knobs(self) -> dict[str, LevelKnobs]:
        """The knob values of levels 1 to 5, by artifact."""
        return {
            one.artifact: tuple(level.knob for level in one.levels) for one in self.calibrations
        }

    def remarks(
        self, asked: Sequence[int], artifacts: Sequence[str] | None = None
    ) -> Iterator[str]:
        """A sentence for each level asked for that is missing, or is not so on other patients.

        Args:
            asked: The levels.
            artifacts: Of these; None: of all.

        """
        for one in self.calibrations:
            for number, level in enumerate(one.levels, start=1):
                if number not in asked or (artifacts is not None and one.artifact not in artifacts):
                    continue
                named = f"{one.artifact}: level {number} (SSIM {level.target:g})"
                if level.missing:
                    yield f"{named} not reached: {level.missing}"
                elif level.held_out_ssim is not None and (
                    abs(level.held_out_ssim - level.target) > HELD_OUT_WITHIN
                ):
                    yield (
                        f"{named} has {level.held_out_ssim:.2f} on training patients that it was "
                        "not found on: more patients would make it surer"
                    )


def plan_of(data: DataSettings, stress: StressSettings) -> ReferencePlan:
    """What the grid ``auto`` of a sweep is calibrated on: training slices, and no others."""
    return ReferencePlan(
        splits=tuple(sorted(map(str, data.train))),
        seed=stress.seed,
        signal=data.signal,
        normalize=data.normalize,
        measure=stress.measure,
        scan_draws=data.scan_draws,
    )


def with_levels(
    stress: StressSettings,
    data: DataSettings,
    artifacts: Iterable[str],
    store: Store,
    say: Say = lambda text: None,
) -> tuple[StressSettings, Levels | None]:
    """Stress settings that say what the levels of all these artifacts are.

    Args:
        stress: The settings; what their ``knobs`` say stays.
        data: Which slices train, their signal and normalization.
        artifacts: Names.
        store: The store of the training slices.
        say: Told how far it is.

    Returns:
        The settings, and the levels that were calibrated; None where none were missing.

    Raises:
        UserError: Too few training patients, or slices that an artifact does not accept.

    """
    missing = uncalibrated(stress, artifacts)
    if not missing:
        return stress, None
    with _fixed_grids_as_remedy():
        plan = plan_of(data, stress)
        levels = auto_levels(
            store, plan, missing, lambda text: say(f"levels: {text}"), stress.options
        )
    return dataclasses.replace(stress, knobs={**stress.knobs, **levels.knobs}), levels


def chosen_for(store: Store, plan: ReferencePlan) -> Chosen:
    """The slices that the grid ``auto`` is calibrated on.

    Raises:
        UserError: Too few slices or patients.

    """
    with _fixed_grids_as_remedy():
        return choose(store, plan)


@contextmanager
def _fixed_grids_as_remedy() -> Iterator[None]:
    try:
        yield
    except UserError as error:
        wrong, received, remedy = within("stress.grid is auto", error).args
        raise UserError(
            wrong, received, f"{remedy}, or set stress.grid to calibrated or physical"
        ) from error


def auto_levels(
    store: Store,
    plan: ReferencePlan,
    artifacts: Sequence[str],
    say: Say,
    options: Options = NO_OPTIONS,
) -> Levels:
    """Levels from the cache, and calibrated where it has none.

    Raises:
        UserError: Too few slices or patients, or slices that an artifact does not accept.

    """
    chosen = choose(store, plan)
    known = cached_levels(store, plan, artifacts, options)
    if new := [name for name in artifacts if name not in known]:
        reference = chosen.reference
        say(
            f"calibrating {', '.join(new)} on {number_of(len(reference.keys), 'slice')} of "
            f"{number_of(len(set(reference.patients)), 'patient')} in training"
        )

        def keep(one: Calibration) -> None:
            _keep(one, artifact_of(one.artifact, options), store, plan, say)

        found = calibrate_all(chosen, plan, new, cores(), say, keep, options)
        known |= {one.artifact: one for one in found}
    calibrations = tuple(known[name] for name in artifacts)
    return Levels(calibrations, record(calibrations, describe(store, plan, chosen), plan.measure))


def calibrate_all(
    chosen: Chosen,
    plan: ReferencePlan,
    artifacts: Sequence[str],
    workers: int,
    say: Say,
    keep: Callable[[Calibration], None] = lambda one: None,
    options: Options = NO_OPTIONS,
) -> list[Calibration]:
    """Calibrate artifacts, several at a time; each is as if it were alone.

    Args:
        chosen: The slices.
        plan: Seed and measure.
        artifacts: Names; what is found of a variant bears its name.
        workers: How many at a time, a CPU thread each.
        say: Told of every artifact that is done.
        keep: Given what was found of it, so that an interruption costs no more than those at work.
        options: The options of artifacts, by name.

    Raises:
        UserError: Slices that an artifact does not accept.
        KeyboardInterrupt: After those at work have stopped.

    """
    stopped = threading.Event()

    def go_on() -> None:
        if stopped.is_set():
            raise _StoppedError

    def work(name: str) -> tuple[Calibration, float]:
        began = time.monotonic()
        art, (seed, where) = artifact_of(name, options), (plan.seed, plan.measure)
        found = calibrate(art, chosen.reference, chosen.held_out, seed, where, go_on)
        # As it is read back: what is kept for later is what is used now.
        return Calibration.from_dict(name, found.to_dict()), time.monotonic() - began

    done = {}
    with _one_thread_each(), ThreadPoolExecutor(max(1, min(workers, len(artifacts)))) as pool:
        names = {pool.submit(work, name): name for name in artifacts}
        try:
            for future in as_completed(names):
                name = names[future]
                done[name], took = future.result()
                keep(done[name])
                counted = f"{done[name].evaluations} knob values, {took:.0f} s"
                say(f"{len(done)}/{len(artifacts)} {name}: {counted}")
        except KeyboardInterrupt:
            left = ", ".join(name for name in artifacts if name not in done)
            say(f"interrupted before {left}; the same command goes on with these")
            raise
        except ArtifactError as error:
            raise within(f"{name} cannot be calibrated on these slices", error) from error
        finally:
            stopped.set()
            pool.shutdown(cancel_futures=True)
    return [done[name] for name in artifacts]


class _StoppedError(Exception):
    """Nobody waits for the calibration any more."""


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """On one CPU thread a batch equals its slices one by one, whatever the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def cores() -> int:
    """The CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe(store: Store, plan: ReferencePlan, chosen: Chosen) -> dict[str, Any]:
    """Say what levels were measured on, for their file."""
    reference, held_out = chosen.reference, chosen.held_out
    height, width = store.images.shape[1:]
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
        "signal": plan.signal,
        "normalize": plan.normalize,
        "scan_draws": plan.scan_draws,
        "intensities": (
            "clean and damaged slice are each normalized on their own, as the classifier gets them;"
            " then both are multiplied by the clean slice's scale and raised by its offset"
        ),
        "seed": plan.seed,
    }


def _hash(slices: StoreSlices) -> str:
    """SHA-256 of the keys as a JSON list, then of the pixels as little-endian float32."""
    hashed = hashlib.sha256(json.dumps(slices.keys).encode())
    for row in slices.rows.tolist():
        hashed.update(slices.store.read([row]).astype("<f4", copy=False).tobytes())
    return hashed.hexdigest()


# What is kept


def cached_levels(
    store: Store, plan: ReferencePlan, artifacts: Iterable[str], options: Options = NO_OPTIONS
) -> dict[str, Calibration]:
    """What is known of artifacts from earlier calibrations on the same slices; reads files only."""
    found = {}
    for name in artifacts:
        art = artifact_of(name, options)
        try:
            kept = read_json(_file(art, store, plan))
            Grid.from_record({**kept, "artifacts": {name: kept["levels"]}}, name)
            calibration = Calibration.from_dict(name, kept["levels"])
            for level in calibration.levels:
                if level.knob is not None:
                    art.knob.checked(level.knob)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            continue  # there is none, or it is damaged: it is made anew
        found[name] = calibration
    return found


def _keep(one: Calibration, art: Artifact, store: Store, plan: ReferencePlan, say: Say) -> None:
    content = {**RECORD_FORMAT, "artifact": art.name, "levels": one.to_dict()}
    try:
        write_text(_file(art, store, plan), json.dumps(content, indent=1) + "\n")
    except OSError as error:
        say(f"those of {one.artifact} are not kept for the next sweep ({error})")


def _file(art: Artifact, store: Store, plan: ReferencePlan) -> Path:
    """Where an artifact's levels are kept: named by all that decides them."""
    parts = {
        "code": _code_digest(),
        "artifact": [art.name, asdict(art), art.knob.name, art.knob.limit, _source(art)],
        "store": store.fingerprint,
        "plan": asdict(plan),
    }
    key = hashlib.sha256(json.dumps(parts, sort_keys=True, default=repr).encode()).hexdigest()
    return cache_folder() / "levels" / f"{art.name}-{key[:32]}.json"


@cache
def _code_digest() -> str:
    """SHA-256 of the source of the artifacts, and of what chooses, damages and compares slices."""
    own = Path(__file__).parents[1]
    folders = (Path(artifacts_sim.__file__).parent, *(own / name for name in DECIDES))
    hashed = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            hashed.update(path.read_bytes())
    return hashed.hexdigest()


def _source(art: Artifact) -> str:
    """SHA-256 of the source of an artifact, which may be another package's."""
    try:
        return hashlib.sha256(inspect.getsource(type(art)).encode()).hexdigest()
    except (OSError, TypeError):
        return ""


# What is said of a fixed grid


def foreign_grid(stress: StressSettings, data: DataSettings, store: Store) -> str:
    """Say that a fixed grid is for images unlike those of a store; empty where it is not.

    Raises:
        UserError: A grid that is not there.

    """
    if set(stress.artifacts) <= set(stress.knobs):
        return ""
    remark = unlike_reference(stress.grid, data.signal, store)
    return remark and f"{remark}: stress.grid: auto finds those of these slices"


def unlike_reference(grid: str, signal: Signal, store: Store) -> str:
    """Say that a grid was calibrated on images unlike those of a store; empty where it was not.

    Raises:
        UserError: A grid that is not there.

    """
    reference = grid_record(grid)
    if not {"height", "width"} <= set(reference):
        return ""
    meant = (reference["height"], reference["width"])
    shape = store.images.shape[1:]
    alike = np.allclose(meant, shape, rtol=SAME_SIZE, atol=0)
    theirs = reference.get("signal", "images")
    if alike and theirs == signal:
        return ""
    return (
        f"the {grid} levels are for {theirs} of {size_text(meant)} pixels, and these are "
        f"{signal} of {size_text(shape)}, on which they reach another similarity"
    )
