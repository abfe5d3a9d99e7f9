"""A study's trials and repeats: read, begun, at work, counted."""
