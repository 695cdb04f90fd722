"""Things that a start omits: unused services of Ray, torch in the driver, pandas before Ray, and imports."""

from __future__ import annotations

import os
import pickle
import pickletools
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from benchmarks import Prepared, run_trial
from cluster.slots import Slots
from search.results.rows import sample_rows, trial_row
from search.results.writer import Finished
from tests.scripts import words_printed

NOT_NEEDED = (
    "log_monitor.py",
    "dashboard/dashboard.py",
    "autoscaler/_private/monitor.py",
    "ray::DashboardAgent",
    "ray::RuntimeEnvAgent",
)


def test_a_session_of_this_machine_has_no_service_that_trials_do_not_need(ray_session: Slots) -> None:
    commands = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # ended meanwhile, as a worker of an earlier test may
            commands.append(" ".join(process.cmdline()))
    raylet = next(command for command in commands if "--raylet_socket_name" in command)
    assert "--runtime_env_agent_port=0" not in raylet, "it would wait until the agent has chosen a port"
    assert sum("idle_agent.py" in command for command in commands if command != raylet) == 2
    assert not [c for c in commands if "--raylet_socket_name" not in c and any(n in c for n in NOT_NEEDED)]


def test_tasks_may_have_an_environment_of_their_own(ray_session: Slots) -> None:
    """The raylet has it made by its agent, which is idle until then."""
    import ray

    def own() -> str | None:
        return os.environ.get("OWN")

    task: Any = ray.remote(own).options(runtime_env={"env_vars": {"OWN": "1"}})
    assert ray.get(task.remote(), timeout=120) == "1"


def test_a_row_is_read_without_torch(digits: Prepared) -> None:
    result = run_trial(digits, "jit", {"lr": 1e-4}, seed=1)
    sent = pickle.dumps(Finished(trial_row(result, digits, {}), sample_rows(result, digits)))
    words = {str(argument).split(".")[0] for _, argument, _ in pickletools.genops(sent)}
    assert "search" in words  # the module of Finished, so modules are seen here
    assert "torch" not in words


def test_pandas_is_imported_only_while_ray_starts(tmp_path: Path) -> None:
    """Nothing needs it before the results of a new run are open."""
    script = "import sys, search.stages.search; from search.results.writer import Results; "
    script += "Results(sys.argv[1], 'run').close(); print('pandas' in sys.modules, 'pyarrow' in sys.modules)"
    assert words_printed(script, str(tmp_path)) == ["False", "True"]


def test_workers_are_copies_of_a_process_that_has_their_modules() -> None:
    """Ray is loaded last: a process that has loaded it outside its session would refuse every request.

    And copies of it draw different random ids; otherwise there would be none.
    """
    script = "import importlib, sys; from search.stages.workers import MODULES; before = {*sys.modules}; "
    script += "[importlib.import_module(name) for name in MODULES]; "
    script += "print('torch' in before, 'torch' in sys.modules, 'ray' in sys.modules); "
    script += "importlib.import_module('ray._private.workers.default_worker'); "
    script += "from cluster.fork_server import independent; print(independent())"
    assert words_printed(script) == ["False", "True", "False", "True"]
