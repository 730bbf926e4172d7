"""Being a job of a Ray cluster: whether this process is one, and what it was submitted with."""

import json
import os
from collections.abc import Mapping

CONFIG = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # what Ray tells the process of a job

# What `mrisweep submit` notes of a job, for `status` and for the job itself.
VERSION, SWEEP, FOLDER = "mrisweep", "sweep", "folder"


def in_job() -> bool:
    """Whether this process was submitted to a cluster."""
    return CONFIG in os.environ


def submitted_with() -> Mapping[str, str]:
    """What was noted of this job when it was submitted; empty outside of one."""
    try:
        noted = json.loads(os.environ.get(CONFIG, "{}")).get("metadata")
    except (ValueError, AttributeError):  # somebody else's variable
        return {}
    return noted if isinstance(noted, dict) else {}


def other_version(own: str) -> str | None:
    """What is to be said where a job was submitted by another version; None: it was by this one.

    Args:
        own: The version of this process.

    """
    theirs = submitted_with().get(VERSION)
    if theirs in (None, own):
        return None
    return (
        f"the job was submitted by mrisweep {theirs}, and the cluster has mrisweep {own}: settings "
        "that were left out have the defaults of the first, all else is done as the second does it"
    )
