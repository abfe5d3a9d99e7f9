"""From a pack to batches: order, scaling, acquisition context."""
