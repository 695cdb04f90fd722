"""The stages of a plan (prepare, search, benchmark and sensitivity) and their results."""
