"""Ways to fine-tune: what of a backbone trains."""
