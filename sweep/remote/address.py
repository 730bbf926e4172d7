"""URIs of folders in a bucket, as users give them."""

import re
from pathlib import Path

from sweep.core.errors import UserError, nearest
from sweep.core.files import cache_folder

MARK = ".mirror"  # a file that says of which URI the folder with it is a mirror
SCHEMES = ("s3", "gs", "abfs", "abfss", "file")
# At least two letters, as C: is a disk; ``Path`` makes one slash of two.
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)
_SCHEME = re.compile(rf"({'|'.join(SCHEMES)}):", re.IGNORECASE)  # what ``Path`` leaves of s3://


def mirrors_folder() -> Path:
    """Where this node keeps its mirrors.

    Raises:
        OSError: Nothing says where the user's cache is.

    """
    return cache_folder().resolve() / "mirrors"


def uri_of(place: str | Path) -> str | None:
    """The URI that is meant where a folder is asked for, in one form; None: it is a path.

    Raises:
        UserError: A URI of an unknown kind, one with a secret or with options in it, or one that
            names no folder.

    """
    found = _URI.fullmatch(str(place))
    if found is None:
        if alone := _SCHEME.fullmatch(str(place)):
            raise _of_no_folder(f"{alone[1]}://")
        return None
    scheme, rest = found[1].lower(), found[2]
    if scheme not in SCHEMES:
        raise UserError("a sweep cannot be kept there", f"{scheme}://...", nearest(scheme, SCHEMES))
    _refuse_secrets(scheme, rest)
    parts = [part for part in rest.split("/") if part not in ("", ".")]
    if ".." in parts or len(parts) < 2:
        raise _of_no_folder(f"{scheme}://{rest}")
    return f"{scheme}://{'/' if scheme == 'file' else ''}{'/'.join(parts)}"


def _of_no_folder(uri: str) -> UserError:
    return UserError(
        "the URI names no folder in a bucket",
        f"{uri!r}",
        "give one such as s3://bucket/sweeps/one",
    )


def absolute(place: str | Path) -> str:
    """A path or a URI as it is meant from anywhere.

    Raises:
        UserError: See ``uri_of``.

    """
    return uri_of(place) or str(Path(place).resolve())


def _refuse_secrets(scheme: str, rest: str) -> None:
    """A URI is written into logs, records and MLflow: what it shows is never a secret."""
    user, at, _ = rest.partition("/")[0].rpartition("@")
    if at and (":" in user or scheme == "s3"):
        raise UserError(
            "a URI cannot hold credentials, as it is written down",
            f"{scheme}://...@...",
            "leave them out; give them by the environment (AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY), by AWS_PROFILE, or by the role of the machine",
        )
    if "?" in rest or "#" in rest:
        raise UserError(
            "a URI of a folder has no options",
            f"{scheme}://{re.split('[?#]', rest)[0]} with some",
            "leave them out; give the endpoint by AWS_ENDPOINT_URL, the region by AWS_REGION",
        )
