"""Small heads on frozen features: fitted, or trained with attention."""
