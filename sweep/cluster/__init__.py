"""The sweep on Ray: the session, the pool of evaluators, the trial, and Tune's driver.

Ray reads some of its settings as it is imported, so they are made here, before any module of the
room imports it; what the user has set stays.
"""

import os

SETTINGS = {
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is the command line's to handle
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the sweep's folder keeps the results
    "TUNE_GLOBAL_CHECKPOINT_S": "1e9",  # nobody reads Tune's state: it is not written every 10 s
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the default to be; Ray warns while it is unset
    "RAY_USAGE_STATS_ENABLED": "0",
    # A worker that died is reported by Ray on standard output, between the lines of the table. It
    # is retried, and what cannot be retried stands in the trial's record.
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
}
for _name, _value in SETTINGS.items():
    os.environ.setdefault(_name, _value)
