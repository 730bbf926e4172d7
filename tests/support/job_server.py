"""A job server on loopback that speaks as Ray's does, and runs nothing."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from typing import Any
from zipfile import ZipFile

from tests.support.servers import served

Answer = tuple[int, Any]


class FakeJobs:
    """The jobs of a made-up cluster.

    Args:
        token: What it asks for; None: nothing.

    """

    def __init__(self, token: str | None) -> None:
        self.token = token
        self.jobs: dict[str, dict[str, Any]] = {}
        self.packages: dict[str, dict[str, str]] = {}  # by URI the files in it
        self.looks: dict[str, list[Callable[[dict[str, Any]], None]]] = {}
        self.seen_tokens: list[str | None] = []
        self.answer: Answer | None = None  # instead of any other
        self.address = ""

    def add(self, name: str, status: str = "RUNNING", log: str = "", **details: Any) -> None:
        """A job that was submitted before."""
        noted = {"mrisweep": "0.1.0", "sweep": "knees", "folder": f"/shared/{name}"}
        self.jobs[name] = {
            "type": "SUBMISSION",
            "submission_id": name,
            "status": status,
            "entrypoint": "mrisweep run",
            "start_time": len(self.jobs) + 1,
            "metadata": noted,
            "log": log,
            **details,
        }

    def then(self, name: str, *changes: dict[str, Any]) -> None:
        """What becomes of a job, a change at each look at it."""
        self.looks[name] = [
            lambda job, change=change: job.update(change)  # type: ignore[misc]
            for change in changes
        ]

    def get(self, path: str) -> Answer:
        """Answer a question."""
        if path == "/api/authentication_mode":
            return 200, {"authentication_mode": "token" if self.token else "disabled"}
        if path == "/api/version":
            return 200, {"version": "4", "ray_version": "2.60.0", "ray_commit": "x"}
        if path.startswith("/api/packages/"):
            return (200, "") if path in self.packages else (404, "none")
        if path == "/api/jobs/":
            return 200, [self._shown(job) for job in self.jobs.values()]
        name, _, what = path.removeprefix("/api/jobs/").partition("/")
        if name not in self.jobs:
            return 404, f"Job {name} does not exist"
        if what == "logs":
            return 200, {"logs": self.jobs[name]["log"]}
        if self.looks.get(name):
            self.looks[name].pop(0)(self.jobs[name])
        return 200, self._shown(self.jobs[name])

    def post(self, path: str, body: bytes) -> Answer:
        """Take a job, or stop one."""
        if path.endswith("/stop"):
            name = path.split("/")[-2]
            self.jobs[name] |= {"status": "STOPPED", "end_time": 99}
            return 200, {"stopped": True}
        asked = json.loads(body)
        name = asked["submission_id"]
        if name in self.jobs:
            said = f"Traceback ...\nValueError: Job with submission_id {name} already exists. P"
            return 500, said
        self.add(name, "PENDING", start_time=time.time_ns() // 1_000_000)
        self.jobs[name] |= {key: asked[key] for key in ("entrypoint", "metadata", "runtime_env")}
        return 200, {"job_id": name, "submission_id": name}

    def put(self, path: str, body: bytes) -> Answer:
        """Take a package."""
        with ZipFile(BytesIO(body)) as packed:
            files = {name: packed.read(name).decode() for name in packed.namelist()}
        self.packages[path] = files
        return 200, ""

    @staticmethod
    def _shown(job: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in job.items() if name != "log"}


@contextmanager
def serving_jobs(token: str | None = None) -> Iterator[FakeJobs]:
    """A made-up cluster while inside."""
    fake = FakeJobs(token)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(lambda body: fake.get(self.path))

        def do_POST(self) -> None:
            self._answer(lambda body: fake.post(self.path, body))

        def do_PUT(self) -> None:
            self._answer(lambda body: fake.put(self.path, body))

        def _answer(self, of: Callable[[bytes], Answer]) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            given = self.headers.get("Authorization")
            public = self.path == "/api/authentication_mode"
            if not public:
                fake.seen_tokens.append(given)
            status, said = fake.answer or of(body)
            if fake.token and not public and given != f"Bearer {fake.token}" and not fake.answer:
                status, said = (403, "Forbidden") if given else (401, "Unauthorized")
            text = (said if isinstance(said, str) else json.dumps(said)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    with served(Handler) as address:
        fake.address = address
        yield fake
