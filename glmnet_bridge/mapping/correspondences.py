"""Correspondences: which weight is which term, as one matrix.

    beta = R v + c        eta = U beta                of several outputs: eta = U B, beta = vec B

`v` are the network's weights themselves where eta is linear in them; where layers multiply, v
is the folded kernel (one number per input, and one bias). Relations, constraints and words are
read off R, which is known exactly; `A = d beta / d theta` carries redundancy and covariances.

    row of R    one entry 1: same      one other entry: scaled    several: combined
                none: glm only, or fixed where c has a number for it
                a column that the formula lacks: network only
    rank of R   below the number of columns: the network is a constrained GLM
    null of A   directions in which the weights can move without changing eta
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from glmnet_bridge.data.rows import Array
from glmnet_bridge.fitting import linalg
from glmnet_bridge.fitting.linalg import Rank
from glmnet_bridge.mapping.terms import Terms
from glmnet_bridge.mapping.unions import Union, snapped
from glmnet_bridge.model.layers import Affine, Branch, Fixed, Normalise, bare
from glmnet_bridge.model.networks import Inputs, Network, by_output, fold, fold_jacobian, is_bias

MOST = 6  # summands of an expression that are written out


@dataclass(frozen=True, slots=True)
class Tie:
    """A constraint that the network puts on the coefficients: `weights @ beta = value`.

    Attributes
    ----------
    columns : the columns that it concerns
    weights : (q,) over all columns
    text : `b[x1] - b[x2] = 0`
    value : the 0 of it
    """

    columns: tuple[str, ...]
    weights: Array
    text: str
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class Correspondence:
    """The map from a network's weights to the coefficients of the columns.

    Attributes
    ----------
    terms : the coefficients, q of them: those of the columns of formula and network, for each output
    aliased : those of the formula's columns that others determine, with their equations
    entries : (m,) names of what R multiplies
    values : (m,) their values in this network
    matrix : (q, m) R
    constant : (q,) c, what no weight changes
    weights : (P,) names of the network's weights
    jacobian : (q, P) A, the derivative of the coefficients
    folded : whether fixed or stacked layers were multiplied out
    ties : what the network cannot tell apart, or leaves out
    """

    terms: Terms
    aliased: dict[str, str]
    entries: tuple[str, ...]
    values: Array
    matrix: Array
    constant: Array
    weights: tuple[str, ...]
    jacobian: Array
    folded: bool
    ties: tuple[Tie, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the coefficients: of the columns, or of the columns for each output."""
        return self.terms.labels

    @property
    def kept(self) -> Array:
        """Positions of those of independent columns."""
        return self.terms.kept

    @property
    def coefficients(self) -> Array:
        """What the network's weights are as coefficients `(q,)`; nan where a column is aliased."""
        with np.errstate(invalid="ignore"):
            # an infinite coefficient times a zero weight is nothing
            out = np.where(self.matrix != 0, self.matrix * self.values, 0.0).sum(axis=1) + self.constant
        gone = np.setdiff1d(np.arange(len(out)), self.kept)
        out[gone] = np.nan
        return out

    @property
    def relations(self) -> tuple[str, ...]:
        """One word per column: same, scaled, combined, tied, fixed, glm only or network only."""
        tied = {name for tie in self.ties if len(tie.columns) > 1 for name in tie.columns}
        return tuple(self._relation(j, name in tied) for j, name in enumerate(self.columns))

    def _relation(self, j: int, tied: bool) -> str:
        row = self.matrix[j]
        used = np.flatnonzero(row)
        if self.terms.added(j):
            return "network only"
        if not len(used):
            return "fixed" if self.constant[j] else "glm only"
        if tied:
            return "tied"
        if len(used) > 1:
            return "combined"
        return "same" if row[used[0]] == 1.0 and self.constant[j] == 0.0 else "scaled"

    @property
    def expressions(self) -> tuple[str, ...]:
        """Each coefficient in words: `kernel[g=b] - kernel[g=a]`."""
        return tuple(self._expression(j, name) for j, name in enumerate(self.columns))

    def _expression(self, j: int, name: str) -> str:
        if name in self.aliased:
            return f"aliased: {name} = {self.aliased[name]}"
        return written(self.matrix[j], self.entries, float(self.constant[j]))

    def links(self) -> pd.DataFrame:
        """One row per non-zero entry of R: `glm_term, network_term, weight`."""
        rows, at = np.nonzero(self.matrix)
        names = self.columns
        return pd.DataFrame(
            {
                "glm_term": [names[j] for j in rows],
                "network_term": [self.entries[i] for i in at],
                "weight": self.matrix[rows, at],
            }
        )

    @property
    def rank(self) -> int:
        """How many coefficients the network can move freely."""
        return int(np.linalg.matrix_rank(self.matrix[self.kept])) if self.matrix.size else 0

    @property
    def narrow(self) -> int:
        """How many directions of the coefficients narrow layers deny, beside the ties: of several outputs only.

        Few hidden units let the coefficients of all classes move together, which is no linear constraint.
        """
        if self.terms.count == 1 or self.entries == self.weights:
            return 0
        free = int(np.linalg.matrix_rank(self.jacobian[self.kept]))
        return len(self.kept) - len(self.ties) - free

    @property
    def null(self) -> Array:
        """Directions `(P, d)` in which the weights move without changing a prediction, sparse where possible."""
        found = linalg.rank(self.jacobian[self.kept])
        out = np.zeros((len(self.weights), len(found.dropped)))
        out[found.dropped, np.arange(len(found.dropped))] = 1.0
        out[found.kept] = -snapped(np.where(np.abs(found.equations) > 1e-10, found.equations, 0.0)).T
        return out

    @property
    def redundant(self) -> Array:
        """Which weights `(P,)` are not identified on their own."""
        null = self.null
        if not null.shape[1]:
            return np.zeros(len(self.weights), dtype=bool)
        basis = np.linalg.qr(null)[0]
        return np.sqrt((basis**2).sum(axis=1)) > 1e-8

    def directions(self) -> pd.DataFrame:
        """One row per redundancy: `direction, network_terms, description`."""
        null = self.null
        rows = []
        for column in null.T:
            column = column * np.sign(column[np.flatnonzero(column)[0]])
            used = [self.weights[i] for i in np.flatnonzero(column)]
            size = column[column != 0]
            together = len(size) > self.terms.count > 1 and bool((size == 1.0).all())
            said = _description(used, stacked=self.entries != self.weights, softmax=together)
            rows.append((written(column, self.weights), ", ".join(used), said))
        return pd.DataFrame(rows, columns=["direction", "network_terms", "description"])


