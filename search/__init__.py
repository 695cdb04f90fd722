"""Finding hyper-parameters: the only room that imports Optuna and Ray Tune."""
