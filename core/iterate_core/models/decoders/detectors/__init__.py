"""Detectors of torchvision on any backbone's maps."""
