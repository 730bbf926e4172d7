"""The job server of a cluster, before it is asked anything: its address, and who it lets in.

Every fault is one sentence: nobody there, another program, another protocol, no token, a wrong one.
"""

import http.client
import json
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sweep.core.errors import UserError
from sweep.core.text import one_line

DEFAULT = "http://127.0.0.1:8265"  # as Ray's own commands have it
ADDRESSES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
AUTHORITIES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
TOKEN, DISABLED = "token", "disabled"  # how Ray calls the modes of authentication
TIMEOUT_S = 15.0  # of each step of a request

NOBODY = "no job server answers"
NO_RAY = "what answers is not the job server of a Ray cluster"
CORRECT = "correct --address: it is that of the dashboard on the head node, such as"


def address_of(given: str | None) -> str:
    """The address of a job server: as given, or of Ray's environment variables, or of this machine.

    Raises:
        UserError: It is none, such as the address of the cluster itself.

    """
    named = [f"{name}={os.environ[name]}" for name in ADDRESSES if os.environ.get(name)]
    address = given or (named[0].partition("=")[2] if named else DEFAULT)
    received = repr(given) if given else named[0] if named else repr(DEFAULT)
    try:
        parts = urlsplit(address)
        ok = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        _ = parts.port
    except ValueError:
        ok = False
    if not ok:
        raise UserError(
            "the address of the job server is not an http or https address",
            received if "@" not in received else "one with a user or a password in it",
            "give --address that of the dashboard on the head node, such as http://HEAD:8265",
        )
    return address.rstrip("/")


def authentication(address: str) -> str:
    """How a cluster knows who asks: ``token``, or ``disabled`` where whoever asks is let in.

    Raises:
        UserError: Nobody answers, or something that is no Ray.

    """
    found = _asked(address, "/api/authentication_mode", {})
    if isinstance(found, dict) and isinstance(mode := found.get("authentication_mode"), str):
        return mode
    # Before 2.52 Ray had no tokens.
    version = _asked(address, "/api/version", {})
    if isinstance(version, dict) and "ray_version" in version:
        return DISABLED
    raise UserError(NO_RAY, f"{address}", f"{CORRECT} http://HEAD:8265")


def headers_for(address: str, mode: str) -> dict[str, str]:
    """What is sent with every request to a cluster, which has been seen to accept it.

    A token is sent only to a cluster that asks for one.

    Raises:
        UserError: There is none, or the cluster has another.

    """
    if mode == DISABLED:
        return {}
    token, source = own_token()
    headers = {"Authorization": f"Bearer {token}"}
    if _asked(address, "/api/version", headers, refused=True) is None:
        raise UserError(
            "the cluster does not take this token",
            f"one of {source} for {address}",
            "give the token that the cluster was started with",
        )
    return headers


def own_token() -> tuple[str, str]:
    """The user's token, and where it is from, in the order in which Ray looks for it.

    Raises:
        UserError: There is none.

    """
    if token := os.environ.get("RAY_AUTH_TOKEN", "").strip():
        return token, "RAY_AUTH_TOKEN"
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    file = Path(named) if named else Path("~/.ray/auth_token").expanduser()
    source = f"{file}, which RAY_AUTH_TOKEN_PATH names" if named else str(file)
    try:
        token = file.read_text(encoding="utf-8").strip()
        received = f"an empty file {source}"
    except (OSError, ValueError) as error:
        token, received = "", f"no file {source} ({one_line(error)})"
    if not token or not token.isprintable() or not token.isascii():
        raise UserError(
            "the cluster asks for a token, and there is none",
            received if not token else f"another text in {source}",
            "set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to that of the cluster, or put it into "
            "~/.ray/auth_token",
        )
    return token, source


def travels_openly(address: str) -> bool:
    """Whether what is sent to an address can be read on its way."""
    parts = urlsplit(address)
    return parts.scheme == "http" and not _is_loopback(parts.hostname or "")


def authority() -> str | None:
    """The file of certificates that https is checked by; None: those of the system."""
    return next((os.environ[name] for name in AUTHORITIES if os.environ.get(name)), None)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _asked(address: str, path: str, headers: Mapping[str, str], refused: bool = False) -> Any:
    """The JSON of an answer; None for another answer, or with ``refused`` for a refusal alone."""
    request = urllib.request.Request(address + path, headers=dict(headers))
    try:
        context = None
        if address.startswith("https:"):
            context = ssl.create_default_context(cafile=authority())
        with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=context) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        error.close()
        if refused and error.code not in (401, 403):
            raise _no_ray(address, f"the HTTP status {error.code}") from None
        return None
    except urllib.error.URLError as error:
        raise _unreached(address, error.reason) from None
    except (http.client.HTTPException, ConnectionError) as error:
        raise _no_ray(address, type(error).__name__) from None
    except OSError as error:  # that it does not answer in time
        raise _unreached(address, error) from None
    except ValueError:
        if refused:
            raise _no_ray(address, "no JSON") from None
        return None


def _unreached(address: str, reason: object) -> UserError:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return UserError(
            "the certificate of the job server is not trusted",
            f"{address} ({reason.verify_message})",
            f"set {AUTHORITIES[0]} to the file with the certificate of its authority",
        )
    if isinstance(reason, ssl.SSLError):
        plain = address.replace("https:", "http:", 1)
        return UserError("what answers does not speak https", f"{address}", f"{CORRECT} {plain}")
    if isinstance(reason, ConnectionResetError):
        return _no_ray(address, "a connection that was closed")
    return UserError(
        NOBODY,
        f"{address} ({one_line(reason) or type(reason).__name__})",
        f"start the cluster, or {CORRECT} http://HEAD:8265",
    )


def _no_ray(address: str, received: str) -> UserError:
    """Also what a server that speaks https makes of http."""
    other = address.replace("http:", "https:", 1) if address.startswith("http:") else DEFAULT
    return UserError(NO_RAY, f"{received} from {address}", f"{CORRECT} {other}")
