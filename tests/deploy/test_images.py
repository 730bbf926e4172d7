"""The Dockerfile: nobody's root, every package by its hash, no image without a version."""

import re
import subprocess

from tests.support.deployments import DEPLOY, program, settings

DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def stages() -> dict[str, tuple[str, str]]:
    """By name, what each stage is built upon, and its lines."""
    parts = re.split(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, flags=re.MULTILINE)
    return {name: (on, body) for on, name, body in zip(*[iter(parts[1:])] * 3, strict=True)}


def lineage(name: str) -> str:
    """The lines of a stage after those of all that it is built upon."""
    on, body = stages()[name]
    return (lineage(on) if on in stages() else "") + body


def test_every_image_runs_as_a_numbered_user_who_is_not_root() -> None:
    assert {"cpu", "cuda", "mlflow"} <= set(stages())
    for target in ("cpu", "cuda", "mlflow"):
        (*_, user) = re.findall(r"^USER (.+)$", lineage(target), re.MULTILINE)
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "Kubernetes cannot tell root from a name"


def test_every_package_is_installed_by_its_hash() -> None:
    installs = re.findall(r"pip install (.+)$", DOCKERFILE, re.MULTILINE)
    assert len(installs) == 5
    for arguments in installs:
        ours = "--no-deps --no-build-isolation ." in arguments
        assert ours or "--require-hashes --only-binary :all:" in arguments
    assert "apt-get" not in DOCKERFILE, "its packages have no hashes here"


def test_base_images_have_a_version_and_one_source() -> None:
    (python,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", DOCKERFILE, re.MULTILINE)
    example = settings(DEPLOY / "compose" / "example.env")
    assert example["PYTHON_IMAGE"] == python
    for name in ("PYTHON_IMAGE", "POSTGRES_IMAGE", "STORAGE_IMAGE"):
        assert re.fullmatch(
            r"[\w.-]+(/[\w.-]+)+:v?\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?", example[name]
        )
    assert "pin_images.sh" in (DEPLOY / "compose" / "example.env").read_text(encoding="utf-8")
    assert {on for on, _ in stages().values()} <= {"${PYTHON_IMAGE}", *stages()}


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(
        [program("hadolint"), str(DEPLOY / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
