"""All that a reader of an MLflow experiment sees, read back and compared.

``contents`` reads an experiment; a run is known by what it is of and not by its id, which differs
wherever it was written. ``differing`` says in lines what two of them differ in: of one sweep that
was told twice or elsewhere everything counts, of two sweeps with the same trials all but their
times, ids and places.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
from mlflow.artifacts import download_artifacts

OWN_TAGS = ("mlflow.parentRunId", "folder")  # an id, and a place, which tell runs of copies apart
OF_SWEEP = ("sweep_id", "told", "mlflow.runName", "mlflow.note.content", "test_access")
OF_MACHINE = "train/images_per_s"
PAGE = 1000

Point = tuple[int, int, float]  # step, time, value
Key = tuple[str, ...]  # sweep, role, trial or finalist, mode


@dataclass(frozen=True)
class Model:
    """A logged model.

    Attributes:
        name: Its name.
        status: ``READY``, or ``PENDING`` while it is being written.
        tags: Its tags.
        steps: Of each link of its run to it, the step.
        files: What it is made of.

    """

    name: str
    status: str
    tags: Mapping[str, str]
    steps: tuple[int, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class Tracked:
    """A run.

    Attributes:
        parent: The key of the run above it; None: there is none.
        status: MLflow's.
        name: Its name.
        times: Start and end, Unix time in ms.
        params: Its parameters.
        tags: Its tags but ``OWN_TAGS``.
        metrics: By name every point, sorted; of what the sweep's run says of its best trial the
            last, as the others are as trials happened to end.
        data: What it used: name, digest and use.
        artifacts: By path a digest of the content.
        models: Those that it made.

    """

    parent: Key | None
    status: str
    name: str
    times: tuple[int | None, int | None]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, tuple[Point, ...]]
    data: tuple[tuple[str, str, str], ...]
    artifacts: Mapping[str, str]
    models: tuple[Model, ...] = field(default=())


def contents(uri: str, experiment: str) -> dict[Key, list[Tracked]]:
    """Every run of an experiment; of each key one, where nothing is there twice."""
    client = mlflow.MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return {}
    runs = list(_runs(client, found.experiment_id))
    keys = {run.info.run_id: _key(run) for run in runs}
    made = list(client.search_logged_models([found.experiment_id], max_results=PAGE))
    read: dict[Key, list[Tracked]] = {}
    for run in runs:
        of = [model for model in made if model.source_run_id == run.info.run_id]
        read.setdefault(_key(run), []).append(_tracked(client, uri, run, keys, of))
    return read


def differing(
    one: Mapping[Key, list[Tracked]],
    other: Mapping[Key, list[Tracked]],
    *,
    of_one_sweep: bool = True,
) -> list[str]:
    """What two experiments differ in, a line for each; empty: they are alike.

    Args:
        one: The first.
        other: The second.
        of_one_sweep: Whether both are of one sweep, whose times and texts are then compared, too.

    """
    first, second = (one, other) if of_one_sweep else (_of_any_sweep(one), _of_any_sweep(other))
    lines = []
    for key in sorted({*first, *second}):
        counts = len(first.get(key, ())), len(second.get(key, ()))
        if counts != (1, 1):
            lines.append(f"{key}: there {counts[0]} and {counts[1]} times")
            continue
        a, b = (_compared(read[key][0], of_one_sweep) for read in (first, second))
        lines += [f"{key}: {name}: {text}" for name in a for text in _unlike(a[name], b[name])]
    return lines


def _of_any_sweep(read: Mapping[Key, list[Tracked]]) -> dict[Key, list[Tracked]]:
    """The runs under keys that two sweeps with the same trials have in common."""
    grouped: dict[Key, list[Tracked]] = {}
    for key, runs in read.items():
        grouped.setdefault(key[1:], []).extend(runs)
    return grouped


def _runs(client: mlflow.MlflowClient, experiment: str) -> Iterator[mlflow.entities.Run]:
    token = None
    while True:
        page = client.search_runs([experiment], max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _key(run: mlflow.entities.Run) -> Key:
    tags = run.data.tags
    names = ("sweep_id", "role", "finalist" if "finalist" in tags else "trial", "mode")
    return tuple(tags.get(name, "") for name in names)


def _tracked(
    client: mlflow.MlflowClient,
    uri: str,
    run: mlflow.entities.Run,
    keys: Mapping[str, Key],
    models: list[mlflow.entities.LoggedModel],
) -> Tracked:
    info, data, outputs = run.info, run.data, run.outputs
    links = outputs.model_outputs if outputs else []
    return Tracked(
        parent=keys.get(data.tags.get("mlflow.parentRunId", "")),
        status=info.status,
        name=info.run_name,
        times=(info.start_time, info.end_time),
        params=data.params,
        tags={name: text for name, text in data.tags.items() if name not in OWN_TAGS},
        metrics={name: _points(client, run, name) for name in data.metrics},
        data=tuple(
            (one.dataset.name, one.dataset.digest, one.tags[0].value)
            for one in run.inputs.dataset_inputs
        ),
        artifacts=_artifacts(uri, info.artifact_uri),
        models=tuple(
            sorted(
                (
                    Model(
                        name=model.name,
                        status=str(model.status),
                        tags=model.tags,
                        steps=tuple(o.step for o in links if o.model_id == model.model_id),
                        files=tuple(sorted(_artifacts(uri, model.artifact_location))),
                    )
                    for model in models
                ),
                key=lambda model: (model.name, model.status),
            )
        ),
    )


def _points(client: mlflow.MlflowClient, run: mlflow.entities.Run, name: str) -> tuple[Point, ...]:
    points = sorted(
        (point.step, point.timestamp, point.value)
        for point in client.get_metric_history(run.info.run_id, name)
    )
    so_far = run.data.tags.get("role") == "sweep" and name.startswith("best/")
    return tuple(points[-1:] if so_far else points)


def _artifacts(uri: str, where: str) -> dict[str, str]:
    """By path below an artifact's place a digest of the content; none: there is nothing."""
    with TemporaryDirectory() as scratch:
        try:
            place = Path(download_artifacts(where, dst_path=scratch, tracking_uri=uri))
        except (OSError, mlflow.MlflowException):
            return {}  # nothing was ever written there
        files = (file for file in place.rglob("*") if file.is_file())
        return {
            str(file.relative_to(place)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in files
        }


def _compared(run: Tracked, of_one_sweep: bool) -> dict[str, Any]:
    plain: dict[str, Any] = dict(vars(run))
    if of_one_sweep:
        return plain
    del plain["times"], plain["name"]
    plain["parent"] = run.parent[1:] if run.parent else None
    plain["tags"] = {name: text for name, text in run.tags.items() if name not in OF_SWEEP}
    plain["artifacts"] = dict.fromkeys(run.artifacts, "")
    plain["metrics"] = {
        name: tuple(
            sorted({(step, OF_MACHINE if name == OF_MACHINE else value) for step, _, value in of})
        )
        for name, of in run.metrics.items()
    }
    return plain


def _unlike(a: Any, b: Any) -> Iterator[str]:
    """In which parts, where both have parts by name, two values differ."""
    if a == b:
        return
    if not (isinstance(a, Mapping) and isinstance(b, Mapping)):
        yield f"{a!r} and {b!r}"
        return
    for name in sorted({*a, *b}):
        if a.get(name) != b.get(name):
            yield f"{name}: {a.get(name, 'absent')!r} and {b.get(name, 'absent')!r}"
