"""Terms: the coefficients that a map speaks of, of q columns for each of k linear predictors.

    eta = U B, B (q, k)        beta = vec B: output after output, as `ward: age`

Likelihoods are summed for B row by row, as networks hold it; `kept_sums` gives them for beta.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from glmnet_bridge.data.rows import Array, Rows
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.layers import Affine
from glmnet_bridge.model.models import Model, Sums
from glmnet_bridge.model.networks import Inputs, Network, by_output


@dataclass(frozen=True, slots=True)
class Terms:
    """The coefficients of a map.

    Attributes
    ----------
    columns : names of the q columns of formula and network; the first `own` are the formula's
    own : how many are the formula's
    independent : positions of the independent ones
    outputs : names of the linear predictors where there are several
    """

    columns: tuple[str, ...]
    own: int
    independent: Array
    outputs: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """k, the number of linear predictors."""
        return max(len(self.outputs), 1)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the coefficients, q * k of them."""
        return tuple(label for name in self.outputs or ("",) for label in self.of_output(self.columns, name))

    @staticmethod
    def of_output(columns: tuple[str, ...], output: str) -> tuple[str, ...]:
        """Names of the coefficients of one linear predictor."""
        return tuple(f"{output}: {column}" if output else column for column in columns)

    @property
    def kept(self) -> Array:
        """Positions of the independent columns' coefficients."""
        first: Array = (np.arange(self.count)[:, None] * len(self.columns) + self.independent).ravel()
        return first

    def added(self, at: int) -> bool:
        """Whether a coefficient is one of a column that the formula lacks."""
        return at % len(self.columns) >= self.own

    def aliased(self, equations: dict[str, str]) -> dict[str, str]:
        """Equations of aliased columns for each of their coefficients."""
        names = self.outputs or ("",)
        return {self.of_output((name,), each)[0]: text for each in names for name, text in equations.items()}

    def matrix(self, beta: Array) -> Array:
        """B `(q, k)`."""
        return beta.reshape(self.count, -1).T

    def kept_sums(
        self, family: Family, rows: Rows, beta: Array, want: str = "both", spans: list[tuple[int, int]] | None = None
    ) -> Sums:
        """Log-likelihood, score and information of the independent columns' coefficients, at their values beta."""
        network = plain_network(self.columns, self.independent, self.count)
        order = by_output(len(self.independent), self.count)
        theta = np.empty(len(order))
        theta[order] = beta
        return self.ordered(Model(self.columns, network, family).sums(rows, theta, want, spans))

    def kept_of(self, sums: Sums) -> Sums:
        """Of sums for B of all columns, row by row, those of the independent ones."""
        return _picked(sums, (self.independent[:, None] * self.count + np.arange(self.count)).ravel())

    def ordered(self, sums: Sums) -> Sums:
        """Sums for B row by row as those for beta."""
        if self.count == 1:
            return sums
        return _picked(sums, by_output(len(self.independent), self.count))


def _picked(sums: Sums, at: Array) -> Sums:
    square = np.ix_(at, at)
    return replace(
        sums,
        score=None if sums.score is None else sums.score[at],
        observed=None if sums.observed is None else sums.observed[square],
        expected=None if sums.expected is None else sums.expected[square],
    )


def plain_network(names: tuple[str, ...], kept: Array, outputs: int = 1) -> Network:
    """The network of a GLM on the columns `kept`, with the names of all."""
    matrix = np.eye(len(names))[:, kept]
    chosen = tuple(names[j] for j in kept)
    entries = chosen if outputs == 1 else tuple(f"{name}, {unit}" for name in chosen for unit in range(outputs))
    return Network(Inputs(chosen, matrix), (Affine(len(kept), outputs, bias=False),), entries)
