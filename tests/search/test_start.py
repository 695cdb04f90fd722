"""What a start leaves out: services of Ray that nobody asks for anything."""

from __future__ import annotations

from contextlib import suppress

import psutil

from cluster.connect import Slots

NOT_NEEDED = ("log_monitor.py", "dashboard/dashboard.py", "autoscaler/_private/monitor.py")


def test_a_session_of_this_machine_has_no_service_that_trials_do_not_need(ray_session: Slots) -> None:
    commands = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # ended meanwhile, as a worker of an earlier test may
            commands.append(" ".join(process.cmdline()))
    assert any("raylet" in command for command in commands)
    assert not [c for c in commands if "--raylet_socket_name" not in c and any(n in c for n in NOT_NEEDED)]
