"""Two runs, or two protocols, and how alike they rank the same backbones."""
