"""One object found in several overlapping windows is one object."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from iterate_core.inference.objects.detection import Detection

SAME = 0.5
"""Boxes of one class that share more than this of what they cover together are one object."""
WITHIN = 0.5
"""A box that a window's edge cuts is of a whole one that covers more than this of it."""


def merged(found: Sequence[Detection]) -> list[Detection]:
    """Each object once, in the order given.

    Of boxes of one class that are of the same object the one with the highest score stays
    (torchvision's ``batched_nms``), but whole ones go before those that a window's edge cuts.

    Args:
        found: In all windows of a scene.
    """
    if not found:
        return []
    boxes = np.array([each.box for each in found], dtype=np.float64)
    labels = np.array([each.label for each in found])
    cut = np.array([each.cut for each in found])
    ranks = np.array([each.score for each in found]) + ~cut
    pairs = _touching(boxes)
    kept = np.ones(len(found), dtype=bool)
    for members in _clusters(pairs, len(found)):
        kept[members] = False
        kept[members[_suppressed(boxes[members], ranks[members], labels[members])]] = True
    part, whole = pairs
    inside = kept[part] & kept[whole] & cut[part] & ~cut[whole] & (labels[part] == labels[whole])
    part, whole = part[inside], whole[inside]
    kept[part[_shares(boxes[part], boxes[whole]) > WITHIN]] = False
    return [each for each, stays in zip(found, kept, strict=True) if stays]


def _touching(boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """(2, pairs) indices of boxes that touch, each pair both ways."""
    from shapely import STRtree, box

    places = box(*boxes.T)
    found = np.asarray(STRtree(places).query(places, predicate="intersects"))
    return found[:, found[0] != found[1]]


def _clusters(pairs: npt.NDArray[np.int64], count: int) -> list[npt.NDArray[np.int64]]:
    """Boxes that touch each other, directly or by others between; not those that stand alone.

    Suppression compares each with each, which all boxes of a large scene are too many for.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(pairs.shape[1], dtype=bool), (pairs[0], pairs[1])), (count, count))
    _, names = connected_components(links, directed=False)
    order = np.argsort(names, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(names[order])) + 1)
    return [group for group in groups if len(group) > 1]


def _suppressed(
    boxes: npt.NDArray[np.float64], ranks: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    from torchvision.ops import batched_nms

    given = (torch.from_numpy(each) for each in (boxes, ranks, labels))
    kept: npt.NDArray[np.int64] = batched_nms(*given, SAME).numpy()
    return kept


def _shares(
    parts: npt.NDArray[np.float64], wholes: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """How much of each part's area its whole covers."""
    low = np.maximum(parts[:, :2], wholes[:, :2])
    high = np.minimum(parts[:, 2:], wholes[:, 2:])
    inside = np.clip(high - low, 0, None).prod(axis=1)
    share: npt.NDArray[np.float64] = inside / (parts[:, 2:] - parts[:, :2]).prod(axis=1)
    return share
