"""Tessera, which reads time series of single pixels, as a backbone."""
