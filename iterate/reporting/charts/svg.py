"""SVG elements from Python, every text in them escaped; and a frame with two axes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from markupsafe import Markup

from iterate.pages.axis import Axis, axis_of
from iterate_core.escaping import in_html

WIDTH, HEIGHT = 640.0, 320.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 16.0, 14.0, 46.0


def element(tag: str, *children: Any, **attributes: Any) -> Markup:
    """An element.

    Args:
        tag: Its name.
        children: Markup as it is, all else as text; None is left out.
        attributes: ``class_`` is ``class``, and other underscores are hyphens; None is left out.
    """
    told = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{in_html(_plain(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    inside = "".join(
        str(child) if isinstance(child, Markup) else in_html(child)
        for child in children
        if child is not None
    )
    return Markup(f"<{tag}{told}>{inside}</{tag}>")  # noqa: S704 - all of it is escaped above


def _plain(value: Any) -> Any:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def chart(
    label: str, parts: Iterable[Markup], width: float = WIDTH, height: float = HEIGHT
) -> Markup:
    """A whole picture.

    Args:
        label: What it shows, for those who do not see it.
        parts: Of it.
        width: Of its own units.
        height: Likewise.
    """
    return element(
        "svg",
        *parts,
        class_="chart",
        role="img",
        aria_label=label,
        viewBox=f"0 0 {width:g} {height:g}",
        style=f"--wide:{width:g}px",
    )


class Ruled(Protocol):
    """An axis: where values stand on it, from 0 to 1, and its ticks with their texts."""

    @property
    def ticks(self) -> tuple[float, ...]:
        """Ascending."""

    def share(self, value: float) -> float:
        """Where a value stands."""

    def text(self, tick: float) -> str:
        """A tick's figure."""


@dataclass(frozen=True)
class Frame:
    """Two axes and the room between them.

    Attributes:
        x: Along the bottom.
        y: Up the left side.
    """

    x: Ruled
    y: Ruled
    width: float = WIDTH
    height: float = HEIGHT

    def right(self, value: float) -> float:
        """Where a value of the x axis stands."""
        return _LEFT + self.x.share(value) * (self.width - _LEFT - _RIGHT)

    def down(self, value: float) -> float:
        """Where a value of the y axis stands; beyond its ends at these."""
        share = min(max(self.y.share(value), 0.0), 1.0)
        return _TOP + (1 - share) * (self.height - _TOP - _BOTTOM)

    def line(self, points: Sequence[tuple[float, float]], class_: str, title: str = "") -> Markup:
        """A line through points, and a dot where there is only one."""
        if len(points) == 1:
            return self.dot(*points[0], class_=class_, title=title)
        told = " ".join(f"{self.right(x):.1f},{self.down(y):.1f}" for x, y in points)
        return element("polyline", _title(title), points=told, class_=class_)

    def dot(self, x: float, y: float, class_: str, title: str = "", size: float = 4.0) -> Markup:
        """A mark."""
        place = {"cx": self.right(x), "cy": self.down(y)}
        return element("circle", _title(title), **place, r=size, class_=f"dot {class_}")

    def axes(self, x: str, y: str) -> list[Markup]:
        """The axes with their ticks and names."""
        bottom, end = self.height - _BOTTOM, self.width - _RIGHT
        parts = []
        for tick in self.y.ticks:
            at = self.down(tick)
            parts.append(element("line", x1=_LEFT, x2=end, y1=at, y2=at, class_="grid"))
            parts.append(_text(self.y.text(tick), _LEFT - 7, at + 4, "end"))
        for tick in self.x.ticks:
            at = self.right(tick)
            parts.append(element("line", x1=at, x2=at, y1=bottom, y2=bottom + 4, class_="tick"))
            parts.append(_text(self.x.text(tick), at, bottom + 18, "middle"))
        parts.append(element("line", x1=_LEFT, x2=end, y1=bottom, y2=bottom, class_="tick"))
        parts.append(_text(x, (_LEFT + end) / 2, self.height - 8, "middle", "name"))
        middle = (_TOP + bottom) / 2
        turned = f"rotate(-90 14 {middle:.1f})"
        parts.append(_text(y, 14.0, middle, "middle", "name", turned))
        return parts


def framed(
    x: Sequence[float], y: tuple[float, float], width: float = WIDTH, height: float = HEIGHT
) -> Frame:
    """A frame that holds some x values and a range of y; x counts in whole numbers if they do."""
    return Frame(_counting(x), axis_of(*y), width, height)


def _counting(values: Sequence[float]) -> Axis:
    low, high = min(values), max(values)
    if all(float(value).is_integer() for value in values) and high - low <= 6:
        return Axis(tuple(float(n) for n in range(int(low), int(max(high, low + 1)) + 1)))
    return axis_of(low, high)


def _text(
    text: str, x: float, y: float, anchor: str, class_: str = "", transform: str | None = None
) -> Markup:
    return element(
        "text", text, x=x, y=y, text_anchor=anchor, class_=class_ or None, transform=transform
    )


def label(text: str, x: float, y: float, anchor: str = "start", class_: str = "") -> Markup:
    """A text in a picture's own units."""
    return _text(text, x, y, anchor, class_)


def _title(text: str) -> Markup | None:
    return element("title", text) if text else None
