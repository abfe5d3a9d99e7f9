"""One recipe in training: completed, built, fitted, evaluated, checkpointed."""
