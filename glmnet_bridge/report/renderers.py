"""Renderers: the sections of a document as text, HTML, Markdown and LaTeX.

Names in a document come from data, so each format escapes all text that it is given: HTML
through jinja2's autoescape, LaTeX through pandas, Markdown here. Text output is plain ASCII as
long as the names are.
"""

from __future__ import annotations

import functools
import re
import textwrap
from typing import TYPE_CHECKING, Any

import pandas as pd

from glmnet_bridge.report import numbers
from glmnet_bridge.report.sections import Details, Figure, Heading, Pairs, Paragraph, Part, Table

if TYPE_CHECKING:
    import jinja2

Parts = tuple[Part, ...]
WIDTH = 100


# --- text -------------------------------------------------------------------------------------


def text(title: str, parts: Parts, footer: str = "") -> str:
    """For terminals: what fits stays below 100 columns, tables are as wide as they need."""
    blocks = [_text_title(title)] if title else []
    blocks += [_text(part) for part in parts]
    return "\n\n".join([block for block in blocks if block] + ([footer] if footer else []))


def _text_title(title: str) -> str:
    return f"{title}\n{'=' * min(len(title), WIDTH)}"


def _text(part: Part) -> str:
    if isinstance(part, Heading):
        return f"{part.text}\n{'-' * min(len(part.text), WIDTH)}"
    if isinstance(part, Paragraph):
        return textwrap.fill(part.text, WIDTH, break_long_words=False, break_on_hyphens=False)
    if isinstance(part, Pairs):
        return _text_pairs(part.items)
    if isinstance(part, Table):
        return text_table(part)
    if isinstance(part, Details):
        return "\n\n".join([_text_title(part.summary), *filter(None, map(_text, part.parts))])
    return ""


def _text_pairs(items: tuple[tuple[str, str], ...]) -> str:
    """Two columns of names and values, filled downwards."""
    half = (len(items) + 1) // 2
    left, right = items[:half], items[half:]
    wide = max((len(f"{name}{value}") for name, value in left), default=0) + 4
    name = max((len(name) for name, _ in left), default=0)
    second = max((len(name) for name, _ in right), default=0)
    lines = []
    for row, (key, value) in enumerate(left):
        line = f"{key.ljust(name)}  {value}"
        if row < len(right):
            line = f"{line.ljust(max(wide, name + 26))}  {right[row][0].ljust(second)}  {right[row][1]}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def text_table(table: Table, most: int | None = None, where: str = "") -> str:
    """The table under its caption, numbers aligned at the point; at most `most` rows, and `where` the rest is."""
    cells = table.cells()
    rows = len(table.frame)
    shown = rows if most is None or rows <= most else most - 1
    lines = [""] * (shown + 1)
    for number, (column, texts) in enumerate(zip(table.columns, cells, strict=True)):
        texts = [" ".join(cell.split("\n")) for cell in texts[:shown]]
        body = texts if column.kind == "text" else numbers.aligned(texts)
        width = max(map(len, [column.heading, *body]))
        pad = str.ljust if column.kind == "text" else str.rjust
        for i, cell in enumerate([column.heading, *body]):
            lines[i] += ("  " if number else "") + pad(cell, width)
    rest = [f"... {numbers.counted(rows - shown, 'more row')}; {where}"] if shown < rows else []
    head = [table.caption] if table.caption else []
    return "\n".join([*head, *(line.rstrip() for line in lines), *rest])


# --- HTML -------------------------------------------------------------------------------------


def html(title: str, parts: Parts, footer: str = "") -> str:
    """A fragment for notebooks: its own styles, no script, nothing from outside."""
    return template("fragment.html").render(title=title, parts=[_shaped(part) for part in parts], footer=footer)


