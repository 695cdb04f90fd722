"""Models to export: the unlearned one, the original and the retrained ones, each with a card."""
