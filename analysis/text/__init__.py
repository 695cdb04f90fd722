"""Results as text: labels, tables, and the answer of a run in a terminal."""
