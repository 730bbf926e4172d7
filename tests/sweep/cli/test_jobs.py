"""``submit``, ``status`` and ``stop`` as a person meets them, on a cluster that is made up."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sweep.cli import main
from sweep.config.sweep import SweepConfig
from tests.support.bare import add_trial, bare_sweep
from tests.support.job_server import FakeJobs, serving_jobs

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
TOKEN = "a-token-of-the-cluster"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeJobs]:
    """A cluster that asks for the token that the user has."""
    for name in ("RAY_API_SERVER_ADDRESS", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_ADDRESS", "auto")  # of the user's own, which --address goes before
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    monkeypatch.setattr("sweep.cluster.jobs.PAUSE_S", 0.01)
    monkeypatch.setattr("sweep.cluster.jobs.LONGEST_PAUSE_S", 0.02)
    with serving_jobs(TOKEN) as fake:
        yield fake


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A sweep file whose paths are absolute."""
    path = tmp_path / "knees.yaml"
    data = {"store": "/shared/knee.h5", "train": [1], "validation": [2]}
    space = {"model.norm": {"choice": ["batch", "group"]}}
    search = {"trials": 4, "space": space}
    whole = {"name": "Knees, 2nd try", "data": data, "search": search}
    path.write_text(yaml.safe_dump({**whole, "cluster": {"address": "auto"}}))
    return path


def submit(cluster: FakeJobs, *arguments: str) -> int:
    return main(["submit", *arguments, "--address", cluster.address])


def only(cluster: FakeJobs) -> dict[str, Any]:
    (job,) = cluster.jobs.values()
    return job


