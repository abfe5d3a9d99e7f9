"""Generated files in the layout of GEO-Bench-2."""
