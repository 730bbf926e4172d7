"""The documents of `deploy/`: commands that exist, links that lead somewhere."""

import json
from importlib.util import find_spec
from pathlib import Path

import jsonschema
import pytest
import yaml

from sweep.cli import parser
from tests.support.data import ROOT
from tests.support.deployments import DEPLOY, commands
from tools import links

PAGES = sorted([*DEPLOY.rglob("README.md"), ROOT / "SECURITY.md", ROOT / "docs" / "cluster.md"])
PARTS = ("compose", "kubernetes", "slurm", "ray-up")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_exists(page: Path) -> None:
    for words in commands(page.read_text(encoding="utf-8")):
        parser().parse_args(words)


def test_commands_are_found_where_documents_have_them() -> None:
    text = """
```sh
docker compose exec head mrisweep check /a.yaml && echo mrisweep
ray job submit --address x -- \\
  ~/venv/bin/mrisweep best /b  # the table
kubectl --namespace mrisweep get rayjob mrisweep
```
"""
    assert list(commands(text)) == [["check", "/a.yaml"], ["best", "/b"]]


def test_every_link_leads_somewhere() -> None:
    assert list(links.broken(links.pages(PAGES))) == []


@pytest.mark.parametrize("part", PARTS)
def test_each_part_says_what_was_run_and_what_was_not(part: str) -> None:
    text = (DEPLOY / part / "README.md").read_text(encoding="utf-8")
    assert "## What was run" in text
    assert "Nobody has run" in text
    assert f"]({part}/README.md)" in (DEPLOY / "README.md").read_text(encoding="utf-8")


def test_the_page_of_clusters_leads_here() -> None:
    assert "../deploy/README.md" in (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")


def test_ray_reads_the_file_of_ray_up() -> None:
    spec = find_spec("ray")
    assert spec
    assert spec.origin
    schema = Path(spec.origin).parent / "autoscaler" / "ray-schema.json"
    cluster = yaml.safe_load((DEPLOY / "ray-up" / "cluster.yaml").read_text(encoding="utf-8"))
    jsonschema.validate(cluster, json.loads(schema.read_text(encoding="utf-8")))
    starts = [cluster["head_start_ray_commands"][-1], cluster["worker_start_ray_commands"][-1]]
    assert all("RAY_AUTH_MODE=token" in start for start in starts)
    assert cluster["max_workers"] == len(cluster["provider"]["worker_ips"])
