"""Original and retrained models: recipes, training, identity and cache."""
