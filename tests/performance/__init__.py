"""Speed and memory compared with a plain implementation, measured in one run: `make bench`."""
