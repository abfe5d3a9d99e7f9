"""Folders of images as they are, read without conversion."""
