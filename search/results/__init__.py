"""Writing results: rows, files, claims of drivers, records, merging and deletion."""
