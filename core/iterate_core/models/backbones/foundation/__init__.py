"""Geospatial foundation models as backbones.

`cards` declares them as data and `options` types what a recipe may say of them; neither imports
torch. One file a family builds them around the encoders of `iterate_core.models.encoders`.
"""
