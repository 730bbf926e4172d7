"""MixStyle: what it does to statistics and leaves to content, where it acts, and its keys."""

import dataclasses

import numpy as np
import pytest
import torch

import mrimodels
from sweep.config.settings import ModelSettings, TrialConfig
from sweep.core.errors import UserError
from sweep.learn.mixstyle import EPS, MixStyle, mix, stages_of
from sweep.learn.trainer import Trainer
from sweep.store import Store
from tests.support import networks


def maps(seed: int = 0) -> torch.Tensor:
    """Four slices of three channels, each with a style of its own."""
    key = torch.Generator().manual_seed(seed)
    x = torch.randn(4, 3, 8, 7, generator=key, dtype=torch.float64)
    style = torch.rand(2, 4, 3, 1, 1, generator=key, dtype=torch.float64)
    return x * (1 + 5 * style[0]) + 10 * style[1]


def statistics(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x.mean((2, 3)), x.std((2, 3), correction=0)


def content(x: torch.Tensor) -> torch.Tensor:
    mean, deviation = statistics(x)
    return (x - mean[:, :, None, None]) / deviation[:, :, None, None]


PARTNERS = torch.tensor([2, 0, 3, 1])


def test_a_share_of_nothing_swaps_the_styles_and_keeps_the_content() -> None:
    x = maps()
    y = mix(x, PARTNERS, torch.zeros(4))
    for found, wanted in zip(statistics(y), statistics(x[PARTNERS]), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-6, atol=0)
    torch.testing.assert_close(content(y), content(x), rtol=1e-6, atol=1e-9)


def test_statistics_are_mixed_by_each_slice_s_share() -> None:
    x, share = maps(), torch.tensor([0.0, 0.3, 0.9, 1.0], dtype=torch.float64)
    y = mix(x, PARTNERS, share)
    for found, own, other in zip(
        statistics(y), statistics(x), statistics(x[PARTNERS]), strict=True
    ):
        wanted = share[:, None] * own + (1 - share[:, None]) * other
        torch.testing.assert_close(found, wanted, rtol=1e-6, atol=0)
    torch.testing.assert_close(y[3], x[3])


def test_the_statistics_are_constants_to_the_gradient() -> None:
    x = maps().requires_grad_()
    mix(x, PARTNERS, torch.zeros(4)).sum().backward()
    variance = x.detach().var((2, 3), correction=0, keepdim=True)
    deviation = (variance + EPS).sqrt()
    torch.testing.assert_close(x.grad, (deviation[PARTNERS] / deviation).expand_as(x))


def test_a_constant_map_and_half_precision_stay_finite() -> None:
    x = torch.full((2, 3, 4, 4), 300.0, dtype=torch.bfloat16)
    y = mix(x, torch.tensor([1, 0]), torch.tensor([0.5, 0.0]))
    assert torch.equal(y, x)
    assert y.dtype == torch.bfloat16


def keyed(seed: int, probability: float = 0.5) -> MixStyle:
    made = MixStyle(probability, 0.1)
    made.generator = np.random.default_rng(seed)
    return made


def test_one_key_gives_one_series_of_draws() -> None:
    series = []
    for seed in (1, 1, 2):
        layer = keyed(seed)
        series.append(torch.stack([layer.mixed(maps(step)) for step in range(6)]))
    assert torch.equal(series[0], series[1])
    assert not torch.equal(series[0], series[2])


@pytest.mark.parametrize("probability", [0.25, 1.0])
def test_a_batch_is_mixed_with_the_probability(probability: float) -> None:
    layer, x = keyed(3, probability), maps()
    mixed = sum(layer.mixed(x) is not x for _ in range(400))
    deviation = (400 * probability * (1 - probability)) ** 0.5
    assert mixed == pytest.approx(400 * probability, abs=4 * deviation + 1e-9)


def test_shares_are_of_the_beta_distribution() -> None:
    """Of Beta(a, a): variance 1 / (4 (2 a + 1)), here seen in the means of two kinds of slices."""
    x = torch.zeros(2000, 1, 1, 1)
    x[1000:] = 1
    mixed = keyed(5, 1.0).mixed(x).flatten()
    own = 1 - (mixed - x.flatten()).abs()
    other = own[own < 1 - 1e-6]
    assert len(other) > 500  # half of the slices have a partner of the other kind
    # Shares next to 1 are left out above, as they look like a partner of the same kind.
    assert float(((other < 0.1) | (other > 0.9)).float().mean()) > 0.7
    assert float((own < 0.5).float().mean()) == pytest.approx(0.25, abs=0.05)


def with_mixstyle(config: TrialConfig, **model: object) -> TrialConfig:
    return dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, **model),
        train=dataclasses.replace(config.train, mixstyle=1.0),
    )


def test_it_acts_in_training_alone_and_adds_nothing_to_the_weights(
    trial_config: TrialConfig, store: Store
) -> None:
    one, other = (Trainer(c, store) for c in (with_mixstyle(trial_config), trial_config))
    assert one.model.state_dict().keys() == other.model.state_dict().keys()
    x = torch.randn(4, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    for trainer in (one, other):
        trainer.begin(1)
    assert not torch.allclose(one.model(x), other.model(x))
    assert torch.equal(one.model.eval()(x), other.model.eval()(x))


def test_it_follows_the_first_two_stages(trial_config: TrialConfig, store: Store) -> None:
    trainer = Trainer(with_mixstyle(trial_config), store)
    trainer.begin(1)
    assert trainer.mixstyle is not None
    seen: list[torch.Size] = []
    trainer.mixstyle.mixed = lambda x: seen.append(x.shape) or x  # type: ignore[method-assign,func-returns-value]
    trainer.model(torch.zeros(2, 1, 24, 24))
    assert seen == [(2, 4, 24, 24), (2, 8, 12, 12)]


def test_dropout_draws_as_it_does_without(trial_config: TrialConfig, store: Store) -> None:
    config = dataclasses.replace(
        trial_config, train=dataclasses.replace(trial_config.train, mixstyle=1e-9)
    )
    one, other = (Trainer(c, store).train_epoch(1).train_loss for c in (config, trial_config))
    assert one == other


def test_stages_of_a_resnet_of_a_library_are_found_and_others_refused(
    trial_config: TrialConfig, store: Store
) -> None:
    spec = mrimodels.ModelSpec(arch="resnet18", norm="group", n_outputs=2)
    model = mrimodels.build(spec)
    assert stages_of(model) == (model.network.layer1, model.network.layer2)
    config = dataclasses.replace(
        with_mixstyle(trial_config), model=ModelSettings(arch=networks.OWN, norm="keep")
    )
    with pytest.raises(
        UserError, match=r"train.mixstyle: where the .*; received Own without layer1, layer2; take"
    ):
        Trainer(config, store)
