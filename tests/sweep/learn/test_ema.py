"""The average of weights, against torch's own, and as a checkpoint that every command takes."""

import dataclasses
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, update_bn

import mrimodels
from sweep.api.predict import predict
from sweep.config.settings import TrialConfig
from sweep.learn.batches import epoch_batches
from sweep.learn.checkpoints import CheckpointInfo, load_checkpoint
from sweep.learn.ema import WeightAverage
from sweep.learn.fit import fit
from sweep.learn.trainer import Trainer
from sweep.store import Store


def small(norm: str = "batch") -> mrimodels.Classifier:
    spec = mrimodels.ModelSpec(arch="preact_resnet18", norm=norm, n_outputs=2, width=4)
    return mrimodels.build(spec)


def steps(model: nn.Module, count: int) -> None:
    """Move every parameter, and running statistics."""
    key = torch.Generator().manual_seed(count)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=key) / 10)
        model.train()(torch.randn(4, 1, 16, 16, generator=key))


@pytest.mark.parametrize("decay", [0.3, 0.999])
def test_it_is_torch_s_average_with_a_decay_that_warms_up(decay: float) -> None:
    model = small()

    def averaged(own: torch.Tensor, new: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
        d = min(decay, float(count) / (9 + float(count)))  # (1 + t) / (10 + t), t from 0
        return d * own + (1 - d) * new

    reference = AveragedModel(model, avg_fn=averaged)
    reference.update_parameters(model)  # the first only copies
    average = WeightAverage(model, decay)
    for count in range(12):
        steps(model, count)
        average.update(model)
        reference.update_parameters(model)
    expected = dict(reference.module.named_parameters())
    for name, own in average.model.named_parameters():
        torch.testing.assert_close(own, expected[name], msg=name)
        assert not own.requires_grad
    assert not average.model.training


@pytest.mark.parametrize("norm", ["batch", "batch_renorm", "switchable"])
def test_running_statistics_are_those_of_the_averaged_weights(norm: str) -> None:
    """Of batches that are all alike they are that batch's."""
    model = small(norm)
    average = WeightAverage(model, 0.99)
    for count in range(6):
        steps(model, count)
        average.update(model)
    x = torch.randn(8, 1, 16, 16, generator=torch.Generator().manual_seed(9))
    average.settle(model, [x] * 3)
    assert not any(module.training for module in average.model.modules())
    counts = (dict(m.named_buffers()) for m in (average.model, model))
    own, trained = ([v for k, v in one.items() if "num_batches" in k] for one in counts)
    assert own == trained
    found, seen = average.model.body.stages[1][0].norm1, []
    found.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    average.model(x)
    torch.testing.assert_close(found.running_mean, seen[0].mean((0, 2, 3)), rtol=5e-3, atol=5e-3)
    torch.testing.assert_close(found.running_var, seen[0].var((0, 2, 3)), rtol=5e-3, atol=5e-3)


def test_a_network_without_running_statistics_needs_no_pass() -> None:
    model = small("group")

    def never() -> Iterator[torch.Tensor]:
        raise AssertionError
        yield

    WeightAverage(model, 0.9).settle(model, never())


def test_a_parameter_in_two_places_is_averaged_once() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    average = WeightAverage(model, 0.9)
    before = model[0].weight.detach().clone()
    with torch.no_grad():
        model[0].weight.add_(1)
    average.update(model)
    torch.testing.assert_close(average.model[0].weight, before + 0.9)
    assert average.model[1].weight is average.model[0].weight


def with_ema(config: TrialConfig, norm: str = "batch", **settings: object) -> TrialConfig:
    return dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, norm=norm),
        train=dataclasses.replace(config.train, ema=0.99, **settings),
    )


def test_it_predicts_by_its_own_statistics_from_the_first_epoch_on(
    trial_config: TrialConfig, store: Store
) -> None:
    """A whole pass over its training slices gives nearly the same logits; a copy does not."""
    config = with_ema(trial_config)
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, dropout=0.0))
    trainer = Trainer(config, store)
    trainer.train_epoch(1)
    average = trainer.average
    assert average is not None
    rows = list(epoch_batches(store, trainer.indices, config.train, config.seed, 1))
    batches = [trainer.augmentation.inputs(trainer.load(one), 1) for one in rows]
    exact, copied = deepcopy(average.model), deepcopy(average.model)
    update_bn(batches, exact)
    for own, new in zip(copied.buffers(), trainer.model.buffers(), strict=True):
        own.copy_(new)
    with torch.no_grad():
        images = torch.cat(batches)
        wanted, found, wrong = (m.eval()(images) for m in (exact, average.model, copied))
    assert (found - wanted).norm() < 0.1 * (wrong - wanted).norm()


def test_it_lies_beside_its_epoch_and_is_a_checkpoint_as_any(
    trial_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    result = fit(with_ema(trial_config), store, tmp_path)
    kept = {f"epoch-{epoch:04d}{mode}" for epoch in (result.best_epoch, 3) for mode in ("", ".ema")}
    assert {path.stem for path in tmp_path.glob("epoch-*.pt")} == kept
    averaged = tmp_path / f"epoch-{result.best_epoch:04d}.ema.pt"
    trained_info = CheckpointInfo.read(result.checkpoint)
    assert CheckpointInfo.read(averaged) == dataclasses.replace(trained_info, mode="ema")
    one, other = (
        load_checkpoint(path, torch.device("cpu")) for path in (averaged, result.checkpoint)
    )
    weight, trained = (model.head.linear.weight for model, _ in (one, other))
    assert not torch.equal(weight, trained)
    assert len(predict(averaged, store.path).probability) == len(store)


def test_the_trained_weights_are_those_of_a_trial_without_an_average(
    trial_config: TrialConfig, store: Store
) -> None:
    one, other = (
        Trainer(config, store) for config in (with_ema(trial_config, "group"), trial_config)
    )
    assert one.train_epoch(1).train_loss == other.train_epoch(1).train_loss
    state = other.model.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in one.model.state_dict().items())
