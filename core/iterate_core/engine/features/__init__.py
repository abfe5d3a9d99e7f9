"""A frozen backbone's features: when they are kept, where, how precisely, and their batches."""
