"""Errors of the machines that a run uses."""

from __future__ import annotations


class ClusterError(Exception):
    """A machine or cluster cannot do what was requested; the message says how to fix it."""


class GpusGone(ClusterError):
    """Work waits for a GPU, but the machines with GPUs have left the cluster."""

    def __init__(self) -> None:
        super().__init__("the machines with GPUs have left the cluster; the same command continues without")


# Follows the address of a cluster in a message
ASKS_FOR_A_TOKEN = (
    "asks for a token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the cluster's"
)


def one_line(error: BaseException) -> str:
    """The message of an error, in one line of 300 letters at most."""
    text = " ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]}..."
