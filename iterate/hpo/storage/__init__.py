"""A study's truth: Optuna's storage in memory and in a database, and who may write it."""
