"""From result rows to ranks, tables, pages and submissions."""
