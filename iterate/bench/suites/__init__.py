"""Suites: what they hold, and where their data lie."""
