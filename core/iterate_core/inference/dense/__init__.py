"""Maps of scenes of any size, made window by window."""
