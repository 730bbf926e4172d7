"""Servers on loopback for as long as a test needs them, most of them with a fault."""

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SCHEME = "http://"


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server, without a slash at its end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"{SCHEME}127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _Answers(BaseHTTPRequestHandler):
    """Gives every request one answer."""

    status: int
    body: str
    more: Mapping[str, str]

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.status)
        for name, value in {**self.more, "Content-Length": str(len(self.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.body.encode())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def answering(status: int, body: str = "", **headers: str) -> Iterator[str]:
    """The address, without its scheme, of a server that gives every request this answer."""
    answer = {"status": status, "body": body, "more": headers}
    with served(type("Answers", (_Answers,), answer)) as url:
        yield url.removeprefix(SCHEME)


class _Accepts(BaseHTTPRequestHandler):
    """Answers as MLflow does where all that it is told is new to it."""

    heard: list[str]
    place: Path

    def answer(self) -> None:
        asked = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.heard.append(f"{self.path} {asked}")
        info = {"run_id": "r", "run_uuid": "r", "experiment_id": "1", "status": "RUNNING"}
        run = {"info": {**info, "artifact_uri": self.place.as_uri()}, "data": {}}
        experiment = {"experiment_id": "1", "name": "ledger", "lifecycle_stage": "active"}
        known = {"get-by-name": {"experiment": experiment}, "runs/create": {"run": run}}
        known |= {"runs/get": {"run": run}, "runs/update": {"run_info": info}}
        found = (said for end, said in known.items() if self.path.partition("?")[0].endswith(end))
        body = json.dumps(next(found, {})).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def accepting(place: Path, heard: list[str]) -> Iterator[str]:
    """The address, without its scheme, of a tracking server that knows nothing and takes all.

    Args:
        place: A folder for artifacts.
        heard: Gets the path and the body of each request.

    """
    with served(type("Accepts", (_Accepts,), {"place": place, "heard": heard})) as url:
        yield url.removeprefix(SCHEME)


@contextmanager
def silent() -> Iterator[str]:
    """The address, without its scheme, of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def nobody() -> str:
    """An address, without its scheme, at which connections are refused."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"
