"""Figures drawn with matplotlib: each function takes data and returns a Figure."""
