"""Every method of training: resumed as if never interrupted, and with every norm."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import mrimodels
from sweep.config.settings import ModelSettings, TrialConfig
from sweep.core.errors import WorkError
from sweep.learn.batches import epoch_batches, torch_generator
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.learn.checkpoints import EpochStats
from sweep.learn.inputs import normalize
from sweep.learn.trainer import Trainer, learning_rate, make_optimizer
from sweep.store import Store
from tests.support import networks

METHODS = {
    "label_smoothing": {"label_smoothing": 0.1},
    "ema": {"ema": 0.9},
    "mixstyle": {"mixstyle": 0.5},
    "group_dro": {"group_dro": "split", "group_dro_step": 0.1},
}
ALL = {name: value for settings in METHODS.values() for name, value in settings.items()}


def config_of(base: TrialConfig, settings: dict[str, object], **model: object) -> TrialConfig:
    return dataclasses.replace(
        base,
        model=dataclasses.replace(base.model, **model),
        train=dataclasses.replace(base.train, epochs=2, **settings),
    )


def state_of(trainer: Trainer) -> dict[str, torch.Tensor]:
    """All that goes on from epoch to epoch, by name."""
    state = dict(trainer.model.state_dict())
    for number, moments in trainer.optimizer.state_dict()["state"].items():
        state |= {f"optimizer.{number}.{name}": value for name, value in moments.items()}
    if trainer.average is not None:
        averaged = trainer.average.model.state_dict()
        state |= {f"average.{name}": value for name, value in averaged.items()}
        state["average.steps"] = torch.tensor(trainer.average.steps)
    if trainer.groups is not None:
        state["groups"] = trainer.groups.log_weights
    return state


@pytest.mark.usefixtures("global_random_state")
@pytest.mark.parametrize("method", [*METHODS, "all"])
def test_an_interrupted_trial_goes_on_as_if_it_was_not(
    trial_config: TrialConfig, store: Store, tmp_path: Path, method: str
) -> None:
    config = config_of(trial_config, METHODS.get(method, ALL), norm="batch", antialias=True)
    whole, first, second = (Trainer(config, store) for _ in range(3))
    plain = Trainer(config_of(trial_config, {}, norm="batch", antialias=True), store)
    losses = [whole.train_epoch(epoch).train_loss for epoch in (1, 2)]
    files = CheckpointFolder(tmp_path)
    first.save(files, 1, first.train_epoch(1))
    assert second.resume(files) == 1
    assert second.train_epoch(2).train_loss == losses[1]
    expected, found = state_of(whole), state_of(second)
    assert expected.keys() == found.keys()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    # The method does something: its trial is not the plain one, but for the average beside it.
    plain.train_epoch(1)
    same = torch.equal(plain.model.head.linear.weight, first.model.head.linear.weight)
    assert same == (method == "ema")


@pytest.mark.parametrize("norm", mrimodels.NORMS)
def test_all_methods_at_once_train_with_every_norm(
    trial_config: TrialConfig, store: Store, norm: str
) -> None:
    trainer = Trainer(config_of(trial_config, ALL, norm=norm, antialias=True), store)
    assert np.isfinite(trainer.train_epoch(1).train_loss)
    assert trainer.average is not None
    assert all(value.isfinite().all() for value in trainer.average.model.state_dict().values())


def test_all_methods_at_once_train_a_network_of_another_package_as_it_is(
    trial_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    model = ModelSettings(arch=f"{networks.__name__}:Layered", norm="keep")
    base = dataclasses.replace(trial_config, model=model)
    trainer = Trainer(config_of(base, ALL), store)
    trainer.begin(1)
    assert trainer.step(trainer.load(trainer.indices[:4]), 1, 1e-3).isfinite()
    trainer.save(CheckpointFolder(tmp_path), 1, EpochStats(0.0, 0.0))
    assert Trainer(config_of(base, ALL), store).resume(CheckpointFolder(tmp_path)) == 1


def test_a_state_of_other_methods_is_refused(
    trial_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    files = CheckpointFolder(tmp_path)
    Trainer(trial_config, store).save(files, 1, EpochStats(0.0, 0.0))
    other = Trainer(config_of(trial_config, ALL), store)
    with pytest.raises(WorkError, match=r"received averaged_steps, group_weights in one"):
        other.resume(files)


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state.update(epoch="1"),
        lambda state: state.update(epoch=7),
        lambda state: state.update(optimizer=[]),
        lambda state: state["optimizer"]["param_groups"].pop(),
        lambda state: state["optimizer"]["param_groups"][0].update(lr="fast"),
        lambda state: state["optimizer"]["state"][0].update(exp_avg=torch.zeros(3)),
        lambda state: state["optimizer"]["state"].update({10**6: {"exp_avg": torch.zeros(3)}}),
        lambda state: state.update(group_weights=torch.zeros(99)),
        lambda state: state.update(averaged_steps="many"),
        None,
    ],
)
def test_a_damaged_state_says_what_to_do(
    trial_config: TrialConfig, store: Store, tmp_path: Path, damage: Callable[..., object] | None
) -> None:
    files, config = CheckpointFolder(tmp_path), config_of(trial_config, ALL)
    trainer = Trainer(config, store)
    trainer.begin(1)
    trainer.step(trainer.load(trainer.indices[:4]), 1, 1e-3)
    trainer.save(files, 1, EpochStats(0.0, 0.0))
    state = torch.load(files.state, weights_only=True)
    if damage is None:
        files.state.write_bytes(files.state.read_bytes()[:-200])
    else:
        damage(state)
        torch.save(state, files.state)
    message = "what was saved of a trial cannot be read, to go on from there; received .*; remove"
    with pytest.raises(WorkError, match=message):
        Trainer(config, store).resume(files)


def test_a_state_from_before_the_methods_is_resumed(
    trial_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    files = CheckpointFolder(tmp_path)
    trainer = Trainer(trial_config, store)
    trainer.save(files, 1, trainer.train_epoch(1))
    assert torch.load(files.state, weights_only=True).keys() == {"epoch", "optimizer"}
    checkpoint = torch.load(files.epoch(1), weights_only=True)
    new = {"label_smoothing", "ema", "mixstyle", "mixstyle_alpha", "group_dro"}
    new |= {"group_dro_step", "group_dro_adjustment"}
    for name in new:
        del checkpoint["meta"]["config"]["train"][name]
    del checkpoint["meta"]["config"]["model"]["antialias"], checkpoint["spec"]["antialias"]
    torch.save(checkpoint, files.epoch(1))
    assert Trainer(trial_config, store).resume(files) == 1


def test_without_methods_training_is_a_plain_loop_bit_for_bit(
    trial_config: TrialConfig, store: Store
) -> None:
    config = config_of(trial_config, {}, norm="batch")
    trainer, settings = Trainer(config, store), config.train
    trainer.train_epoch(1)
    model = mrimodels.build(config.model.spec(n_outputs=2), config.seed)
    mrimodels.key_dropout(model, torch_generator("dropout", config.seed, 1))
    optimizer = make_optimizer(model, settings)
    batches = list(epoch_batches(store, trainer.indices, settings, config.seed, 1))
    for step, rows in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings, step, len(batches) * settings.epochs)
        classes = torch.from_numpy(store.labels[rows]).argmax(1)
        logits = model(normalize(torch.from_numpy(store.read(rows)), config.data.normalize))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits, classes).backward()
        optimizer.step()
    state = trainer.model.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
