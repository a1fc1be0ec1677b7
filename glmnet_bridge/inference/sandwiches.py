"""Sandwiches: covariances that do not presume the model's variance, as R's `sandwich` and `vcovCL` define them.

    V = C M C        C = (X'WX)^-1 the bread, by the expected information; M the meat

    HC0    M = sum s_i s_i'                       s_i = w_i u_i x_i, the score of row i at dispersion 1
    HC1    HC0 times n / (n - p)
    HC2    M = sum s_i s_i' / (1 - h_i)           h_i = w_i e_i x_i' C x_i, the hat value; e_i expected information
    HC3    M = sum s_i s_i' / (1 - h_i)^2
    cluster M = sum over clusters g of (sum of s_i in g)(the same)', times G / (G - 1) and (n - 1) / (n - p)

The dispersion cancels. Columns are whitened by a root of the bread, z = H'x with H H' = C, so that no
digits are lost to columns of different size: V = H (sum z z' ...) H' and h = w e |z|^2. Rows are read
in blocks; of two clusterings the covariances are added and that of the intersections is taken off
(Cameron, Gelbach and Miller 2011). A frequency weight f is f equal rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from glmnet_bridge.data.rows import Block, Rows, spread
from glmnet_bridge.errors import ArgumentError
from glmnet_bridge.fitting import coordinates, covariances, linalg
from glmnet_bridge.fitting.estimates import Estimate

Array = np.ndarray

KINDS = ("HC0", "HC1", "HC2", "HC3")
ONE = 1e-10  # a row with 1 - h below this is fitted by a coefficient of its own
OFF = 1e-2  # standard errors from the optimum beyond which scores do not sum to 0
BATCH = 8  # blocks whose sums are held at a time
ENTRIES = 8_000_000  # sums of clusters times coefficients that are held at a time


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of the rows of a fit, whitened.

    Attributes
    ----------
    estimate, rows : the fit; in columns of unit size
    counts : (n,) frequency weights, or None for 1
    beta : (p, k) coefficients of these columns
    whitener : (p * k, r) array H by outputs, with `H'x` of unit information
    root : (p * k, r) the same for the columns that the user knows: H H' is the bread
    """

    estimate: Estimate
    rows: Rows
    counts: Array | None
    beta: Array
    whitener: Array
    root: Array

    def local(self, block: Block) -> tuple[Array, Array, Array]:
        """Scores `(m, r)` of single rows, what h is of them `(m,)`, and how often each row counts `(m,)`."""
        eta = block.columns.dot(self.beta)
        if block.offset is not None:
            eta = eta + block.offset
        counts = np.ones(len(eta)) if self.counts is None else self.counts[block.start : block.start + len(eta)]
        used = block.weights > 0
        each = np.divide(block.weights, counts, out=np.zeros(len(eta)), where=used)
        family, width = self.estimate.model.family, block.columns.shape[1]
        with np.errstate(all="ignore"):
            local = family.local(block.response, eta)
            u = np.where(used[:, None], each[:, None] * local.score, 0.0)
            expected = np.zeros(len(eta)) if family.joint else np.where(used, each * local.expected[:, 0], 0.0)
        hat = np.zeros(len(eta))
        found = np.zeros((len(eta), self.whitener.shape[1]))
        for k in range(u.shape[1]):
            white = block.columns.dot(self.whitener[k * width : (k + 1) * width])
            if not family.joint:
                hat = expected * np.einsum("ij,ij->i", white, white)
            found += white * u[:, [k]]
        return found, hat, np.where(used, counts, 0.0)

    def outward(self, meat: Array) -> Array:
        """`C M C` `(p * k, p * k)` for a whitened meat `(r, r)`; nan where a coefficient is not finite."""
        out = self.root @ meat @ self.root.T
        gone = np.array(covariances.states(self.estimate)) != "finite"
        out[gone] = np.nan
        out[:, gone] = np.nan
        return out

    @property
    def rank(self) -> int:
        """Free coefficients."""
        return self.whitener.shape[1]


def scores(estimate: Estimate, rows: Rows, counts: Array | None) -> Scores:
    """The scores of a fit's rows, with one pass for the bread.

    Parameters
    ----------
    estimate : a fit at its maximum
    rows : its rows; their weights hold the counts
    counts : (n,) frequency weights, or None
    """
    refuse(estimate)
    model = estimate.model
    constant = model.columns.index("Intercept") if "Intercept" in model.columns else None
    axes = coordinates.choose(rows, model.columns, constant)
    moved = rows.standardised(axes.shift, axes.scale)
    slopes = covariances.jacobian(estimate)
    beta = covariances.representer(estimate).reshape(-1, len(model.columns)).T
    outputs = model.network.outputs
    over = np.eye(len(beta)) if axes.to_raw is None else axes.to_raw
    own = np.linalg.solve(over, beta)
    inward = np.linalg.solve(np.kron(np.eye(outputs), over), slopes)
    half = _half(estimate, moved, own, inward)
    return Scores(estimate, moved, counts, own, inward @ half, slopes @ half)


