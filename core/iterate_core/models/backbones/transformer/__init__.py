"""What several vision transformers share: tokens, positions, wavelengths."""
