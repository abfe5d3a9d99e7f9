"""A run's best model as a folder for elsewhere: files, model card, hub."""
