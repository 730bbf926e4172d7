"""A webhook on loopback that answers as it is told, and remembers what it was sent."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.servers import served


class Hook:
    """What was posted, and with which statuses to answer.

    Args:
        statuses: One for each request, the last for all that follow.

    """

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses or (200,))
        self.words: list[dict[str, Any]] = []
        self.requests = 0
        self.held = threading.Event()  # set: requests are answered
        self.held.set()
        self.address = ""

    def next_status(self) -> int:
        """The status of this request."""
        self.requests += 1
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]

    def of(self, event: str) -> list[dict[str, Any]]:
        """The words of one event."""
        return [word for word in self.words if word["event"] == event]


@contextmanager
def listening(*statuses: int) -> Iterator[Hook]:
    """A webhook whose address has a secret in it."""
    hook = Hook(*statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/json"
            status = hook.next_status()
            hook.held.wait(20)
            if status == 200:
                hook.words.append(json.loads(body))
            self.send_response(status)
            self.send_header("Location", f"{hook.address}/elsewhere")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    with served(Handler) as address:
        hook.address = f"{address}/services/SECRET"
        try:
            yield hook
        finally:
            hook.held.set()
