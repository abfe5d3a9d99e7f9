"""Presto, which reads time series of single pixels, as a backbone."""
