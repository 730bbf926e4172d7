"""How badly can one artifact hurt one model, within a bound? A search by the knob's gradient.

    python examples/worst_case.py

The severity of every slice climbs along the gradient of the loss, up to the bound. What comes out
is a lower bound of the worst case: gradients find a summit, not always the highest.
"""

import torch
from torch import Tensor

import artifacts_sim
import mrimodels

STEPS, BOUND, STEP = 12, 0.8, 0.08


def worst_knobs(model: torch.nn.Module, x: Tensor, labels: Tensor, keys: list[str]) -> Tensor:
    """Knob values of ghosting, (B,), that raise the loss of (B, H, W) slices."""
    art = artifacts_sim.get("ghosting")
    params = art.sample(knob=BOUND / 2, keys=keys, seed=0)
    knob = torch.full((len(x),), BOUND / 2)
    for _ in range(STEPS):
        knob.requires_grad_()
        damaged = art.apply(x, params.with_knob(knob))
        (slope,) = torch.autograd.grad(loss(model, damaged, labels), knob)
        knob = (knob + STEP * slope.sign()).clamp(0.0, BOUND).detach()
    return knob


def loss(model: torch.nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """The sum over the slices, so that each has its own gradient."""
    logits = model(images[:, None])
    return torch.nn.functional.cross_entropy(logits, labels, reduction="sum")


def main() -> None:
    """Compare the worst case with the bound itself and with the middle."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(8, 32, 32, generator=generator)
    labels, keys = torch.arange(8) % 2, [f"slice-{i}" for i in range(8)]
    spec = mrimodels.ModelSpec(
        arch="preact_resnet18", norm="group", in_channels=1, n_outputs=2, width=16
    )
    model = mrimodels.build(spec).eval()
    art, worst = artifacts_sim.get("ghosting"), worst_knobs(model, x, labels, keys)
    for name, knob in (("middle", torch.full((8,), BOUND / 2)), ("worst", worst)):
        params = art.sample(knob=knob, keys=keys, seed=0)
        with torch.no_grad():
            print(f"{name}: loss {float(loss(model, art.apply(x, params), labels)) / 8:.4f}")


if __name__ == "__main__":
    main()
