"""Components by name: registries, their typed options, and users' own code."""