def correspond(
    union: Union, network: Network, theta: Array, aliased: dict[str, str], outputs: tuple[str, ...] = ()
) -> Correspondence:
    """Read the map off an affine network.

    Parameters
    ----------
    union : the columns, with the inputs in terms of them
    network : over these inputs
    theta : (P,) its weights
    aliased : equations of the formula's aliased columns
    outputs : names of the linear predictors where there are several
    """
    own = Network(union.inputs, network.layers, network.entries)
    terms = Terms(union.names, union.own, union.kept, outputs)
    jacobian = fold_jacobian(own, theta)[by_output(len(union.names), terms.count)]
    if network.linear:
        entries, values, matrix = network.entries, np.asarray(theta, dtype=float), _clean(jacobian)
        constant = fold(own, np.zeros_like(values)).T.ravel()
    else:
        entries, values, matrix = _folded(union, network, theta, terms)
        constant = np.zeros(len(matrix))
    return Correspondence(
        terms=terms,
        aliased=terms.aliased(aliased),
        entries=entries,
        values=values,
        matrix=matrix,
        constant=constant,
        weights=network.entries,
        jacobian=jacobian,
        folded=not network.linear or any(isinstance(bare(layer), Fixed | Normalise) for layer in network.layers),
        ties=_ties(terms.labels, terms.kept, matrix, constant),
    )


def _folded(union: Union, network: Network, theta: Array, terms: Terms) -> tuple[tuple[str, ...], Array, Array]:
    """Where layers multiply: names and values of the folded kernel and bias, and R for them."""
    kernel, bias = input_kernel(network, theta)
    q = len(union.names)
    ones = np.zeros((q, 0)) if union.inputs.ones is None else union.inputs.ones[:, None]
    inputs = np.eye(q) if union.inputs.matrix is None else union.inputs.matrix
    entries: list[str] = []
    values: list[float] = []
    for place, unit in enumerate(terms.outputs or ("",)):
        end = f", {unit}" if unit else ""
        entries += [f"folded kernel[{name}{end}]" for name in union.inputs.names]
        entries += [f"folded bias[{unit}]" if unit else "folded bias"] * ones.shape[1]
        values += [*kernel[:, place], *[bias[place]] * ones.shape[1]]
    return tuple(entries), np.array(values), np.kron(np.eye(terms.count), np.column_stack([inputs, ones]))


