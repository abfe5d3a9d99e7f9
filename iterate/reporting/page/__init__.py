"""The report's template and style."""
