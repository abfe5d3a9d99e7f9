"""Losses: what training makes small, chosen by name."""
