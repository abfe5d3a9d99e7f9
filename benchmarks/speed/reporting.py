"""Tables of what was measured, with the machine and the versions it was measured with."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import psutil
from measuring import Measured


def median(runs: Iterable[Measured], figure: Callable[[Measured], float]) -> float:
    """The middle of a figure over runs."""
    return statistics.median(map(figure, runs))


def overview(measured: Mapping[str, Sequence[Measured]], against: str) -> str:
    """A table of all sides: medians, and how many times faster than one of them each is."""
    reference = median(measured[against], lambda run: run.wall)
    read = list(dict.fromkeys(key for runs in measured.values() for key in runs[0].figures))
    rows = []
    for name, runs in measured.items():
        walls = [run.wall for run in runs]
        wall = statistics.median(walls)
        row = [name, f"{wall:.1f}", f"{min(walls):.1f} to {max(walls):.1f}"]
        row.append(f"{median(runs, lambda run: run.cpu):.1f}")
        row.append(f"{median(runs, lambda run: run.memory) / 1e9:.2f}")
        row.append(f"{reference / wall:.2f}×")
        row += [_figure(runs, key) for key in read]
        rows.append(row)
    heads = ("", "wall, s", "least to most", "processors, s", "memory, GB", f"{against} ÷ it")
    return table((*heads, *read), rows)


def _figure(runs: Sequence[Measured], key: str) -> str:
    values = [run.figures[key] for run in runs if key in run.figures]
    return f"{statistics.median(values):.4g}" if values else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, its columns aligned: the first to the left, others to the right."""
    lines = [list(heads), *map(list, rows)]
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(heads))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    drawn = []
    for line in (lines[0], rule, *lines[1:]):
        first, *others = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        drawn.append(" | ".join(["| " + first, *others]) + " |")
    return "\n".join(drawn)


def machine(cores: Sequence[int]) -> str:
    """One line on what it was measured on, and on how busy that was."""
    fields = (line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines())
    model = next((value.strip() for key, _, value in fields if key.strip() == "model name"), "?")
    memory = psutil.virtual_memory().total / 2**30
    load = os.getloadavg()[0]
    return (
        f"{model}, {len(cores)} cores used of {os.cpu_count()}, {memory:.0f} GiB, "
        f"{platform.system()} {platform.release()}; load average now {load:.1f}"
    )


def versions(names: Sequence[str], python: str | Path = sys.executable) -> str:
    """The versions of an interpreter and of packages in its environment."""
    code = (
        "import platform, sys; from importlib.metadata import version; "
        "print(*['Python ' + platform.python_version()] + "
        "[f'{name} {version(name)}' for name in sys.argv[1:]], sep=', ')"
    )
    words = [str(python), "-c", code, *names]
    # What makes our packages importable here would hide those of another environment.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    told = subprocess.run(words, check=True, capture_output=True, text=True, env=environment)
    return told.stdout.strip()


def keep(file: Path | None, figures: Mapping[str, Mapping[str, Sequence[Measured]]]) -> None:
    """Write the figures of every run as JSON, without what was printed."""
    if file is None:
        return
    plain = {
        part: {
            name: [
                {"wall": run.wall, "cpu": run.cpu, "memory": run.memory, **run.figures}
                for run in runs
            ]
            for name, runs in sides.items()
        }
        for part, sides in figures.items()
    }
    file.write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
