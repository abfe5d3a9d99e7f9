"""From a coarse grid to a finer one, scored beside the obvious interpolation."""