def html_page(title: str, parts: Parts, footer: str = "") -> str:
    """A page that is one file."""
    return template("page.html").render(title=title, parts=[_shaped(part) for part in parts], footer=footer)


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("glmnet_bridge.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def template(name: str) -> jinja2.Template:
    """A template of this package; all text put into it is escaped."""
    return _environment().get_template(name)


def _shaped(part: Part) -> dict[str, Any]:
    """A part as the templates read it."""
    kind = type(part).__name__.lower()
    if isinstance(part, Table):
        texts = [
            cells if column.kind == "text" else [_spaced(cell) for cell in numbers.aligned(cells)]
            for column, cells in zip(part.columns, part.cells(), strict=True)
        ]
        return {
            "kind": kind,
            "caption": part.caption,
            "head": [(column.heading, column.kind == "text") for column in part.columns],
            "rows": list(zip(*texts, strict=True)),
        }
    if isinstance(part, Details):
        return {"kind": kind, "summary": part.summary, "parts": [_shaped(each) for each in part.parts]}
    if isinstance(part, Figure):
        from markupsafe import Markup

        return {"kind": kind, "svg": Markup(part.svg), "alt": part.alt, "caption": part.caption}
    return {"kind": kind, **{name: getattr(part, name) for name in part.__dataclass_fields__}}


def _spaced(cell: str) -> str:
    """A number at the right edge: the space after it is as wide as the digits that others have there."""
    digits = cell.strip()
    after = len(cell) - len(cell.rstrip())
    if not after:
        return digits
    point = "" if "." in digits else "\N{PUNCTUATION SPACE}"
    return digits + point + "\N{FIGURE SPACE}" * (after - len(point))


# --- Markdown ---------------------------------------------------------------------------------


def markdown(title: str, parts: Parts, footer: str = "") -> str:
    """GitHub's Markdown; figures are named, not drawn."""
    blocks = [f"# {_md(title)}"] if title else []
    blocks += [_markdown(part) for part in parts]
    return "\n\n".join([block for block in blocks if block] + ([f"*{_md(footer)}*"] if footer else [])) + "\n"


def _markdown(part: Part) -> str:
    if isinstance(part, Heading):
        return f"## {_md(part.text)}"
    if isinstance(part, Paragraph):
        return f"**{_md(part.text)}**" if part.tone in ("lead", "warning") else _md(part.text)
    if isinstance(part, Pairs):
        return "\n".join(f"- {_md(name)}: {_md(value)}" for name, value in part.items)
    if isinstance(part, Table):
        return _markdown_table(part)
    if isinstance(part, Figure):
        return f"*Figure (drawn in the HTML report): {_md(part.alt)}*"
    return "\n\n".join([f"## {_md(part.summary)}", *filter(None, map(_markdown, part.parts))])


def _markdown_table(table: Table) -> str:
    columns = [[_md(cell) for cell in cells] for cells in table.cells()]
    lines = [[_md(column.heading) for column in table.columns]]
    lines += [["---" if column.kind == "text" else "--:" for column in table.columns]]
    lines += [list(row) for row in zip(*columns, strict=True)]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"**{_md(table.caption)}**\n\n{body}" if table.caption else body


def _md(words: str) -> str:
    """Literal text: no emphasis, code, link, formula, table cell or HTML can come out of a name."""
    escaped = re.sub(r"([\\`*_|$~])", r"\\\1", words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
    return " ".join(re.sub(r"\]([(\[:])", r"\\]\1", escaped).split())


# --- LaTeX ------------------------------------------------------------------------------------


def latex(title: str, parts: Parts, footer: str = "") -> str:
    """Paragraphs and booktabs tables, to be included in a document."""
    body = [f"\\section*{{{_tex(title)}}}"] if title else []
    body += [_latex(part) for part in parts]
    return "\n\n".join([block for block in body if block] + ([_tex(footer)] if footer else [])) + "\n"


def latex_page(title: str, parts: Parts, footer: str = "") -> str:
    """A document of its own."""
    packages = ["[T1]{fontenc}", "[utf8]{inputenc}", "[margin=2cm]{geometry}", "{booktabs}", "{longtable}"]
    head = ["\\documentclass[a4paper,10pt]{article}", *(f"\\usepackage{name}" for name in packages)]
    head += ["\\setlength{\\parindent}{0pt}", "\\setlength{\\parskip}{0.6em}", "\\begin{document}", ""]
    return "\n".join(head) + latex(title, parts, footer) + "\n\\end{document}\n"


def _latex(part: Part) -> str:
    if isinstance(part, Heading):
        return f"\\subsection*{{{_tex(part.text)}}}"
    if isinstance(part, Paragraph):
        words = _tex(part.text)
        return {"lead": f"\\textbf{{{words}}}", "note": f"{{\\small {words}\\par}}"}.get(part.tone, words)
    if isinstance(part, Pairs):
        rows = " \\\\\n".join(f"{_tex(name)} & {_tex(value)}" for name, value in part.items)
        return f"\\begin{{tabular}}{{@{{}}ll@{{}}}}\n{rows}\n\\end{{tabular}}"
    if isinstance(part, Table):
        return _latex_table(part)
    if isinstance(part, Figure):
        return f"\\emph{{{_tex('Figure (drawn in the HTML report): ' + part.alt)}}}"
    return "\n\n".join([f"\\subsection*{{{_tex(part.summary)}}}", *filter(None, map(_latex, part.parts))])


def _latex_table(table: Table) -> str:
    frame = pd.DataFrame(dict(enumerate(table.cells())))
    frame.columns = [column.heading for column in table.columns]
    style = frame.style.hide(axis="index").format(escape="latex").format_index(escape="latex", axis="columns")
    body = style.to_latex(hrules=True, column_format=_shape(table, frame)).rstrip()
    body = re.sub(r"(\\\\|rule)\n([\[*])", r"\1\n{}\2", body)  # a cell's bracket is no argument of the line's end
    small = "\\footnotesize\\setlength{\\tabcolsep}{3pt}" if len(table.columns) > 7 else "\\small"
    caption = f"\\textbf{{{_tex(table.caption)}}}\\\\[0.3em]\n" if table.caption else ""
    if len(frame) > 40:
        body = body.replace("{tabular}", "{longtable}")
    return f"{caption}{{{small}\n{body}\n\\par}}"


def _shape(table: Table, frame: pd.DataFrame) -> str:
    """Columns to the left, numbers to the right; where texts are long they get lines of their own."""
    words = [column.kind == "text" for column in table.columns]
    longest = [max(map(len, frame.iloc[:, j]), default=0) for j in range(frame.shape[1])]
    if max(longest, default=0) <= 40:
        return "@{}" + "".join("l" if word else "r" for word in words) + "@{}"
    sizes = [min(max(length, 12), 60) * word for length, word in zip(longest, words, strict=True)]
    room = 0.93 - 0.09 * words.count(False)
    shares = (f"p{{{room * size / sum(sizes):.3f}\\linewidth}}" if size else "r" for size in sizes)
    return "@{}" + "".join(shares) + "@{}"


def _tex(words: str) -> str:
    """Literal text, by pandas' own escaping: of a table with one cell."""
    style = pd.DataFrame([[" ".join(words.split())]]).style.format(escape="latex")
    lines = style.hide(axis="index").hide(axis="columns").to_latex().splitlines()
    return lines[1].removesuffix(" \\\\")
