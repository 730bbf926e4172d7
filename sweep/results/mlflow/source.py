"""Where a run comes from, as MLflow's column *Source* has it: this package, and its commit."""

from functools import cache
from pathlib import Path

from mlflow.utils.git_utils import get_git_commit

from sweep.results.mlflow.names import Tag


def source_tags(code_version: str) -> dict[str, str]:
    """The tags of a new run.

    Args:
        code_version: Of this package, when the sweep began.

    """
    tags = {Tag.SOURCE: f"mrisweep {code_version}", Tag.SOURCE_TYPE: "LOCAL"}
    commit = _commit()
    return {**tags, Tag.COMMIT: commit} if commit else tags


@cache
def _commit() -> str | None:
    """The commit of a checkout of this package; None where it is installed from anything else.

    An installed package may lie within a repository of the user's, which says nothing of it.
    """
    root = Path(__file__).parents[3]
    return get_git_commit(str(root)) if (root / ".git").exists() else None
