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
# What the user has set stays. A mirror asks twice and goes on: MLflow's own seven retries take
# minutes, and a server may ask for an hour of patience by its header Retry-After.
for _setting, _value in {
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",  # seconds, of connecting and of waiting for an answer
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",  # which changes the environment under a request's feet
    "PGCONNECT_TIMEOUT": "20",
}.items():
    os.environ.setdefault(_setting, _value)
# Results alone go to stdout, and an address may have a password that the environment gave.
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
import_module("mlflow")  # sets how loud its loggers are
# What they would say, some with a traceback, is raised as well, and said once in our words.
for _name in ("mlflow", "alembic", "urllib3"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)
