"""A tracking server: one experiment there, and its runs."""

from collections.abc import Mapping

from mlflow import MlflowClient
from mlflow.entities import Metric, Run, RunTag

from sweep.core.records import without_missing


class Experiment:
    """One experiment, made where it is not there, and its runs, which are found by their tags.

    Args:
        uri: The tracking URI.
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

    def __init__(self, uri: str, name: str, artifacts: str | None, tags: Mapping[str, str]) -> None:
        self.client = MlflowClient(tracking_uri=uri)
        found = self.client.get_experiment_by_name(name)
        if found is None:
            made = self.client.create_experiment(name, artifact_location=artifacts, tags=dict(tags))
        self.id = str(found.experiment_id if found else made)
        self.tags: Mapping[str, str] = found.tags if found else dict(tags)

    def find(self, tags: Mapping[str, str]) -> Run | None:
        """The run that has these tags; None before there is one."""
        query = " and ".join(f"tags.{name} = '{value}'" for name, value in tags.items())
        found = self.client.search_runs([self.id], query, max_results=1)
        return found[0] if found else None

    def create(self, tags: Mapping[str, str], started_at_ms: int) -> str:
        """A new run; its id."""
        run = self.client.create_run(self.id, start_time=started_at_ms, tags=dict(tags))
        return str(run.info.run_id)

    def log(self, run: str, values: Mapping[str, float], at_ms: int, step: int) -> None:
        """Log scores; a missing one is not logged."""
        if logged := metrics_of(values, at_ms, step):
            self.client.log_batch(run, metrics=logged)

    def tag(self, run: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run."""
        if tags:
            self.client.log_batch(run, tags=[RunTag(name, value) for name, value in tags.items()])


def metrics_of(values: Mapping[str, float], at_ms: int, step: int) -> list[Metric]:
    """Scores as MLflow has them, without the missing ones: it would sort NaN above every score."""
    present = without_missing(values)
    return [Metric(name, float(value), at_ms, step) for name, value in present.items()]
