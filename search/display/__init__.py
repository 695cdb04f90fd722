"""Progress of a run in a terminal."""