def input_kernel(network: Network, theta: Array) -> tuple[Array, Array]:
    """Folded kernel `(d, k)` and bias `(k,)` of the inputs, whatever the number of layers."""
    onward = np.eye(network.outputs)
    for layer, run in reversed(list(zip(network.layers, network.slices(), strict=True))):
        onward = layer.backward(np.zeros((1, layer.inputs)), theta[run], onward)
    return onward.T, run_layers(network, np.zeros((1, onward.shape[1])), theta)[0]


def run_layers(network: Network, inputs: Array, theta: Array) -> Array:
    """The network itself, layer by layer: `(m, k)` from its inputs `(m, d)`."""
    for layer, run in zip(network.layers, network.slices(), strict=True):
        inputs = layer.forward(inputs, theta[run])
    return inputs


def reduced(correspondence: Correspondence, inputs: Inputs) -> Network | None:
    """The constrained GLM over the same columns, one free weight per column of R; None if nothing is tied.

    What no weight changes (c) is an input of its own, with a fixed weight of 1. Of several linear predictors,
    too: a constraint across them is no GLM on fewer columns.
    """
    if not correspondence.ties or correspondence.terms.count > 1:
        return None
    found = linalg.rank(correspondence.matrix[correspondence.kept])
    matrix = correspondence.matrix[:, found.kept]
    names = tuple(f"b[{written(column, correspondence.columns, times='')}]" for column in matrix.T)
    free = Affine(len(names), 1, bias=False)
    if not correspondence.constant.any():
        return Network(Inputs(names, matrix, inputs.ones), (free,), names)
    whole = np.column_stack([matrix, correspondence.constant])
    beside = Branch(free, len(names) + 1, tuple(range(len(names))), (len(names),))
    total = Fixed(np.ones((2, 1)), np.zeros(1), "total", "sum")
    return Network(Inputs((*names, "fixed part"), whole, inputs.ones), (beside, total), names)


def written(weights: Array, names: tuple[str, ...], constant: float = 0.0, times: str = "*") -> str:
    """A combination in words, a bias first, then what is added, then what is taken away."""
    order = sorted(np.flatnonzero(weights), key=lambda j: (weights[j] < 0, not is_bias(names[j])))
    parts = [_part(float(weights[j]), names[j], times) for j in order[:MOST]]
    if len(order) > MOST:
        parts.append(f"+ {len(order) - MOST} more")
    if constant:
        parts.append(f"{'-' if constant < 0 else '+'} {abs(constant):.6g}")
    text = " ".join(parts)
    return text[2:] if text.startswith("+ ") else f"-{text[2:]}" if text.startswith("- ") else text


def _part(weight: float, name: str, times: str) -> str:
    size = abs(weight)
    amount = "" if size == 1.0 else f"{size:.6g}{times or ' '}"
    return f"{'-' if weight < 0 else '+'} {amount}{name}"


def _clean(matrix: Array) -> Array:
    """Rounding of fixed layers, `(1 - m) + m`, is no weight of its own."""
    whole = np.round(matrix)
    return np.where(np.abs(matrix - whole) <= 1e-13 * np.maximum(np.abs(whole), 1.0), whole, matrix)


def _ties(names: tuple[str, ...], kept: Array, matrix: Array, constant: Array) -> tuple[Tie, ...]:
    """Combinations of coefficients that no weight moves: the left null space of R."""
    found: Rank = linalg.rank(matrix[kept].T)
    ties = []
    for row, j in enumerate(found.dropped):
        weights = np.zeros(len(names))
        weights[kept[j]] = 1.0
        equation = found.equations[row]
        weights[kept[found.kept]] = -snapped(np.where(np.abs(equation) > 1e-10, equation, 0.0))
        used = np.flatnonzero(weights)
        weights = weights * np.sign(weights[used[0]])
        value = float(weights @ constant)
        columns = tuple(names[i] for i in used)
        text = written(weights[used], tuple(f"b[{name}]" for name in columns))
        ties.append(Tie(columns, weights, f"{text} = {value:.6g}", value))
    return tuple(ties)


def _description(used: list[str], stacked: bool, softmax: bool = False) -> str:
    if len(used) == 1:
        return f"{used[0]} has no effect: its input is constant at 0 on these rows"
    if softmax:
        return "adding one number to the weights of all classes changes no prediction (softmax)"
    small = "moving the weights a little" if stacked else "moving the weights"
    return f"{small} along this direction changes no prediction"
