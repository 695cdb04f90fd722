"""Other tools: Optuna databases, its dashboard, and CSV."""
