"""Finding hyper-parameters: the only package that imports Optuna and Ray Tune."""
