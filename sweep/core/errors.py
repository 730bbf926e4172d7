"""What can go wrong, as the user meets it: bad input (exit 2) or work that failed (exit 1).

A message says what is wrong, what was received, and what to do, in this order.
"""

import difflib
import errno
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

from sweep.core.mirrors import named
from sweep.core.text import ACTED_ON, SHOWN, one_line, shortened, without_passwords

ADDRESS = re.compile(r"(\bat )?\(?\b0x[0-9a-fA-F]{6,}\b\)?")
LONGEST = 400  # characters of what a library says; some show all that they were given


class _ThreePartError(Exception):
    """What is wrong, what was received, and what to do.

    A password in an address is left out. What a damaged file says may be quoted: marks that a
    terminal acts on, and that no record may have, give way to a ?.

    Args:
        wrong: What is wrong, such as ``there is no such store``.
        received: What was given or found instead, as it is to be shown.
        remedy: What to do, such as ``correct the path``.

    """

    def __init__(self, wrong: str, received: object, remedy: str) -> None:
        parts = (wrong, str(received), remedy)
        super().__init__(*(ACTED_ON.sub("?", named(without_passwords(one))) for one in parts))

    def __str__(self) -> str:
        wrong, received, remedy = self.args
        return f"{wrong}; received {received}; {remedy}"


class UserError(_ThreePartError, ValueError):
    """Bad input."""


class UnusableError(UserError):
    """A file that cannot be used, though others can: it is skipped, named and counted."""


class SeveralFaultsError(UserError):
    """Several faults of one input, a line each."""

    def __init__(self, errors: Sequence[Exception]) -> None:
        Exception.__init__(self, errors)

    def __str__(self) -> str:
        lines = (f"- {error}" for error in self.args[0])
        return "\n".join([f"{len(self.args[0])} faults", *lines])


class WorkError(_ThreePartError, RuntimeError):
    """The input was fine and the work failed all the same."""


class UnfinishedError(WorkError):
    """What is to follow the trials of a sweep is not whole; what there is can be shown."""


def told(error: BaseException) -> str:
    """What kind of error it is and what it says, on one line, as received from a library.

    Without addresses in memory: what is told of a file is the same in every run.
    """
    said = without_passwords(ADDRESS.sub("", one_line(error)))
    return f"{type(error).__name__}: {shortened(said, LONGEST)}"


# What the system says of a path that was given, and of surroundings that fail.
_OF_PATHS = {
    errno.ENOENT: ("there is no such file or folder", "correct the path"),
    errno.ENOTDIR: ("a part of the path is no folder", "correct the path"),
    errno.EISDIR: ("the path is that of a folder", "give that of a file"),
    errno.EEXIST: ("something else is there already", "choose another path, or remove it"),
    errno.ELOOP: ("the path leads through links in a circle", "correct the path"),
    errno.ENAMETOOLONG: ("the name is longer than the file system takes", "choose a shorter one"),
}
_OF_SURROUNDINGS = {
    errno.ENOSPC: ("the disk is full", "make room"),
    errno.EDQUOT: ("the quota of the disk is used up", "make room, or have the quota raised"),
    errno.EFBIG: ("the file is larger than may be written here", "have the limit raised"),
    errno.EROFS: ("the file system can only be read", "have it made writable"),
    errno.EACCES: ("the system does not permit it", "have the permissions changed"),
    errno.EPERM: ("the system does not permit it", "have the permissions changed"),
    errno.ESTALE: ("the file system has lost what was open on it", "see that it is mounted"),
    errno.EIO: ("the disk fails", "see that it is sound, and mounted"),
    errno.EMFILE: ("too many files are open", "have the limit raised (`ulimit -n`)"),
    errno.ENFILE: ("too many files are open on this machine", "end what holds them"),
    errno.ENOMEM: ("the memory is used up", "make room in it"),
}

# Where one of these is met while a file is read, the file may be as sound as any.
_NO_FAULT_OF_A_FILE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.ESTALE, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
    | {errno.ETIMEDOUT, errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH}
)


