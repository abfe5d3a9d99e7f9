"""What each dataset of GEO-Bench-2 declares, and its defects."""
