"""Errors of the machines that a run is placed on."""

from __future__ import annotations


class ClusterError(Exception):
    """A machine or cluster that cannot do what was asked; the message says what to do."""


# What to do, after the address of a cluster
ASKS_FOR_A_TOKEN = (
    "asks for a token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the cluster's"
)
