"""What a sweep will cost, from a few steps measured on this machine."""

import dataclasses
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

import mrimodels
from sweep.api.finalists import places_of
from sweep.api.measure import Measured, measure, train_a_step
from sweep.api.pace import Pace, Parts, Room, allowed
from sweep.api.preflight import (
    about_evidence,
    about_weights,
    bind,
    refuse_held_out,
    seen_artifacts,
    used_artifacts,
)
from sweep.api.space import Space, sizes_of, space_of
from sweep.api.warm_start import told_by
from sweep.config.arms import ARM
from sweep.config.artifacts import artifact_of
from sweep.config.finalists import FinalistSettings
from sweep.config.levels import uncalibrated, unreached
from sweep.config.search import EPOCHS, STRATIFY
from sweep.config.sweep import SweepConfig
from sweep.core.modes import ADABN
from sweep.core.text import between, bytes_text, number_of, span
from sweep.learn.finalist import slices_of
from sweep.learn.levels import cached_levels, chosen_for, foreign_grid, plan_of
from sweep.learn.modes import has_batch_norm
from sweep.learn.screening import Screening
from sweep.learn.stress import cells_of, default_device
from sweep.learn.trainer import Trainer
from sweep.results.folder import SweepFolder
from sweep.store import Store

ALIKE = 1.1  # times, within which two durations are said to be the same
SHORT = 0.1  # of what a worker may do nothing for: a step should take less


