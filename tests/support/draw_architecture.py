"""Draws the rooms of both packages and the imports between them, as Mermaid.

    python tests/support/draw_architecture.py          # write it into docs/architecture.md

An arrow is left out where a longer way leads to the same room, so that the picture stays readable.
"""

from __future__ import annotations

import re
from collections import defaultdict

from imports_support import LAYERS, ROOT, arrows, room_of

PAGE = ROOT / "docs/architecture.md"
_DIAGRAM = re.compile(r"(?<=```mermaid\n).*?(?=```)", re.DOTALL)
Room = tuple[str, str]


def rooms() -> dict[Room, set[Room]]:
    """Room → the rooms that it imports of."""
    drawn: dict[Room, set[Room]] = defaultdict(set)
    for module, others in arrows().items():
        for other in others:
            here, there = room_of(module), room_of(other)
            if here != there and _drawn(here) and _drawn(there):
                drawn[here].add(there)
    return drawn


def reduced(drawn: dict[Room, set[Room]]) -> dict[Room, set[Room]]:
    """Without the arrows that a longer way makes needless."""

    def reached(room: Room) -> set[Room]:
        below = drawn.get(room, set())
        return below.union(*map(reached, below))

    return {
        room: below - set().union(*(reached(other) for other in below))
        for room, below in drawn.items()
    }


def diagram() -> str:
    """The picture as Mermaid text."""
    lines = ["flowchart TB"]
    for package, layers in LAYERS.items():
        lines.append(f"  subgraph {package}")
        lines += [f"    {_id((package, room))}[{room}]" for room in reversed(layers)]
        lines.append("  end")
    for room, below in sorted(reduced(rooms()).items()):
        lines += [f"  {_id(room)} --> {_id(other)}" for other in sorted(below)]
    return "\n".join(lines) + "\n"


def _drawn(room: Room) -> bool:
    return room[1] in LAYERS[room[0]]


def _id(room: Room) -> str:
    return "_".join(room)


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_DIAGRAM.sub(lambda _: diagram(), page), encoding="utf-8")
