"""MLflow, the view: what people look at; the Optuna storage stays the truth."""
