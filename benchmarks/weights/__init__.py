"""Weights: files, checkpoints, fitting them into a network, and how far they changed."""
