"""Bands and units, dataset readers, the packed store, generated data, and loading."""
