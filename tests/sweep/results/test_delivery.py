"""Word reaches a webhook or a command; what fails is said once, and without the address."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sweep.config.notify import NotifySettings
from sweep.core.errors import UserError
from sweep.results.delivery import Delivery, check_notify
from tests.support.hooks import Hook, listening
from tests.support.processes import lives
from tests.support.sweeps import wait_until

URL = NotifySettings(url="env:MY_HOOK")
Listen = Callable[..., Hook]


@pytest.fixture
def listen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listen]:
    """Opens a webhook at which the variable leads."""
    opened = []

    def start(*statuses: int) -> Hook:
        place = listening(*statuses)
        hook = place.__enter__()
        opened.append(place)
        monkeypatch.setenv("MY_HOOK", hook.address)
        return hook

    yield start
    for place in opened:
        place.__exit__(None, None, None)


def told(settings: NotifySettings, *texts: str, patience_s: float = 20) -> tuple[list[str], str]:
    """Which texts were delivered, and what was said."""
    said: list[str] = []
    there: list[str] = []
    delivery = Delivery(settings, said.append, pauses_s=(0.01, 0.01))
    for text in texts:
        delivery.send({"text": text}, lambda text=text: there.append(text))
    delivery.close(patience_s)
    assert len(said) <= 1, "it is said once"
    return there, "".join(said)


def test_words_are_posted_as_json_in_order(listen: Listen) -> None:
    hook = listen()
    assert told(URL, "one", "zwei ü") == (["one", "zwei ü"], "")
    assert hook.words == [{"text": "one"}, {"text": "zwei ü"}]


@pytest.mark.parametrize(("statuses", "requests"), [((503, 200), 2), ((500, 429, 200), 3)])
def test_a_server_that_is_busy_is_asked_again(
    listen: Listen, statuses: tuple[int, ...], requests: int
) -> None:
    hook = listen(*statuses)
    assert told(URL, "one") == (["one"], "")
    assert hook.requests == requests


@pytest.mark.parametrize(("status", "requests"), [(404, 2), (403, 2), (500, 4), (302, 2), (307, 2)])
def test_what_is_refused_is_said_once_and_costs_few_requests(
    listen: Listen, status: int, requests: int
) -> None:
    hook = listen(status)
    there, said = told(URL, "one", "two")
    assert there == []
    assert said == (
        f"notify: env:MY_HOOK could not be told; received the HTTP status {status}; it costs the "
        "sweep nothing, and is said once"
    )
    assert hook.requests == requests


def test_after_a_failure_what_follows_is_told_again(listen: Listen) -> None:
    listen(404, 200)
    there, said = told(URL, "one", "two")
    assert there == ["two"]
    assert "404" in said


@pytest.mark.parametrize(
    ("address", "received"),
    [
        ("http://127.0.0.1:1/services/SECRET", "Connection refused"),
        ("https://127.0.0.1:{port}/services/SECRET", "SSL"),
        ("http://no-such-host.invalid/services/SECRET", ""),
    ],
)
def test_no_server_at_all(
    listen: Listen, monkeypatch: pytest.MonkeyPatch, address: str, received: str
) -> None:
    port = listen().address.split(":")[2].partition("/")[0]
    monkeypatch.setenv("MY_HOOK", address.format(port=port))
    there, said = told(URL, "one")
    assert there == []
    assert received in said
    assert "SECRET" not in said


def test_one_who_never_answers_is_not_waited_for(listen: Listen) -> None:
    hook = listen()
    hook.held.clear()
    began = time.monotonic()
    there, said = told(URL, "one", patience_s=0.3)
    assert time.monotonic() - began < 10
    assert there == []
    assert "received no answer within 0.3 s" in said


def test_a_command_that_is_not_waited_for_is_ended_with_all_it_has_started(tmp_path: Path) -> None:
    script = tmp_path / "hook"
    script.write_text(f"#!/bin/sh\nsleep 600 &\necho $! $$ > {tmp_path}/pids\nwait\n")
    script.chmod(0o700)
    there, said = told(NotifySettings(command=(str(script),)), "one", patience_s=1)
    assert there == []
    assert "received no answer within 1 s" in said
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    wait_until(lambda: not any(map(lives, pids)))


@pytest.mark.parametrize(
    "address",
    [
        "",
        "hooks/SECRET",
        "ftp://host/SECRET",
        "http:///SECRET",
        "http://user:SECRET@host/",
        "http://[SECRET",
        "http://host/SECRET\n",
        "http://host/SECRET and more",
    ],
)
def test_an_address_that_is_none_is_refused_without_being_repeated(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("MY_HOOK", address)
    with pytest.raises(UserError, match="the environment variable MY_HOOK, which") as raised:
        check_notify(URL)
    assert "SECRET" not in str(raised.value)
    there, said = told(URL, "one")
    assert there == []
    assert "MY_HOOK" in said
    assert "SECRET" not in said


def test_a_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_HOOK", raising=False)
    with pytest.raises(UserError, match=r"MY_HOOK.*; received none; set MY_HOOK to http"):
        check_notify(URL)


def script(path: Path, text: str) -> NotifySettings:
    path.write_text(text)
    return NotifySettings(command=(sys.executable, str(path), "$(touch gone)"))


def test_a_command_reads_json_and_no_shell_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    keep = "import sys, pathlib; pathlib.Path('got').write_text(sys.argv[1] + sys.stdin.read())"
    command = script(tmp_path / "keep.py", keep)
    check_notify(command)
    assert told(command, "`touch gone`; $(touch gone)") == (["`touch gone`; $(touch gone)"], "")
    got = (tmp_path / "got").read_text()
    assert got.startswith("$(touch gone){")
    assert json.loads(got.removeprefix("$(touch gone)")) == {"text": "`touch gone`; $(touch gone)"}
    assert not (tmp_path / "gone").exists()


def test_a_command_that_fails_or_is_not_there(tmp_path: Path) -> None:
    there, said = told(script(tmp_path / "fail.py", "raise SystemExit(3)"), "one", "two")
    assert there == []
    assert "received the exit status 3;" in said
    gone = NotifySettings(command=("no-such-program-here",))
    with pytest.raises(UserError, match="no program that can be run here; received 'no-such-p"):
        check_notify(gone)
    assert "No such file" in told(gone, "one")[1]


def test_a_command_that_does_not_read_is_told_all_the_same(tmp_path: Path) -> None:
    assert told(script(tmp_path / "deaf.py", "pass"), "x" * 200_000)[1] == ""
