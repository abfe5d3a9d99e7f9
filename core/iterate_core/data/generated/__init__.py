"""Drawn datasets: for tests, demonstrations and first steps."""
