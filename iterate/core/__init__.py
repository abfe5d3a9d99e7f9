"""The fine-tuning engine: usable alone; knows nothing of Ray, Optuna, MLflow or Hydra."""
