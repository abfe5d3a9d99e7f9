"""Every model of timm, by its name."""
