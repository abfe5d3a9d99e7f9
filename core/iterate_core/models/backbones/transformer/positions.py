"""Sine and cosine codes of positions, and how tables of them follow an image's size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def sincos(values: Tensor, width: int) -> Tensor:
    """Code numbers as in "Attention is all you need" (Vaswani et al., 2017), sines first.

    Args:
        values: (...) floating-point numbers; the code is computed in their precision.
        width: Length of the code, even.

    Returns:
        (..., width): [sin(v·ω) | cos(v·ω)] with ω_k = 10000^(−k / (width/2)).
    """
    steps = torch.arange(width // 2, dtype=values.dtype, device=values.device)
    frequencies = 1.0 / 10000 ** (steps / (width / 2))
    angles = values[..., None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def index_codes(count: int, width: int) -> Tensor:
    """(count, width) codes of 0 … count − 1 in double precision."""
    return sincos(torch.arange(count, dtype=torch.float64), width)


def table_2d(width: int, grid: tuple[int, int], columns_first: bool) -> Tensor:
    """Codes of the cells of a grid, row by row; half of each code follows each axis.

    Args:
        width: Length of a code, a multiple of 4.
        grid: Rows and columns.
        columns_first: Whether the first half follows the column index, as in MAE (He et al.,
            2022), or the row index.

    Returns:
        (1, rows·columns, width) in single precision.
    """
    rows, columns = grid
    by_row = index_codes(rows, width // 2)[:, None].expand(-1, columns, -1)
    by_column = index_codes(columns, width // 2)[None].expand(rows, -1, -1)
    halves = [by_column, by_row] if columns_first else [by_row, by_column]
    return torch.cat(halves, dim=-1).reshape(1, rows * columns, width).float()


def resize_table(
    table: Tensor, old: tuple[int, int], new: tuple[int, int], mode: str, align_corners: bool
) -> Tensor:
    """Resize a table of positions to another grid; the same table where the grid is the same.

    Args:
        table: (n, rows·columns, width) codes, n of them (frames, for instance) apart.
        old: Rows and columns of the table.
        new: Rows and columns wanted.
        mode: ``bicubic`` or ``bilinear``.
        align_corners: As in `torch.nn.functional.interpolate`.

    Returns:
        (n, new rows·columns, width).
    """
    if old == new:
        return table
    maps = table.reshape(len(table), *old, -1).permute(0, 3, 1, 2)
    resized = functional.interpolate(maps, size=new, mode=mode, align_corners=align_corners)
    return resized.flatten(2).transpose(1, 2)
