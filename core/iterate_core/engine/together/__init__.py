"""Heads on the same kept features that train as one batched computation."""
