"""One driver at a time: refused while another renews its lease, or taking over from a dead one."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from sweep.core.errors import UserError, WorkError
from sweep.core.files import write_text
from sweep.remote.lease import FILE
from sweep.results.folder import SweepFolder
from sweep.store import Store
from tests.support.buckets import Node
from tests.support.finished import config_of


@pytest.fixture
def begun(uri: str, store: Store) -> SweepFolder:
    return SweepFolder.create(uri, config_of(store))


@pytest.fixture
def lease(uri: str) -> Path:
    """The object."""
    return Path(uri.removeprefix("file://")) / FILE


def leave(lease: Path, **changes: object) -> None:
    """As a driver that was killed leaves it."""
    holder = {"owner": "x", "host": "gone-7", "pid": 42, "renewed": 3, "lease_s": 1.2, **changes}
    lease.write_text(json.dumps(holder))


def test_a_second_driver_is_refused_while_the_first_lives(
    begun: SweepFolder, uri: str, node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    with begun.lock():
        with pytest.raises(UserError, match="another process drives this sweep"), begun.lock():
            pass
        node("elsewhere")
        other = SweepFolder.open(uri, driving=True)
        with pytest.raises(UserError, match=r"driven by process \d+ on "), other.lock():
            pass
        assert "waiting up to" in capsys.readouterr().err
    with other.lock():  # once the first has ended in order, at once
        pass


def test_a_sweep_whose_driver_was_killed_elsewhere_is_taken_over_when_its_lease_has_ended(
    begun: SweepFolder, lease: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leave(lease)
    began = time.monotonic()
    with begun.lock():
        assert json.loads(lease.read_text())["owner"] != "x"
    assert time.monotonic() - began < 10
    assert "driven by process 42 on gone-7" in capsys.readouterr().err
    assert not lease.exists()


def test_an_old_lease_is_not_waited_for(
    begun: SweepFolder, lease: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leave(lease, lease_s=0.5)
    time.sleep(2.1)  # the store's clock has whole seconds
    with begun.lock():
        assert "waiting" not in capsys.readouterr().err


def test_a_driver_that_was_killed_on_this_node_is_known_to_be_dead(
    begun: SweepFolder, lease: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The system has freed its lock on the mirror, which only one on this node can have had."""
    with begun.lock():
        owner = json.loads(lease.read_text())["owner"]
    leave(lease, owner=owner, lease_s=60.0)
    with begun.lock():
        assert "waiting" not in capsys.readouterr().err


def test_a_driver_that_lost_its_sweep_writes_no_more(begun: SweepFolder, lease: Path) -> None:
    """It stood still, as a suspended machine does, and another one has taken over."""
    with begun.lock():
        leave(lease)
        time.sleep(1.5)
        with pytest.raises(WorkError, match=r"taken this sweep over; .* process 42 on gone-7"):
            write_text(begun.path / "used.json", "late")
        assert not (begun.path / "used.json").exists()
    assert json.loads(lease.read_text())["pid"] == 42


def test_a_lease_is_renewed_for_as_long_as_it_is_held(begun: SweepFolder, lease: Path) -> None:
    with begun.lock():
        time.sleep(1.5)
        write_text(begun.path / "used.json", "still mine")
        assert json.loads(lease.read_text())["renewed"] > 3


def test_of_drivers_that_begin_at_once_one_has_the_sweep(
    begun: SweepFolder, uri: str, node: Node
) -> None:
    folders = []
    for name in ("one", "two", "three"):
        node(name)
        folders.append(SweepFolder.open(uri, driving=True))
    together, ended = threading.Barrier(3), threading.Barrier(3)

    def drives(folder: SweepFolder) -> bool:
        together.wait()
        with ExitStack() as stack:
            try:
                stack.enter_context(folder.lock())
                return True
            except UserError:
                return False
            finally:
                ended.wait()

    with ThreadPoolExecutor(3) as threads:
        assert sum(threads.map(drives, folders)) == 1
