"""MLflow: the tracker that writes a sweep there, and the reader that asks for it again.

The only importer of ``mlflow``; the names of tags, metrics and parameters are in ``names`` alone.
Everything written can be written again and changes nothing: runs are found by tag before they are
made, and metrics carry the time of their evaluation, so that MLflow stores each once.
"""

import logging
import os
from importlib import import_module

import matplotlib as mpl

# Before any module here imports mlflow, which chooses a window system.
mpl.use("Agg")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# A tracker that is down is said within seconds; MLflow's own retries take minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
import_module("mlflow")  # sets how loud its loggers are
for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.ERROR)
