"""The file format of GEO-Bench (v1), and its datasets' known defects."""
