"""Files of a hub: found, fetched, verified."""
