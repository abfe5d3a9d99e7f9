"""Objects found in scenes of any size, window by window."""
