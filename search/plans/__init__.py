"""Plans: the experiment as data, its YAML file, its checks and its identity."""
