"""Necks: what brings a backbone's feature maps to those that a decoder reads."""
