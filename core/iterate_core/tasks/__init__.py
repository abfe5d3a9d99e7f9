"""Tasks: what is predicted, how it is scored, and one Lightning module for each."""
