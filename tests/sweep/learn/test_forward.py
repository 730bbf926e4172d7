"""Fast forward passes say what plain float32 ones say."""

import pytest
import torch

import mrimodels
from sweep.config.settings import ModelSettings
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.learn.checkpoints import for_evaluation
from sweep.store import Store
from tests.support import networks
from tests.support.sweeps import settings

VIEWING = f"{networks.__name__}:Viewing"


def batch(size: int = 32) -> torch.Tensor:
    """(8, 1, H, W) of noise."""
    return torch.randn(8, 1, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("norm", mrimodels.NORMS)
def test_every_norm_says_the_same_channels_last(norm: str, antialias: bool) -> None:
    spec = ModelSettings(width=8, norm=norm, antialias=antialias).spec(n_outputs=3)
    model = mrimodels.build(spec, seed=1).eval()
    with torch.inference_mode():
        plain = model(batch()).softmax(1)
        fast = for_evaluation(model, spec)(batch()).softmax(1)
    torch.testing.assert_close(fast, plain, atol=1e-5, rtol=0)


@pytest.mark.parametrize("norm", mrimodels.NORMS)
def test_features_lie_channels_last_where_no_norm_has_groups(norm: str) -> None:
    spec = ModelSettings(width=8, norm=norm).spec(n_outputs=3)
    model = for_evaluation(mrimodels.build(spec), spec)
    seen: list[torch.Tensor] = []
    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d) and layer.in_channels > 1:
            layer.register_forward_hook(lambda layer, given, out: seen.append(out))
    with torch.inference_mode():
        model(batch())
    assert seen
    last = [one.is_contiguous(memory_format=torch.channels_last) for one in seen]
    assert set(last) == {norm not in ("group", "instance", "ws_group")}


@pytest.mark.parametrize("arch", [*networks.LIBRARIES, networks.OWN, VIEWING])
def test_networks_of_other_packages_say_the_same(arch: str) -> None:
    spec = ModelSettings(arch=arch, norm="keep").spec(n_outputs=3)
    model = mrimodels.build(spec, seed=1).eval()
    with torch.inference_mode():
        plain = model(batch(64)).softmax(1)
        fast = for_evaluation(model, spec)(batch(64)).softmax(1)
    torch.testing.assert_close(fast, plain, atol=1e-5, rtol=0)


def test_a_share_of_memory_below_none_is_refused(store: Store) -> None:
    with pytest.raises(UserError, match="evaluator_cache_gb cannot take this value; received -1"):
        SweepConfig.from_dict(settings(store)).replace({"cluster.evaluator_cache_gb": -1})
