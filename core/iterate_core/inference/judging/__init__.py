"""How a trained model did on each sample of a split, and how sure it was."""
