"""What is minimised, what is reported, and the weights of groups, against formulas written out."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from artifacts_sim import Names
from sweep.config.training import TrainSettings
from sweep.core.errors import UserError
from sweep.learn.group_dro import Groups, GroupWeights
from sweep.learn.inputs import Batch
from sweep.learn.losses import Objective, loss_of
from sweep.learn.signals import SIGNALS
from sweep.store import Store
from sweep.store.layout import COLUMN

CPU = torch.device("cpu")


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    key = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=key, dtype=torch.float64)


def batch_of(store: Store, rows: list[int]) -> Batch:
    at = np.array(rows)
    names = Names(store.keys[at].tolist())
    signals = SIGNALS["images"].of(store, at, CPU)
    return Batch(names, torch.from_numpy(store.labels[at].copy()), signals)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_targets_of_a_multiclass_task_are_smoothed_as_torch_does(smoothing: float) -> None:
    logits, classes = normal(5, 4), torch.tensor([0, 3, 1, 1, 2])
    labels = functional.one_hot(classes, 4).to(torch.uint8)
    targets = labels * (1 - smoothing) + smoothing / 4
    by_hand = -(targets * logits.log_softmax(1)).sum(1)
    each = loss_of(logits, labels, "multiclass", smoothing, "none")
    torch.testing.assert_close(each, by_hand)
    torch.testing.assert_close(loss_of(logits, labels, "multiclass", smoothing), by_hand.mean())


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_each_label_of_a_multilabel_task_is_smoothed_between_present_and_absent(
    smoothing: float,
) -> None:
    logits, labels = normal(5, 3), (normal(5, 3, seed=1) > 0).to(torch.uint8)
    p, targets = logits.sigmoid(), labels * (1 - smoothing) + smoothing / 2
    by_hand = -(targets * p.log() + (1 - targets) * (1 - p).log()).sum(1)
    each = loss_of(logits, labels, "multilabel", smoothing, "none")
    torch.testing.assert_close(each, by_hand)
    torch.testing.assert_close(loss_of(logits, labels, "multilabel", smoothing), by_hand.mean())


def test_the_best_logits_under_smoothing_are_finite() -> None:
    """The minimum lies where the probability is the smoothed target."""
    labels = torch.tensor([[0, 1]], dtype=torch.uint8)
    logits = torch.tensor([[0.1 / 2, 1 - 0.1 / 2]]).log().requires_grad_()
    loss_of(logits, labels, "multiclass", 0.1).backward()
    torch.testing.assert_close(logits.grad, torch.zeros(1, 2), atol=1e-7, rtol=0)


@pytest.mark.parametrize("groups", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_what_is_reported_is_the_plain_cross_entropy_whatever_is_minimised(
    store: Store, smoothing: float, groups: bool
) -> None:
    settings = TrainSettings(label_smoothing=smoothing, group_dro="split" if groups else None)
    rows = store.indices([1, 2])
    batch = batch_of(store, rows[:20].tolist())
    logits = normal(20, 2).float().requires_grad_()
    weights = GroupWeights.of(store, rows, settings, CPU)
    loss = Objective(settings, store.task, weights).of(logits, batch)
    plain = functional.cross_entropy(logits, batch.labels.argmax(1)).detach()
    assert torch.equal(loss.reported, plain)
    assert not loss.reported.requires_grad
    assert torch.equal(loss.minimised.detach(), plain) == (not smoothing and not groups)


def groups_of_four() -> Groups:
    """Three groups of 4, 4 and 1 slices."""
    members = {f"k{number}": number // 4 for number in range(9)}
    return Groups(("x", "y", "z"), members)


def test_the_weights_are_those_of_the_algorithm_by_hand() -> None:
    settings = TrainSettings(group_dro="site", group_dro_step=0.3, group_dro_adjustment=2.0)
    weights = GroupWeights(groups_of_four(), settings, CPU)
    q, sizes = [1 / 3] * 3, [4, 4, 1]
    batches = [["k0", "k1", "k4", "k8"], ["k2", "k5", "k6", "k7"], ["k8", "k0", "k8", "k3"]]
    for number, keys in enumerate(batches):
        losses = normal(4, seed=number).square()
        members: dict[int, list[float]] = {}
        for key, value in zip(keys, losses.tolist(), strict=True):
            members.setdefault(weights.groups.members[key], []).append(value)
        means = {group: sum(values) / len(values) for group, values in members.items()}
        for group, mean in means.items():
            q[group] *= math.exp(0.3 * (mean + 2.0 / math.sqrt(sizes[group])))
        q = [value / sum(q) for value in q]
        loss = weights.loss(losses, keys)
        assert weights.weights.tolist() == pytest.approx(q)
        assert float(loss) == pytest.approx(sum(q[group] * mean for group, mean in means.items()))


def test_the_gradient_of_a_slice_is_the_weight_of_its_group_over_its_slices() -> None:
    weights = GroupWeights(groups_of_four(), TrainSettings(group_dro="site"), CPU)
    losses = torch.tensor([3.0, 1.0, 0.5, 2.0], requires_grad=True)
    weights.loss(losses, ["k0", "k1", "k2", "k4"]).backward()
    x, y, _ = weights.weights.tolist()
    assert losses.grad.tolist() == pytest.approx([x / 3, x / 3, x / 3, y])


def test_no_loss_is_too_great_for_the_weights() -> None:
    settings = TrainSettings(group_dro="site", group_dro_step=1.0)
    weights = GroupWeights(groups_of_four(), settings, CPU)
    assert weights.loss(torch.tensor([1e6, 1.0]), ["k0", "k4"]).isfinite()
    assert weights.weights.tolist() == pytest.approx([1, 0, 0])


def test_the_worst_group_gets_the_weight_and_becomes_better() -> None:
    """One threshold for two groups: the many want it low, the few high."""
    many, few = torch.zeros(30), torch.ones(2)
    x = torch.cat([many, few])
    members = {f"k{n}": int(n >= 30) for n in range(32)}
    groups = Groups(("few", "many"), {key: 1 - group for key, group in members.items()})

    def worst(weigh: bool) -> float:
        settings = TrainSettings(group_dro="site", group_dro_step=0.5)
        weights = GroupWeights(groups, settings, CPU)
        place = torch.zeros((), requires_grad=True)
        optimizer = torch.optim.SGD([place], lr=0.1)
        for _ in range(80):
            losses = (x - place).square()
            loss = weights.loss(losses, list(members)) if weigh else losses.mean()
            optimizer.zero_grad()
            loss.backward()
            if weigh and not place.detach():
                assert weights.weights[0] > 0.5  # of the group that is worse at the start
            optimizer.step()
        losses = (x - place.detach()).square()
        return max(float(losses[:30].mean()), float(losses[30:].mean()))

    assert worst(True) == pytest.approx(0.25, abs=0.02)  # half way between, where both are alike
    assert worst(False) > 0.8


def test_groups_are_of_the_training_slices_alone(store: Store) -> None:
    groups = Groups.of(store, store.indices([1, 2]), "split")
    assert groups.names == ("1", "2")
    assert groups.sizes.tolist() == [len(store.indices([split])) for split in (1, 2)]
    third = store.indices([3])
    assert not set(groups.members) & set(store.keys[third].tolist())


def test_one_group_a_missing_value_and_an_unknown_column_are_refused(store: Store) -> None:
    rows = store.indices([1])
    with pytest.raises(UserError, match=r"are one group, .*; received split='1' for all 32 of"):
        Groups.of(store, rows, "split")
    with pytest.raises(UserError, match=r"training slices have no sequence; received p0/s0, p0/s1"):
        Groups.of(store, rows, "sequence")
    with pytest.raises(UserError, match=r"group_dro: there is no such column .*; received 'sit'"):
        Groups.of(store, rows, "sit")


@pytest.mark.parametrize(("name", "dataset"), [("sequence", "sequence"), ("site", f"{COLUMN}site")])
def test_any_column_of_the_store_has_groups(store: Store, name: str, dataset: str) -> None:
    values = np.array([f"T{1 + n % 3}" for n in range(len(store))], "S2")
    named = dataclasses.replace(store, columns={**store.columns, dataset: values})
    groups = Groups.of(named, named.indices([1, 2]), name)
    assert groups.names == ("T1", "T2", "T3")
