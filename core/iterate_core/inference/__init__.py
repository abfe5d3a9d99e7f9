"""Trained models in use: loaded without their training data, on images of any size."""
