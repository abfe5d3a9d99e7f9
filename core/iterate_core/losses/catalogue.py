"""The losses that ship, and what each is compared with. Imports none of them."""

from __future__ import annotations

from iterate_core.registry.registry import Entry, Registry

_LOSSES = "iterate_core.losses"

# Forms of targets: `iterate_core.data.target.Target.form`.
EXCLUSIVE = ("index", "mask")
LABELS = ("indicators",)
CLASSES = (*EXCLUSIVE, *LABELS)
QUANTITIES = ("quantities", "map", "maps")


def register(losses: Registry) -> None:
    """Add every loss that ships."""
    for name, options, build, forms in (
        ("default", "DefaultOptions", "base:of_the_task", ()),
        ("cross_entropy", "CrossEntropyOptions", "entropy:CrossEntropy", EXCLUSIVE),
        ("binary_cross_entropy", "BinaryCrossEntropyOptions", "entropy:BinaryCrossEntropy", LABELS),
        ("focal", "FocalOptions", "focal:Focal", CLASSES),
        ("dice", "DiceOptions", "overlap:Dice", CLASSES),
        ("jaccard", "JaccardOptions", "overlap:Jaccard", CLASSES),
        ("tversky", "TverskyOptions", "overlap:Tversky", CLASSES),
        ("lovasz", "LovaszOptions", "overlap:Lovasz", CLASSES),
        ("mse", "MseOptions", "quantities:Squared", QUANTITIES),
        ("l1", "L1Options", "quantities:Absolute", QUANTITIES),
        ("huber", "HuberOptions", "quantities:Huber", QUANTITIES),
        ("sum", "SumOptions", "weighted_sum:WeightedSum", (*CLASSES, *QUANTITIES)),
    ):
        losses.register(Entry(name, f"{_LOSSES}.options:{options}", f"{_LOSSES}.{build}", forms))
