"""Data in other forms, written in the format that the engine reads."""
