"""Objects that are damaged, or that nobody of ours has put: one sentence says which, by its URI."""

from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from sweep.cli import main
from sweep.core.errors import WorkError
from sweep.results.folder import SweepFolder
from sweep.search.study import Study
from sweep.store import Store
from tests.support.buckets import Node, S3Server
from tests.support.finished import config_of, run_trial

Put = Callable[..., None]


@pytest.fixture
def uri(server: S3Server, request: pytest.FixtureRequest) -> str:
    """For each test a folder of its own on the server."""
    return f"s3://bucket/{''.join(filter(str.isalnum, request.node.name))}/run-1"


@pytest.fixture
def put(uri: str) -> Put:
    """Make an object under any name, as another client may."""
    client = boto3.client("s3", region_name="us-east-1")
    bucket, _, base = uri.removeprefix("s3://").partition("/")

    def make(name: str, content: bytes = b"{}") -> None:
        client.put_object(Bucket=bucket, Key=f"{base}/{name}", Body=content)

    return make


@pytest.fixture
def folder(uri: str, store: Store) -> SweepFolder:
    """A sweep with one trial."""
    folder = SweepFolder.create(uri, config_of(store))
    run_trial(folder, config_of(store), store, 0)
    return folder


def refused(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    capsys.readouterr()
    assert main(list(command)) in (1, 2)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "nodes" not in said, "a user knows the URI, and not where its mirror is"
    return said


def test_damage_is_said_by_the_uri_of_the_object(
    folder: SweepFolder,
    uri: str,
    put: Put,
    node: Node,
    store: Store,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (epoch,) = {record.best_epoch for record in folder.trials()}
    checkpoint = f"checkpoints/trial-0000/epoch-{epoch:04d}.pt"
    node("elsewhere")
    put(checkpoint, b"no weights")
    said = refused(capsys, "stress", f"{uri}/{checkpoint}", "--data", str(store.path))
    assert f"{uri}/{checkpoint}" in said
    put(f"predictions/trial-0000/epoch-{epoch:04d}.parquet", b"no table")
    said = refused(capsys, "compare", uri, "trial-0000", "trial-0000")
    put("trials/trial-0000.json", b"torn {")
    said = refused(capsys, "best", uri)
    assert "the record of a trial cannot be read" in said
    assert f"{uri}/trials/trial-0000.json" in said
    assert f"{uri}/trials/trial-0000.json" in refused(capsys, "watch", uri, "--once")
    put("sweep.yaml", b"[")
    said = refused(capsys, "best", uri)
    assert f"{uri}/sweep.yaml" in said
    said = refused(capsys, "gc", uri)
    assert f"{uri}/sweep.yaml" in said


def test_a_table_that_is_damaged_is_said(
    folder: SweepFolder, uri: str, put: Put, node: Node
) -> None:
    node("elsewhere")
    put("results/trial-0000/epoch-0001.parquet", b"no table")
    with pytest.raises(WorkError, match=f"the table cannot be read; received '{uri}/results/"):
        SweepFolder.open(uri).epochs("trial-0000")


def test_a_part_of_the_journal_that_is_damaged_is_said(
    folder: SweepFolder, uri: str, put: Put
) -> None:
    config = folder.config()
    put("optuna.parts/000000.jsonl", b"\xff\xfe")
    with (
        SweepFolder.open(uri, driving=True).lock(),
        pytest.raises(WorkError, match=rf"the journal of the search.*received '{uri}/optuna"),
    ):
        Study(folder.journal, config.name, config.search, config.seed)


@pytest.mark.parametrize("name", ["trials/trial-0000.json/below.json", f"trials/{'x' * 300}.json"])
def test_names_that_no_folder_has_are_said(
    folder: SweepFolder,
    uri: str,
    put: Put,
    node: Node,
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put(name)
    node("elsewhere")
    said = refused(capsys, "best", uri)
    assert "the bucket has an object that cannot be a file of a sweep's folder" in said
    assert f"{uri}/trials/" in said


def test_names_that_lead_elsewhere_are_not_brought(
    folder: SweepFolder, uri: str, put: Put, node: Node, tmp_path: Path
) -> None:
    node("elsewhere")
    outside = tmp_path / "evil.json"
    for name in (f"/{outside}", "trials//x.json", "./y.json", ".mirror", ".owner"):
        put(name)
    found = SweepFolder.open(uri).path
    assert not outside.exists()
    assert not (found / "trials" / "x.json").exists()
    assert (found / ".mirror").read_text() == uri
    assert not (found / ".owner").exists()


def test_a_uri_that_leads_to_nothing_is_said(
    server: S3Server, uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["best", uri], ["resume", uri], ["watch", uri, "--once"], ["gc", uri]):
        said = refused(capsys, *command)
        assert f"there is no such folder of a sweep; received '{uri}'" in said
