"""Backbones: what turns an image into features."""
