"""Benchmarks: suites as data, statistics, leaderboards and submissions."""