@dataclass(frozen=True)
class Cost:
    """Of a whole sweep, if every node is like this one.

    Attributes:
        train_s: Seconds of training of one epoch, of each trial.
        evaluate_s: Seconds of stress-testing one epoch, all cells, one evaluator, of each trial.
        parts: The seconds of the whole sweep, part by part.
        expected_share: Of the epochs, those that are trained as the scheduler stops trials whose
            scores are random.
        checkpoint_bytes: The checkpoint bytes of one epoch.
        space: What the sweep's folder will hold.
        slices: Training and validation slices.
        cells: Distributions that an epoch is scored on.
        unreached: Distributions that were asked for and that no severity makes.
        unaugmented: The same of the augmentation.
        calibrates: Whether levels are to be calibrated first.
        sampled: How many configurations were measured, and of how many that may differ in time.
        levels: What is to be said of the levels, a line each.
        unused: Names that have options and are neither stress-tested nor trained on.
        seen: Artifacts of the stress test that training sees.
        network: What was done to a network of another package, a line each.
        modes: The modes of batch norm that are asked for.
        rows: Rows of modes at most, those of averaged weights too.
        notes: What the sweep has little of to say anything by, a line each.
        screen_share: What a screening of one epoch takes, of a full stress test; None: every epoch
            is scored in full.
        scheduler: What stops trials early.
        limits: What the limits of the sweep allow, a line each.
        finalists: What the finalists are; empty: there are none.
        step_s: Seconds of the longest of what a worker does at a time, a step of training or a
            batch of a stress test.
        hang_minutes: How long one may do nothing; None: for ever.
        searched_epochs: Whether trials differ in the epochs that they may have.

    """

    train_s: tuple[float, ...]
    evaluate_s: tuple[float, ...]
    parts: Parts
    expected_share: float
    checkpoint_bytes: int
    space: Space
    slices: tuple[int, int]
    cells: int
    unreached: tuple[str, ...]
    unaugmented: tuple[str, ...]
    calibrates: bool
    sampled: tuple[int, int] = (1, 1)
    levels: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    rows: int = 0
    notes: tuple[str, ...] = ()
    screen_share: float | None = None
    scheduler: str = "none"
    limits: tuple[str, ...] = ()
    finalists: str = ""
    step_s: float = 0.0
    hang_minutes: float | None = None
    searched_epochs: bool = False

    def text(self) -> str:
        """For people."""
        train, validation = self.slices
        return (
            f"{self._network()}"
            f"training     {number_of(train, 'slice')}, {_each(self.train_s)} an epoch"
            f"{self._sampled()}\n"
            f"stress test  {number_of(validation, 'slice')} x {self.cells} distributions, "
            f"{_each(self.evaluate_s)} an epoch on one evaluator{self._screening()}\n"
            f"{self._left_out()}{self._levels()}{self._unused()}{self._seen()}{self._modes()}"
            f"checkpoint   {bytes_text(self.checkpoint_bytes)}\n"
            f"folder       {self.space.text()}\n"
            f"whole sweep  {self._whole()}\n"
            f"of that      {self._parts()}"
            f"{self._stopping()}{self._limits()}{self._finalists()}{self._hangs()}{self._notes()}"
        )

    def _sampled(self) -> str:
        measured, of = self.sampled
        if of == 1:
            return ""
        among = f"{measured} of {of}" if measured < of else f"all {of}"
        return f" (measured on {among} configurations that may differ in it)"

    def _screening(self) -> str:
        if self.screen_share is None:
            return ""
        return (
            f", {_each([self.screen_share * one for one in self.evaluate_s])} where it is screened"
        )

    def _whole(self) -> str:
        parts = self.parts
        likely = f"about {span(parts.expected)}"
        if span(parts.low) != span(parts.high):
            likely += f" (between {between(parts.low, parts.high)})"
        before = ", not counting the calibration of levels" if self.calibrates else ""
        differs = parts.most > ALIKE * parts.high
        most = f", at most {span(parts.most)} {self._at_worst()}" if differs else ""
        return f"{likely}{most}, on nodes like this one{before}"

    def _at_worst(self) -> str:
        differ = self.sampled[1] > 1 or self.searched_epochs
        slowest = "all trials are of the slowest kind" if differ else ""
        stopped = "" if self.scheduler == "none" else "no trial is stopped early"
        return f"if {' and '.join(filter(None, (slowest, stopped)))}"

    def _parts(self) -> str:
        parts = self.parts
        named = {
            "start": parts.start,
            "trials": parts.trials,
            "modes": parts.rows,
            "finalists": parts.finalists,
            "end": parts.end,
        }
        return ", ".join(f"{name} {span(seconds)}" for name, seconds in named.items() if seconds)

    def _stopping(self) -> str:
        if self.scheduler == "none":
            return ""
        # What ``topk`` leaves of the epochs follows from no score.
        guess = "" if self.scheduler == "topk" else " if scores are random"
        share = f"{100 * self.expected_share:.0f} % of the epochs"
        return f"\nstopping     early ({self.scheduler}), which trains {share}{guess}"

    def _limits(self) -> str:
        return "".join(f"\nlimit        {line}" for line in self.limits)

    def _hangs(self) -> str:
        if self.hang_minutes is None:
            return ""
        longest, patience = self.step_s, 60 * self.hang_minutes
        short = "; too short: raise cluster.hang_minutes" if longest > SHORT * patience else ""
        return (
            f"\nhangs        a worker that does nothing for {span(patience)} is ended, and its "
            f"work done again; a step or a batch takes up to {math.ceil(10 * longest) / 10:.1f} s "
            f"here{short}"
        )

    def _finalists(self) -> str:
        return f"\nfinalists    {self.finalists}" if self.finalists else ""

    def _notes(self) -> str:
        return "".join(f"\nnote         {line}" for line in self.notes)

    def _left_out(self) -> str:
        named = {"": self.unreached, "of the augmentation ": self.unaugmented}
        return "".join(
            f"left out     {whose}{', '.join(cells)}: no knob value has that similarity\n"
            for whose, cells in named.items()
            if cells
        )

    def _unused(self) -> str:
        if not self.unused:
            return ""
        return (
            f"options      of {', '.join(self.unused)} are not used: add the name to "
            "stress.artifacts or train.augment.artifacts\n"
        )

    def _modes(self) -> str:
        if not self.rows:
            asked = ", ".join(self.modes)
            none = f"modes        no row of {asked}: no network of the sweep has batch norm\n"
            return none if asked else ""
        return f"modes        at most {number_of(self.rows, 'row')} once the trials have ended\n"

    def _seen(self) -> str:
        if not self.seen:
            return ""
        return (
            f"seen         {', '.join(self.seen)} of the stress test are in the augmentation, too: "
            "those scores are not of artifacts that training never saw\n"
        )

    def _network(self) -> str:
        return "".join(f"network      {line}\n" for line in self.network)

    def _levels(self) -> str:
        return "".join(f"levels       {line}\n" for line in self.levels)


