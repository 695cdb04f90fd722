"""Speed and memory beside the plain way of doing the same, measured in one run: `make bench`."""
