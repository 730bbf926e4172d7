"""What an experiment's page says and shows by default."""

from typing import Final

EXPERIMENT_TAGS: Final = {
    "mlflow.experimentKind": "custom_model_development",  # else the pages are those for chat models
    "mlflow.note.content": (
        "A run for each sweep, its trials below it. `best/...` is a trial at its best epoch: sort "
        "by `best/` and the sweep's objective. Metrics without that prefix are the course over "
        "epochs; `stress/<artifact>/<metric>` has the level as step, 0 = clean. A run with the tag "
        "`role: mode` is the best epoch of a trial in another mode."
    ),
}
