"""Clay v1 and v1.5."""
