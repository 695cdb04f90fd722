"""Names of addresses, without the imports that connecting needs."""

from __future__ import annotations

LOCAL = "local"  # this machine, without a cluster
