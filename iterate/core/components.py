"""The registries, and what ships in them. Nothing here imports torch.

Each entry names the class that types its options and, as text, the code that builds it.
"""

from __future__ import annotations

from iterate.core.registry import Entry, Registry

datasets = Registry("dataset reader", "iterate.datasets")
backbones = Registry("backbone", "iterate.backbones")
decoders = Registry("decoder", "iterate.decoders")
optimisers = Registry("optimiser", "iterate.optimisers")
schedulers = Registry("learning-rate schedule", "iterate.schedulers")
tasks = Registry("task", "iterate.tasks")

_DATA = "iterate.core.data"
datasets.register(
    Entry("geobench_v1", f"{_DATA}.geobench_v1:GeoBenchV1Data", f"{_DATA}.geobench_v1:GeoBenchV1")
)
datasets.register(
    Entry("generated", f"{_DATA}.generated:GeneratedData", f"{_DATA}.generated:open_generated")
)
