"""The blocks of a network, found by the names of its parameters."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from timm.models import group_parameters
from torch import nn

from iterate_core.errors import Problem, RequestError
from iterate_core.models.shapes import evenly_spaced

TAPS = "model.backbone.taps"
Blocks = list[list[nn.Module]]
Place = tuple[float, ...]

_STAGE = r"(?:^|\.)(?:layers|stages)[._](?P<stage>\d+)\."
_LIST = r"(?:blocks|encoder|transformer\.layers|lgl_block\.transformers)"
BLOCK = re.compile(rf"(?:{_STAGE}|^|\.){_LIST}\.(?P<number>\d+)\.")
"""Names of parameters within a transformer's blocks, as the encoders that ship call them."""

LAST: Place = (math.inf,)
"""The place of what follows the last block, and belongs to it."""

_NORM = re.compile(r"(?:transformer\.|head\.)?(?:fc_|encoder_)?norm\.")


def blocks_of(network: nn.Module, place: Callable[[str], Place | None]) -> Blocks:
    """The outermost modules that lie within one block each, block by block.

    Args:
        network: Whose blocks they are.
        place: A parameter's name → where its block stands among the others; None before them all.
    """
    found: dict[Place, list[nn.Module]] = {}

    def gather(module: nn.Module, prefix: str) -> None:
        places = {place(prefix + name) for name, _ in module.named_parameters()}
        if len(places) > 1:
            for name, child in module.named_children():
                gather(child, f"{prefix}{name}.")
        elif places and (only := places.pop()) is not None:
            found.setdefault(only, []).append(module)

    gather(network, "")
    behind = found.pop(LAST, [])
    blocks = [found[where] for where in sorted(found)]
    return [*blocks[:-1], blocks[-1] + behind] if blocks else []


def transformer_blocks(network: nn.Module) -> Blocks:
    """The blocks of a vision transformer, stage by stage; its last norm belongs to the last.

    What a stage has before its blocks belongs to the first of them, and what it has behind one to
    that. Empty where encoders stand side by side, of which none is known to be the last.
    """
    found = {name: BLOCK.search(name) for name, _ in network.named_parameters()}
    lists = {(name[: at.start()], at["stage"] is None) for name, at in found.items() if at}
    if len(lists) != 1:
        return []
    ((_, plain),) = lists
    places: dict[str, Place] = {}
    latest: Place = ()
    for name, at in found.items():
        if at:
            latest = places[name] = (int(at["stage"] or 0), int(at["number"]))
        elif _NORM.match(name):
            places[name] = LAST
        elif not plain and (stage := re.search(_STAGE, name)):
            places[name] = max(latest, (int(stage["stage"]), 0))
    return blocks_of(network, places.get)


def chosen_taps(asked: tuple[int, ...] | None, depth: int) -> tuple[int, ...]:
    """The blocks of a plain transformer whose maps are decoded; evenly spaced if none is asked for.

    Raises:
        RequestError: One that is asked for is not among its blocks, or stands twice.
    """
    if asked is None:
        return evenly_spaced(depth)
    if len(set(asked)) < len(asked) or max(asked) >= depth:
        what = f"must be different blocks below {depth}, but are {list(asked)}."
        raise RequestError(Problem(TAPS, what))
    return asked


def timm_blocks(model: Any) -> Blocks:
    """The layers of a timm model as timm groups them, but for the stem.

    They are a transformer's blocks, and the residual blocks of a convolutional network.
    """
    if not hasattr(model, "group_matcher"):
        return []
    layers = group_parameters(model, model.group_matcher(coarse=False), reverse=True)
    sizes = dict(model.named_parameters())
    # What follows the last block is a layer to timm, even where it is a norm alone.
    weighty = {layer for name, layer in layers.items() if sizes[name].ndim > 1}

    def place(name: str) -> Place | None:
        layer = layers.get(name, 0)
        return None if not layer else (layer,) if layer <= max(weighty) else LAST

    return blocks_of(model, place)
