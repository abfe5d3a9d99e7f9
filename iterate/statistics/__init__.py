"""The statistics of benchmarks, and nothing else: arrays in, figures out.

    scores.py       min–max normalisation, the interquartile mean
    published.py    what the GEO-Bench leaderboards compute, number for number
    intervals.py    95 % intervals over training seeds that hold what they promise
    samples.py      intervals over test samples
    comparisons.py  which backbones differ, ranks with intervals, groups that cannot be told apart
    friedman.py     average ranks over datasets, and the critical difference between them
    spread.py       how much of the spread between backbones each dataset explains

A *stratum* is the scores of one backbone on one dataset, one a seed; a *pool* is all strata of a
backbone over the datasets of a group. Datasets are fixed, seeds are drawn.
"""
