"""The compose file: hardened services, secrets by file, Ray reached by its token alone."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
import yaml

from tests.support.deployments import DEPLOY, pinned, settings

FOLDER = DEPLOY / "compose"
NAMES = {**settings(FOLDER / "example.env")}


def filled(text: str) -> str:
    """The file with the settings of example.env in the place of its variables."""
    return re.sub(r"\$\{([A-Z_]+)(?::[-?]([^}]*))?\}", lambda m: NAMES.get(m[1], m[2] or ""), text)


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load(filled((FOLDER / name).read_text(encoding="utf-8")))


COMPOSE = read("compose.yaml")
SERVICES = COMPOSE["services"]
NODES = ("head", "worker")


@pytest.mark.parametrize("name", ["compose.yaml", "compose.gpu.yaml"])
def test_it_is_what_compose_reads(name: str) -> None:
    package = pytest.importorskip("check_jsonschema", reason="needs check-jsonschema")
    schema = files(package) / "builtin_schemas" / "vendor" / "compose-spec.json"
    jsonschema.validate(read(name), json.loads(schema.read_text(encoding="utf-8")))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_can_do_little_but_its_work(service: str) -> None:
    spec = SERVICES[service]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", spec["user"])
    assert spec["read_only"] is True
    assert spec["cap_drop"] == ["ALL"]
    assert spec["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in spec
    assert not any("docker.sock" in volume for volume in spec.get("volumes", []))
    assert re.search(r":[^:/]*\d+\.\d+[^:/]*$", spec["image"].partition("@")[0])


def environments() -> Iterator[tuple[str, str]]:
    for spec in SERVICES.values():
        yield from spec.get("environment", {}).items()


def test_no_secret_is_written_down() -> None:
    for name, value in environments():
        secret = re.search(r"PASSWORD|TOKEN|SECRET|_KEY", name)
        assert not secret or value.startswith("/run/secrets/"), name
        assert not re.search(r"//[^/@]*:[^/@]*@", value), "a password in an address"
    used = {
        one if isinstance(one, str) else one["source"]
        for spec in SERVICES.values()
        for one in spec.get("secrets", [])
    }
    assert used == set(COMPOSE["secrets"])
    assert all(one["file"].startswith("./secrets/") for one in COMPOSE["secrets"].values())
    assert "secrets/" in (FOLDER / ".gitignore").read_text(encoding="utf-8").split()


def test_what_is_published_answers_on_loopback_alone() -> None:
    ports = [port for spec in SERVICES.values() for port in spec.get("ports", [])]
    assert sorted(ports) == ["127.0.0.1:5000:5000", "127.0.0.1:8265:8265"]
    for closed in ("postgres", "storage", "worker", "account"):
        assert "ports" not in SERVICES[closed]
    assert COMPOSE["networks"]["tracking"] == {"internal": True}
    assert SERVICES["postgres"]["networks"] == ["tracking"]


@pytest.mark.parametrize("node", NODES)
def test_a_node_of_ray_asks_for_the_token(node: str) -> None:
    spec = SERVICES[node]
    assert spec["environment"]["RAY_AUTH_MODE"] == "token"
    assert spec["environment"]["RAY_AUTH_TOKEN_PATH"] == "/run/secrets/ray_token"
    assert "ray_token" in spec["secrets"]
    assert any(volume.endswith(":/shared") for volume in spec["volumes"])


@pytest.mark.parametrize("node", NODES)
def test_a_node_of_ray_finds_its_own_address(node: str) -> None:
    """Ray takes the address of the way out of its machine; two networks or none mislead it."""
    (network,) = SERVICES[node]["networks"]
    assert not (COMPOSE["networks"][network] or {}).get("internal")


def test_work_is_done_on_workers() -> None:
    assert "--num-cpus=0" in SERVICES["head"]["command"]
    gpu = read("compose.gpu.yaml")["services"]["worker"]["command"]
    assert [word for word in gpu if "gpus" not in word] == SERVICES["worker"]["command"]


def test_mlflow_is_the_version_that_was_tested_with_its_host_check_on() -> None:
    spec = SERVICES["mlflow"]
    assert spec["image"].endswith(":" + pinned()["mlflow"])
    (hosts,) = [word for word in spec["command"] if word.startswith("--allowed-hosts=")]
    assert "*" not in hosts
    assert spec["environment"]["MLFLOW_BACKEND_STORE_URI"].startswith("postgresql://mlflow@")
