"""Composes, types and checks what a user wrote, with every mistake told at once.

The way through: `words` reads the command line, `compose` merges the files (Hydra), `sections`
finds their ``space:`` sections, `expand` turns those into a `Space`, `check` tries every branch
and every value against the schema, and `load` puts it together.
"""
