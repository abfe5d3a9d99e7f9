"""Spaces, samplers, schedulers, studies, and the pool that runs them all."""
