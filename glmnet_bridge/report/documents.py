"""Documents: what people read, in the format that they ask for.

`print(document)` is text, a notebook shows HTML, `write` makes a file of its own by the ending of
its name. The same document gives the same bytes: no dates, times or random names go in.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from glmnet_bridge.errors import ArgumentError, nearest
from glmnet_bridge.report import renderers
from glmnet_bridge.report.sections import Details, Part, Table

_PAGES = {
    ".html": renderers.html_page,
    ".htm": renderers.html_page,
    ".md": renderers.markdown,
    ".tex": renderers.latex_page,
    ".txt": renderers.text,
}


@dataclass(frozen=True, slots=True, repr=False)
class Document:
    """A title, sections and a footer; `print` it, show it in a notebook, or write it to a file.

    Attributes
    ----------
    title : what is modelled
    parts : the sections
    footer : a last line
    """

    title: str
    parts: tuple[Part, ...]
    footer: str = ""

    def as_text(self) -> str:
        """For a terminal."""
        return renderers.text(self.title, self.parts, self.footer)

    def as_html(self) -> str:
        """A fragment with its own styles, for a notebook or a page."""
        return renderers.html(self.title, self.parts, self.footer)

    def as_markdown(self) -> str:
        """Markdown with GitHub's tables."""
        return renderers.markdown(self.title, self.parts, self.footer)

    def as_latex(self) -> str:
        """A fragment that needs the package booktabs."""
        return renderers.latex(self.title, self.parts, self.footer)

    def __str__(self) -> str:
        return self.as_text()

    def __repr__(self) -> str:
        return self.as_text()

    def _repr_html_(self) -> str:
        return self.as_html()

    @property
    def tables(self) -> tuple[pd.DataFrame, ...]:
        """The numbers behind the tables, unrounded."""
        return tuple(_frames(self.parts))

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write a file of its own: .html, .md, .tex or .txt; an existing file is replaced as a whole."""
        target = writable(path)
        page = _PAGES[target.suffix.lower()](self.title, self.parts, self.footer)
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            beside.write_text(page, encoding="utf-8", newline="\n")
            os.replace(beside, target)
        finally:
            beside.unlink(missing_ok=True)
        return target


def writable(path: str | os.PathLike[str]) -> Path:
    """The path, if a report can be written there: asked before any work is done.

    Raises
    ------
    ArgumentError
        for an ending that stands for no format, or a place where no file can be made
    """
    target = Path(path)
    if target.suffix.lower() not in _PAGES:
        raise ArgumentError(
            f"report({str(path)!r}): the ending says the format, and it must be one of {', '.join(_PAGES)}."
            f"{nearest(target.suffix, _PAGES) if target.suffix else ''}"
        )
    folder = target.parent
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise ArgumentError(f"report({str(path)!r}): {str(folder)!r} {what}. Make it first, or give another path.")
    if target.is_dir():
        raise ArgumentError(f"report({str(path)!r}): this is a folder. Give the name of a file in it.")
    if not os.access(target if target.exists() else folder, os.W_OK) or not os.access(folder, os.W_OK):
        raise ArgumentError(f"report({str(path)!r}): no permission to write there. Give another path.")
    return target


def _frames(parts: tuple[Part, ...]) -> list[pd.DataFrame]:
    found: list[pd.DataFrame] = []
    for part in parts:
        if isinstance(part, Table):
            found.append(part.frame)
        elif isinstance(part, Details):
            found += _frames(part.parts)
    return found
