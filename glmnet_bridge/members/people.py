"""What people see of a fit: summary, report, figures. It is loaded when somebody looks."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from glmnet_bridge.members.records import Record

if TYPE_CHECKING:
    from glmnet_bridge.plots import Plots
    from glmnet_bridge.report.documents import Document


def _faces() -> ModuleType:
    """What people see is loaded when somebody looks: it is a third of the package, and a fit needs none of it."""
    from glmnet_bridge import faces

    return faces


class ForPeople(Record):
    """Tables, documents and figures."""

    def summary(self, *, level: float = 0.95, vcov: Any = None) -> Document:
        """All about the fit: `print` it, or ask it `.as_html()`, `.as_markdown()`, `.as_latex()`."""
        return _faces().summary(self, level, vcov)

    def __repr__(self) -> str:
        return _faces().short(self)

    def _repr_html_(self) -> str:
        return _faces().notebook(self)

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write the summary with figures to one file; its ending says the format: .html, .md or .tex."""
        return _faces().report(self, path)

    @functools.cached_property
    def input_spreads(self) -> np.ndarray:
        """Standard deviation `(d,)` of each input of the network: how wide the lines of its drawing are."""
        from glmnet_bridge import plots

        return plots.spreads(self)

    @property
    def plot(self) -> Plots:
        """The figures, such as `fit.plot.curve("age")`: see `glmnet_bridge.plots.Plots`."""
        return _faces().Plots((("GLM", self),))
