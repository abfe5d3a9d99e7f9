"""One file a command; whatever is heavy is imported when the command runs."""
