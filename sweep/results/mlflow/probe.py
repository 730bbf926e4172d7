"""Whether a tracking server would take the results of a sweep, as far as a question can tell."""

from pathlib import Path

from sweep.core.errors import UserError, WorkError
from sweep.core.files import SQLITE, may_write_in, missing_database
from sweep.core.saying import said_if_long
from sweep.results.mlflow.refusals import in_our_words
from sweep.results.mlflow.server import client_of


def refusal(address: str) -> str | None:
    """Why a server does not take results: what is wrong, and what was received; None: it answers.

    Nothing is written there, so of a server that lets read it is not known whether it lets write.

    Args:
        address: Of the server.

    """
    if missing_database(address):
        place = Path(address.removeprefix(SQLITE)).absolute().parents
        there = next(folder for folder in place if folder.exists())
        return None if may_write_in(there) else f"{there} is no folder that can be written"
    try:
        with said_if_long(f"waiting for MLflow at {address}"), in_our_words(address):
            client_of(address).search_experiments(max_results=1)
    except (UserError, WorkError) as error:
        wrong, received, _ = error.args
        return f"{wrong}; received {received}"
    return None