def refuse(estimate: Estimate) -> None:
    """Fits that a sandwich says nothing of.

    Raises
    ------
    ArgumentError
        naming what stands against it, and what there is instead
    """
    why = ""
    if not estimate.model.network.affine:
        why = "a network with hidden activations has no coefficients that it could speak of"
    elif estimate.model.penalty.strength > 0:
        why = (
            'penalised scores do not sum to 0 over the rows. Use vcov="expected" or "bayesian", or fit without penalty'
        )
    elif estimate.model.reduction:
        why = 'the scores of a bias-reduced fit do not sum to 0. Use vcov="expected", or fit without bias_reduction='
    elif estimate.separation is not None:
        why = "rows that are fitted perfectly have no scores. Fit without the columns that separate the data"
    elif estimate.outcome == "boundary":
        why = "the estimate lies on the edge of what the link allows, where scores do not sum to 0. Use another link"
    elif not estimate.converged and not estimate.distance <= OFF:
        why = (
            f"the weights are {estimate.distance:.2g} standard errors from the optimum, where scores do not sum to 0. "
            "Use the fit at the optimum (of a bridge: `.glm`)"
        )
    if why:
        raise ArgumentError(f"There is no robust covariance here: {why}.")


def _half(estimate: Estimate, rows: Rows, beta: Array, inward: Array) -> Array:
    """`(P, r)` array with `half half' = (J'WJ)^-1`, J the rows times `inward`; by QR where columns nearly agree."""
    family = estimate.model.family
    if family.joint:
        known = covariances.of_parameters(estimate, "expected")
        assert known is not None, "a fit at its maximum has an information"
        return _symmetric_root(known)

    def weight(block: Block) -> Array:
        eta = block.columns.dot(beta)
        eta = eta if block.offset is None else eta + block.offset
        with np.errstate(all="ignore"):
            expected = family.local(block.response, eta).expected[:, 0]
        return np.where(block.weights > 0, block.weights * expected, 0.0)

    info = inward.T @ rows.sum(lambda block: block.columns.gram(weight(block))) @ inward
    found = linalg.factor(info)
    if found is None or found.rcond < linalg.DOUBTFUL:
        r = linalg.rows_triangle(rows, lambda block: np.sqrt(weight(block))) @ inward
        found = linalg.from_triangle(linalg.triangle(r).r)
    if found is not None:
        return np.asarray(linalg.lapack.dtrtri(found.upper)[0]) / found.scale[:, None]
    return _symmetric_root(linalg.generalised_inverse(info))


