"""How a recipe learns: step by step, or at once."""
