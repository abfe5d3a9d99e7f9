"""DOFA."""
