"""Findings: what a check of a fit found, each as ok, note or problem, with what to do about it."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from glmnet_bridge.report import numbers

STATES = ("problem", "note", "ok")
WIDTH = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    check : what was looked at, in a word or two
    status : "ok", "note" (know it) or "problem" (do something)
    finding : what was found
    action : what to do, or ""
    """

    check: str
    status: str
    finding: str
    action: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Findings:
    """All that a check of a fit found; `table` is the same as a frame.

    Attributes
    ----------
    modelled : what was checked
    items : the findings
    """

    modelled: str
    items: tuple[Finding, ...]

    @property
    def table(self) -> pd.DataFrame:
        """`check, status, finding, action`."""
        rows = [(item.check, item.status, item.finding, item.action) for item in self.items]
        return pd.DataFrame(rows, columns=["check", "status", "finding", "action"])

    @property
    def ok(self) -> bool:
        """Whether nothing is a problem."""
        return all(item.status != "problem" for item in self.items)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, check: str) -> Finding:
        return {item.check: item for item in self.items}[check]

    def _headline(self) -> str:
        counts = [(status, sum(item.status == status for item in self.items)) for status in STATES]
        return ", ".join(f"{n} ok" if status == "ok" else numbers.counted(n, status) for status, n in counts if n)

    def __repr__(self) -> str:
        wide = max((len(item.check) for item in self.items), default=0)
        lines = [f"Check of {self.modelled}: {self._headline()}"]
        for item in self.items:
            start = f"  {item.status:<8}{item.check:<{wide}}  "
            text = f"{item.finding} {item.action}".strip()
            lines += textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        cells = "".join(
            "<tr>" + "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in ((item.status, item.check, item.finding, item.action) for item in self.items)
        )
        head = "".join(f"<th style='text-align:left'>{name}</th>" for name in ("status", "check", "finding", "action"))
        title = html.escape(f"Check of {self.modelled}: {self._headline()}")
        return f"<p>{title}</p><table><thead><tr>{head}</tr></thead><tbody>{cells}</tbody></table>"
