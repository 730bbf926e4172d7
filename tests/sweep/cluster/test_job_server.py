"""The job server of a cluster: every fault is one sentence, and nobody is sent a token unasked."""

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sweep.cluster.job_server import address_of, authentication, headers_for, own_token
from sweep.core.errors import UserError
from tests.support.job_server import FakeJobs, serving_jobs

SECRET = "a-token-that-is-secret"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def guarded() -> Iterator[FakeJobs]:
    with serving_jobs(SECRET) as fake:
        yield fake


def test_the_address_is_as_given_or_of_rays_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    assert address_of(None) == "http://127.0.0.1:8265"
    monkeypatch.setenv("RAY_ADDRESS", "http://head:1")
    assert address_of(None) == "http://head:1"
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "https://head:2/ray/")
    assert address_of(None) == "https://head:2/ray"
    assert address_of("http://other:3/") == "http://other:3"


@pytest.mark.parametrize(
    "address", ["auto", "10.0.0.1:6379", "ray://head:10001", "http://:80", "x"]
)
def test_the_address_of_the_cluster_is_none_of_its_job_server(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=f"not an http or https address; received '{address}'"):
        address_of(address)
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(UserError, match=f"received RAY_ADDRESS={address}; give --address that of"):
        address_of(None)


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(UserError, match="one with a user or a password in it") as raised:
        address_of(f"http://me:{SECRET}@head:8265")
    assert SECRET not in str(raised.value)


def test_who_asks_for_a_token_gets_it_and_nobody_else(
    guarded: FakeJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", SECRET)
    mode = authentication(guarded.address)
    assert mode == "token"
    assert headers_for(guarded.address, mode) == {"Authorization": f"Bearer {SECRET}"}
    with serving_jobs() as open_to_all:
        mode = authentication(open_to_all.address)
        assert mode == "disabled"
        assert headers_for(open_to_all.address, mode) == {}
        assert open_to_all.seen_tokens == []


def test_a_token_is_looked_for_where_ray_does(
    guarded: FakeJobs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    there = r"asks for a token, and there is none; received no file .*auth_token .*No such file"
    with pytest.raises(UserError, match=there):
        headers_for(guarded.address, "token")
    assert guarded.seen_tokens == []
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("of the home folder\n")
    assert own_token() == ("of the home folder", str(tmp_path / ".ray" / "auth_token"))
    named = tmp_path / "named"
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(named))
    with pytest.raises(UserError, match="named, which RAY_AUTH_TOKEN_PATH names"):
        own_token()
    named.write_text("")
    with pytest.raises(UserError, match=r"received an empty file .*named, which RAY_AUTH"):
        own_token()
    named.write_text("of the path")
    assert own_token()[0] == "of the path"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of the environment")
    assert own_token() == ("of the environment", "RAY_AUTH_TOKEN")


def test_a_wrong_token_is_said_by_where_it_is_from(
    guarded: FakeJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", f"{SECRET}-no-more")
    with pytest.raises(
        UserError, match="does not take this token; received one of RAY_AUTH_TOKEN"
    ) as raised:
        headers_for(guarded.address, "token")
    assert SECRET not in str(raised.value)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_nobody_answers() -> None:
    with pytest.raises(UserError, match=r"no job server answers; received http.*refused.*; start"):
        authentication(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(UserError, match="no job server answers"):
        authentication("http://no-such-host.invalid:8265")


@pytest.mark.parametrize(
    "answer", [(200, "<html>"), (404, "none"), (200, "[]"), (500, "down"), (200, {"other": 1})]
)
def test_another_program_answers(answer: tuple[int, object]) -> None:
    with serving_jobs() as fake:
        fake.answer = answer
        with pytest.raises(UserError, match="what answers is not the job server of a Ray cluster"):
            authentication(fake.address)


def test_https_of_a_server_that_speaks_http() -> None:
    with serving_jobs() as fake:
        address = fake.address.replace("http:", "https:")
        with pytest.raises(UserError, match=f"does not speak https; .* such as {fake.address}"):
            authentication(address)


@pytest.fixture
def https(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server that speaks https, and the file with its certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    pem = tmp_path / "own.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", str(pem), "-out", str(tmp_path / "cert.pem"), "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", pem)
    listener = socket.create_server(("127.0.0.1", 0))
    said = b'{"authentication_mode": "token"}'

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as one:
                    one.recv(4096)
                    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(said)}\r\n\r\n"
                    one.sendall(head.encode() + said)
            except OSError:
                plain.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}", tmp_path / "cert.pem"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def test_https(https: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    address, certificate = https
    with pytest.raises(UserError, match=r"certificate of the job server is not trusted; .*set REQ"):
        authentication(address)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert authentication(address) == "token"
    plain = address.replace("https:", "http:")
    with pytest.raises(UserError, match=f"not the job server of a Ray cluster.*such as {address}"):
        authentication(plain)


def test_a_cluster_of_before_there_were_tokens_lets_everybody_in() -> None:
    with serving_jobs() as fake:
        before = fake.get
        fake.get = lambda path: (404, "") if "mode" in path else before(path)  # type: ignore[method-assign]
        assert authentication(fake.address) == "disabled"
