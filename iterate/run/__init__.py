"""One command's run: studies into the pool, results into its folder, everything into MLflow."""
