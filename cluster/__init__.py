"""Where trials run: the only package that imports Ray's core."""
