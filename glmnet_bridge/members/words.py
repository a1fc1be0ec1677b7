"""A fit in words, and in the tables of other packages."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import pandas as pd

from glmnet_bridge.members.records import Record


def _prose() -> Any:
    """What people read is loaded when somebody reads."""
    return importlib.import_module("glmnet_bridge.prose")


class ForWriters(Record):
    """Text for a paper."""

    def inline(
        self,
        term: str,
        *,
        exponentiate: bool | None = None,
        level: float = 0.95,
        vcov: Any = None,
        labels: Mapping[str, str] | None = None,
    ) -> str:
        """One term for running text: `OR 0.97, 95 % CI 0.91 to 1.04, p = 0.42`.

        Parameters
        ----------
        term : a column, a term (all its columns) or a variable; of several classes one for each of them
        exponentiate : ratios (of odds, risks, rates or means) or plain coefficients; by default ratios where the
            link makes them such
        level, vcov : of the limits, as in `tidy`
        labels : names for the reader, such as {"age": "Age (years)"}
        """
        return _prose().inline(self, term, exponentiate, level, vcov, labels)

    def report_text(
        self,
        *,
        exponentiate: bool | None = None,
        level: float = 0.95,
        vcov: Any = None,
        labels: Mapping[str, str] | None = None,
    ) -> str:
        """The results in a paragraph: model, rows, terms with limits and tests, fit; what does not hold is not said.

        Parameters are those of `inline`. The same fit gives the same text.
        """
        return _prose().report_text(self, exponentiate, level, vcov, labels)

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        """Coefficients for the package maketables."""
        return _prose().coefficients_for_maketables(self)

    def __maketables_stat__(self, key: str) -> float | str | None:
        """A statistic for the package maketables."""
        return _prose().statistic_for_maketables(self, key)

    @property
    def __maketables_depvar__(self) -> str:
        """The response, for the package maketables."""
        return str(self.recipe.response.name)

    @property
    def __maketables_vcov_info__(self) -> dict[str, str]:
        """Which standard errors they are, for the package maketables."""
        return {"se_type": "expected information"}
