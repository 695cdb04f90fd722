"""What an address may be, apart from what it takes to go there."""

from __future__ import annotations

LOCAL = "local"  # this machine, without a cluster
