"""The progress of runs, read from their tables and records: speed, time left, drivers at work."""
