"""The commands that run something, one per file; `register` adds each to the command line."""
