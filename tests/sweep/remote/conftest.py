"""Folders behind a URI, and nodes that share nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sweep.remote import lease
from tests.support.buckets import Node, S3Server, credentials


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease ends, and patience with a store, after a second or two."""
    monkeypatch.setenv("MRISWEEP_LEASE_S", "1.8")
    monkeypatch.setenv("MRISWEEP_BUCKET_PATIENCE_S", "1.5")
    monkeypatch.setattr(lease, "SETTLE_S", 0.2)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """Call it with a name to be on that node."""
    found = Node(tmp_path / "nodes", monkeypatch)
    found("here")
    return found


@pytest.fixture
def uri(tmp_path: Path, node: Node) -> str:
    """A sweep's folder to be, behind a URI that needs no server."""
    (tmp_path / "bucket").mkdir()
    return f"file://{tmp_path}/bucket/run-1"


@pytest.fixture(scope="session")
def running_server() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def server(running_server: S3Server, monkeypatch: pytest.MonkeyPatch, node: Node) -> S3Server:
    """A server that answers, found by the environment, with the bucket ``bucket``."""
    credentials(monkeypatch, running_server)
    running_server.refuses, running_server.cuts = None, False
    running_server.files("bucket")
    running_server.counts.clear()
    return running_server