def estimate(
    config: SweepConfig, store: Store, room: Room, measured: Measured | None = None
) -> Cost:
    """Measure a few steps of a few configurations, and play the search through at that pace.

    Args:
        config: The config of the sweep.
        store: Its data.
        room: Where it runs.
        measured: What its work takes; None: it is measured here and now.

    Raises:
        UserError: The levels cannot be calibrated, or an artifact reaches none of those asked for;
            or see ``preflight.refuse_held_out``, ``warm_start.told_by``.

    """
    refuse_held_out(config)
    config, calibrates, levels = _with_stand_ins(config, store)
    if config.search.from_ and calibrates:
        SweepFolder.open(Path(config.search.from_))  # what its levels are to equal is not known yet
    elif config.search.from_:
        told_by(bind(config, store).config)
    used = used_artifacts(config)
    unused = [name for name in config.stress.options if name not in used]
    finals = _finalists(config, store)
    measured = measured or measure(config, store)
    device = default_device() if config.cluster.trial.gpu else torch.device("cpu")
    trainer = Trainer(config.trial({}), store, device)
    train_a_step(trainer)  # an optimizer that has made none has nothing to save
    screen_share = _screened_share(trainer)
    pace = Pace(config, measured, room, screen_share)
    search = config.search
    expected = pace.expected()
    rows = _rows(config)
    parts = pace.parts(expected, rows.passes, finals.seconds(config, measured, room))
    sizes = sizes_of(config, trainer)
    epochs_differ = EPOCHS in search.dimensions()
    reached = pace.longest() if epochs_differ else expected  # of files rather too many than too few
    return Cost(
        train_s=tuple(one.train_s for one in measured.taken),
        evaluate_s=tuple(map(measured.full_s, measured.taken)),
        parts=parts,
        expected_share=expected.epochs / sum(measured.epochs),
        checkpoint_bytes=sizes.checkpoint,
        space=space_of(config, sizes, reached, room.trials, rows.number, finals.share),
        slices=(len(trainer.indices), len(store.indices(config.data.validation))),
        cells=len(cells_of(config.stress)),
        unreached=unreached(config.stress),
        unaugmented=tuple(
            dict.fromkeys(
                cell
                for asked in config.augmentations("artifacts", "levels")
                for cell in unreached(config.stress, asked)
            )
        ),
        calibrates=calibrates,
        sampled=(measured.measured, measured.distinct),
        levels=levels,
        unused=tuple(unused),
        seen=seen_artifacts(config),
        network=(*_of_networks(config), *about_weights(config, store)),
        modes=config.stress.modes.names,
        rows=rows.number,
        notes=about_evidence(config, store),
        screen_share=screen_share,
        scheduler=search.scheduler,
        limits=tuple(allowed(config, expected, parts.trials, pace)),
        finalists=finals.text(config),
        step_s=max(max(one.step_s, one.batch_s + measured.longest_s) for one in measured.taken),
        hang_minutes=config.cluster.hang_minutes,
        searched_epochs=epochs_differ,
    )


def _each(seconds: Sequence[float]) -> str:
    """Seconds of a step or an epoch of several configurations, in words."""
    low, high = min(seconds), max(seconds)
    if high <= ALIKE * low:
        return f"{statistics.fmean(seconds):.2g} s"
    return f"{low:.2g} to {high:.2g} s"


class _Finalists(NamedTuple):
    """What the finalists of a sweep are asked.

    Attributes:
        runs: How many trainings; 0: there are no finalists.
        places: Where.
        share: On how many times as many inputs as in a full stress test of the sweep.

    """

    runs: int = 0
    places: tuple[str, ...] = ()
    share: float = 0.0

    def seconds(self, config: SweepConfig, measured: Measured, room: Room) -> float:
        """How long they take, one after the other on each worker, which keeps its inputs."""
        if not self.runs:
            return 0.0
        epochs = (config.finalists or FinalistSettings()).epochs
        scored = statistics.fmean(one.score_s for one in measured.taken)
        made = self.share * measured.inputs_s
        kept = min(1.0, measured.kept / config.cluster.evaluators / self.share)
        scoring = epochs * (self.share * scored + (1 - kept) * made)
        trained = statistics.fmean(one.train_s for one in measured.taken)
        each = statistics.fmean(measured.epochs) * trained + scoring
        return kept * made + math.ceil(self.runs / room.finalists) * each

    def text(self, config: SweepConfig) -> str:
        """How many trainings there will be, and where they are scored."""
        if not self.runs:
            return ""
        settings = config.finalists or FinalistSettings()
        groups = len(config.groups())
        kind = "arms" if config.search.arms else "norms"
        return (
            f"{number_of(self.runs, 'training')} ({groups} {kind} x {settings.per_norm} x "
            f"{number_of(settings.seeds, 'seed')}), scored at {', '.join(self.places)}"
        )


