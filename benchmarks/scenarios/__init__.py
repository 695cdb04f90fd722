"""Scenarios: the images to forget, to retain and to hold out."""
