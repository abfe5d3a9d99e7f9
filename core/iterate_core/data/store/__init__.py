"""A dataset's pixels and targets, checked and packed once."""
