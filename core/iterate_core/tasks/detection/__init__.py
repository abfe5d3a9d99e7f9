"""Objects: their boxes, or their boxes and masks."""
