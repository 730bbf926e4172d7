"""What a sweep will cost, from a few steps measured on this machine."""

import dataclasses
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

import mrimodels
from sweep.api.finalists import places_of
from sweep.api.pace import Pace, allowed
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
from sweep.config.search import STRATIFY
from sweep.config.sweep import SweepConfig
from sweep.core.modes import ADABN
from sweep.core.text import bytes_text, clock, number_of
from sweep.learn.batches import epoch_batches, steps_per_epoch
from sweep.learn.checkpoints import for_evaluation
from sweep.learn.finalist import slices_of
from sweep.learn.levels import cached_levels, chosen_for, foreign_grid, plan_of
from sweep.learn.modes import has_batch_norm
from sweep.learn.screening import Screening
from sweep.learn.stress import cells_of, default_device, predict
from sweep.learn.trainer import Trainer
from sweep.results.folder import SweepFolder
from sweep.search.forecast import forecast
from sweep.store import Store

STEPS = 3


@dataclass(frozen=True)
class Cost:
    """Of a whole sweep, if every node is like this one.

    Attributes:
        train_s: Seconds of training of one epoch.
        evaluate_s: Seconds of stress-testing one epoch, all cells, one evaluator.
        seconds: The seconds of the whole sweep, if no trial is stopped early.
        expected_s: The same, as the scheduler stops trials whose scores are random.
        expected_share: Of the epochs, those that are then trained.
        checkpoint_bytes: The checkpoint bytes of one epoch.
        space: What the sweep's folder will hold.
        slices: Training and validation slices.
        cells: Distributions that an epoch is scored on.
        unreached: Distributions that were asked for and that no severity makes.
        unaugmented: The same of the augmentation.
        calibrates: Whether levels are to be calibrated first.
        levels: What is to be said of the levels, a line each.
        unused: Names that have options and are neither stress-tested nor trained on.
        seen: Artifacts of the stress test that training sees.
        network: What was done to a network of another package, a line each.
        modes: The modes of batch norm that are asked for.
        rows: Rows of modes at most, those of averaged weights too.
        rows_s: Seconds of scoring them, all evaluators.
        notes: What the sweep has little of to say anything by, a line each.
        screen_s: Seconds of screening one epoch, one evaluator; None: every epoch is scored in
            full.
        scheduler: What stops trials early.
        limits: What the limits of the sweep allow, a line each.
        finalists: What the finalists are, and take; empty: there are none.
        step_s: Seconds of the longest of what a worker does at a time, a step of training or a
            batch of a stress test.
        hang_minutes: How long one may do nothing; None: for ever.

    """

    train_s: float
    evaluate_s: float
    seconds: float
    expected_s: float
    expected_share: float
    checkpoint_bytes: int
    space: Space
    slices: tuple[int, int]
    cells: int
    unreached: tuple[str, ...]
    unaugmented: tuple[str, ...]
    calibrates: bool
    levels: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    rows: int = 0
    rows_s: float = 0.0
    notes: tuple[str, ...] = ()
    screen_s: float | None = None
    scheduler: str = "none"
    limits: tuple[str, ...] = ()
    finalists: str = ""
    step_s: float = 0.0
    hang_minutes: float | None = None

    def text(self) -> str:
        """For people."""
        train, validation = self.slices
        before = "start-up and the calibration of levels" if self.calibrates else "start-up"
        return (
            f"{self._network()}"
            f"training     {number_of(train, 'slice')}, {self.train_s:.1f} s an epoch\n"
            f"stress test  {number_of(validation, 'slice')} x {self.cells} distributions, "
            f"{self.evaluate_s:.1f} s an epoch on one evaluator{self._screening()}\n"
            f"{self._left_out()}{self._levels()}{self._unused()}{self._seen()}{self._modes()}"
            f"checkpoint   {bytes_text(self.checkpoint_bytes)}\n"
            f"folder       {self.space.text()}\n"
            f"whole sweep  at most about {clock(self.seconds)} on nodes like this one, not "
            f"counting {before}"
            f"{self._expected()}{self._limits()}{self._finalists()}{self._hangs()}{self._notes()}"
        )

    def _screening(self) -> str:
        return "" if self.screen_s is None else f", {self.screen_s:.1f} s where it is screened"

    def _expected(self) -> str:
        if self.scheduler == "none":
            return ""
        return (
            f"\nexpected     about {clock(self.expected_s)} with early stopping "
            f"({self.scheduler}), which trains {100 * self.expected_share:.0f} % of the epochs"
            f"{self._as_played()}"
        )

    def _as_played(self) -> str:
        """Of what the rest follows; ``topk`` leaves as many epochs whatever the scores are."""
        return "" if self.scheduler == "topk" else " if scores are random"

    def _limits(self) -> str:
        return "".join(f"\nlimit        {line}" for line in self.limits)

    def _hangs(self) -> str:
        if self.hang_minutes is None:
            return ""
        longest, allowed = self.step_s, 60 * self.hang_minutes
        short = "; too short: raise cluster.hang_minutes" if longest > allowed / 10 else ""
        return (
            f"\nhangs        a worker that does nothing for {clock(allowed)} is ended, and its "
            f"work done again; a step or a batch takes up to {longest:.1f} s here{short}"
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
        return (
            f"modes        at most {number_of(self.rows, 'row')} once the trials have ended, about "
            f"{clock(self.rows_s)}\n"
        )

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


def estimate(config: SweepConfig, store: Store, concurrent: int) -> Cost:
    """Measure a few steps of the configuration as written, and extrapolate.

    Args:
        config: The config of the sweep.
        store: Its data.
        concurrent: Trials at a time.

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
    torch.set_num_threads(config.cluster.trial.threads)
    device = default_device() if config.cluster.trial.gpu else torch.device("cpu")
    trainer = Trainer(config.trial({}), store, device)
    train_s = _train_seconds(trainer)
    torch.set_num_threads(config.cluster.evaluator.threads)
    evaluate_s = _evaluate_seconds(trainer)
    screen = _screened_share(trainer)
    pace = Pace(config, concurrent, train_s, evaluate_s, screen and screen * evaluate_s)
    search, most = config.search, config.search.most_epochs(config.train.epochs)
    expected = forecast(search, config.train.epochs, concurrent)
    expected_s = pace.seconds(expected.reached)
    rows = _rows(config)
    rows_s = rows.passes * evaluate_s / config.cluster.evaluators
    finals = _finalists(config, store)
    sizes = sizes_of(config, trainer)
    return Cost(
        train_s=train_s,
        evaluate_s=evaluate_s,
        seconds=pace.seconds([search.total] * most) + rows_s,
        expected_s=expected_s + rows_s,
        expected_share=expected.epochs / (search.total * most),
        checkpoint_bytes=sizes.checkpoint,
        space=space_of(
            config, sizes, expected, concurrent, rows.number, finals.share if finals else 0.0
        ),
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
        levels=levels,
        unused=tuple(unused),
        seen=seen_artifacts(config),
        network=(*_of_networks(config), *about_weights(config, store)),
        modes=config.stress.modes.names,
        rows=rows.number,
        rows_s=rows_s,
        notes=about_evidence(config, store),
        screen_s=pace.screen_s,
        scheduler=search.scheduler,
        limits=tuple(allowed(config, expected, expected_s, pace)),
        finalists=finals.text(config, train_s, evaluate_s) if finals else "",
        step_s=_step_seconds(trainer, train_s, evaluate_s),
        hang_minutes=config.cluster.hang_minutes,
    )


def _step_seconds(trainer: Trainer, train_s: float, evaluate_s: float) -> float:
    """Of a step of training or of a batch of a cell, whichever is longer."""
    config = trainer.config
    validation = len(trainer.store.indices(config.data.validation))
    batches = math.ceil(validation / config.stress.batch_size) * len(cells_of(config.stress))
    steps = steps_per_epoch(len(trainer.indices), config.train)
    return max(train_s / steps, evaluate_s / batches)


class _Finalists(NamedTuple):
    """What the finalists of a sweep are asked.

    Attributes:
        places: Where.
        share: On how many times as many inputs as in a full stress test of the sweep.

    """

    places: tuple[str, ...]
    share: float

    def text(self, config: SweepConfig, train_s: float, evaluate_s: float) -> str:
        """How many trainings there will be, and how long they take beside those of the sweep."""
        settings = config.finalists or FinalistSettings()
        groups = len(config.groups())
        runs = groups * settings.per_norm * settings.seeds
        scoring_s = settings.epochs * evaluate_s * self.share
        seconds = runs * (config.train.epochs * train_s + scoring_s)
        kind = "arms" if config.search.arms else "norms"
        return (
            f"{number_of(runs, 'training')} ({groups} {kind} x {settings.per_norm} x "
            f"{number_of(settings.seeds, 'seed')}), "
            f"scored at {', '.join(self.places)}: at most {clock(seconds)} of one trial's share"
        )


def _finalists(config: SweepConfig, store: Store) -> _Finalists | None:
    """What the finalists are asked; None: there are none."""
    if config.finalists is None:
        return None
    places, stores = places_of(config, store)
    validation = len(store.indices(config.data.validation)) * len(cells_of(config.stress))
    inputs = sum(
        len(slices_of(there, place))
        * (1 + len((*place.artifacts, *place.holdout)) * len(config.stress.levels))
        for place, there in zip(places, stores, strict=True)
    )
    return _Finalists(tuple(place.name for place in places), inputs / validation)


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


def _train_seconds(trainer: Trainer) -> float:
    """Of one epoch, from a few steps after one that warms up."""
    settings, seed = trainer.config.train, trainer.config.seed
    batches = list(epoch_batches(trainer.store, trainer.indices, settings, seed, 1))
    trainer.begin(1)
    steps = batches[: STEPS + 1]
    started = 0.0
    for number, batch in enumerate(steps):
        started = time.perf_counter() if number == min(1, len(steps) - 1) else started
        float(trainer.step(trainer.load(batch), 1, settings.lr))
    measured = max(1, len(steps) - 1)
    per_step = (time.perf_counter() - started) / measured
    return per_step * steps_per_epoch(len(trainer.indices), settings)


def _evaluate_seconds(trainer: Trainer) -> float:
    """Of all cells, from one batch of each."""
    trial_config, model = trainer.config, for_evaluation(trainer.model, trainer.spec)
    indices = trainer.store.indices(trial_config.data.validation)
    batch = indices[: trial_config.stress.batch_size]
    started = time.perf_counter()
    for cell in cells_of(trial_config.stress):
        predict(
            model,
            trainer.store,
            batch,
            cell,
            trial_config.data,
            trial_config.stress,
            trainer.device,
        )
    return (time.perf_counter() - started) * len(indices) / len(batch)
