"""Readers of datasets that are classes of TorchGeo, or of one's own in its manner."""
