"""The loop of a trial: it learns, resumes where it was, stops when told, repeats its scores."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

import mrimodels
from sweep.config.settings import TrialConfig
from sweep.config.training import TrainSettings
from sweep.core.errors import UserError
from sweep.core.records import EpochRecord, Predictions
from sweep.learn.checkpoints import CheckpointInfo
from sweep.learn.fit import FitResult, LocalEvaluator, Run, fit
from sweep.learn.losses import loss_of
from sweep.learn.screening import Screening
from sweep.learn.stress import cells_of, stress
from sweep.learn.trainer import Trainer, learning_rate, make_optimizer
from sweep.store import Store
from tests.support.resumed import KilledError, weights


def trained(trial_config: TrialConfig, **settings: object) -> TrialConfig:
    return dataclasses.replace(
        trial_config, train=dataclasses.replace(trial_config.train, **settings)
    )


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert all(torch.equal(first[name], second[name]) for name in first)


def last_checkpoint(folder: Path) -> Path:
    return max(folder.glob("epoch-*.pt"))


@pytest.mark.usefixtures("global_random_state")
def test_it_learns_and_touches_no_global_generator(
    trial_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    result = fit(trained(trial_config, epochs=6), store, tmp_path)
    losses = [record.train_loss for record in result.history]
    assert losses[-1] < losses[0]
    assert max(record.metrics["clean/auroc"] for record in result.history) > 0.9
    assert [record.epoch for record in result.history] == [1, 2, 3, 4, 5, 6]


class LateEvaluator(LocalEvaluator):
    """Answers only when asked, an epoch later, as the pool does."""

    in_flight = 1

    def __init__(self, config: TrialConfig, store: Store) -> None:
        super().__init__(config, store)
        self.cancelled: list[Path] = []

    def evaluate(self, checkpoint: Path, screening: Screening | None = None) -> "Late":
        return Late(self, checkpoint, screening)


class Late(NamedTuple):
    """An evaluation that is done when it is asked for."""

    evaluator: LateEvaluator
    checkpoint: Path
    screening: Screening | None

    def result(self) -> Sequence[Predictions]:
        return LocalEvaluator.evaluate(self.evaluator, self.checkpoint, self.screening).result()

    def cancel(self) -> None:
        self.evaluator.cancelled.append(self.checkpoint)


def metrics(result: FitResult) -> list[tuple[float, dict[str, float]]]:
    return [(record.train_loss, record.metrics) for record in result.history]


def test_a_late_evaluator_changes_nothing(
    trial_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    now = fit(trial_config, store, tmp_path / "now")
    late = fit(trial_config, store, tmp_path / "late", evaluator=LateEvaluator(trial_config, store))
    assert metrics(now) == metrics(late)
    assert_same_weights(now.checkpoint, late.checkpoint)


def test_a_trial_that_is_stopped_cancels_what_is_under_evaluation(
    trial_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    late = LateEvaluator(trial_config, store)
    run = Run(trial_config, store, tmp_path, evaluator=late)
    epochs = run.epochs()
    assert next(epochs).epoch == 1
    assert late.cancelled == []
    run.close()
    assert late.cancelled == [run.files.epoch(2)]
    assert run.files.epoch(2).exists(), "it is cancelled by saying so"


def test_a_trial_that_ends_early_cancels_what_is_under_evaluation(
    trial_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    frozen = trained(trial_config, epochs=9, lr=1e-12, weight_decay=0.0, patience=2)
    late = LateEvaluator(frozen, store)
    fit(frozen, store, tmp_path, evaluator=late)
    assert [path.name for path in late.cancelled] == ["epoch-0004.pt"]


@pytest.mark.slow
@pytest.mark.parametrize("evaluator", [LocalEvaluator, LateEvaluator])
@pytest.mark.parametrize("dies_after", [1, 2])
def test_an_interrupted_trial_ends_like_an_uninterrupted_one(
    trial_config: TrialConfig,
    store: Store,
    tmp_path: Path,
    evaluator: type[LocalEvaluator],
    dies_after: int,
) -> None:
    trial_config = trained(trial_config, epochs=4)
    whole = fit(trial_config, store, tmp_path / "whole")
    history: list[EpochRecord] = []

    def report(record: EpochRecord, predictions: Sequence[Predictions]) -> None:
        history.append(record)
        if len(history) == dies_after:
            raise KilledError

    folder = tmp_path / "broken"
    with pytest.raises(KilledError):
        fit(trial_config, store, folder, evaluator=evaluator(trial_config, store), report=report)
    resumed = fit(
        trial_config, store, folder, evaluator=evaluator(trial_config, store), history=history
    )
    assert metrics(resumed) == metrics(whole)
    assert resumed.best_epoch == whole.best_epoch
    assert_same_weights(last_checkpoint(folder), last_checkpoint(tmp_path / "whole"))


@pytest.mark.slow
def test_a_trial_whose_files_were_lost_is_trained_again_and_reported_once(
    trial_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    """As the remedy for a damaged state says: its folder is removed, what it has scored is kept."""
    trial_config = trained(trial_config, epochs=4)
    whole = fit(trial_config, store, tmp_path / "whole")
    reported: list[int] = []

    def report(record: EpochRecord, predictions: Sequence[Predictions]) -> None:
        reported.append(record.epoch)

    history = whole.history[:2]
    again = fit(trial_config, store, tmp_path / "again", history=history, report=report)
    assert metrics(again) == metrics(whole)
    assert again.best_epoch == whole.best_epoch
    assert sorted(set(reported)) == [3, 4]
    assert_same_weights(last_checkpoint(tmp_path / "again"), last_checkpoint(tmp_path / "whole"))


def test_a_finished_trial_is_not_trained_again(
    trial_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    done = fit(trial_config, store, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = fit(trial_config, store, tmp_path, history=done.history)
    assert again == done
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_the_best_checkpoint_stays_and_repeats_its_recorded_scores(
    trial_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    kept: dict[int, Sequence[Predictions]] = {}
    result = fit(
        trial_config,
        store,
        tmp_path,
        report=lambda record, items: kept.update({record.epoch: items}),
    )
    best = max(result.history, key=lambda record: record.metrics[trial_config.objective])
    assert result.best_epoch == best.epoch
    indices = store.indices(trial_config.data.validation)
    cells = cells_of(trial_config.stress)
    again = list(stress(result.checkpoint, store, cells, indices, trial_config.stress))
    for one, other in zip(again, kept[best.epoch], strict=True):
        assert one.cell == other.cell
        np.testing.assert_array_equal(one.probability, other.probability)
    kept_files = {path.name for path in tmp_path.glob("epoch-*.pt")}
    assert kept_files == {f"epoch-{best.epoch:04d}.pt", "epoch-0003.pt"}


def test_a_cell_s_score_knows_nothing_of_its_neighbours(
    trial_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    checkpoint = fit(trained(trial_config, epochs=1), store, tmp_path).checkpoint
    indices, cells = store.indices(trial_config.data.validation), cells_of(trial_config.stress)
    forward = {p.cell: p for p in stress(checkpoint, store, cells, indices, trial_config.stress)}
    alone = list(stress(checkpoint, store, cells[-1:], indices, trial_config.stress))
    np.testing.assert_array_equal(alone[0].probability, forward[cells[-1]].probability)


def test_training_ends_when_patience_does(
    trial_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    frozen = trained(trial_config, epochs=9, lr=1e-12, weight_decay=0.0, patience=2)
    result = fit(frozen, store, tmp_path)
    assert [record.epoch for record in result.history] == [1, 2, 3]
    assert result.best_epoch == 1


def test_a_diverged_trial_ends_at_once_with_its_scores_missing(
    trial_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    result = fit(trained(trial_config, lr=1e30, schedule="constant"), store, tmp_path)
    assert len(result.history) == 1
    assert math.isnan(result.history[0].metrics[trial_config.objective])
    assert result.best_epoch is None
    assert result.checkpoint is None


def test_norms_differ_in_nothing_but_the_norm(trial_config: TrialConfig, store: Store) -> None:
    trainers = [
        Trainer(
            dataclasses.replace(
                trial_config, model=dataclasses.replace(trial_config.model, norm=norm)
            ),
            store,
        )
        for norm in ("batch", "group", "layer", "instance")
    ]
    first = dict(trainers[0].model.named_parameters())
    for trainer in trainers[1:]:
        for name, parameter in trainer.model.named_parameters():
            assert torch.equal(parameter, first[name])
        decay = [
            [(group["weight_decay"], len(group["params"])) for group in t.optimizer.param_groups]
            for t in (trainer, trainers[0])
        ]
        assert decay[0] == decay[1]


@pytest.mark.parametrize("norm", mrimodels.NORMS)
def test_weights_of_convolutions_and_linear_layers_alone_are_decayed(norm: str) -> None:
    spec = mrimodels.ModelSpec(arch="preact_resnet18", norm=norm, n_outputs=2, width=4)
    model = mrimodels.build(spec)
    optimizer = make_optimizer(model, TrainSettings(weight_decay=0.3))
    weights = {
        module.weight
        for module in model.modules()
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear)
    }
    decay = {p: group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert decay == {p: 0.3 if p in weights else 0.0 for p in model.parameters()}


def test_the_cosine_schedule_starts_at_the_rate_and_ends_near_zero() -> None:
    settings = TrainSettings(lr=0.1)
    rates = [learning_rate(settings, step, 100) for step in range(101)]
    assert rates[0] == 0.1
    assert rates[50] == pytest.approx(0.05)
    assert rates[100] == pytest.approx(0, abs=1e-12)
    constant = TrainSettings(lr=0.1, schedule="constant")
    assert learning_rate(constant, 99, 100) == 0.1


def test_the_loss_of_a_multilabel_task_is_the_sum_over_labels() -> None:
    logits = torch.tensor([[0.3, -1.0], [2.0, 0.1]])
    labels = torch.tensor([[1, 0], [1, 1]], dtype=torch.uint8)
    p = logits.sigmoid()
    by_hand = -(labels * p.log() + (1 - labels.float()) * (1 - p).log()).sum(dim=1).mean()
    assert loss_of(logits, labels, "multilabel") == pytest.approx(float(by_hand))


def test_the_loss_of_a_multiclass_task_is_minus_log_softmax() -> None:
    logits = torch.tensor([[0.3, -1.0, 0.0]])
    labels = torch.tensor([[0, 1, 0]], dtype=torch.uint8)
    by_hand = -logits.log_softmax(dim=1)[0, 1]
    assert loss_of(logits, labels, "multiclass") == pytest.approx(float(by_hand))


def test_a_checkpoint_says_where_it_comes_from(
    trial_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    checkpoint = fit(trained(trial_config, epochs=1), store, tmp_path).checkpoint
    info = CheckpointInfo.read(checkpoint)
    assert info.config == trained(trial_config, epochs=1)
    assert info.trial == "fit"
    assert (info.fingerprint, info.labels) == (store.fingerprint, ("a", "b"))


def test_a_checkpoint_without_its_info_is_refused(tmp_path: Path) -> None:
    spec = mrimodels.ModelSpec(arch="preact_resnet18", norm="batch", n_outputs=2, width=4)
    mrimodels.save(tmp_path / "bare.pt", mrimodels.build(spec), spec)
    with pytest.raises(UserError, match=r"does not say how it was trained; .* without trial, con"):
        CheckpointInfo.read(tmp_path / "bare.pt")


def test_a_checkpoint_of_an_earlier_layout_is_refused(
    trial_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    checkpoint = fit(trained(trial_config, epochs=1), store, tmp_path).checkpoint
    model, spec, meta = mrimodels.load_checkpoint(checkpoint)
    del meta["trial"]
    meta["recipe"] = meta.pop("config")
    mrimodels.save(tmp_path / "old.pt", model, spec, meta)
    with pytest.raises(UserError, match=r"old.pt' without trial, config; take one that a sweep or"):
        CheckpointInfo.read(tmp_path / "old.pt")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_training_on_a_gpu_gives_finite_scores(
    trial_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    result = fit(trial_config, store, tmp_path)
    assert all(math.isfinite(value) for value in result.history[-1].metrics.values())
