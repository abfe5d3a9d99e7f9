"""Windows cover a scene, and their weights sum to one wherever they overlap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterate_core.errors import RequestError
from iterate_core.inference.windows import Axis, grid_of, runs, unit_of


@given(
    length=st.integers(1, 300),
    size=st.integers(1, 64),
    share=st.floats(0, 0.95),
    finer=st.integers(1, 3),
)
def test_weights_are_a_partition_of_unity(length: int, size: int, share: float, finer: int) -> None:
    axis = Axis(length, size, max(1, size - int(size * share)))
    total = np.zeros((length + 2 * size) * finer)
    for index in range(axis.count):
        start = axis.start(index) * finer
        total[start : start + size * finer] += axis.weights(index, finer)
    assert np.allclose(total[: length * finer], 1, atol=1e-6)
    assert axis.start(axis.count - 1) + size >= length
    assert axis.count == 1 or axis.start(axis.count - 2) + size < length


def test_the_outer_fourth_of_an_overlap_is_dropped_and_the_rest_a_raised_cosine() -> None:
    axis = Axis(200, 64, 48)
    first, second, last = (axis.weights(index) for index in (0, 1, axis.count - 1))
    assert (first[:48] == 1).all()  # flat at the scene's end
    assert (last[16:] == 1).all()
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(8) + 0.5) / 8)
    wanted = np.concatenate((np.zeros(4), rise, np.ones(4)))
    assert second[:16] == pytest.approx(wanted)
    assert second[48:] == pytest.approx(wanted[::-1])
    assert first[48:] == pytest.approx(1 - wanted)


def test_every_pixel_is_settled_by_one_window() -> None:
    axis = Axis(203, 64, 48)
    settled = [axis.settled(index) for index in range(axis.count)]
    assert settled == [(0, 48), (48, 96), (96, 144), (144, 203)]


def test_steps_keep_the_cells_of_a_models_maps_where_they_lie() -> None:
    grid = grid_of((500, 500), (224, 224), None, (16, 16))
    assert grid.rows.step == 160  # three fourths are 168
    assert grid_of((500, 500), (64, 64), None, (32, 32)).rows.step == 32
    # Where one cell is as large as the window, no step keeps them.
    assert grid_of((500, 500), (32, 32), None, (32, 32)).rows.step == 24
    # Of images of 64 pixels that are resized to 224, 16 pixels are 4 and 4 sevenths.
    assert unit_of(16, (224, 224), (64, 64)) == (32, 32)
    assert unit_of(16, (64, 64), (64, 64)) == (16, 16)


def test_an_overlap_must_leave_a_step() -> None:
    assert grid_of((100, 100), (32, 32), 0, (1, 1)).rows.step == 32
    with pytest.raises(RequestError, match="Take 0 to 31"):
        grid_of((100, 100), (32, 32), 32, (1, 1))
    with pytest.raises(RequestError, match="--overlap"):
        grid_of((100, 100), (32, 32), -1, (1, 1))


def test_batches_are_of_about_equal_size() -> None:
    assert [len(run) for run in runs(list(range(42)), 32)] == [21, 21]
    assert runs(list(range(7)), 3) == [[0, 1], [2, 3], [4, 5, 6]]
    assert runs([], 3) == []
