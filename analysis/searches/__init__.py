"""Analyses of a search: its best point, importance, sensitivity, robustness and transfer."""
