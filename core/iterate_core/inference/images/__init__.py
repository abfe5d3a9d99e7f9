"""Predictions of whole images: a row of a table each."""
