"""Things that a start omits: unused services of Ray, and torch in the driver."""

from __future__ import annotations

import pickle
import pickletools
from contextlib import suppress

import psutil

from benchmarks import Prepared, run_trial
from cluster.slots import Slots
from search.results.rows import sample_rows, trial_row
from search.results.writer import Finished

NOT_NEEDED = ("log_monitor.py", "dashboard/dashboard.py", "autoscaler/_private/monitor.py")


def test_a_session_of_this_machine_has_no_service_that_trials_do_not_need(ray_session: Slots) -> None:
    commands = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # ended meanwhile, as a worker of an earlier test may
            commands.append(" ".join(process.cmdline()))
    assert any("raylet" in command for command in commands)
    assert not [c for c in commands if "--raylet_socket_name" not in c and any(n in c for n in NOT_NEEDED)]


def test_a_row_is_read_without_torch(digits: Prepared) -> None:
    result = run_trial(digits, "jit", {"lr": 1e-4}, seed=1)
    sent = pickle.dumps(Finished(trial_row(result, digits, {}), sample_rows(result, digits)))
    words = {str(argument).split(".")[0] for _, argument, _ in pickletools.genops(sent)}
    assert "search" in words  # the module of Finished, so modules are seen here
    assert "torch" not in words
