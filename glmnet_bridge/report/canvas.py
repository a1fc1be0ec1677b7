"""The canvas: how every figure begins and ends, without pyplot and without global settings.

    ax = panel(ax)          the caller's Axes, or one on a figure of its own
    figure = panels(1, 2)   several panels
    svg(figure, "name")     inline SVG: no outside link, no date, follows the page's text colour

A figure of our own belongs to no window; it is shown at the end of a notebook cell and saved with
`ax.figure.savefig(...)`. The colours (after Okabe and Ito 2008) are told apart by all readers, on
white and on black; what they tell is told by shape or place too.
"""

from __future__ import annotations

import functools
import io
import re
import textwrap
from typing import TYPE_CHECKING, Any

from glmnet_bridge.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GLM, NETWORK, DATA, GOOD = "#1a80bb", "#d55e00", "#7f7f7f", "#009e73"
LETTERS = 14  # of a legend in an inch
INK = "#262626"  # dark on light fillings, also where a page shows its own text in white
STAR: dict[str, Any] = {
    "marker": "*", "markersize": 12, "markerfacecolor": "#f0e442", "markeredgecolor": INK,
    "markeredgewidth": 0.8, "linestyle": "none", "zorder": 5,
}  # fmt: skip
SERIES = (GLM, NETWORK, GOOD, "#cc79a7", "#e69f00", "#56b4e9")


def panel(ax: Axes | None, width: float = 6.4, height: float = 4.0) -> Axes:
    """The Axes to draw on: the caller's, or the only one of a new figure."""
    from matplotlib.axes import Axes

    if ax is None:
        return panels(1, 1, width, height).axes[0]
    if not isinstance(ax, Axes):
        raise ArgumentError(f"ax={type(ax).__name__}: give a matplotlib Axes, or leave it out for a new figure.")
    dress(ax)
    return ax


def panels(rows: int, columns: int, width: float, height: float, sharex: bool = False) -> Figure:
    """A new figure with dressed Axes."""
    shown_figure, shown_axes = _shown()
    figure = shown_figure(figsize=(width, height), layout="constrained")
    first = None
    for number in range(rows * columns):
        first_ax = figure.add_subplot(rows, columns, number + 1, axes_class=shown_axes, sharex=first)
        first = first_ax if sharex and first is None else first
        dress(first_ax)
    return figure


@functools.cache
def _shown() -> tuple[Any, Any]:
    """A Figure and an Axes that notebooks draw at the end of a cell, as they do pyplot's."""
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    def png(figure: Figure) -> bytes:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=110, facecolor="white")
        return buffer.getvalue()

    class ShownFigure(Figure):
        """A figure that is drawn at the end of a notebook cell."""

        def _repr_png_(self) -> bytes:
            return png(self)

    class ShownAxes(Axes):
        """Axes that are drawn at the end of a notebook cell."""

        def _repr_png_(self) -> bytes:
            return png(self.get_figure(root=True))

    return ShownFigure, ShownAxes


def dress(ax: Axes) -> None:
    """Two spines, a faint grid behind the data."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, color=DATA, alpha=0.22, linewidth=0.7)
    ax.set_axisbelow(True)


def legend(ax: Axes, columns: int) -> None:
    """Below the panel, where no data can lie under it; in as many columns (at most `columns`) as there is room for."""
    handles = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    columns = fitting(list(handles), columns, ax.get_figure(root=True).get_figwidth())
    words = {"handles": list(handles.values()), "labels": list(handles), "ncols": columns}
    if isinstance(ax, _shown()[1]):
        ax.figure.legend(**words, frameon=False, fontsize=9, columnspacing=1.4, loc="outside lower center")
    else:
        ax.legend(**words, frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.16))


def fitting(labels: list[str], most: int, width: float) -> int:
    """How many columns of a legend, at most `most`, there is room for in a figure of so many inches."""
    return next((n for n in range(most, 1, -1) if _letters(labels, n) <= LETTERS * width), 1)


def _letters(labels: list[str], columns: int) -> int:
    """The width of a legend in letters: each column is as wide as its longest label, with its line before it."""
    deep = -(-len(labels) // columns)
    return sum(max(map(len, labels[at : at + deep])) + 7 for at in range(0, len(labels), deep))


def label(text: object) -> str:
    """A name as text: a dollar sign in it starts no formula."""
    return str(text).replace("$", r"\$")


def shortened(text: object, most: int = 28) -> str:
    """A long name without its middle; both ends tell columns of one factor apart."""
    words = str(text)
    half = (most - 1) // 2
    return label(words if len(words) <= most else f"{words[: most - half - 1]}\N{HORIZONTAL ELLIPSIS}{words[-half:]}")


def title(ax: Axes, text: str, below: str = "") -> None:
    """A title at the left, with conditions in smaller letters under it."""
    lines = textwrap.wrap(below, 92)[:2]
    ax.set_title(label(text), loc="left", fontsize=11, pad=8 + 13 * len(lines))
    if lines:
        ax.annotate(label("\n".join(lines)), (0, 1), (0, 6), xycoords="axes fraction",
                    textcoords="offset points", fontsize=8.5, color=DATA)  # fmt: skip


def svg(figure: Figure, name: str) -> str:
    """The figure as inline SVG; `name` keeps its inner names apart from those of other figures."""
    import matplotlib

    buffer = io.StringIO()
    empty = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=empty)
    return _inline(buffer.getvalue())


def _inline(text: str) -> str:
    """What a page needs of matplotlib's file: no header, addresses, styles or names that clash."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r"<[^>]*>", lambda tag: _tag(tag.group()), text)
    text = text.replace("<svg", '<svg fill="currentColor"', 1)
    return re.sub(r"\s*\n\s*", "\n", text).strip()


def _tag(tag: str) -> str:
    """One tag; what stands between tags are names and numbers of the data, which stay as they are."""
    tag = re.sub(r' xmlns(:\w+)?="[^"]*"', "", tag)
    if tag.startswith("<svg"):
        tag = re.sub(r' height="[^"]*"| version="[^"]*"', "", tag)
    if tag.startswith("<g "):
        tag = re.sub(r' id="[^"]*"', "", tag)
    tag = tag.replace("stroke: #000000", "stroke: currentColor").replace("xlink:href", "href")
    tag = re.sub(r"font-family: [^;\"]*", "font-family: inherit", tag)
    return re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number.group()):.2f}", tag)
