"""A run, or several compared, as one self-contained HTML page."""
