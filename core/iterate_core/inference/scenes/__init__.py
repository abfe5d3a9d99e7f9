"""Scenes as users have them, read window by window as a trained model takes them."""
