"""The pool on one machine: workers are forked from a process that has imported already."""