def of_system(error: OSError, then: str | None = None) -> UserError | WorkError:
    """What the system refused, as the user meets it.

    Args:
        error: What Python made of it.
        then: What to do once the cause is mended, of work that was under way; None: the command
            has not begun to work.

    Returns:
        A ``UserError`` where a path that was given is wrong, else a ``WorkError``.

    """
    wrong, received, remedy = refused(error)
    if then is None and error.errno in _OF_PATHS:
        return UserError(wrong, received, remedy)
    return WorkError(wrong, received, f"{remedy}, then {then or 'run the command again'}")


def refused(error: OSError) -> tuple[str, str, str]:
    """What the system refused: what is wrong, what was received, the remedy."""
    said = f" ({error.strerror})" if error.strerror else ""
    received = f"{error.filename}{said}" if error.filename is not None else told(error)
    known = {**_OF_PATHS, **_OF_SURROUNDINGS}
    other = "the system refused it", "mend the cause"
    wrong, remedy = known.get(error.errno or 0, other)
    return wrong, received, remedy


def within(where: str, error: Exception) -> UserError | WorkError:
    """The same fault with what it is part of before it.

    Args:
        where: What it is part of, such as the name of a section or an artifact.
        error: An error of three parts, of this package or of the two below it.

    Returns:
        A ``WorkError`` for one, and else a ``UserError``.

    """
    if isinstance(error, SeveralFaultsError):
        return SeveralFaultsError([within(where, one) for one in error.args[0]])
    wrong, received, remedy = error.args
    kind = WorkError if isinstance(error, WorkError) else UserError
    return kind(f"{where}: {wrong}", received, remedy)


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name: ``did you mean 'lr'?``, or all that is known.

    Args:
        name: What the user wrote.
        known: Every name that would have been right.

    """
    names = sorted(set(known))
    if not names:
        return "there is none to take"
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known: " + ", ".join(names)


def require_known(name: str, values: Collection[str], known: Collection[str]) -> None:
    """Raise ``UserError`` for a value outside ``known``, with the nearest known name."""
    for value in values:
        if value not in known:
            raise UserError(f"{name} has an unknown name", f"{value!r}", nearest(str(value), known))


def blame_no_file(error: Exception, path: object) -> None:
    """Do nothing, unless what was raised as a file was read is the fault of the disk or machine.

    Args:
        error: What was raised.
        path: The file, as it is to be named.

    Raises:
        WorkError: It is.

    """
    if isinstance(error, OSError) and error.errno in _NO_FAULT_OF_A_FILE:
        what, received, mend = refused(error)
        raise WorkError(
            f"{what}, as a file was read",
            f"{path} ({received})",
            f"{mend}, then run the same command: it goes on where it stopped",
        ) from error


@contextmanager
def broken_is_unusable(wrong: str, path: object, remedy: str) -> Iterator[None]:
    """Turn whatever a library raises of a damaged file into one kind of error.

    Damaged files make libraries raise errors of nearly every type.

    Args:
        wrong: What is wrong with a file that cannot be read, such as ``the file is no volume``.
        path: The file, as it is to be named.
        remedy: What the user should do.

    Raises:
        UnusableError: Anything was raised but what follows.
        UserError, WorkError: As they were raised.
        WorkError: It is the disk or the machine that fails.

    """
    try:
        yield
    except (UserError, WorkError):
        raise
    except Exception as error:
        blame_no_file(error, path)
        if isinstance(error, MemoryError):
            wrong = "reading it takes more memory than one process may have here"
            remedy += ", or take a machine with more memory"
        raise UnusableError(wrong, f"{path} ({told(error)})", remedy) from error


def refuse(wrong: str, problems: Sequence[str], remedy: str) -> None:
    """Do nothing without problems; otherwise name the first ten of them in one message.

    Args:
        wrong: What is wrong with them.
        problems: What was received, one entry for each breach.
        remedy: What the user should do.

    Raises:
        UserError: There is at least one problem.

    """
    if not problems:
        return
    more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    raise UserError(wrong, ", ".join([*problems[:SHOWN], *more]), remedy)
