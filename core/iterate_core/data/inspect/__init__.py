"""A dataset looked at: counted, measured and drawn."""
