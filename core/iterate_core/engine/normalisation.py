"""How a recipe's pixels become what its backbone takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from iterate_core.data.loading.scaling import Scaling
from iterate_core.data.units import Channel, converted
from iterate_core.engine.resolved import Prepared
from iterate_core.errors import Problem, RequestError
from iterate_core.models.backbones.base import Backbone
from iterate_core.models.backbones.matching import Match
from iterate_core.models.backbones.timm.inflation import RGB

WHERE = "data.normalisation"
_HINT = "Choose normalisation: dataset."


def scaling_of(prepared: Prepared, backbone: Backbone) -> Scaling:
    """What `data.normalisation` asks for, for each channel of the backbone.

    Raises:
        RequestError: It is ``backbone``, and the backbone declares nothing, or bands are not in a
            unit that converts into what it declares.
    """
    how = prepared.recipe.data.normalisation
    matches = prepared.matching.matches
    if how == "backbone":
        channels = _as_in_pretraining(prepared, backbone)
    elif how == "dataset":
        mean, std = prepared.pack.mean, prepared.pack.std
        channels = [
            Channel(None)
            if match.source is None
            else Channel(match.source, shift=mean[match.source], scale=std[match.source])
            for match in matches
        ]
    else:
        channels = [Channel(match.source) for match in matches]
    return Scaling(tuple(channels), prepared.size)


def _as_in_pretraining(prepared: Prepared, backbone: Backbone) -> list[Channel]:
    channels: list[Channel] = []
    foreign: dict[str, str] = {}
    unknown: list[str] = []
    for match in prepared.matching.matches:
        normal, wanted = _normal(match, backbone)
        if match.source is None:
            channels.append(Channel(None))
            continue
        stored = prepared.stated[match.source]
        if normal is None:
            unknown.append(stored.name)
            continue
        channel = converted(replace(normal, source=match.source), stored.unit, wanted)
        if channel is None:
            foreign[stored.name] = f"{stored.name!r} is {stored.unit} and not {wanted}"
        else:
            channels.append(channel)
    problems = []
    if unknown:
        what = "the backbone does not declare how its training images were normalised"
        which = "." if len(unknown) == len(prepared.matching.matches) else f" in {unknown}."
        problems.append(Problem(WHERE, what + which, _HINT))
    if foreign:
        what = f"bands are in units that do not convert: {'; '.join(foreign.values())}."
        hint = f"{_HINT} If the files' units are wrong, state them in data.units."
        problems.append(Problem(WHERE, what, hint))
    if problems:
        raise RequestError(problems)
    return channels


def _normal(match: Match, backbone: Backbone) -> tuple[Channel | None, str]:
    """What pretraining did to a channel's pixels, and in which unit it took them."""
    if match.normal is not None or backbone.normalisation is None:
        return match.normal, match.band.unit
    # A model of photographs: red, green and blue take their own values, others the mean of all.
    mean, std = (
        values[RGB.index(match.band.common)] if match.band.common in RGB else float(np.mean(values))
        for values in (backbone.normalisation.mean, backbone.normalisation.std)
    )
    return Channel(None, shift=255 * mean, scale=255 * std), "uint8"
