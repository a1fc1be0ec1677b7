"""Sections: what a document is made of, free of any output format.

A document is a tuple of these records; `renderers` turns them into text, HTML, Markdown or
LaTeX. Tables keep their numbers and say how each column is to be read, so that every format
shows the same digits and `Document.tables` gives the numbers themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from glmnet_bridge.report import numbers

# kinds of columns that share decimals: estimates, and the errors that say how many they deserve
ESTIMATES = ("estimate", "error")
_ONE_BY_ONE: dict[str, Callable[[Any], str]] = {
    "text": lambda value: "" if value is None or value != value else str(value),
    "p": numbers.p_value,
    "statistic": numbers.statistic,
    "distance": numbers.distance,
    "count": numbers.count,
    "number": numbers.significant,
    "likelihood": numbers.likelihood,
}
KINDS = (*ESTIMATES, *_ONE_BY_ONE)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading below the document's title."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text; `tone` is "plain", "lead" (what is modelled), "note" (small) or "warning"."""

    text: str
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class Pairs:
    """Short facts with their names, such as `("AIC", "213.42")`."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its key in the frame, its heading, and how its values are written.

    `kind` is "text", "estimate", "error" (a standard error: it sets the decimals of the
    estimates), "statistic", "p", "distance", "count", "number" or "likelihood".
    """

    key: str
    heading: str
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """A frame with a caption; the first column names the rows. Texts among numbers stay as they are."""

    frame: pd.DataFrame
    caption: str
    columns: tuple[Column, ...]

    def cells(self) -> list[list[str]]:
        """The texts of each column."""
        values = {column.key: self.frame[column.key].tolist() for column in self.columns}
        shared = [column.key for column in self.columns if column.kind in ESTIMATES]
        anchors = [column.key for column in self.columns if column.kind == "error"] or shared[:1]
        together: dict[str, list[str]] = {}
        if shared:
            texts = numbers.estimates([values[key] for key in shared], values[anchors[0]])
            together = dict(zip(shared, texts, strict=True))
        return [
            together[column.key]
            if column.key in together
            else [_ONE_BY_ONE[column.kind](value) for value in values[column.key]]
            for column in self.columns
        ]


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing as SVG, which is trusted, with words for those who cannot see it, and a caption."""

    svg: str
    alt: str
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Details:
    """Parts that are folded away where the format can fold."""

    summary: str
    parts: tuple[Any, ...]


Part = Heading | Paragraph | Pairs | Table | Figure | Details
