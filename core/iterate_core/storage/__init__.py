"""What is kept on disk and in memory: atomic files, locks, digests, caches."""
