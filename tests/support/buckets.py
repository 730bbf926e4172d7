"""Places for sweeps that no disk is shared with: folders behind a URI, and a server of S3."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from pyarrow.fs import S3FileSystem
from werkzeug.serving import BaseWSGIServer, make_server

Answer = Iterable[bytes]


class Node:
    """Where this process keeps its mirrors: that of another node has nothing of the first."""

    def __init__(self, scratch: Path, patch: pytest.MonkeyPatch) -> None:
        self._scratch, self._patch = scratch, patch

    def __call__(self, name: str) -> None:
        """Be on a node from now on."""
        self._patch.setenv("MRISWEEP_CACHE", str(self._scratch / name))


class S3Server:
    """A server that speaks S3, in a thread, with faults.

    Args:
        host: The address that it listens at.

    Attributes:
        port: Where it listens, whenever it does.
        counts: Requests so far, by method, and the ``bytes`` that were put.
        delay_s: Seconds before each answer.
        refuses: An HTTP status that every request is answered with; None: as asked.
        cuts: Whether the content of what is put is cut off in the middle of its way.

    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._host = host
        self._app = DomainDispatcherApplication(create_backend_app)
        self.port, self.counts = 0, Counter[str]()
        self.refuses: int | None = None
        self.cuts, self.delay_s = False, 0.0
        self._server: BaseWSGIServer | None = None
        self.start()

    @property
    def address(self) -> str:
        """Its URL."""
        return f"http://{self._host}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a client finds it by, and is let in with."""
        return {
            "AWS_ACCESS_KEY_ID": "a-key",
            "AWS_SECRET_ACCESS_KEY": "a-secret",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.address,
        }

    def start(self) -> None:
        """Listen; where it did before, with the same objects."""
        self._server = make_server(
            self._host, self.port, self._serve, threaded=True, request_handler=Quiet
        )
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Be gone; the port answers nobody."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def files(self, bucket: str) -> S3FileSystem:
        """A client of its own, with a bucket of that name."""
        client = S3FileSystem(
            access_key="a",
            secret_key="b",
            endpoint_override=self.address,
            allow_bucket_creation=True,
        )
        client.create_dir(bucket)
        return client

    def _serve(self, environ: dict[str, Any], start: Callable[..., Any]) -> Answer:
        method = environ["REQUEST_METHOD"]
        listing = method == "GET" and "list-type" in environ["QUERY_STRING"]
        self.counts["LIST" if listing else method] += 1
        sizes = (
            environ.get(name) for name in ("HTTP_X_AMZ_DECODED_CONTENT_LENGTH", "CONTENT_LENGTH")
        )
        self.counts["bytes"] += int(next(filter(None, sizes), 0))
        time.sleep(self.delay_s)
        if self.refuses is not None:
            start(f"{self.refuses} No", [("Content-Type", "application/xml")])
            return [] if method == "HEAD" else [REFUSAL]
        if self.cuts and method == "PUT":
            environ["wsgi.input"].read(1)
            raise ConnectionError("cut off")
        answer: Answer = self._app(environ, start)
        return answer


REFUSAL = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


class Quiet(MotoRequestHandler):
    """Says nothing of each request, nor of one that it cut off."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """See werkzeug."""


def credentials(patch: pytest.MonkeyPatch, server: S3Server) -> None:
    """Have this process, and those that it starts, find the server."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    for name, text in server.environment.items():
        patch.setenv(name, text)
