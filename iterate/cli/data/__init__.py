"""``iterate data``."""
