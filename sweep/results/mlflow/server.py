"""A tracking server: one experiment there, and its runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mlflow import MlflowClient
from mlflow.entities import DatasetInput, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from sqlalchemy import create_engine, inspect, make_url
from sqlalchemy.pool import NullPool

from sweep.core.files import SQLITE
from sweep.core.records import without_missing
from sweep.remote.address import uri_of
from sweep.results.mlflow.names import Tag

OF_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
# What may be another later: the run of the sweep, which somebody may have deleted, where the folder
# lies, by which checkpoints are found, and what an earlier version did not say.
CHANGING = {Tag.PARENT, Tag.FOLDER, Tag.SEARCHED}
AT_ONCE = 100  # parameters that MLflow takes in one request
SOME = 10  # runs with the same tags, of which there is to be one


def client_of(address: str) -> MlflowClient:
    """MLflow's own client.

    Raises:
        SQLAlchemyError: A database cannot be opened. MLflow would try for two minutes.
        OSError: There is no folder for a database that is a file.

    """
    if address.startswith(SQLITE):
        Path(address.removeprefix(SQLITE)).parent.mkdir(parents=True, exist_ok=True)
    if address.startswith(OF_DATABASES):
        inspect(create_engine(address, poolclass=NullPool)).get_table_names()
    return MlflowClient(tracking_uri=address)


def artifacts_beside(address: str, folder: Path) -> str | None:
    """Where a new experiment in a database keeps its artifacts; None: where its server wants them.

    MLflow would take the folder that a process happens to work in.

    Args:
        address: The tracking URI.
        folder: That of the sweep.

    Returns:
        A URI: beside the file of a database that is one, else beside the sweep's folder, unless
        that is in a bucket.

    """
    if not address.startswith(OF_DATABASES):
        return None
    url = make_url(address)
    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        folder = Path(str(url.database)).absolute()
    elif uri_of(folder):
        return None
    return (folder.parent / "mlartifacts").as_uri()


class Opened(NamedTuple):
    """A run that is there to be written to.

    Attributes:
        id: MLflow's.
        status: MLflow's.
        tags: What it had when it was found.

    """

    id: str
    status: str
    tags: Mapping[str, str]

    @property
    def told(self) -> str | None:
        """The digest of all that it was told, see ``names.digest``; None: it is not whole."""
        return self.tags.get(Tag.TOLD)


class Experiment:
    """One experiment, made where it is not there, and its runs, which are found by their tags.

    Args:
        address: The tracking URI.
        name: Of the experiment.
        artifacts: Where a new one keeps its artifacts; None: where the server wants them.
        tags: Of a new one.

    Attributes:
        client: MLflow's own.
        id: Of the experiment.
        tags: What the experiment had when it was found.

    Raises:
        MlflowException: The server cannot be used, here and in each method.

    """

    def __init__(
        self, address: str, name: str, artifacts: str | None, tags: Mapping[str, str]
    ) -> None:
        self.client = client_of(address)
        found = self.client.get_experiment_by_name(name)
        if found is None:
            try:
                self.client.create_experiment(name, artifact_location=artifacts, tags=dict(tags))
            except MlflowException:  # a sweep of that name may have made it in this moment
                if self.client.get_experiment_by_name(name) is None:
                    raise
            found = self.client.get_experiment_by_name(name)
        self.id = str(found.experiment_id)
        self.tags: Mapping[str, str] = found.tags

    def find(self, tags: Mapping[str, str]) -> Run | None:
        """The run that has these tags; None before there is one.

        Where a request was repeated, as its answer was late, there may be several: one stays.
        """
        query = " and ".join(f"tags.{name} = '{value}'" for name, value in tags.items())
        found = list(self.client.search_runs([self.id], query, max_results=SOME))
        found.sort(key=_lacks)
        for run in found[1:]:
            self.client.delete_run(run.info.run_id)
        return found[0] if found else None

    def open(
        self,
        found_by: Mapping[str, str],
        tags: Mapping[str, str],
        started_at_ms: int,
        params: Mapping[str, str],
        texts: Mapping[str, str],
        data: Sequence[DatasetInput],
        whole: str | None = None,
    ) -> Opened:
        """A run, made where it is not there, with what it begins with, which a kill may have cost.

        Args:
            found_by: The tags that no other run has.
            tags: More of a new one.
            started_at_ms: Unix time.
            params: Its parameters.
            texts: Artifacts, by path.
            data: What it used.
            whole: The digest that it has if it was told all; it then lacks nothing.

        """
        run = self.find(found_by)
        if run is None:
            wanted = {**tags, **found_by}
            run = self.client.create_run(self.id, start_time=started_at_ms, tags=wanted)
        opened = Opened(str(run.info.run_id), run.info.status, run.data.tags)
        for name in CHANGING & tags.keys():
            if opened.tags.get(name) != tags[name]:
                self.client.set_tag(opened.id, name, tags[name])
        if opened.told is None or opened.told != whole:
            lacking = [Param(name, params[name]) for name in params if name not in run.data.params]
            for first in range(0, len(lacking), AT_ONCE):
                self.client.log_batch(opened.id, params=lacking[first : first + AT_ONCE])
            there = run.inputs.dataset_inputs if run.inputs else []
            known = {(one.dataset.name, one.dataset.digest) for one in there}
            used = [one for one in data if (one.dataset.name, one.dataset.digest) not in known]
            if used:
                self.client.log_inputs(opened.id, datasets=used)
            for path, text in texts.items():
                self.client.log_text(opened.id, text, path)
        return opened

    def reopen(self, run: Opened) -> None:
        """Let a run that was ended go on, without what went wrong."""
        self.client.update_run(run.id, status="RUNNING")
        for tag in {Tag.ERROR, Tag.FAILURE} & run.tags.keys():
            self.client.delete_tag(run.id, tag)

    def log(self, run: str, values: Mapping[str, float], at_ms: int, step: int) -> None:
        """Log scores; a missing one is not logged."""
        if logged := metrics_of(values, at_ms, step):
            self.client.log_batch(run, metrics=logged)

    def tag(self, run: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run."""
        if tags:
            self.client.log_batch(run, tags=[RunTag(name, value) for name, value in tags.items()])


def _lacks(run: Run) -> tuple[bool, int, int]:
    """By which of several runs with the same tags that comes first which was told most."""
    data = run.data
    return Tag.TOLD not in data.tags, -len(data.metrics), -len(data.tags)


def metrics_of(values: Mapping[str, float], at_ms: int, step: int) -> list[Metric]:
    """Scores as MLflow has them, without the missing ones: it would sort NaN above every score."""
    present = without_missing(values)
    return [Metric(name, float(value), at_ms, step) for name, value in present.items()]
