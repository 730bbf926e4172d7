"""The manifests for KubeRay: its schema, its own rules, the network, and what pods may do."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from sweep.cli import parser
from sweep.config.sweep import SweepConfig
from tests.support.data import SHARED, needs
from tests.support.deployments import DEPLOY, documents, pinned, program

FOLDER = DEPLOY / "kubernetes"
SCHEMAS = SHARED / "data" / "schemas"
OVERLAYS = ("job", "cluster", "overlays/job-gpu-kueue")
(JOB,) = documents(FOLDER / "job" / "rayjob.yaml")
(CLUSTER,) = documents(FOLDER / "cluster" / "raycluster.yaml")
CLUSTERS = {"job": JOB["spec"]["rayClusterSpec"], "cluster": CLUSTER["spec"]}
POLICIES = {
    policy["metadata"]["name"]: policy["spec"]
    for name in ("base/networkpolicies.yaml", "cluster/networkpolicy-api.yaml")
    for policy in documents(FOLDER / name)
}


def rendered(overlay: str) -> dict[str, list[dict[str, Any]]]:
    """What kustomize makes of an overlay, by kind."""
    done = subprocess.run(
        [program("kubectl"), "kustomize", str(FOLDER / overlay)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for document in yaml.safe_load_all(done.stdout):
        by_kind.setdefault(document["kind"], []).append(document)
    return by_kind


def strict(node: Any) -> Any:
    """A schema that refuses fields it does not name: the API server would drop them in silence."""
    if isinstance(node, dict):
        named = node.get("properties") and not node.get("x-kubernetes-preserve-unknown-fields")
        more = {"additionalProperties": False} if named else {}
        return {**more, **{key: strict(value) for key, value in node.items()}}
    return [strict(value) for value in node] if isinstance(node, list) else node


def groups(cluster: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield cluster["headGroupSpec"]
    yield from cluster["workerGroupSpecs"]


def pods() -> Iterator[dict[str, Any]]:
    for cluster in CLUSTERS.values():
        yield from (group["template"] for group in groups(cluster))


def refuses(change: dict[str, Any]) -> bool:
    """Whether the strict schema refuses the job with a change of its cluster."""
    schema = strict(json.loads((SCHEMAS / "rayjob.v1.schema.json").read_text()))
    cluster = {**JOB["spec"]["rayClusterSpec"], **change}
    job = {**JOB, "spec": {**JOB["spec"], "rayClusterSpec": cluster}}
    return not jsonschema.Draft7Validator(schema).is_valid(job)


@needs(SCHEMAS)
def test_job_and_cluster_are_what_kuberay_reads() -> None:
    schema = strict(json.loads((SCHEMAS / "rayjob.v1.schema.json").read_text()))
    jsonschema.Draft7Validator(schema).validate(JOB)
    cluster = schema["properties"]["spec"]["properties"]["rayClusterSpec"]
    jsonschema.Draft7Validator(cluster).validate(CLUSTER["spec"])
    assert refuses({"rayVersoin": "2.60.0"}), "a misspelt field"


@needs(SCHEMAS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_overlay_is_what_kuberay_reads(overlay: str) -> None:
    schema = strict(json.loads((SCHEMAS / "rayjob.v1.schema.json").read_text()))
    kinds = rendered(overlay)
    for job in kinds.get("RayJob", []):
        jsonschema.Draft7Validator(schema).validate(job)
    for cluster in kinds.get("RayCluster", []):
        part = schema["properties"]["spec"]["properties"]["rayClusterSpec"]
        jsonschema.Draft7Validator(part).validate(cluster["spec"])
    assert len(kinds.get("RayJob", [])) + len(kinds.get("RayCluster", [])) == 1


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_own_kinds_are_what_it_reads(overlay: str) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="`make deploy-check` has it")
    for kind, many in rendered(overlay).items():
        for document in many:
            if not kind.startswith("Ray"):
                validate.validate(document, "1.33", strict=True)


def test_an_overlay_asks_for_gpus_and_waits_in_its_queue() -> None:
    (job,) = rendered("overlays/job-gpu-kueue")["RayJob"]
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"]
    assert job["spec"]["shutdownAfterJobFinishes"] is True
    (workers,) = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    (container,) = workers["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert container["image"].endswith("-cuda")
    parser().parse_args(shlex.split(job["spec"]["entrypoint"])[1:])


@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=CLUSTERS)
def test_ray_is_the_version_that_was_tested_and_asks_for_the_token(cluster: dict[str, Any]) -> None:
    assert cluster["rayVersion"] == pinned()["ray"]
    assert cluster["authOptions"] == {"mode": "token", "secretName": "mrisweep-ray-token"}
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert "gcsFaultToleranceOptions" not in cluster, "the state is in the sweep's folder"
    assert "networkPolicy" not in cluster, "KubeRay's own leaves out names"


def test_a_job_that_is_retried_goes_on_and_ends_in_time() -> None:
    spec = JOB["spec"]
    command = shlex.split(spec["entrypoint"])
    assert command[:3] == ["mrisweep", "run", "--or-resume"]
    parser().parse_args(command[1:])
    config = SweepConfig.from_yaml(FOLDER / "job" / "sweep.yaml")
    assert spec["backoffLimit"] > 0
    assert config.search.limits.hours * 3600 < spec["activeDeadlineSeconds"]
    assert spec["preRunningDeadlineSeconds"] < spec["activeDeadlineSeconds"]
    assert str(config.data.store).startswith("/shared/")


def test_a_job_keeps_to_what_kuberay_asks_of_a_sidecar() -> None:
    spec = JOB["spec"]
    assert spec["submissionMode"] == "SidecarMode"
    assert not {"submitterPodTemplate", "submitterConfig", "clusterSelector"} & set(spec)
    head = spec["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    assert head.get("restartPolicy", "Never") == "Never"
    assert spec["shutdownAfterJobFinishes"] is True, "a time to live needs it"
    assert "deletionStrategy" not in spec


def test_a_cluster_that_grows_uses_the_second_autoscaler() -> None:
    assert CLUSTER["spec"]["enableInTreeAutoscaling"] is True
    options = CLUSTER["spec"]["autoscalerOptions"]
    assert options["version"] == "v2"
    for group in groups(CLUSTER["spec"]):
        names = [
            one["name"] for c in group["template"]["spec"]["containers"] for one in c.get("env", [])
        ]
        assert "RAY_enable_autoscaler_v2" not in names, "the option says it already"


def test_no_container_can_become_root() -> None:
    for template in pods():
        pod = template["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 1000
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
    assert CLUSTER["spec"]["autoscalerOptions"]["securityContext"]["readOnlyRootFilesystem"] is True


def test_pods_without_an_autoscaler_cannot_ask_the_api() -> None:
    for name, cluster in CLUSTERS.items():
        for group in groups(cluster):
            if name == "job" or "groupName" in group:
                assert group["template"]["spec"]["automountServiceAccountToken"] is False


def test_every_image_has_a_version_and_no_secret_is_written_down() -> None:
    for file in FOLDER.rglob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        assert "kind: Secret" not in text
        for image in re.findall(r"image: (\S+)", text):
            assert re.search(r":\d+\.\d+", image)
    for template in pods():
        for container in template["spec"]["containers"]:
            assert all("value" not in one for one in container.get("env", []))


def test_the_network_lets_names_mlflow_and_storage_through_and_nobody_in() -> None:
    policy = POLICIES["mrisweep-ray"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    ports = {
        (port["protocol"], port["port"])
        for rule in policy["egress"]
        for port in rule.get("ports", [])
    }
    assert {("UDP", 53), ("TCP", 53), ("TCP", 5000), ("TCP", 9000)} <= ports
    own = policy["podSelector"]["matchLabels"]
    for template in pods():
        assert own.items() <= template["metadata"]["labels"].items()
    for rule in policy["ingress"]:
        (source,) = rule["from"]
        other = source.get("podSelector", {}).get("matchLabels") != own
        assert not other or rule["ports"] == [{"protocol": "TCP", "port": 8265}]


def test_the_autoscaler_reaches_the_api_server() -> None:
    policy = POLICIES["mrisweep-autoscaler"]
    assert policy["podSelector"]["matchLabels"]["ray.io/node-type"] == "head"
    assert {port["port"] for rule in policy["egress"] for port in rule["ports"]} == {443, 6443}


def test_what_pods_mount_is_there() -> None:
    claims = {one["metadata"]["name"] for one in documents(FOLDER / "base" / "shared.yaml")}
    kustomization = yaml.safe_load((FOLDER / "job" / "kustomization.yaml").read_text())
    maps = {one["name"] for one in kustomization["configMapGenerator"]}
    for template in pods():
        pod = template["spec"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
        for volume in volumes.values():
            if claim := volume.get("persistentVolumeClaim"):
                assert claim["claimName"] in claims
            if config := volume.get("configMap"):
                assert config["name"] in maps


def test_every_file_belongs_to_a_kustomization() -> None:
    files = {path for path in FOLDER.rglob("*.yaml") if path.name != "kustomization.yaml"}
    used: set[Path] = set()
    for path in FOLDER.rglob("kustomization.yaml"):
        kustomization = yaml.safe_load(path.read_text(encoding="utf-8"))
        names = [*kustomization.get("resources", [])]
        for generator in kustomization.get("configMapGenerator", []):
            names += generator["files"]
        used |= {(path.parent / name).resolve() for name in names}
    assert files <= used
