"""Which cluster ``cluster.address: auto`` means."""

from pathlib import Path

import pytest

from sweep.cluster import running as module
from sweep.cluster.running import Running, automatic, chosen, running
from sweep.cluster.session import session
from sweep.config.sweep import ClusterSettings
from sweep.core.errors import UserError

USERS, ANOTHER = Running("10.0.0.1:6379", False), Running("10.0.0.2:6379", False)
OF_A_SWEEP = Running("127.0.0.1:45771", True)


def process(folder: Path, pid: int, *words: str) -> None:
    (folder / str(pid)).mkdir()
    (folder / str(pid) / "cmdline").write_bytes("\0".join(words).encode() + b"\0")


def raylet(address: str, folder: str) -> tuple[str, ...]:
    worker = f"python default_worker.py --redis-address=None --gcs-address={address}"
    return "/ray/raylet/raylet", "--node_manager_port=0", f"{worker} --temp-dir={folder} --webui="


def test_nodes_are_known_by_their_processes(tmp_path: Path) -> None:
    process(tmp_path, 1, "bash", "-c", "raylet --gcs-address=10.9.9.9:1")
    process(tmp_path, 2, *raylet(USERS.address, "/tmp/ray"))
    process(tmp_path, 3, *raylet(OF_A_SWEEP.address, "/var/tmp/mrisweep-a9_8f5rm/r"))
    (tmp_path / "4").mkdir()  # one that has ended meanwhile
    process(tmp_path, 5, "")
    assert sorted(running(tmp_path)) == [USERS, OF_A_SWEEP]


@pytest.mark.parametrize(
    ("nodes", "last", "address"),
    [
        ([USERS], None, USERS.address),
        ([USERS, USERS, OF_A_SWEEP], None, USERS.address),
        ([USERS, ANOTHER], ANOTHER.address, ANOTHER.address),
        ([USERS, OF_A_SWEEP], ANOTHER.address, USERS.address),  # the last one is over
        ([OF_A_SWEEP], USERS.address, USERS.address),  # whose processes cannot be seen
        ([USERS, OF_A_SWEEP], OF_A_SWEEP.address, USERS.address),
    ],
)
def test_auto_is_a_cluster_of_the_users(
    nodes: list[Running], last: str | None, address: str
) -> None:
    assert chosen(nodes, last) == address


@pytest.mark.parametrize(
    ("nodes", "last", "said"),
    [
        ([], None, "no Ray cluster runs on this machine; received 'auto'; run `ray start"),
        ([OF_A_SWEEP], None, "no Ray cluster .* but those that sweeps have started for themselves"),
        ([OF_A_SWEEP], OF_A_SWEEP.address, "but those that sweeps have started for themselves"),
        ([USERS, ANOTHER], None, "several .*; received 'auto', with 10.0.0.1:6379, 10.0.0.2:6379"),
    ],
)
def test_auto_joins_no_cluster_of_a_sweep_and_guesses_none(
    nodes: list[Running], last: str | None, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        chosen(nodes, last)


def test_a_session_asks_before_ray_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(module, "running", lambda: iter([OF_A_SWEEP]))
    monkeypatch.setattr("ray._private.services.find_bootstrap_address", lambda _: None)
    with (
        pytest.raises(UserError, match="but those that sweeps have started"),
        session(ClusterSettings(address="auto")),
    ):
        raise AssertionError


def test_the_address_of_the_environment_goes_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", USERS.address)
    assert automatic() == USERS.address


@pytest.mark.cluster
def test_a_sweeps_own_cluster_is_known_as_one() -> None:
    with session(ClusterSettings()):
        import ray

        address = ray.get_runtime_context().gcs_address
        assert Running(address, True) in set(running())
