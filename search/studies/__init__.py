"""One search: its space, sampler, objective, pruning and trials."""
