"""The registries, and what ships in them. Nothing here imports torch.

Each entry names the class that types its options and, as text, the code that builds it.
"""

from __future__ import annotations

from iterate.core.models.backbones.card import Card
from iterate.core.models.backbones.foundation import entries as foundation
from iterate.core.models.backbones.presto import card as presto
from iterate.core.models.backbones.terratorch_names import found_entry, listed_names
from iterate.core.models.backbones.tessera import card as tessera
from iterate.core.models.backbones.torchgeo_models import entries as torchgeo_models
from iterate.core.registry import Entry, Registry
from iterate.core.tasks.declarations import (
    CLASSIFICATION,
    MULTILABEL,
    REGRESSION,
    SEGMENTATION,
)

datasets = Registry(
    "dataset reader",
    "iterate.datasets",
    options="iterate.core.recipe:DataSection",
    call=("section",),
)
backbones = Registry(
    "backbone",
    "iterate.backbones",
    found_entry,
    listed_names,
    options="iterate.core.models.backbones.options:BackboneOptions",
    call=("options", "inputs", "meta"),
)
for _backbone in (
    *foundation.entries(),
    *torchgeo_models.entries(),
    *presto.entries(),
    *tessera.entries(),
):
    backbones.register(_backbone)


def card_of(name: str, where: str = "") -> Card | None:
    """A backbone's card; None where it has none.

    Raises:
        RequestError: There is no such backbone.
    """
    card: Card | None = backbones.get(name, where).facts.get("card")
    return card


decoders = Registry(
    "decoder",
    "iterate.decoders",
    options="iterate.core.section:Component",
    call=("options", "shape", "classes"),
)
optimisers = Registry("optimiser", "iterate.optimisers")
schedulers = Registry("learning-rate schedule", "iterate.schedulers")
tasks = Registry("task", "iterate.tasks")

_DATA = "iterate.core.data"
datasets.register(
    Entry("geobench_v1", f"{_DATA}.geobench_v1:GeoBenchV1Data", f"{_DATA}.geobench_v1:GeoBenchV1")
)
datasets.register(
    Entry(
        "geobench_v2",
        f"{_DATA}.geobench_v2.section:GeoBenchV2Data",
        f"{_DATA}.geobench_v2.reader:GeoBenchV2",
    )
)
datasets.register(
    Entry("generated", f"{_DATA}.generated:GeneratedData", f"{_DATA}.generated:open_generated")
)

_DECODERS = "iterate.core.models.decoders"
_POOLED, _DENSE = ("classification", "multilabel"), ("segmentation", "regression")
for _name, _options, _builder, _tasks in (
    ("linear", "LinearOptions", "pooled:build_linear", _POOLED + _DENSE),
    ("mlp", "MlpOptions", "pooled:build_mlp", _POOLED),
    ("unet", "UnetOptions", "dense:build_unet", _DENSE),
    ("fpn", "FpnOptions", "dense:build_fpn", _DENSE),
    ("upernet", "UpernetOptions", "dense:build_upernet", _DENSE),
):
    decoders.register(
        Entry(_name, f"{_DECODERS}.options:{_options}", f"{_DECODERS}.{_builder}", _tasks)
    )

_PROBES = f"{_DECODERS}.probes"
_FITTED, _MAPS = {"fitted": True}, {"maps": True}
for _name, _options, _builder, _tasks, _facts in (
    ("knn", "KnnOptions", "knn:build_knn", _POOLED, _FITTED),
    ("logistic", "LogisticOptions", "logistic:build_logistic", _POOLED, _FITTED),
    ("attentive_pool", "AttentivePoolOptions", "attentive:build_pool", _POOLED, _MAPS),
    ("attentive_maps", "AttentiveMapsOptions", "attentive:build_maps", _DENSE, _MAPS),
):
    decoders.register(
        Entry(_name, f"{_PROBES}_options:{_options}", f"{_PROBES}_{_builder}", _tasks, _facts)
    )

_CODE, _OPTIONS = "iterate.core.optimisation", "iterate.core.optimisation_options"
optimisers.register(Entry("adamw", f"{_OPTIONS}:AdamWOptions", f"{_CODE}:build_adamw"))
optimisers.register(Entry("sgd", f"{_OPTIONS}:SgdOptions", f"{_CODE}:build_sgd"))
schedulers.register(Entry("constant", f"{_OPTIONS}:ConstantOptions", f"{_CODE}:build_constant"))
schedulers.register(Entry("cosine", f"{_OPTIONS}:CosineOptions", f"{_CODE}:build_cosine"))
schedulers.register(Entry("plateau", f"{_OPTIONS}:PlateauOptions", f"{_CODE}:build_plateau"))

_TASKS = "iterate.core.tasks"
for _declaration, _module in (
    (CLASSIFICATION, "classification:ClassificationTask"),
    (MULTILABEL, "multilabel:MultilabelTask"),
    (SEGMENTATION, "segmentation:SegmentationTask"),
    (REGRESSION, "regression:RegressionTask"),
):
    tasks.register(
        Entry(
            _declaration.name,
            "iterate.core.section:Section",
            f"{_TASKS}.{_module}",
            facts={"declaration": _declaration},
        )
    )
