"""What ``iterate data`` tells people of a dataset: a line, and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from iterate.cli.views.console import say
from iterate_core.data.target import Target, target_class
from iterate_core.escaping import in_terminal as escape
from iterate_core.plurals import counted

if TYPE_CHECKING:
    from iterate_core.data.dataset import DatasetInfo, Split
    from iterate_core.data.inspect.survey import Survey


QUANTITIES = ("map", "maps", "quantities")
"""The forms of target that are numbers and no classes."""


def show_info(info: DatasetInfo) -> None:
    """A dataset in one line, and its notes."""
    sizes = " / ".join(f"{count} {split}" for split, count in info.sizes.items())
    size = f"{counted(len(info.bands), 'band')} of {info.height}×{info.width} pixels"
    quantity = target_class(info.task).form in QUANTITIES
    classes = ", ".join(info.classes) if quantity else f"{len(info.classes)} classes"
    say(f"{escape(info.name)}: {info.task}, {escape(classes)}, {sizes}, {size}")
    for note in info.notes:
        say(f"note: {escape(note)}")


def target_tables(info: DatasetInfo, found: Survey) -> list[Table]:
    """How often each class, or how large each quantity."""
    target = target_class(info.task)
    if target.form not in QUANTITIES:
        return [_class_table(info, found, target)]
    return [_quantity_table(info, found, target, index) for index in range(len(info.classes))]


def _class_table(info: DatasetInfo, found: Survey, target: type[Target]) -> Table:
    splits: list[Split] = list(found.read)
    table = Table(title=f"{target.counted} of each class")
    table.add_column("class")
    for split in splits:
        table.add_column(f"{split} ({found.read[split]} read)", justify="right")
    for index, name in enumerate(info.classes):
        table.add_row(escape(name), *(_share(found, split, index, target) for split in splits))
    if target.form == "mask":
        table.add_row("ignored", *(str(found.ignored[split]) for split in splits))
    return table


def _share(found: Survey, split: Split, index: int, target: type[Target]) -> str:
    """How much of a class there is: of samples that may have several, the share of samples."""
    counts = found.counts[split]
    total = sum(counts) if target.exclusive else found.read[split]
    return f"{counts[index]} ({100 * counts[index] / max(total, 1):.1f} %)"


def _quantity_table(info: DatasetInfo, found: Survey, target: type[Target], index: int) -> Table:
    """A quantity: its range, and from low to high how often it takes which value."""
    unit, name = f", {info.unit}" if info.unit else "", info.classes[index]
    table = Table(title=f"{escape(name)}{escape(unit)}")
    table.add_column(target.counted.lower())
    quantity = found.quantity if len(info.classes) == 1 else found.quantities.get(name, {})
    columns = []
    for split, read in found.read.items():
        table.add_column(f"{split} ({read} read)", justify="right")
        known = found.counts[split][index]
        each = (sum(found.counts[split]) + found.ignored[split]) // len(info.classes)
        counts = (str(known), str(each - known))
        row = quantity.get(split)
        numbers = () if row is None else (row.low, row.mean, row.std, row.high)
        values = [f"{value:.5g}" for value in numbers] or [""] * 4
        columns.append((*counts, *values, "" if row is None else _bars(row.histogram)))
    names = ("known", "ignored", "min", "mean", "std", "max", "from min to max")
    for name, *cells in zip(names, *columns, strict=True):
        table.add_row(name, *cells)
    return table


def _bars(counts: tuple[int, ...]) -> str:
    """A histogram of one line: what is there at all has a bar."""
    most = max(*counts, 1)
    return "".join(" ▁▂▃▄▅▆▇█"[-(-8 * count // most)] for count in counts)


def band_table(found: Survey) -> Table:
    """Every band with its statistics."""
    table = Table(title="Bands over the training samples read")
    for column in ("band", "common name", "µm", "unit"):
        table.add_column(column)
    for column in ("mean", "std", "min", "max"):
        table.add_column(column, justify="right")
    for row in found.bands:
        wavelength = f"{row.band.wavelength:g}" if row.band.wavelength is not None else ""
        values = (f"{value:.5g}" for value in (row.mean, row.std, row.low, row.high))
        table.add_row(
            escape(row.band.name), row.band.common or "", wavelength, row.band.unit, *values
        )
    return table
