"""The report: one HTML file, its chapters, and the sentences and figures in them."""
