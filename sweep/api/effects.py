"""Settings that were given and change nothing, as others are what they are."""

from collections.abc import Collection, Iterator

import mrimodels
from sweep.config.sweep import SweepConfig
from sweep.core.text import number_of
from sweep.store import Store

# A setting counts where the other one is set, or searched.
NEEDS = {
    "train.group_dro_step": "train.group_dro",
    "train.group_dro_adjustment": "train.group_dro",
    "train.mixstyle_alpha": "train.mixstyle",
    "train.augment.levels": "train.augment.artifacts",
    "train.augment.probability": "train.augment.artifacts",
    "train.augment.chain": "train.augment.artifacts",
    "train.augment.holdout": "train.augment.artifacts",
    "stress.modes.batch_size": "stress.modes.names",
    "stress.modes.order": "stress.modes.names",
    "stress.modes.blend_source": "stress.modes.names",
    "stress.modes.precise_slices": "stress.modes.names",
}
# Settings that count trials, and what becomes of them with a larger number than there are.
OF_TRIALS = {
    "cluster.concurrent": "as many run at once as the cluster has room for",
    "keep.top": "all of them are the best",
}
SHRINKS = 8  # times, from the stem of a network of ours to its last stage


def without_effect(config: SweepConfig, given: Collection[str], store: Store) -> Iterator[str]:
    """What was set in vain, a line each.

    Args:
        config: The sweep.
        given: The dotted names of the settings that its file and ``--set`` have.
        store: Its data.

    """
    dimensions = config.search.dimensions()
    for name in dimensions:
        if name in given and not dimensions[name].when:
            yield f"{name} is searched, and the value that is set for it counts nowhere"
    for name, needed in NEEDS.items():
        if name in given and not any(config.offered(needed)):
            yield f"{name} counts where {needed} is set, and it is not"
    yield from _of_networks(config, given, store)
    slices = len(store.indices(config.data.train))
    for size in config.offered("train.batch_size"):
        if size > slices:
            yield (
                f"train.batch_size {size:g} is more than there are training slices, {slices}: an "
                "epoch is one step on all of them"
            )
    yield from _beyond(config, given)
    if not dimensions and config.search.total > 1:
        yield (
            f"nothing is searched, so that all {number_of(config.search.total, 'trial')} are the "
            "same training: "
            "set search.trials to 1, or search something"
        )


def _beyond(config: SweepConfig, given: Collection[str]) -> Iterator[str]:
    """Limits that nothing reaches."""
    total, epochs = config.search.total, max(config.offered("train.epochs"))
    for name, then in OF_TRIALS.items():
        values = [value for value in config.offered(name) if value is not None]
        if name in given and values and min(values) > total:
            yield (
                f"{name} {min(values):g} is more than there are trials, {total}: {then}, as it "
                f"would with {total}"
            )
    patience = [value for value in config.offered("train.patience") if value is not None]
    if "train.patience" in given and patience and min(patience) >= epochs:
        yield (
            f"train.patience {min(patience):g} ends no trial, as none has more epochs than "
            f"{epochs:g}: a smaller one would"
        )


def _of_networks(config: SweepConfig, given: Collection[str], store: Store) -> Iterator[str]:
    norms = {str(norm) for norm in config.offered("model.norm")}
    grouped = any(mrimodels.NORMS[name].has_groups for name in norms if name in mrimodels.NORMS)
    for name in ("model.norm_groups", "model.norm_group_channels"):
        if name in given and not grouped:
            yield f"{name} counts in norms with groups, and none of {', '.join(sorted(norms))} has"
    height, width = store.images.shape[1:]
    ours = [arch for arch in config.offered("model.arch") if arch in mrimodels.ARCHS]
    for stride in config.offered("model.stem_stride"):
        if ours and "instance" in norms and max(height, width) <= SHRINKS * stride:
            yield (
                f"of images of {height} x {width} with model.stem_stride {stride} the last maps "
                "have one pixel, of which instance norm leaves nothing: it cannot tell slices apart"
            )
