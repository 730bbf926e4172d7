"""The data of a run as MLflow's dataset inputs: one for each use of a store, by its splits."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from mlflow.entities import Dataset, DatasetInput, InputTag

from sweep.config.settings import DataSettings
from sweep.core.finals import Place
from sweep.results.mlflow.names import Tag

DIGEST = 16  # characters of a fingerprint that tell stores apart; MLflow takes 36 of its 64


def used_by_trials(data: DataSettings) -> list[DatasetInput]:
    """What a trial is trained on, and what it is scored on."""
    uses = {"train": data.train, "validation": data.validation}
    return [_input(use, data.store, data.fingerprint, splits) for use, splits in uses.items()]


def used_by_finalists(data: DataSettings, places: Iterable[Place]) -> list[DatasetInput]:
    """What a finalist is trained on, and the places that it is scored at."""
    scored = [_input(one.name, one.store, one.fingerprint, one.splits) for one in places]
    return [_input("train", data.store, data.fingerprint, data.train), *scored]


def _input(
    use: str, store: str, fingerprint: str | None, splits: Sequence[str | int]
) -> DatasetInput:
    name, scheme = Path(store).stem, store.partition("://")[0] if "://" in store else "local"
    known = fingerprint or "unknown"
    of = ", ".join(map(str, splits))
    dataset = Dataset(
        name=f"{name} [{of}]" if of else name,
        digest=known[:DIGEST],
        source_type=scheme,
        source=json.dumps({"uri": store}),
        profile=json.dumps({"splits": list(splits), "fingerprint": known}),
    )
    return DatasetInput(dataset, [InputTag(Tag.CONTEXT, use)])
