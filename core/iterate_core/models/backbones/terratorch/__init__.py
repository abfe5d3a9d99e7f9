"""Every encoder of an installed terratorch, by its name."""
