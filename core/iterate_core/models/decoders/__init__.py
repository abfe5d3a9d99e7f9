"""Decoders: what turns features into predictions."""
