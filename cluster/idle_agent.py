"""A process that does nothing until the process that started it ends.

A raylet needs a process as the agent of its dashboard, even if there is no dashboard.
"""

from __future__ import annotations

import os
import time


def main() -> None:
    """Wait for the end of the parent."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1)


if __name__ == "__main__":
    main()
