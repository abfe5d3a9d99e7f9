"""From a pack to batches: order, scaling, augmentation, acquisition context."""
