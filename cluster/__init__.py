"""Where trials run: the only room that imports Ray's core."""