def _finalists(config: SweepConfig, store: Store) -> _Finalists:
    """What the finalists are asked."""
    settings = config.finalists
    if settings is None:
        return _Finalists()
    places, stores = places_of(config, store)
    validation = len(store.indices(config.data.validation)) * len(cells_of(config.stress))
    inputs = sum(
        len(slices_of(there, place))
        * (1 + len((*place.artifacts, *place.holdout)) * len(config.stress.levels))
        for place, there in zip(places, stores, strict=True)
    )
    return _Finalists(
        len(config.groups()) * settings.per_norm * settings.seeds,
        tuple(place.name for place in places),
        inputs / validation,
    )


def _screened_share(trainer: Trainer) -> float | None:
    """How much of a full stress test a screening is; None where there is none."""
    screening = Screening.of(trainer.config, trainer.store)
    if screening is None:
        return None
    slices = len(trainer.store.indices(trainer.config.data.validation))
    cells = len(cells_of(trainer.config.stress))
    return len(screening.slices) * len(screening.cells) / (slices * cells)


class _Rows(NamedTuple):
    """Rows of modes, at most, and how often they see every slice of a cell, all together."""

    number: int
    passes: int


def _rows(config: SweepConfig) -> _Rows:
    trials = config.search.total
    modes = config.stress.modes.names
    have = [has_batch_norm(model) for model in config.networks()]
    if config.search.arms:
        arms = [config.fixed({ARM: arm}).networks() for arm in config.search.arms]
        have = [any(map(has_batch_norm, models)) for models in arms]
    if config.search.stratify in (STRATIFY, ARM) and config.search.shares() > 1:
        of_batch_norm = math.ceil(trials * sum(have) / len(have))  # each norm or arm has as many
    else:
        of_batch_norm = trials if any(have) else 0
    averaged = trials if any(config.offered("train.ema")) else 0
    return _Rows(
        number=of_batch_norm * len(modes) + averaged,
        passes=of_batch_norm * sum(2 if mode == ADABN else 1 for mode in modes) + averaged,
    )


def _of_networks(config: SweepConfig) -> Iterator[str]:
    """What gives way to each norm in each network."""
    for model in config.networks():
        for line in mrimodels.summary(model.spec(n_outputs=1).replaced()):
            yield f"{model.arch}, norm {model.norm}: {line}"


def _with_stand_ins(config: SweepConfig, store: Store) -> tuple[SweepConfig, bool, tuple[str, ...]]:
    """The sweep with a knob value at every level, whether some are new, and what to say of them.

    Nothing is calibrated: what is not known from before has its physical levels here, which cost
    as much.
    """
    remark = foreign_grid(config.stress, config.data, store)
    missing = uncalibrated(config.stress, used_artifacts(config))
    if not missing:
        return config, False, (remark,) if remark else ()
    plan = plan_of(config.data, config.stress)
    chosen = chosen_for(store, plan)
    known = cached_levels(store, plan, missing, config.stress.options)
    knobs = {
        name: tuple(level.knob for level in known[name].levels)
        if name in known
        else artifact_of(name, config.stress.options).knob.physical
        for name in missing
    }
    new = [name for name in missing if name not in known]
    lines = []
    if known:
        lines.append(f"of {', '.join(known)} as calibrated before on the same slices")
    if new:
        count, patients = len(chosen.reference.keys), len(set(chosen.reference.patients))
        lines.append(
            f"of {', '.join(new)} will be calibrated as the sweep begins, on "
            f"{number_of(count, 'slice')} of "
            f"{number_of(patients, 'training patient')}; some may not be reached"
        )
    stress = dataclasses.replace(config.stress, knobs={**config.stress.knobs, **knobs})
    return dataclasses.replace(config, stress=stress), bool(new), tuple(lines)
