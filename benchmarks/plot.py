"""A chart of lines over two logarithmic axes, as an SVG document.

Written by hand: one chart of one kind is a hundred lines, and a plotting library would bring a dozen packages into what
everybody installs who wants to measure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

_WIDTH, _HEIGHT = 880, 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 300, 48, 56
_LABEL_HEIGHT = 17
_COLOURS = ("#c1272d", "#0f6fb8", "#2e8540", "#8a4fa3", "#b36b00", "#4d5966", "#00807a")
"""Each on white at a contrast of at least 4 to 1, so that labels in the colour of their lines can be read."""

Style = Literal["strong", "solid", "dashed", "dotted"]

_STROKES: dict[Style, str] = {
    "strong": 'stroke-width="3"',
    "solid": 'stroke-width="1.75"',
    "dashed": 'stroke-width="1.75" stroke-dasharray="7 5"',
    "dotted": 'stroke-width="2" stroke-dasharray="2 4"',
}


@dataclass(frozen=True)
class Line:
    """A label and its points, both coordinates positive."""

    label: str
    points: Sequence[tuple[float, float]]
    style: Style


class _Axis:
    """A logarithmic scale, from the decade below the least value to the one above the greatest, over pixels."""

    def __init__(self, values: Sequence[float], first: float, last: float) -> None:
        self.low = math.floor(math.log10(min(values)))
        self.high = max(self.low + 1, math.ceil(math.log10(max(values))))
        self._first, self._last = first, last

    def at(self, value: float) -> float:
        """The pixel of a value."""
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return round(self._first + part * (self._last - self._first), 1)

    def decades(self) -> list[float]:
        """The values that get a grid line and a number."""
        return [10.0**power for power in range(self.low, self.high + 1)]


def draw(title: str, across: str, up: str, lines: Sequence[Line]) -> str:
    """The document. The labels of the axes are `across` and `up`. Raises ValueError when there is nothing to draw."""
    points = [point for line in lines for point in line.points]
    if not points:
        raise ValueError("there is no point to draw")
    x = _Axis([point[0] for point in points], _LEFT, _WIDTH - _RIGHT)
    y = _Axis([point[1] for point in points], _HEIGHT - _BOTTOM, _TOP)
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    upright = f'transform="rotate(-90 20 {_HEIGHT / 2})"'
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_LEFT, 26, title, 'font-size="16" font-weight="bold"'),
        *_grid(x, y),
        _text(middle, _HEIGHT - 12, across, 'text-anchor="middle"'),
        _text(20, _HEIGHT / 2, up, f'text-anchor="middle" {upright}'),
        *_curves(x, y, lines),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _grid(x: _Axis, y: _Axis) -> Iterator[str]:
    left, right, top, bottom = _LEFT, _WIDTH - _RIGHT, _TOP, _HEIGHT - _BOTTOM
    for value in x.decades():
        yield f'<path d="M{x.at(value)} {top}V{bottom}" stroke="#d5d9dd"/>'
        yield _text(x.at(value), bottom + 20, f"{value:,g}", 'text-anchor="middle"')
    for value in y.decades():
        yield f'<path d="M{left} {y.at(value)}H{right}" stroke="#d5d9dd"/>'
        yield _text(left - 8, y.at(value) + 4, f"{value:,g}", 'text-anchor="end"')


def _curves(x: _Axis, y: _Axis, lines: Sequence[Line]) -> Iterator[str]:
    heights = _spread([y.at(line.points[-1][1]) for line in lines])
    for index, (line, height) in enumerate(zip(lines, heights, strict=True)):
        colour = _COLOURS[index % len(_COLOURS)]
        corners = [(x.at(across), y.at(up)) for across, up in line.points]
        path = "L".join(f"{across} {up}" for across, up in corners)
        yield f'<path d="M{path}" fill="none" stroke="{colour}" {_STROKES[line.style]}/>'
        if line.style in ("strong", "solid"):
            yield from (f'<circle cx="{across}" cy="{up}" r="3.5" fill="{colour}"/>' for across, up in corners)
        label = f"{line.label}: {line.points[-1][1]:,.3g}"
        yield _text(_WIDTH - _RIGHT + 10, height + 4, label, f'fill="{colour}"')


def _spread(heights: Sequence[float]) -> list[float]:
    """The heights, in their order, moved down where labels would lie on each other."""
    placed: dict[int, float] = {}
    last = -math.inf
    for index in sorted(range(len(heights)), key=lambda index: heights[index]):
        last = placed[index] = max(heights[index], last + _LABEL_HEIGHT)
    return [placed[index] for index in range(len(heights))]


def _text(across: float, down: float, content: str, attributes: str) -> str:
    return f'<text x="{across}" y="{down}" {attributes}>{escape(content)}</text>'
