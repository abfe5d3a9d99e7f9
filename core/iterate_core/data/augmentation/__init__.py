"""Random changes of training samples, each fixed by the recipe's seed, the epoch and the sample."""
