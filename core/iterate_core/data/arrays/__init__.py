"""Datasets that are arrays of one .npz file, read as they are: pixel time series above all."""