def test_the_resolved_sweep_travels_and_nothing_else(
    cluster: FakeJobs, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = ("--out", "/shared/runs/one", "--set", "search.trials=6")
    assert submit(cluster, str(file), *shared, "--detach") == 0
    said = capsys.readouterr()
    job = only(cluster)
    assert said.out == f"{job['submission_id']}\n"
    assert job["submission_id"].startswith("knees-2nd-try-20")
    assert f"mrisweep status {job['submission_id']} --follow --address" in said.err
    assert f"mrisweep stop {job['submission_id']} --address {cluster.address}" in said.err
    assert job["entrypoint"] == "mrisweep run --or-resume sweep.yaml --out /shared/runs/one"
    noted = {"sweep": "Knees, 2nd try", "folder": "/shared/runs/one"}
    assert job["metadata"] == {"mrisweep": "0.1.0", **noted}
    ((_, files),) = cluster.packages.items()
    assert files.keys() == {"sweep.yaml"}
    sent = SweepConfig.from_dict(yaml.safe_load(files["sweep.yaml"]))
    assert sent == SweepConfig.from_yaml(file, ["search.trials=6", "cluster.address=null"])
    environment = job["runtime_env"]["env_vars"]
    assert environment == {"RAY_JOB_STOP_WAIT_TIME_S": "60"}
    assert set(cluster.seen_tokens) == {f"Bearer {TOKEN}"}
    assert TOKEN not in json.dumps(job) + said.out + said.err


def test_a_sweep_in_a_bucket_is_submitted_by_its_uri(
    cluster: FakeJobs, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the bucket nor its credentials need be known here."""
    assert submit(cluster, str(file), "--out", "S3://bucket/runs//one/", "--detach") == 0
    job = only(cluster)
    assert job["entrypoint"].endswith("--or-resume sweep.yaml --out s3://bucket/runs/one")
    assert job["metadata"]["folder"] == "s3://bucket/runs/one"
    assert submit(cluster, "--resume", "s3://bucket/runs/one/", "--detach") == 2
    assert "a job is at work on this folder already" in capsys.readouterr().err
    job |= {"status": "STOPPED", "end_time": 9}
    assert submit(cluster, "--resume", "s3://bucket/runs/one/", "--detach") == 0
    again = [one for one in cluster.jobs.values() if one is not job]
    assert again[0]["entrypoint"] == "mrisweep resume s3://bucket/runs/one"
    assert again[0]["submission_id"].startswith("one-20")
    assert main(["status", "--address", cluster.address]) == 0
    assert "s3://bucket/runs/one" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("s3://key:secret@bucket/one", "a URI cannot hold credentials"),
        ("s3://bucket", "the URI names no folder in a bucket"),
        ("ftp://bucket/one", "a sweep cannot be kept there"),
    ],
)
def test_a_uri_that_is_none_is_refused_before_it_is_sent(
    cluster: FakeJobs, file: Path, uri: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in ((str(file), "--out", uri), ("--resume", uri)):
        assert submit(cluster, *arguments) == 2
        told = capsys.readouterr().err
        assert said in told
        assert "secret" not in told
    assert not cluster.jobs


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"status": "SUCCEEDED", "driver_exit_code": 0}, 0, ""),
        ({"status": "FAILED", "driver_exit_code": 2}, 2, "the sweep was refused; received exit st"),
        ({"status": "FAILED", "driver_exit_code": 1}, 1, "the job has failed; received exit statu"),
        ({"status": "FAILED", "driver_exit_code": 130}, 130, "its sweep was interrupted; to go on"),
        ({"status": "STOPPED"}, 130, "is stopped, and its sweep was interrupted; to go on: mrisw"),
        ({"status": "FAILED", "driver_exit_code": 127}, 1, "the cluster has no command mrisweep;"),
        ({"status": "FAILED", "driver_exit_code": -9}, 1, "received exit status -9 of"),
        ({"status": "FAILED", "message": "no node"}, 1, r"received no exit status of .*\(no node"),
    ],
)
def test_its_log_is_followed_and_it_ends_as_the_sweep_ends(
    cluster: FakeJobs,
    file: Path,
    change: dict[str, Any],
    status: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = cluster.post

    def taken(path: str, body: bytes) -> Any:
        answer = before(path, body)
        name = only(cluster)["submission_id"]
        running = {"status": "RUNNING", "log": "begin\n"}
        cluster.then(name, running, {"log": "begin\n1/4 d"}, {"log": "begin\n1/4 done\n", **change})
        return answer

    cluster.post = taken  # type: ignore[method-assign]
    assert submit(cluster, str(file), "--out", "/shared/one") == status
    shown = capsys.readouterr()
    assert shown.out == "begin\n1/4 done\n", "each part once"
    assert "Traceback" not in shown.err
    assert re.search(said, shown.err), shown.err
    if status in (1, 130):
        assert f"mrisweep submit --resume /shared/one --address {cluster.address}" in shown.err


def test_a_job_server_that_is_away_for_a_moment_is_waited_for(
    cluster: FakeJobs, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.add("one", log="begin\n")
    away = [True, False, True, True, False]
    before = cluster.get

    def sometimes(path: str) -> Any:
        cluster.jobs["one"]["status"] = "SUCCEEDED"
        down = path.startswith("/api/jobs/one") and away and away.pop(0)
        return (502, "bad gateway") if down else before(path)

    cluster.get = sometimes  # type: ignore[method-assign]
    assert main(["status", "one", "--follow", "--address", cluster.address]) == 0
    assert capsys.readouterr().out == "begin\n"
    monkeypatch.setattr("sweep.cluster.jobs.PATIENCE_S", 0.05)
    cluster.get = lambda path: (502, "bad gateway") if "one" in path else before(path)  # type: ignore[method-assign]
    assert main(["status", "one", "--follow", "--address", cluster.address]) == 1
    assert "the job server refuses; received status 502 bad gateway" in capsys.readouterr().err


def test_a_cluster_that_asks_for_no_token_is_refused_unless_told(
    cluster: FakeJobs, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.token = None
    command = (str(file), "--out", "/shared/one", "--detach")
    assert submit(cluster, *command) == 2
    assert "asks nobody for a token: whoever reaches it can run anything" in capsys.readouterr().err
    assert cluster.jobs == {}
    assert submit(cluster, *command, "--insecure") == 0
    assert cluster.seen_tokens == [None] * len(cluster.seen_tokens)


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (("data.store=knee.h5",), "data.store 'knee.h5'; give them as the cluster's nodes see"),
        (("stress.grid=levels.json",), "stress.grid 'levels.json'"),
        (("tracking.uri=sqlite:///mlflow.db",), "tracking.uri 'mlflow.db'"),
        (("search.from=sweeps/one", "data.store=a.h5"), "data.store 'a.h5', search.from 'sweeps/"),
    ],
)
def test_a_path_that_is_not_absolute_is_refused_before_anything_is_sent(
    cluster: FakeJobs,
    file: Path,
    overrides: tuple[str, ...],
    named: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sets = [word for override in overrides for word in ("--set", override)]
    assert submit(cluster, str(file), "--out", "/shared/one", *sets) == 2
    assert named in capsys.readouterr().err
    assert submit(cluster, str(file), "--out", "one") == 2
    assert "--out 'one'; give them as the cluster's nodes see it" in capsys.readouterr().err
    assert cluster.seen_tokens == []


def test_a_typo_is_found_before_anything_is_sent(
    cluster: FakeJobs, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit(cluster, str(file), "--out", "/shared/one", "--set", "train.epocs=3") == 2
    assert "did you mean 'epochs'" in capsys.readouterr().err
    assert cluster.seen_tokens == []


def test_secrets_travel_by_name_alone_and_it_is_said_who_can_read_them(
    cluster: FakeJobs,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "SECRET")
    command = (str(file), "--out", "/shared/one", "--detach", "--set", "notify.url=env:CHAT")
    assert submit(cluster, *command, "--env", "MLFLOW_TRACKING_PASSWORD") == 0
    said = capsys.readouterr().err
    assert "Ray shows MLFLOW_TRACKING_PASSWORD to whoever has the cluster's token" in said
    assert "notify reads CHAT where the job runs: set it where the cluster is started, or" in said
    job = only(cluster)
    assert job["runtime_env"]["env_vars"]["MLFLOW_TRACKING_PASSWORD"] == "SECRET"
    assert "SECRET" not in job["entrypoint"] + json.dumps(job["metadata"]) + said
    assert "SECRET" not in json.dumps([*cluster.packages.values()])
    for wrong, named in (("NOT_SET", "not set; received NOT_SET"), ("A=SECRET", "'A' and more")):
        assert submit(cluster, *command, "--env", wrong) == 2
        said = capsys.readouterr().err
        assert named in said
        assert "SECRET" not in said


def test_a_folder_that_a_job_is_at_work_on(
    cluster: FakeJobs, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.add("one", folder="x")
    command = (str(file), "--out", "/shared/one", "--detach")
    assert submit(cluster, *command) == 2
    assert "received one, which is running, on /shared/one; follow it" in capsys.readouterr().err
    cluster.jobs["one"]["status"] = "STOPPED"
    assert submit(cluster, *command) == 0
    assert submit(cluster, str(file), "--out", "/shared/two", "--detach") == 0
    first, second = list(cluster.jobs)[1:]
    assert second.startswith(first[:-2]), "two in one second have two ids"
    assert first != second


def test_a_sweep_is_gone_on_with_by_its_folder(
    cluster: FakeJobs, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--trials", "4", "--limit", "hours=none")
    assert submit(cluster, "--resume", "/shared/runs/knees 1", *more, "--detach") == 0
    job = only(cluster)
    command = "mrisweep resume '/shared/runs/knees 1' --trials 4 --limit hours=none"
    assert job["entrypoint"] == command
    assert job["submission_id"].startswith("knees-1-20")
    assert cluster.packages == {}
    capsys.readouterr()
    for wrong, said in (
        (("--resume", "runs/one"), "--resume is not an absolute path; received 'runs/one'"),
        ((str(file), "--resume", "/shared/one"), "SWEEP.yaml, --out or --set with it"),
        ((str(file),), "received no --out; give SWEEP.yaml and --out DIR, or --resume DIR"),
        ((), "a job needs a sweep file and a folder; received none"),
        ((str(file), "--out", "/shared/a", "--trials", "3"), "--trials and --limit are for --res"),
    ):
        assert submit(cluster, *wrong) == 2
        assert said in capsys.readouterr().err


def test_jobs_are_listed_the_newest_first_with_how_far_they_are(
    cluster: FakeJobs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = ("--address", cluster.address)
    assert main(["status", *address]) == 0
    assert capsys.readouterr().err == "the cluster has no job of mrisweep\n"
    folder = bare_sweep(tmp_path / "sweep", trials=2)
    for number in range(2):
        add_trial(folder, number, 10, "finished", 0.7)
    seen = {"mrisweep": "0.1.0", "sweep": "knees", "folder": str(folder.path)}
    cluster.add("seen-here", "SUCCEEDED", metadata=seen, driver_exit_code=0, end_time=90_000)
    cluster.add("by-its-log", log="a\n[0:10] x  |  2/4 done, 1 running\n[0:20] y | 3/4 done, 0 r")
    cluster.add(
        "refused",
        "FAILED",
        driver_exit_code=2,
        message="failed with exit code 2, last available logs (truncated to 20,000 chars):\nSECRET",
    )
    cluster.add("of-somebody", metadata={})
    cluster.add("of-nobody", metadata=None)
    assert main(["status", *address]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows[2:]] == ["refused", "by-its-log", "seen-here"]
    assert "failed (2)" in rows[2]
    assert "  3/4  " in rows[3]
    assert "  2/2  " in rows[4]
    assert main(["status", *address, "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [one["trials"] for one in listed] == [
        None,
        {"ended": 3, "total": 4},
        {"ended": 2, "total": 2},
    ]
    assert listed[0].keys() == {
        *("id", "state", "exit_status", "started_at_ms", "ended_at_ms", "sweep", "folder"),
        *("version", "message", "trials"),
    }
    assert main(["status", "refused", *address]) == 0
    shown = capsys.readouterr().out
    assert shown.endswith("\nfailed with exit code 2\n")
    assert main(["status", "refusd", *address]) == 2
    assert "no such job; received 'refusd'; did you mean 'refused'?" in capsys.readouterr().err
    assert main(["status", "of-somebody", *address]) == 2
    assert "none of mrisweep's; received 'of-somebody'" in capsys.readouterr().err
    assert main(["status", "--follow", *address]) == 2


def test_the_folder_of_a_sweep_is_answered_without_a_cluster(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bare_sweep(tmp_path / "sweep", trials=2)
    add_trial(folder, 0, 10, "finished", 0.7)
    add_trial(folder, 1, 3, value=0.6)
    monkeypatch.chdir(tmp_path)
    for name in (str(folder.path), "sweep", "./sweep"):
        assert main(["status", name]) == 0
        said = capsys.readouterr().out
        assert "state     interrupted: no process drives it\ngo on     mrisweep resume " in said
        assert "trials    1 of 2 ended (1 finished), 1 interrupted\n" in said
    assert main(["status", "sweep", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["state"], found["trials"]["interrupted"]) == ("interrupted", 1)
    for wrong, message in {
        ("sweep", "--follow"): "--follow and --address are for jobs of a cluster; received the fo",
        ("sweep", "--address", "http://x:1"): "--follow and --address are for jobs of a cluster",
        ("./gone",): "there is no such folder of a sweep; received './gone'",
        (".",): "the folder is not a sweep's",
    }.items():
        assert main(["status", *wrong]) == 2
        assert message in capsys.readouterr().err


def test_stop_says_what_remains(cluster: FakeJobs, capsys: pytest.CaptureFixture[str]) -> None:
    address = ("--address", cluster.address)
    cluster.add("one")
    assert main(["stop", "one", *address]) == 0
    assert capsys.readouterr().out == (
        "one is stopped\nfolder  /shared/one, which keeps every epoch that was reported\n"
        f"go on   mrisweep submit --resume /shared/one --address {cluster.address}\n"
    )
    assert main(["stop", "one", *address]) == 0
    assert capsys.readouterr().out.startswith("one had ended before: it is stopped\n")
    cluster.add("two", "SUCCEEDED", driver_exit_code=0)
    assert main(["stop", "two", *address]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("two had ended before: it has succeeded\n")
    assert "go on" not in shown
    assert main(["stop", "three", *address]) == 2


def test_ctrl_c_detaches_and_says_how_to_look_again_and_how_to_stop(cluster: FakeJobs) -> None:
    cluster.add("one", log="begin\n")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        command = [sys.executable, "-m", "sweep", "status", "one", "--follow"]
        process = subprocess.Popen(
            [*command, "--address", cluster.address],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdout
    assert process.stdout.readline() == "begin\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "one goes on" in err
    assert f"to look again: mrisweep status one --follow --address {cluster.address}" in err
    assert f"to stop it:    mrisweep stop one --address {cluster.address}" in err
    assert "Traceback" not in err
    assert cluster.jobs["one"]["status"] == "RUNNING"


def test_what_the_job_server_refuses_is_one_sentence(
    cluster: FakeJobs, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = cluster.post

    def no_agent(path: str, body: bytes) -> Any:
        return 500, "Traceback (most recent call last):\n  File x\nTimeoutError: no agent\n"

    cluster.post = no_agent  # type: ignore[method-assign]
    assert submit(cluster, str(file), "--out", "/shared/one") == 1
    said = capsys.readouterr().err
    assert "the job server refuses; received status 500 TimeoutError: no agent; mend" in said
    assert said.count("\n") == 1
    cluster.post = before  # type: ignore[method-assign]
