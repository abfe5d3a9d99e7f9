"""iterate: the best fine-tuning recipe of a geospatial foundation model, with honest numbers."""

__version__ = "0.1.0"
