"""What every page that the tool writes shares: its look, its script, its parts, its escaping."""
