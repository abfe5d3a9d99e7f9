"""What is computed for several modules at once is what each computes alone."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from iterate_core.models.stacked import StackedBatchNorm

MEMBERS, BATCH, WIDTH = 3, 16, 40


@pytest.fixture
def members() -> list[nn.BatchNorm1d]:
    return [nn.BatchNorm1d(WIDTH, affine=False) for _ in range(MEMBERS)]


@pytest.fixture
def source() -> torch.Tensor:
    """Features, some of which are far from zero, and some nearly constant."""
    features = torch.randn(100, WIDTH, generator=torch.Generator().manual_seed(0)) ** 3
    features[:, ::4] += 50
    features[:, 1::4] *= 1e-4
    return features


def test_rows_are_standardised_to_what_batch_normalisation_makes_of_them(
    members: list[nn.BatchNorm1d], source: torch.Tensor
) -> None:
    alone = copy.deepcopy(members)
    together = StackedBatchNorm(members)
    out = torch.empty(MEMBERS, BATCH, WIDTH)
    for step in range(3):
        draws = torch.Generator().manual_seed(step)
        rows = torch.stack([torch.randperm(100, generator=draws)[:BATCH] for _ in range(MEMBERS)])
        together.standardise(source, rows, out)
        expected = torch.stack([one(source[mine]) for one, mine in zip(alone, rows, strict=True)])
        torch.testing.assert_close(out, expected, rtol=1e-6, atol=1e-6)
    for one, other in zip(members, alone, strict=True):
        torch.testing.assert_close(one.state_dict(), other.state_dict(), rtol=1e-6, atol=1e-6)


def test_in_validation_each_standardises_by_its_own_moving_statistics(
    members: list[nn.BatchNorm1d], source: torch.Tensor
) -> None:
    for number, one in enumerate(members):
        one(source[number : number + BATCH])
    alone = [copy.deepcopy(one).eval() for one in members]
    together = StackedBatchNorm(members).eval()
    found = together(source.expand(MEMBERS, *source.shape))
    torch.testing.assert_close(found, torch.stack([one(source) for one in alone]))
