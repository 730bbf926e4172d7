"""The documents of `deploy/`: links that lead somewhere, what was run, files that Ray reads."""

import json
from importlib.util import find_spec
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.support.data import ROOT
from tests.support.deployments import DEPLOY
from tools import links

PAGES = sorted([*DEPLOY.rglob("README.md"), ROOT / "SECURITY.md", ROOT / "docs" / "cluster.md"])
PARTS = ("compose", "kubernetes", "slurm", "ray-up")


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
