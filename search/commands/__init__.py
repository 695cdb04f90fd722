"""The commands that run something, one a file; each adds itself to the command line with `register`."""
