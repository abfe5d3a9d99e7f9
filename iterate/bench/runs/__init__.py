"""A suite run: planned, checked, trained, scored."""
