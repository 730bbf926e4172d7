"""What MLflow and the libraries below it raise, in our words, and without a password.

They name the address that they were given, with all that is in it, and few say what to do.
"""

import errno
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_TIMEOUT
from mlflow.exceptions import MlflowException
from requests import ConnectionError as NoConnectionError
from requests import RequestException, Timeout
from sqlalchemy.exc import SQLAlchemyError

from sweep.core.errors import UserError, WorkError
from sweep.core.text import one_line, without_passwords

RAISED = (MlflowException, RequestException, SQLAlchemyError, OSError)
LONGEST = 200  # characters of what a library says
CREDENTIALS = (
    "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, or write "
    "the first two into ~/.mlflow/credentials"
)
# Of what the libraries say the part that says why.
REASONS = re.compile(
    r"(Connection refused|Connection reset|Remote end closed connection|timed out|No route to host"
    r"|Network is unreachable|Name or service not known|nodename nor servname"
    r"|Temporary failure in name resolution|certificate verify failed)",
    re.IGNORECASE,
)
STATUS = re.compile(r"error code (\d{3})|^(\d{3}) (?:Client|Server) Error|many (\d{3}) error")
FULL = re.compile(r"disk is full|no space left|quota exceeded|insufficient storage", re.IGNORECASE)
BEHIND = re.compile(r" \[SQL: | \(Background on this error")  # what databases say beside it
# What MLflow says of an answer that is a page for people, or is of a server without its addresses.
NO_MLFLOW = re.compile(r"not in a valid JSON format|<!doctype|<html", re.IGNORECASE)

Class = TypeVar("Class", bound=type)


@contextmanager
def in_our_words(
    address: str, kind: type[UserError] | type[WorkError] = WorkError
) -> Iterator[None]:
    """While a tracking server is used: what is raised becomes an error of three parts.

    Args:
        address: Of the server.
        kind: Of what errors.

    Raises:
        UserError: As ``kind`` says.
        WorkError: As ``kind`` says.

    """
    try:
        yield
    except RAISED as error:
        raise kind(*_three_parts(error, without_passwords(address))) from None


def in_our_words_throughout(cls: Class) -> Class:
    """A class whose making and public methods raise our words, as work that failed.

    Its objects have an ``address``, which they get before they use it.
    """
    for name, method in list(vars(cls).items()):
        if callable(method) and (name == "__init__" or not name.startswith("_")):
            setattr(cls, name, _guarded(method))
    return cls


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def guarded(self: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return method(self, *arguments, **named)
        except RAISED as error:
            raise WorkError(*_three_parts(error, without_passwords(self.address))) from None

    return guarded


def _three_parts(error: Exception, address: str) -> tuple[str, str, str]:
    status = _status(error)
    text = without_passwords(BEHIND.split(one_line(error))[0])
    said = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    if status == 401:
        wrong = "MLflow asks for a user name and a password, or does not take those that it got"
        return wrong, f"401 from {address}", CREDENTIALS
    if status == 403:
        wrong = "MLflow does not permit it to the user that it was asked as"
        return wrong, f"403 from {address} ({said})", f"ask for the permission, or {CREDENTIALS}"
    if status == 507 or _is_full(error, text):
        answer = f"507 from {address}" if status == 507 else said
        return "there is no room left", answer, "make room there"
    if status is not None and status >= 500:
        return "the tracking server fails", f"{status} from {address}", "see what its log says"
    if NO_MLFLOW.search(text):
        remedy = "correct the address, or log in where something stands before the server"
        answer = f"a page for people, {status}," if status else said
        return "what answers is not MLflow", f"{answer} from {address}", remedy
    if reason := _unreached(error, text):
        return (
            "the tracking server does not answer",
            f"{reason} from {address}",
            "correct the address, or start the server",
        )
    if isinstance(error, OSError) and not isinstance(error, RequestException):
        return "a file cannot be read or written", said, "mend the cause"
    return "MLflow could not do it", f"{said} from {address}", "mend the cause there"


def _status(error: Exception) -> int | None:
    """The status of an answer, where there was one."""
    response = getattr(error, "response", None)
    if response is not None:
        return int(response.status_code)
    if found := STATUS.search(str(error)):
        return int(next(filter(None, found.groups())))
    return {"UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403}.get(getattr(error, "error_code", ""))


def _is_full(error: Exception, text: str) -> bool:
    out_of_room = errno.ENOSPC, errno.EDQUOT
    return getattr(error, "errno", None) in out_of_room or bool(FULL.search(text))


def _unreached(error: Exception, text: str) -> str | None:
    """Why nothing was answered; None where something was."""
    raised: BaseException | None = error
    while raised is not None and not isinstance(raised, Timeout | NoConnectionError):
        raised = raised.__cause__ or raised.__context__
    if isinstance(raised, Timeout):
        return f"no answer within {MLFLOW_HTTP_REQUEST_TIMEOUT.get()} s"
    if found := REASONS.search(text):
        return found.group()
    return None if raised is None else text[:LONGEST]
