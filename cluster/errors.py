"""Errors of the machines that a run is placed on."""

from __future__ import annotations


class ClusterError(Exception):
    """A machine or cluster that cannot do what was asked; the message says what to do."""


class GpusGone(ClusterError):
    """Work waits for a GPU, and the machines that had them have left the cluster."""

    def __init__(self) -> None:
        super().__init__("the machines with GPUs have left the cluster; the same command goes on without")


# What to do, after the address of a cluster
ASKS_FOR_A_TOKEN = (
    "asks for a token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the cluster's"
)


def one_line(error: BaseException) -> str:
    """What an error says, in one line of 300 letters at most."""
    text = " ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]}..."
