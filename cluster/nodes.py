"""The machines that a cluster file would start, read without starting it: costs and slots for trials."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster.errors import ClusterError
from cluster.guarded_yaml import GuardedLoader

_UNSET = "CHANGE-ME"
_RESULTS = "UNLEARN_RESULTS"


@dataclass(frozen=True)
class Group:
    """Machines of one kind.

    Attributes:
        least: Machines that run for as long as the cluster.
        most: Machines that may run at once, which limits the cost.
        machine: The type to look up in a price list.
        cpus: CPUs of each machine, for trials; None if Ray detects them.
        gpus: GPUs of each machine, for trials; None if Ray detects them.
        price: The kind of price; empty for machines that you own.
    """

    name: str
    least: int
    most: int
    machine: str
    cpus: float | None
    gpus: float | None
    price: str = ""

    def __str__(self) -> str:
        count = str(self.most) if self.least == self.most else f"{self.least} to {self.most}"
        parts = [f"{count} x {self.machine}", *([self.price] if self.price else [])]
        parts += [
            f"{unit} for trials: {'as detected' if number is None else f'{number:g}'}"
            for unit, number in (("CPUs", self.cpus), ("GPUs", self.gpus))
        ]
        return f"{self.name}: {', '.join(parts)}"


@dataclass(frozen=True)
class Nodes:
    """All machines of a cluster file.

    Attributes:
        leave: When they are released.
        results: The location to which the driver on them will write; None if the caller chooses it.
    """

    groups: tuple[Group, ...]
    leave: str
    results: str | None = None

    def lines(self) -> Iterator[str]:
        """A summary to read before starting the cluster."""
        yield from map(str, self.groups)
        yield f"at most {sum(g.most for g in self.groups)} machines; {self.leave}"
        yield f"trials at once: {_slots(self.groups)}"


def nodes(path: Path) -> Nodes:
    """The machines that a file for ray up, KubeRay or Slurm would start.

    Raises:
        ClusterError: for a file that cannot be read, that Ray's check refuses, that is not for any of the
            three, or that contains values to fill in.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ClusterError(f"{path} cannot be read: {error}") from None
    slurm = re.search(r"^#SBATCH ", text, flags=re.MULTILINE)
    try:
        result = _slurm(text) if slurm else _yaml(path, text)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ClusterError(
            f"{path} is not complete: {type(error).__name__} at {error}; compare it with the shipped file "
            "(unlearn files)"
        ) from None
    unset = [number for number, line in enumerate(text.splitlines(), 1) if _UNSET in _code(line)]
    if unset:
        raise ClusterError(f"{path}: fill in {_UNSET} on line {', '.join(map(str, unset))}")
    if result.results == "":
        raise ClusterError(f"{path}: {_RESULTS} is empty; set it to s3://bucket/folder or gs://bucket/folder")
    return result


def _yaml(path: Path, text: str) -> Nodes:
    try:
        documents = [d for d in yaml.load_all(text, Loader=GuardedLoader) if isinstance(d, dict)]
    except yaml.YAMLError as error:
        raise ClusterError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    for document in documents:
        if "provider" in document:
            return _ray_up(path, document)
        if document.get("kind") == "RayJob":
            return _kuberay(document["spec"]["rayClusterSpec"])
        if document.get("kind") == "RayCluster":
            return _kuberay(document["spec"])
    raise ClusterError(
        f"{path} does not start machines; a file for ray up has the key 'provider', a file for KubeRay has a "
        "RayJob or RayCluster, and a file for Slurm has lines with #SBATCH"
    )


def checked(config: dict[str, Any]) -> dict[str, Any]:
    """A ray up configuration with Ray's defaults filled in, as Ray itself would use it.

    Raises:
        ValueError, AssertionError or jsonschema's ValidationError: Ray's objection.
    """
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared: dict[str, Any] = prepare_config(config)
    validate_config(prepared)
    return prepared


