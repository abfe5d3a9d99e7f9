"""GEO-Bench-2: its container format, its datasets as data, and their reader."""
