"""A first sweep file for a store: what the data say is filled in, the rest explained."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from sweep.core.errors import UserError
from sweep.core.text import number_of, one_line, size_text
from sweep.store import Store

# What splits are mostly called, in the order of train, validation, test.
_NAMES = (("train", "training"), ("validation", "valid", "val", "dev"), ("test", "testing"))
LARGE = 160  # pixels, above which the stem takes every second one, GPU or not
FEW_SLICES = 1000
TEXT = """\
# A first sweep on {store}: {what}
# `mrisweep check FILE` says what it costs, `mrisweep run FILE --limit 16` tries it out in a minute,
# `mrisweep settings` and docs/settings.md explain what else can be set.
name: {name}
data:
  store: {path}
  # {splits}
  train: {train}
  validation: {validation}  # chooses epochs, settings and norms
  test: {test}  # {test_is}
{signal}{context}model:
  arch: preact_resnet18
  width: {width}  # {width_is}
  stem_stride: {stride}
search:
  trials: {trials}  # as many for each norm; the best two of each are trained to their end
  space:
    model.norm: {{choice: [batch, group, layer]}}  # what is compared; others: docs/norms.md
    train.lr: {{log: [5.0e-4, 1.0e-2]}}
    train.weight_decay: {{log: [1.0e-4, 1.0e-1]}}
  objective: robust/auroc_cvar  # mean AUROC of the worst quarter of artifacts and levels
train:
  epochs: {epochs}
  batch_size: {batch}
{groups}stress:
  artifacts: [rician, motion, ghosting, spike, bias]  # more: docs/artifacts.md
  levels: [1, 3, 5]  # of 1 to 5, calibrated on the training slices as the sweep begins
cluster:  # {cluster_is}
  trial: {trial}
  evaluators: {evaluators}
  evaluator: {evaluator}
tracking: {{uri: sqlite}}  # mlflow.db beside the sweep's folder; or http://HOST:5000
# The best of each norm, trained again with new seeds and scored once on the test split:
# finalists: {{per_norm: 2, seeds: 5}}
seed: 0
"""


@dataclass(frozen=True)
class Splits:
    """Which splits have which part, and why.

    Attributes:
        train: Those to train on.
        validation: Those to choose by.
        test: Those that nothing is chosen by; may be none.
        why: How they were chosen.

    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    why: str


def first_sweep(store: Store, name: str, gpus: int) -> str:
    """The text of a sweep file for a store.

    Args:
        store: The data.
        name: The name of the sweep.
        gpus: How many GPUs this machine has.

    Raises:
        UserError: The store has one split, or a label that no choice of splits shows in both parts.

    """
    splits = splits_of(store)
    height, width = store.images.shape[1:]
    slices = len(store.indices(splits.train))
    patients = len(np.unique(store.patients))
    labels = one_line(", ".join(store.label_names))
    fill = {
        "store": one_line(store.path.name),
        "what": f"{number_of(len(store), 'slice')} of {number_of(patients, 'patient')}, "
        f"{size_text((height, width))}, {store.task}: {labels}",
        "name": _written(re.sub(r'[/\\:*?"<>|]', "-", name)),
        "path": _written(str(store.path)),
        "splits": splits.why,
        "train": _written(list(map(_split, splits.train))),
        "validation": _written(list(map(_split, splits.validation))),
        "test": _written(list(map(_split, splits.test))),
        "test_is": "left alone until finalists are asked" if splits.test else "none is left",
        "signal": _signal(store),
        "context": _context(store),
        "width": 64 if gpus else 16,
        "width_is": "the usual network" if gpus else "narrow, for a first look without a GPU: 64",
        "stride": 1 if gpus and max(height, width) <= LARGE else 2,
        "trials": 30 if gpus else 12,
        "epochs": 20 if gpus else 8,
        "batch": 16 if slices < FEW_SLICES else 32,
        "groups": _groups(store),
        "cluster_is": f"{number_of(gpus, 'GPU')} seen here; four trials share one"
        if gpus
        else "no GPU seen here; with one: trial: {cpu: 2, gpu: 0.25}",
        "trial": "{cpu: 2, gpu: 0.25}" if gpus else "{cpu: 1}",
        "evaluators": max(1, gpus),
        "evaluator": "{cpu: 1, gpu: 0.25}" if gpus else "{cpu: 1}",
    }
    return TEXT.format(**fill)


def splits_of(store: Store) -> Splits:
    """Parts for the splits of a store, such that every label can be scored.

    Named ones go by their names, others by their order: the last is the test split, the one before
    chooses, the rest trains.

    Raises:
        UserError: See ``first_sweep``.

    """
    names = sorted(set(store.splits.tolist()), key=lambda name: (not name.isdigit(), _order(name)))
    if len(names) < 2:
        raise UserError(
            "the store has one split, and a sweep trains on some patients and chooses on others",
            f"{names[0]!r} in {store.path}",
            "ingest the data again with folds or with --shares",
        )
    if named := _by_name(names):
        return named
    for *train, validation, test in _orders(names):
        splits = Splits(tuple(train), (validation,), (test,) if test else (), "")
        if all(_can_be_scored(store, part) for part in (splits.train, splits.validation)):
            why = "dealt out by their order: see that this is what you want"
            return Splits(splits.train, splits.validation, splits.test, why)
    raise UserError(
        "no choice of splits shows every label, and its absence, in training and in validation",
        f"{', '.join(names)} in {store.path}",
        "leave the rare label out, or ingest the data again with fewer, larger splits",
    )


def _by_name(names: Sequence[str]) -> Splits | None:
    found = [
        tuple(name for name in names if name.lower() in known or name.lower().startswith(known[0]))
        for known in _NAMES
    ]
    if not (found[0] and found[1]):
        return None
    return Splits(found[0], found[1], found[2], "by their names")


def _orders(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Orders to try, the natural one first; of two splits none is left for a test."""
    if len(names) == 2:
        return [(*pair, "") for pair in permutations(names)]
    others = [
        (*(name for name in names if name not in last), *last)
        for last in permutations(reversed(names), 2)
    ]
    return [tuple(names), *others]


def _can_be_scored(store: Store, splits: Sequence[str]) -> bool:
    shares = store.labels[store.indices(splits)].mean(axis=0)
    return bool(np.all((shares > 0) & (shares < 1)))


def _order(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdigit() else (0, name)


def _split(name: str) -> str | int:
    return int(name) if name.isdigit() and str(int(name)) == name else name


def _signal(store: Store) -> str:
    if store.frame is None:
        return ""
    return "  # signal: kspace  # artifacts act on the measured k-space; slower\n"


def _context(store: Store) -> str:
    if not store.neighbours.others(np.arange(len(store)), 1).any():
        return ""
    return "  # context: 1  # with the slices beside it in its scan, as channels\n"


def _groups(store: Store) -> str:
    if not store.column_names:
        return ""
    return f"  # group_dro: {store.column_names[0]}  # the worst of its groups counts most\n"


def _written(value: object) -> str:
    """As JSON, which is YAML."""
    return json.dumps(value, ensure_ascii=False)
