"""Prithvi-EO 1.0 and 2.0."""
