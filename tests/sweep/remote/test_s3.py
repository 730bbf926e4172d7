"""A sweep's folder on a server of S3, and what a user sees when the server does not do as asked."""

import pickle
import threading
import time
from pathlib import Path

import boto3
import pyarrow as pa
import pytest
from pyarrow.fs import FileSelector, FileType

from sweep.api.best import best
from sweep.cli import main
from sweep.core import mirrors
from sweep.core.errors import UserError, WorkError
from sweep.core.files import write_text
from sweep.results.folder import SweepFolder
from sweep.store import Store
from tests.support.buckets import Node, S3Server
from tests.support.finished import config_of, run_trial

URI = "s3://bucket/{}/run-1"


@pytest.fixture
def uri(server: S3Server, request: pytest.FixtureRequest) -> str:
    """For each test a folder of its own."""
    return URI.format("".join(filter(str.isalnum, request.node.name)))


@pytest.fixture
def begun(uri: str, store: Store) -> SweepFolder:
    return SweepFolder.create(uri, config_of(store))


def objects(server: S3Server, uri: str) -> dict[str, bytes]:
    """Every object below a URI, by name."""
    files, base = server.files("bucket"), uri.removeprefix("s3://")
    found = files.get_file_info(FileSelector(base, recursive=True, allow_not_found=True))
    return {
        one.path.removeprefix(f"{base}/"): files.open_input_stream(one.path).read()
        for one in found
        if one.type == FileType.File
    }


def test_a_sweep_that_a_worker_ran_is_asked_from_a_third_node(
    begun: SweepFolder, uri: str, server: S3Server, store: Store, node: Node, tmp_path: Path
) -> None:
    with begun.lock():
        run_trial(begun, config_of(store), store, 0)
        assert ".lease" in objects(server, uri)
    found = objects(server, uri)
    assert ".lease" not in found
    assert {"sweep.yaml", "trials/trial-0000.json"} < set(found)
    assert all((begun.path / name).read_bytes() == content for name, content in found.items())
    node("laptop")
    (row,) = best(uri)
    assert row.trial == "trial-0000"
    assert main(["report", uri]) == 0
    assert "report.html" in objects(server, uri)
    out = str(tmp_path / "predicted.parquet")
    assert main(["predict", row.checkpoint, "--data", str(store.path), "--out", out]) == 0
    node("other")
    with SweepFolder.open(uri, driving=True).lock():
        assert SweepFolder.open(uri).trials() == begun.trials()


def test_no_credential_is_written_anywhere(
    begun: SweepFolder, uri: str, server: S3Server, tmp_path: Path
) -> None:
    with begun.lock():
        found = objects(server, uri)
    local = [path.read_bytes() for path in (tmp_path / "nodes").rglob("*") if path.is_file()]
    assert local
    for content in (*found.values(), *local):
        assert b"a-secret" not in content
        assert b"a-key" not in content


@pytest.mark.skipif(
    int(pa.__version__.partition(".")[0]) < 21, reason="of an older library it is three requests"
)
def test_what_a_file_costs(begun: SweepFolder, server: S3Server, node: Node) -> None:
    """As stores count requests: one for a small file, one more where others will look for it."""
    server.counts.clear()
    write_text(begun.path / "used.json", "1")
    assert server.counts == {"PUT": 1, "bytes": 1}
    server.counts.clear()
    write_text(begun.checkpoint("trial-0000", 1), "weights")
    assert server.counts == {"PUT": 1, "bytes": 7, "HEAD": 1}
    server.counts.clear()
    mirrors.fetched(begun.checkpoint("trial-0000", 1))
    assert not server.counts
    node("other")
    found: SweepFolder = pickle.loads(pickle.dumps(begun))
    mirrors.fetched(found.checkpoint("trial-0000", 1))
    assert server.counts == {"HEAD": 1, "GET": 1, "bytes": 0}


def test_a_bucket_that_is_not_there_is_bad_input(
    server: S3Server, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["best", "s3://no-such-bucket/run"]) == 2
    said = capsys.readouterr().err
    assert "there is no such bucket; received 'no-such-bucket' of s3://no-such-bucket/run" in said
    with pytest.raises(UserError, match="no such bucket"):
        SweepFolder.create("s3://no-such-bucket/run", config_of(store))


def test_credentials_that_do_not_do_are_bad_input(
    server: S3Server, uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.refuses = 403
    began = time.monotonic()
    for command in (
        ["best", uri],
        ["resume", uri],
        ["stress", f"{uri}/checkpoints/a/b.pt", "--data", "x.h5"],
    ):
        assert main(command) == 2
        said = capsys.readouterr().err
        assert "the bucket cannot be opened" in said
        assert "AWS_PROFILE" in said
        assert "Traceback" not in said
    assert time.monotonic() - began < 20


def test_a_server_that_is_not_there_is_work_that_failed(
    server: S3Server, uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert main(["best", uri]) == 1
    said = capsys.readouterr().err
    assert f"does not answer; received {uri} (OSError: " in said
    assert f"`mrisweep resume {uri}`" in said


def test_a_server_that_is_away_for_a_moment_costs_nothing(
    begun: SweepFolder, uri: str, server: S3Server
) -> None:
    server.stop()
    back = threading.Timer(1.0, server.start)
    back.start()
    write_text(begun.path / "used.json", "late")
    back.join()
    assert objects(server, uri)["used.json"] == b"late"


@pytest.mark.parametrize("fault", ["away", "cut", "denied"])
def test_what_cannot_be_put_is_not_there_at_all(
    begun: SweepFolder, uri: str, server: S3Server, fault: str
) -> None:
    """Neither here nor in the bucket: what is read next is what was there before."""
    write_text(begun.path / "used.json", "before")
    if fault == "away":
        server.stop()
    server.cuts = fault == "cut"
    server.refuses = 403 if fault == "denied" else None
    try:
        with pytest.raises(WorkError, match=r"the bucket of the sweep's folder .*; received s3://"):
            write_text(begun.path / "used.json", "after, which is longer")
    finally:
        if fault == "away":
            server.start()
        server.refuses, server.cuts = None, False
    assert (begun.path / "used.json").read_text() == "before"
    assert objects(server, uri)["used.json"] == b"before"
    assert not list(begun.path.glob(".used*"))


def test_a_lease_outlives_a_server_that_was_away(
    begun: SweepFolder, uri: str, server: S3Server
) -> None:
    with begun.lock():
        server.stop()
        time.sleep(1.5)  # longer than the lease
        server.start()
        write_text(begun.path / "used.json", "still mine")
    assert objects(server, uri)["used.json"] == b"still mine"


def test_names_that_lead_out_of_the_mirror_are_not_brought(
    begun: SweepFolder, uri: str, server: S3Server, node: Node, tmp_path: Path
) -> None:
    for name in ("trials/x.json", "trials/../../../evil.json"):
        put_raw(f"{uri.removeprefix('s3://')}/{name}")
    node("elsewhere")
    SweepFolder.open(uri)
    assert (SweepFolder.open(uri).path / "trials" / "x.json").exists()
    assert not list(tmp_path.rglob("evil*"))


def put_raw(key: str) -> None:
    """An object under a name that a client of file systems would not make."""
    client = boto3.client("s3", region_name="us-east-1")
    bucket, _, name = key.partition("/")
    client.put_object(Bucket=bucket, Key=name, Body=b"{}")
