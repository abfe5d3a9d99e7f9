"""How the commands speak to people and machines."""
