"""``iterate bench``."""
