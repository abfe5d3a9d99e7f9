"""Backbones, necks and decoders, and their assembly. Importing this package imports no torch."""