def _ray_up(path: Path, config: dict[str, Any]) -> Nodes:
    try:
        prepared = checked(config)
    except Exception as error:  # of many types, all of them about the file
        why = getattr(error, "message", None) or str(error)
        raise ClusterError(f"{path}: Ray refuses it: {why}") from None
    leave = f"idle workers leave after {prepared['idle_timeout_minutes']:g} minutes"
    options = " ".join(prepared["docker"].get("run_options", []))
    results = re.search(rf"\b{_RESULTS}=(\S*)", options)
    location = results[1] if results else ""
    provider = prepared["provider"]
    if provider["type"] == "local":
        workers = len(provider["worker_ips"])
        return Nodes(
            (
                Group("head", 1, 1, "your machine", 0, 0),
                Group("worker", workers, workers, "your machine", None, None),
            ),
            "they run until `ray down`",
            location,
        )
    head = prepared["head_node_type"]
    groups = [
        _machine(name, kind, kind["node_config"], head=name == head)
        for name, kind in prepared["available_node_types"].items()
    ]
    return Nodes(tuple(groups), leave, location)


def _machine(name: str, kind: dict[str, Any], launch: dict[str, Any], *, head: bool) -> Group:
    resources = kind["resources"]
    spot = "spot" in str(launch.get("InstanceMarketOptions", launch.get("scheduling", ""))).lower()
    return Group(
        name=name,
        least=1 if head else kind["min_workers"],
        most=1 if head else kind["max_workers"],
        machine=launch.get("InstanceType") or launch.get("machineType") or "machine",
        cpus=resources.get("CPU"),
        gpus=resources.get("GPU", 0),
        price="spot" if spot else "on demand",
    )


def _kuberay(spec: dict[str, Any]) -> Nodes:
    head = spec["headGroupSpec"]
    groups = [_pods("head", 1, 1, head)]
    groups += [
        _pods(group["groupName"], group["minReplicas"], group["maxReplicas"], group)
        for group in spec.get("workerGroupSpecs", [])
    ]
    idle = spec.get("autoscalerOptions", {}).get("idleTimeoutSeconds", 60)
    env = {e["name"]: e.get("value") for e in head["template"]["spec"]["containers"][0].get("env", [])}
    leave = f"idle workers leave after {idle / 60:g} minutes"
    return Nodes(tuple(groups), leave, env.get(_RESULTS) or "")


def _pods(name: str, least: int, most: int, group: dict[str, Any]) -> Group:
    pod = group["template"]["spec"]
    limits = pod["containers"][0]["resources"]["limits"]
    cpus = float(group.get("rayStartParams", {}).get("num-cpus", limits["cpu"]))
    gpus = float(limits.get("nvidia.com/gpu", 0))
    size = ", ".join(f"{key} {value}" for key, value in limits.items())
    spot = any("spot" in t["key"] + str(t.get("value", "")) for t in pod.get("tolerations", []))
    return Group(name, least, most, f"pod ({size})", cpus, gpus, "spot allowed" if spot else "not on spot")


def _slurm(text: str) -> Nodes:
    options = dict(re.findall(r"^#SBATCH --([a-z-]+)=(\S+)", text, flags=re.MULTILINE))
    least, _, most = options["nodes"].partition("-")
    group = Group("nodes", int(least), int(most or least), "node", None, None)
    return Nodes((group,), f"{options['time']} at a time, then requeued until the plan is done")


def _slots(groups: Sequence[Group]) -> str:
    """The number of slots for trials on all machines, as a formula of the plan's keys for one trial."""
    if any(group.cpus is None for group in groups):
        return "as many as the plan's cpus_per_trial and gpus_per_trial allow"
    cpus, gpus = (
        sum(group.most * (getattr(group, unit) or 0) for group in groups) for unit in ("cpus", "gpus")
    )
    on_cpus = f"{cpus:g} / cpus_per_trial"
    return f"the smaller of {on_cpus} and {gpus:g} / gpus_per_trial" if gpus else on_cpus


def _code(line: str) -> str:
    """A line without its comment."""
    return re.sub(r"(^|\s)#.*", "", line)
