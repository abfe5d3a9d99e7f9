"""Encoders of geospatial foundation models, computing what their authors' code computes.

`configurations` holds the sizes and hub files as data and imports no torch; `prithvi`,
`terramind`, `clay`, `dofa` and `satmae` hold one family each. Every encoder's `forward` returns
the tokens after each of its blocks; `grid`, `feature_map` and `pooled` turn them into maps and
vectors.
"""
