"""One Ray Tune run that serves every study: cluster, workers and their watch."""
