"""Datasets of Hugging Face, as they lie on disk: tables with images in them."""
