"""Whom a sweep connects to: at a wrong address, or without the token, it says so at once."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import grpc
import pytest

from sweep.cluster import session
from sweep.cluster.session import require_answer
from sweep.config.sweep import ClusterSettings
from sweep.core.errors import UserError

SECRET = "abcdef0123456789"
NAME = session.CLUSTER_NAME


class Cluster(grpc.GenericRpcHandler):
    """Answers as Ray's own service does, to whoever has the token."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if details.method != NAME:
            return None
        given = dict(details.invocation_metadata).get("authorization")
        code = grpc.StatusCode.UNAUTHENTICATED

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            if given != f"Bearer {SECRET}":
                context.abort(code, "InvalidAuthToken")
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


@pytest.fixture
def address() -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(1), [Cluster()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_USE_TLS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@contextmanager
def listening() -> Iterator[str]:
    """At a port, somebody who takes connections and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("wrong", ["nonsense", "", "host:", ":6379", "http://host:1", "a b:1"])
def test_what_is_no_address_is_called_so(wrong: str) -> None:
    with pytest.raises(UserError, match=r"no address of a Ray cluster; .* give HOST:PORT"):
        require_answer(wrong)


@pytest.mark.parametrize("kind", ["", "ray://"])
def test_nobody_at_an_address_is_said_at_once(kind: str) -> None:
    with listening() as address:
        pass
    began = time.monotonic()
    with pytest.raises(UserError, match=r"no Ray cluster answers; received .*refused.*; correct"):
        require_answer(kind + address)
    assert time.monotonic() - began < 5


def test_a_host_that_is_none() -> None:
    with pytest.raises(UserError, match="no Ray cluster answers"):
        require_answer("no-such-host.invalid:6379")


def test_somebody_who_is_no_cluster(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(session, "ANSWER_S", 0.5)
    with listening() as address, pytest.raises(UserError, match="answers there is no cluster"):
        require_answer(address)


@pytest.mark.parametrize(
    ("mode", "token", "said"),
    [
        (None, None, "RAY_AUTH_MODE is not set"),
        ("disabled", SECRET, "RAY_AUTH_MODE=disabled"),
        ("token", None, "another token, or none"),
        ("token", "wrong", "another token, or none"),
    ],
)
def test_a_cluster_that_does_not_take_the_token(
    mode: str | None, token: str | None, said: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("RAY_AUTH_MODE", mode), ("RAY_AUTH_TOKEN", token)):
        if value is not None:
            monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=f"does not take this token.*{said}") as raised:
        require_answer(address)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("where", ["variable", "file", "home"])
def test_the_token_is_looked_for_where_ray_does(
    where: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    if where == "variable":
        monkeypatch.setenv("RAY_AUTH_TOKEN", SECRET)
    else:
        file = tmp_path / "mine" if where == "file" else tmp_path / ".ray" / "auth_token"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{SECRET}\n")
        if where == "file":
            monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(file))
    require_answer(address)


def test_another_method_is_left_to_ray(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "CLUSTER_NAME", "/ray.rpc.Other/Method")
    require_answer(address)


def test_a_second_sweep_of_a_process_is_refused_and_the_first_goes_on() -> None:
    with session._only_one():
        with ThreadPoolExecutor(1) as pool:
            tried = pool.submit(session._only_one().__enter__)
            with pytest.raises(UserError, match=r"a process has one Ray.*of its own"):
                tried.result()
        with pytest.raises(UserError), session._only_one():
            pass
    with session._only_one():
        pass


def test_the_ray_of_a_script_is_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: True)
    ended: list[None] = []
    monkeypatch.setattr("ray.shutdown", lambda: ended.append(None))
    with (
        pytest.raises(UserError, match=r"uses Ray already.*call ray.shutdown\(\)"),
        session.session(ClusterSettings()),
    ):
        pass
    assert not ended
