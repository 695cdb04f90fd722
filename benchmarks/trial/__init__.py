"""One trial: a prepared scenario, a method run on it, its cost and its evaluation."""
