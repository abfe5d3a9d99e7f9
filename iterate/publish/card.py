"""The model card of an exported model, and its config, as the Hugging Face hub reads them."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from iterate.publish.scores_table import bits_rows, score_rows
from iterate_core import __version__
from iterate_core.data.target import target_of
from iterate_core.errors import RequestError
from iterate_core.models.backbones.card import Card
from iterate_core.models.backbones.catalogue import card_of
from iterate_core.storage.files import write_json

if TYPE_CHECKING:
    from iterate_core.engine.description import ModelDescription

CARD_FILE = "README.md"
CONFIG_FILE = "config.json"
LIBRARY = "geo-iterate"
_UNSTATED = "not stated"
# What a target is, as the hub calls models of it; of other forms it has no word.
_PIPELINES = {
    "index": "image-classification",
    "indicators": "image-classification",
    "mask": "image-segmentation",
    "objects": "object-detection",
    "maps": "image-to-image",
}
_GIVES = {
    "probabilities": "the probability of each class",
    "quantities": "quantities in their units",
    "objects": "objects: boxes in pixels, labels and scores",
    "other": "what its task defines",
}


def write_card(
    folder: Path, description: ModelDescription, metrics: dict[str, Any], licence: str | None
) -> None:
    """Write ``README.md``.

    Args:
        folder: Of the exported model; its other files are there.
        description: Of the model.
        metrics: The content of its ``metrics.json``.
        licence: Under which it is given away; None takes that of the backbone's weights.
    """
    recipe, info = description.recipe, description.info
    backbone = recipe["model"]["backbone"]
    card = _backbone_card(backbone["name"])
    weights = None if card is None else card.licence
    environment = Environment(
        loader=PackageLoader("iterate.publish", "."),
        autoescape=False,  # noqa: S701 - it is Markdown, in which `cell` escapes what it must
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = cell
    target = target_of(info)
    text = environment.get_template("card.md.j2").render(
        header=_header(description, metrics, licence or weights),
        title=f"{info.name}: {info.task.replace('_', ' ')}",
        info=info,
        description=description,
        recipe=recipe,
        metrics=metrics,
        gives=_GIVES[target.gives],
        dense=target.dense,
        probabilities=target.gives == "probabilities",
        rows=score_rows(metrics),
        bits=bits_rows(metrics),
        files={path.name for path in folder.iterdir()},
        backbone_title=backbone["name"] if card is None else card.title,
        reference=None if card is None else card.reference,
        licences={
            "this model": licence or weights or _UNSTATED,
            "the training data": info.licence or _UNSTATED,
            "the backbone's weights": weights or _UNSTATED,
        },
        values=_values(recipe),
        version=__version__,
    )
    (folder / CARD_FILE).write_text(text, encoding="utf-8")


def write_config(folder: Path, description: ModelDescription) -> None:
    """Write ``config.json``, by which the hub counts downloads and knows labels."""
    info, model = description.info, description.recipe["model"]
    labels = dict(enumerate(info.classes))
    write_json(
        folder / CONFIG_FILE,
        {
            "library_name": LIBRARY,
            "model_type": LIBRARY,
            "task": info.task,
            "backbone": model["backbone"]["name"],
            "decoder": model["decoder"]["name"],
            "num_channels": len(description.bands),
            "num_frames": info.frames,
            "image_size": [info.height, info.width],
            "id2label": {str(index): name for index, name in labels.items()},
            "label2id": {name: index for index, name in labels.items()},
        },
    )


def cell(value: object) -> str:
    """Text within a Markdown table: no markup of its own."""
    return re.sub(
        r"([|\\`*_\[\]])", r"\\\1", html.escape(" ".join(str(value).split()), quote=False)
    )


def _header(description: ModelDescription, metrics: dict[str, Any], licence: str | None) -> str:
    """The YAML between ``---`` at the card's head, in the hub's own words."""
    from huggingface_hub import EvalResult, ModelCardData

    info = description.info
    pipeline = _PIPELINES.get(target_of(info).form)
    mean = {name: one["mean"] for name, one in metrics.get("test_over_repeats", {}).items()}
    scores = {**metrics.get("test", {}), **mean}
    results = [
        EvalResult(
            task_type=pipeline or "other",
            dataset_type=_slug(info.name),
            dataset_name=info.name,
            dataset_split="test",
            metric_type=name,
            metric_value=value,
        )
        for name, value in scores.items()
        if value is not None
    ]
    known = licence is not None and re.fullmatch(r"[A-Za-z0-9.+-]+", licence) is not None
    data = ModelCardData(
        license=licence.lower() if known and licence else "other",
        license_name=None if known or licence is None else licence,
        library_name=LIBRARY,
        tags=["earth-observation", "remote-sensing", "geospatial", info.task.replace("_", "-")],
        pipeline_tag=pipeline,
        datasets=[_slug(info.name)],
        metrics=list(scores) or None,
        model_name=_slug(f"{info.name}-{description.recipe['model']['backbone']['name']}"),
        eval_results=results or None,
    )
    return str(data.to_yaml())


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "data"


def _backbone_card(name: str) -> Card | None:
    try:
        return card_of(name)
    except RequestError:  # the user's own, not registered in this process
        return None


def _values(recipe: dict[str, Any]) -> dict[str, str]:
    """How it was trained, in a few rows."""
    parts = {
        "fine-tuning": recipe["tuning"],
        "decoder": recipe["model"]["decoder"],
        "loss": recipe["loss"],
        "optimiser": recipe["optimiser"],
        "schedule": recipe["scheduler"],
    }
    told = {name: _told(part) for name, part in parts.items()}
    trainer = recipe["trainer"]
    told["epochs"] = f"{trainer['epochs']} at most, batches of {recipe['data']['batch_size']}"
    told["arithmetic"] = trainer["precision"]
    told["seed"] = str(recipe["seed"])
    return told


def _told(part: dict[str, Any]) -> str:
    """A component's name and those of its options that are plain values."""
    options = [
        f"{key} {value}"
        for key, value in part.items()
        if key != "name" and value is not None and not isinstance(value, dict | list)
    ]
    return ", ".join([str(part.get("name", "")), *options])
