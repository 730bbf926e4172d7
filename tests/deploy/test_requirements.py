"""The pinned requirements of the images: complete, hashed, and those of constraints.txt."""

import re
import tomllib

import pytest

from tests.support.data import ROOT
from tests.support.deployments import DEPLOY, normal, pinned

LINE = re.compile(r"^([A-Za-z][\w.-]*)(?:==(\S+)| @ (\S+))", re.MULTILINE)
EXTRAS = {"cpu": ("export", "search"), "cuda": ("export", "networks", "search"), "mlflow": ()}


def packages(image: str) -> dict[str, str]:
    """By name, the version of each package of an image."""
    text = (DEPLOY / f"requirements-{image}.txt").read_text(encoding="utf-8")
    found = {}
    for name, version, address in LINE.findall(text):
        found[normal(name)] = version or re.findall(r"-([\d.]+)%2Bcpu-", address)[0]
    return found


@pytest.mark.parametrize("image", EXTRAS)
def test_every_package_has_the_version_that_was_tested(image: str) -> None:
    tested = pinned()
    differ = {
        name: (version, tested[name])
        for name, version in packages(image).items()
        if version != tested.get(name, version)
    }
    assert not differ, "run make requirements"


@pytest.mark.parametrize("image", EXTRAS)
def test_every_package_has_its_hashes(image: str) -> None:
    text = (DEPLOY / f"requirements-{image}.txt").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[A-Za-z])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    assert len(entries) > 50
    assert [entry for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)] == []
    assert not re.search(r"^--(extra-)?index-url", text, re.MULTILINE), "a second index"


@pytest.mark.parametrize("image", ["cpu", "cuda"])
def test_all_that_the_package_needs_is_there(image: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"]]
    for extra in EXTRAS[image]:
        asked += project["optional-dependencies"][extra]
    names = {normal(re.match(r"[\w.-]+", line)[0]) for line in asked}  # type: ignore[index]
    assert names <= set(packages(image)), "run make requirements"


def test_the_server_has_accounts_a_database_and_object_storage() -> None:
    assert {"mlflow", "flask-wtf", "psycopg-binary", "boto3"} <= set(packages("mlflow"))
