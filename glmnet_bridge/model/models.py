"""The model: three lines, and they stand here only.

    eta, J       = network(U, theta)
    loglik, u, w = family(y, eta)
    score, info  = J'u,  J' diag(w) J

`Model.sums(rows, theta)` evaluates them block by block and adds. Fitters, standard errors,
tests and the network view all read these sums; nothing else in the package computes a
likelihood, a score or an information matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from glmnet_bridge.data.rows import Block, Rows
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.networks import Network
from glmnet_bridge.model.penalties import Penalty

Array = np.ndarray

WANTS = ("value", "score", "observed", "expected", "both")


@dataclass(frozen=True, slots=True)
class Sums:
    """What one pass over the rows adds up; all at dispersion 1 and without penalty.

    Attributes
    ----------
    loglik : log-likelihood less that of the saturated model (-deviance / 2); nan if not wanted
    score : (P,) array or None
    observed, expected : (P, P) information or None; the observed one is `J' diag(w) J`, without the
        curvature of eta in theta that a network with stacked or hidden layers adds
    """

    loglik: float
    score: Array | None = None
    observed: Array | None = None
    expected: Array | None = None

    def __add__(self, other: Sums) -> Sums:
        observed = _plus(self.observed, other.observed)
        # of a canonical link both are one array, and stay it
        same = self.expected is self.observed and other.expected is other.observed
        expected = observed if same else _plus(self.expected, other.expected)
        return Sums(self.loglik + other.loglik, _plus(self.score, other.score), observed, expected)

    def through(self, jacobian: Array) -> Sums:
        """The sums for weights that move these parameters by `jacobian` `(p, P)`: linear, one product for all rows."""

        def square(info: Array | None) -> Array | None:
            return None if info is None else jacobian.T @ info @ jacobian

        score = None if self.score is None else jacobian.T @ self.score
        observed = square(self.observed)
        return Sums(self.loglik, score, observed, observed if self.expected is self.observed else square(self.expected))


def _plus(one: Array | None, other: Array | None) -> Array | None:
    return None if one is None or other is None else one + other


@dataclass(frozen=True, slots=True)
class Model:
    """A network with a family on top and a penalty beside.

    Attributes
    ----------
    columns : names of the p columns that the network reads
    network : the body, theta to eta
    family : the head, eta to likelihood
    penalty : on the sum of the log-likelihood
    outputs : names of the k linear predictors where there are several, such as the classes after the base
    reduction : how the bias of the estimate is reduced: "mean", "median", "jeffreys" (`fitting.reductions`), or ""
    """

    columns: tuple[str, ...]
    network: Network
    family: Family
    penalty: Penalty = Penalty()
    outputs: tuple[str, ...] = ()
    reduction: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the coefficients; of several outputs one after the other: `ward: age`."""
        if not self.outputs:
            return self.columns
        return tuple(f"{output}: {column}" for output in self.outputs for column in self.columns)

    @property
    def decay(self) -> Array | None:
        """Second derivative `(P,)` of the penalty; None where nothing is penalised."""
        return self.penalty.diagonal(self.network.biases) if self.penalty.strength else None

    def eta(self, block: Block, theta: Array) -> Array:
        """Linear predictor `(m, k)` of a block, offset included."""
        eta = self.network.at(theta).forward(block.columns)[0]
        return eta if block.offset is None else eta + block.offset

    def sums(self, rows: Rows, theta: Array, want: str = "both", spans: list[tuple[int, int]] | None = None) -> Sums:
        """Log-likelihood, score and information at theta, added over rows.

        Parameters
        ----------
        rows : the rows, or those in `spans`
        theta : (P,) parameters
        want : "value" (log-likelihood alone), "score" (score alone), "observed" or "expected"
            (log-likelihood, score and that information), "both"
        """
        return rows.sum(self.part(theta, want), spans)

    def part(self, theta: Array, want: str) -> Callable[[Block], Sums]:
        """What `sums` adds up: the sums of one block."""
        body = self.network.at(theta)
        canonical = self.family.canonical and self.network.affine

        def part(block: Block) -> Sums:
            eta, tape = body.forward(block.columns)
            if block.offset is not None:
                eta += block.offset
            w = _times(block.weights)
            if want == "score":
                return Sums(np.nan, body.score(tape, w(self.family.score(block.response, eta))))
            local = self.family.local(block.response, eta)
            loglik = float(np.sum(w(local.loglik)))
            if want == "value" or not np.isfinite(loglik):
                # outside the link's domain score and information mean nothing
                return Sums(loglik)
            score = body.score(tape, w(local.score))
            if canonical:
                info = body.info(tape, w(local.expected))
                return Sums(loglik, score, info, info)
            observed = body.info(tape, w(local.observed)) if want in ("observed", "both") else None
            expected = body.info(tape, w(local.expected)) if want in ("expected", "both") else None
            return Sums(loglik, score, observed, expected)

        return part


def _times(weights: Array) -> Callable[[Array], Array]:
    """Multiply rows by their weights; equal weights, held as one number, need no multiplication if they are 1."""
    if weights.strides == (0,) and len(weights) and weights[0] == 1.0:
        return lambda values: values
    column, matrix = weights[:, None], weights[:, None, None]
    if weights.all():
        return lambda values: (column if values.ndim == 2 else matrix) * values
    # rows without weight may lie outside the link's domain, where 0 times infinity is no number
    return lambda values: np.multiply(
        column if values.ndim == 2 else matrix,
        values,
        out=np.zeros_like(values),
        where=(column if values.ndim == 2 else matrix) > 0,
    )