def _symmetric_root(matrix: Array) -> Array:
    """A root `(P, r)` of a matrix of rank r that has no negative eigenvalue but by rounding."""
    scale = np.sqrt(np.maximum(matrix.diagonal(), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    keep = values > 1e-13 * values.max(initial=0.0)
    root: Array = scale[:, None] * vectors[:, keep] * np.sqrt(values[keep])
    return root


def heteroskedastic(of: Scores, kind: str, nobs: float) -> Array:
    """HC0 to HC3 `(p * k, p * k)`, as `vcovHC` of R's sandwich.

    Parameters
    ----------
    of : the scores
    kind : "HC0", "HC1", "HC2" or "HC3"
    nobs : rows with weight, a frequency weight counted as so many

    Raises
    ------
    ArgumentError
        for HC2 and HC3 where a row is fitted by a coefficient of its own, or of several classes
    """
    power = {"HC0": 0, "HC1": 0, "HC2": 1, "HC3": 2}[kind]
    if power and of.estimate.model.family.joint:
        raise ArgumentError(
            f"{kind} needs one hat value a row, which a model of several classes does not have: use HC1."
        )

    def part(block: Block) -> _Meat:
        found, hat, counts = of.local(block)
        rest = 1.0 - hat
        alone = (rest < ONE) & (counts > 0)
        factor = counts / np.where(alone, 1.0, rest) ** power if power else counts
        found = found * np.sqrt(factor)[:, None]
        return _Meat(np.dot(found.T, found), int(alone.sum()))

    meat = of.rows.sum(part)
    if power and meat.alone:
        raise ArgumentError(
            f"{kind} divides by 1 - h, and {meat.alone} row{'s have' if meat.alone > 1 else ' has'} a hat value h of "
            "1: each is fitted exactly by a coefficient of its own. Use HC1, or merge the levels that have one row."
        )
    factor = nobs / _left(nobs, of.rank) if kind == "HC1" else 1.0
    return of.outward(factor * meat.sum)


def _left(nobs: float, rank: int) -> float:
    return nobs - rank if nobs > rank else np.nan


@dataclass(frozen=True, slots=True)
class _Meat:
    sum: Array
    alone: int

    def __add__(self, other: _Meat) -> _Meat:
        return _Meat(self.sum + other.sum, self.alone + other.alone)


def clustered(of: Scores, codes: Sequence[Array], nobs: float, *, kind: str = "HC1", adjust: bool = True) -> Array:
    """Covariance `(p * k, p * k)` for rows that depend on each other within clusters, as `vcovCL` of R's sandwich.

    Parameters
    ----------
    of : the scores
    codes : one or two (n,) integer arrays: which cluster each row is of, from 0
    nobs : rows with weight, a frequency weight counted as so many
    kind : "HC1" with the factor (n - 1) / (n - p), "HC0" without
    adjust : with the factor G / (G - 1) for each clustering

    Raises
    ------
    ArgumentError
        where there is one cluster only
    """
    used = of.rows.weights > 0
    whole = [(1.0, each) for each in codes]
    if len(codes) == 2:
        whole.append((-1.0, _crossed(*codes)))
    total = np.zeros((of.rank, of.rank))
    for sign, each in whole:
        groups = int(np.count_nonzero(np.bincount(each[used])))
        if groups < 2:
            raise ArgumentError(
                f"There is {'one cluster' if groups else 'no cluster'} among the rows of the fit: their scores sum to "
                "0, which says nothing about errors. Cluster by what differs between the rows."
            )
        total += sign * (groups / (groups - 1) if adjust else 1.0) * _cluster_meat(of, each)
    if kind == "HC1":
        total *= (nobs - 1.0) / _left(nobs, of.rank)
    return of.outward(total)


def _crossed(first: Array, second: Array) -> Array:
    """The cluster of both `(n,)`: one for each pair that occurs, numbered as they come."""
    pair = first.astype(np.int64) * (int(second.max(initial=0)) + 1) + second
    return np.asarray(pd.factorize(pair)[0])


def _cluster_meat(of: Scores, codes: Array) -> Array:
    """`sum_g s_g s_g'` `(r, r)`."""
    total = np.zeros((of.rank, of.rank))
    for _, sums in cluster_sums(of, codes):
        total += sums.T @ sums
    return total


def cluster_sums(of: Scores, codes: Array) -> Iterator[tuple[int, Array]]:
    """The sums `(g, r)` of the scores of each cluster, and the first cluster's number.

    With many clusters they come in several passes, each over the blocks that have some of them.
    """
    groups, most = int(codes.max()) + 1, max(ENTRIES // max(of.rank, 1), 1)
    spans = of.rows.spans()
    ends = [(int(codes[a:b].min()), int(codes[a:b].max())) for a, b in spans]
    for low in range(0, groups, most):
        high = min(low + most, groups)
        sums = np.zeros((high - low, of.rank))
        runs = [span for span, (first, last) in zip(spans, ends, strict=True) if last >= low and first < high]
        for few in range(0, len(runs), BATCH):  # what waits to be added is as large as the rows that it is of
            for at, part in spread(_by_cluster(of, codes, low, high), runs[few : few + BATCH]):
                sums[at] += part
        yield low, sums


def _by_cluster(of: Scores, codes: Array, low: int, high: int) -> Callable[[tuple[int, int]], tuple[Array, Array]]:
    """Which of the clusters `low` to `high` a run of rows has, and the sums `(g, r)` of their scores there."""

    def part(span: tuple[int, int]) -> tuple[Array, Array]:
        found, _, counts = of.local(of.rows.block(*span))
        here = codes[span[0] : span[1]]
        if here.min() < low or here.max() >= high:
            inside = (here >= low) & (here < high)
            found, counts, here = found[inside], counts[inside], here[inside]
        order = np.argsort(here, kind="stable")
        labels, starts = np.unique(here[order], return_index=True)
        # row by row into the sum of its cluster: one sparse product, which copies no score
        ends = np.append(starts, len(here))
        chosen = scipy.sparse.csr_matrix((counts[order], order, ends), shape=(len(labels), len(here)))
        return labels - low, chosen @ found

    return part
