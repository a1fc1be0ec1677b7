"""The fit: from a model and rows to an `Estimate`.

    coordinates -> start -> Newton -> rank and aliases -> separation -> covariance

Newton runs in centred and scaled columns; everything is mapped back at the end. Rank is
only examined when the information is nearly singular, separation only when the decrement
shrinks geometrically instead of quadratically; both are then decided exactly (a QR of the
columns, a linear programme), not guessed from the size of a coefficient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from glmnet_bridge.data.rows import Block, Rows, one_blas_thread
from glmnet_bridge.errors import ArgumentError
from glmnet_bridge.fitting import coordinates, dispersions, edges, irls, large, linalg, starts
from glmnet_bridge.fitting.batches import hold
from glmnet_bridge.fitting.coordinates import Coordinates
from glmnet_bridge.fitting.linalg import Rank
from glmnet_bridge.fitting.traces import Step, Trace
from glmnet_bridge.model.layers import Affine
from glmnet_bridge.model.models import Model, Sums
from glmnet_bridge.model.networks import Inputs, Network

if TYPE_CHECKING:
    from glmnet_bridge.fitting.separation import Separation

Array = np.ndarray

# below this the information cannot tell an ill-conditioned design from aliased columns
SUSPECT = 1e-9
# with a standard error beyond this (columns and weights of unit size) the estimate may be on its way to infinity
LOST = 1e4
# steps on a subsample are not counted: who allows fewer than this wants them counted
ENOUGH = 20


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a fit found: one parameter vector, one likelihood, one information matrix.

    Attributes
    ----------
    model : the model; its network reads only the independent columns
    theta : (P,) parameters
    sums : log-likelihood, score, observed and expected information at theta, dispersion 1
    covariance : (P, P) inverse expected information at dispersion 1 (with a penalty: of the
        penalised estimator, `(I+P)^-1 I (I+P)^-1`); None where inference does not apply
    outcome : "converged", "rank deficient" (converged, aliased columns left out), "separated",
        "boundary", "step limit", "stalled" (no step improves it), "early stop", "diverged",
        "interrupted", "as given" (weights that no fit of ours found)
    distance : Newton decrement at theta, in standard errors; with a penalty, of the penalised
        optimum
    trace : the steps
    rank : which columns were aliased, or None
    separation : which coefficients are infinite, or None
    chi2 : Pearson's chi2 where the dispersion is free, computed in centred columns; else None
    posterior : (P, P) `(I+P)^-1` at dispersion 1 with a penalty; None without, or where `covariance` is
    note : how a training ended, in a sentence, or ""
    """

    model: Model
    theta: Array
    sums: Sums
    covariance: Array | None
    outcome: str
    distance: float
    trace: Trace
    rank: Rank | None = None
    separation: Separation | None = None
    chi2: float | None = None
    note: str = ""
    posterior: Array | None = None

    @property
    def converged(self) -> bool:
        """Whether theta is the maximum of the likelihood (of the independent columns)."""
        return self.outcome in ("converged", "rank deficient")


@dataclass(frozen=True, slots=True)
class Limits:
    """When a fit stops: `tol` in standard errors, at most `max_steps` steps."""

    tol: float = 1e-9
    max_steps: int = 50

    def __post_init__(self) -> None:
        if not (isinstance(self.tol, int | float | np.number) and 0 < self.tol < 1):
            raise ArgumentError(f"tol={self.tol!r}: give a distance in standard errors between 0 and 1, like 1e-9.")
        whole = isinstance(self.max_steps, int | np.integer) and not isinstance(self.max_steps, bool)
        if not (whole and self.max_steps >= 0):
            raise ArgumentError(f"max_steps={self.max_steps!r}: give a whole number, zero or more.")


def estimate(
    model: Model, rows: Rows, *, start: Any = None, limits: Limits | None = None, nobs: float | None = None
) -> Estimate:
    """Maximise the likelihood of a network of one affine layer over its columns.

    Parameters
    ----------
    model : its network must be the columns' own (`networks.single_unit`)
    rows : all rows
    start : (p,) coefficients to start from, or a Series or dict of them by column, or None
    limits : tolerance and step limit
    nobs : number of observations, for the dispersion in the stopping rule; rows by default

    Raises
    ------
    DataError
        where a column, weight or offset makes the likelihood undefined
    """
    limits = limits or Limits()
    first = None if start is None else starts.given(start, model.columns)
    if len(rows.spans()) == 1:
        rows = hold(rows)  # a single block is formed once, not at every step
    with one_blas_thread(rows.n * len(model.columns) ** 2):
        constant = model.columns.index("Intercept") if "Intercept" in model.columns else None
        axes = coordinates.choose(rows, model.columns, constant)
        unit = weight_unit(rows)
        used = replace(rows, weights=rows.weights / unit) if unit != 1.0 else rows
        problem = _Problem(
            model, used.standardised(axes.shift, axes.scale), axes, constant, limits, nobs or rows.n, unit,
            _floor(model, used),
        )  # fmt: skip
        return _examined(problem, first)


def _floor(model: Model, rows: Rows) -> float:
    """A dispersion so small that the residuals are rounding: relative to the responses they are about 1e-12."""
    if not model.family.distribution.free_dispersion:
        return 1.0
    return max(1e-24 * dispersions.size(model.family, rows) / max(rows.n, 1), float(np.finfo(float).tiny))


def weight_unit(rows: Rows) -> float:
    """A power of two near the mean weight, or 1: rounding errors are measured against weights near 1."""
    if rows.weights.strides == (0,):
        return 1.0
    mean = float(rows.weights.mean())
    return 1.0 if not 0 < mean < np.inf or 0.125 <= mean <= 8.0 else float(2.0 ** np.round(np.log2(mean)))


@dataclass(frozen=True, slots=True)
class _Problem:
    """What stays the same while columns and rows are left out."""

    model: Model
    rows: Rows
    axes: Coordinates
    constant: int | None
    limits: Limits
    nobs: float
    unit: float = 1.0
    floor: float = 0.0
    kept: Array | None = None

    def reduced(self) -> Model:
        return self.model if self.kept is None else replace(self.model, network=_select(self.model, self.kept))

    def objective(self, model: Model) -> irls.Objective:
        free = model.family.distribution.free_dispersion
        return irls.Objective(
            lambda theta, want: model.sums(self.rows, theta, want),
            self._penalty(model),
            self.nobs - model.network.parameters if free else None,
            None if model.penalty.strength > 0 else lambda theta: linalg.from_triangle(self.triangle(model, theta)),
            self.floor,
        )

    def triangle(self, model: Model, theta: Array) -> Array:
        """R of `sqrt(w) X`, of the kept columns, with the expected weights at theta."""
        r = linalg.rows_triangle(self.rows, _root_weight(model, theta))
        return r if self.kept is None else linalg.triangle(r[:, self.kept]).r

    def _penalty(self, model: Model) -> Array | None:
        """The penalty in standard coordinates: T' D T."""
        diagonal = model.penalty.diagonal(model.network.entries)
        if diagonal is None:
            return None
        to_raw, diagonal = self._to_raw(), diagonal / self.unit
        return np.diag(diagonal) if to_raw is None else to_raw.T @ (diagonal[:, None] * to_raw)

    def _to_raw(self) -> Array | None:
        to_raw = self.axes.to_raw
        return to_raw if to_raw is None or self.kept is None else to_raw[np.ix_(self.kept, self.kept)]

    @property
    def root(self) -> float:
        """What turns a decrement into standard errors; a free dispersion takes up the unit of the weights."""
        return 1.0 if self.model.family.distribution.free_dispersion else float(np.sqrt(self.unit))

    def position(self) -> int | None:
        """Where the intercept stands among the kept columns."""
        if self.constant is None or self.kept is None:
            return self.constant
        at = np.flatnonzero(self.kept == self.constant)
        return int(at[0]) if len(at) else None

    def own_axes(self) -> Coordinates:
        return self.axes if self.kept is None else replace(self.axes, to_raw=self._to_raw())


def _select(model: Model, kept: Array) -> Network:
    """The network on some of the columns."""
    names = tuple(model.columns[j] for j in kept)
    matrix = np.eye(len(model.columns))[:, kept]
    entries = tuple(model.network.entries[j] for j in kept)
    return Network(Inputs(names, matrix), (Affine(len(kept), 1, bias=False),), entries)


def _examined(problem: _Problem, start: Array | None) -> Estimate:
    """Solve; where the information is nearly singular decide rank, where Newton crawls decide separation."""
    path = _solve(problem, start, watch=geometric)
    ranks = None
    if path.outcome == "singular" or (path.end.factor is not None and path.end.factor.rcond < SUSPECT):
        ranks = _rank(problem)
        if len(ranks.dropped):
            problem = replace(problem, kept=ranks.kept)
            start = None if start is None else start[ranks.kept]
            path = _solve(problem, start, watch=geometric)
    if start is not None and path.outcome in ("singular", "stalled"):
        path = _solve(problem, None, watch=geometric)  # no way back from where it started
    if path.outcome in ("singular", "suspicious") or _lost(problem, path):
        found = _separated(problem)
        if found is not None:
            return _limit(problem, found, ranks)
        if path.outcome != "converged":
            path = _solve(problem, problem.own_axes().raw(path.end.theta), watch=None)
    return _finished(problem, _on_edge(problem, path), ranks)


def _lost(problem: _Problem, path: irls.Path) -> bool:
    """Whether a standard error is so large that Newton may have come to rest on its way to infinity."""
    factor = path.end.factor
    return path.outcome == "converged" and factor is not None and factor.exceeded(LOST**2)


def _on_edge(problem: _Problem, path: irls.Path) -> irls.Path:
    """The path, or one that slides along the edge of the link's domain where Newton's steps run into it."""
    model = problem.reduced()
    if not edges.has(model.family):
        return path
    stopped = path.outcome in ("stalled", "singular") or _leaves(problem, model, path.end)
    if not stopped and not edges.touching(model, problem.rows, path.end.theta):
        return path
    theta = starts.start(model, problem.rows, problem.position())
    limits = problem.limits
    return edges.slide(problem.objective(model), model, problem.rows, theta, limits.tol, limits.max_steps)


def _solve(problem: _Problem, start: Array | None, watch: Callable[[list[Step]], bool] | None) -> irls.Path:
    """Newton from `start`, raw coefficients of the kept columns, or from the constant that the data ask for."""
    model = problem.reduced()
    objective = problem.objective(model)
    constant = problem.position()
    theta = starts.start(model, problem.rows, constant) if start is None else problem.own_axes().own(start)
    path = None
    if problem.limits.max_steps >= ENOUGH and large.worthwhile(model, problem.rows):
        limits = problem.limits
        path = large.solve(
            objective, model, problem.rows, theta, tol=limits.tol, max_steps=limits.max_steps, watch=watch
        )
    if path is None:
        polish = problem.rows.n * len(theta) < 400_000
        path = irls.newton(
            objective,
            theta,
            tol=problem.limits.tol,
            max_steps=problem.limits.max_steps,
            polish=polish,
            watch=watch,
        )
    if not np.isfinite(path.end.sums.loglik):
        raise starts.impossible(model, problem.rows)
    return path


def geometric(steps: list[Step]) -> bool:
    """Whether the decrement shrinks by a constant factor near the optimum: Newton's sign of separation."""
    if len(steps) < 5 or steps[-1].distance >= 1.0:
        return False
    distances = [step.distance for step in steps[-4:]]
    ratios = [b / a for a, b in zip(distances[:-1], distances[1:], strict=True) if a > 0]
    return len(ratios) == 3 and all(0.35 < ratio < 0.95 for ratio in ratios)


def _rank(problem: _Problem) -> Rank:
    """R's rank decision on the unweighted columns of the rows that count."""

    def counts(block: Block) -> Array:
        return (block.weights > 0).astype(float)

    r = linalg.rows_triangle(problem.rows, counts)
    at = problem.rows.source.layout
    norms = np.sqrt((r * r).sum(axis=0))
    raw = norms.copy()
    if problem.axes.shift is not None:
        scale = 1.0 if problem.axes.scale is None else problem.axes.scale
        raw[at.at_dense] = np.hypot(norms[at.at_dense], np.abs(problem.axes.shift * scale) * np.sqrt(problem.rows.n))
    found = linalg.rank(r, raw)
    return found if problem.axes.to_raw is None else linalg.raw_equations(found, problem.axes.to_raw)


def _separated(problem: _Problem) -> Separation | None:
    from glmnet_bridge.fitting import separation  # loaded when it is suspected

    model = problem.reduced()
    sides = separation.sides(model.family, problem.rows.response[:, 0])
    if sides is None:
        return None
    kept = np.arange(len(problem.model.columns)) if problem.kept is None else problem.kept
    held = _held(problem)
    found = separation.prove(problem.rows.standardised(None, None), sides, np.setdiff1d(kept, held))
    if found is None:
        return None
    return replace(found, status=tuple("finite" if j in held else word for j, word in enumerate(found.status)))


def _held(problem: _Problem) -> Array:
    """Positions of the columns that a penalty keeps finite."""
    model = problem.model
    diagonal = model.penalty.diagonal(model.network.entries)
    return np.array([], dtype=int) if diagonal is None else np.flatnonzero(diagonal > 0)


def _limit(problem: _Problem, found: Separation, ranks: Rank | None) -> Estimate:
    """The fit that separated data tend to: rows at infinity fit perfectly, the others decide what stays finite."""
    rest = replace(problem, rows=replace(problem.rows, weights=np.where(found.goes_off, 0.0, problem.rows.weights)))
    some = (rest.rows.weights > 0).any()
    staying = np.union1d(_rank(rest).kept, _held(problem)) if some else _held(problem)
    if problem.kept is not None:
        staying = np.intersect1d(staying, problem.kept)
    rest = replace(rest, kept=staying)
    if some and len(staying):
        path = _solve(rest, None, watch=None)
    else:
        p = len(staying)  # penalised columns, which nothing but the penalty speaks of
        sums = Sums(0.0, np.zeros(p), np.zeros((p, p)), np.zeros((p, p)))
        path = irls.Path(irls.Point(np.zeros(p), sums, 0.0, decrement=0.0), (), "converged")
    ended = _finished(rest, path, ranks)
    return replace(ended, outcome="separated", separation=found, rank=ranks)


def _finished(problem: _Problem, path: irls.Path, ranks: Rank | None) -> Estimate:
    """Covariance and everything else, in the columns that the user knows."""
    model, axes, end = problem.reduced(), problem.own_axes(), path.end
    sums = end.sums
    if sums.expected is None or sums.observed is None:
        sums = model.sums(problem.rows, end.theta, "both")
    aliased = ranks is not None and len(ranks.dropped) > 0
    outcome = {"converged": "rank deficient" if aliased else "converged", "singular": "diverged"}.get(
        path.outcome, path.outcome
    )
    if outcome == "suspicious":
        outcome = "step limit"
    unit, root = problem.unit, problem.root
    steps = path.steps
    if axes.to_raw is not None or unit != 1.0:
        steps = tuple(
            replace(step, theta=axes.raw(step.theta), loglik=step.loglik * unit, distance=step.distance * root)
            for step in steps
        )
    covariance, posterior = _covariance(problem, model, sums, end)
    if outcome == "boundary":
        covariance = np.full((len(end.theta), len(end.theta)), np.nan)  # there the information says nothing of errors
    return Estimate(
        model=model,
        theta=axes.raw(end.theta),
        sums=_in_columns(sums, axes, unit),
        covariance=None if covariance is None else covariance / unit,
        outcome=outcome,
        distance=end.decrement * root,
        trace=Trace(steps, model.network.entries),
        rank=ranks if aliased else None,
        chi2=_chi2(problem, model, sums, end.theta),
        posterior=None if posterior is None else posterior / unit,
    )


def _chi2(problem: _Problem, model: Model, sums: Sums, theta: Array) -> float | None:
    """Pearson's chi2 where the standard errors need it; that of least squares is the deviance."""
    if not model.family.distribution.free_dispersion:
        return None
    if model.family.name == "gaussian":
        return -2.0 * sums.loglik * problem.unit + 0.0
    return dispersions.pearson_chi2(model, problem.rows, theta) * problem.unit


def _in_columns(sums: Sums, axes: Coordinates, unit: float) -> Sums:
    """The sums for the raw columns and the weights as they were given."""
    return Sums(
        sums.loglik * unit,
        None if sums.score is None else axes.score(sums.score) * unit,
        None if sums.observed is None else axes.information(sums.observed) * unit,
        None if sums.expected is None else axes.information(sums.expected) * unit,
    )


def _leaves(problem: _Problem, model: Model, end: irls.Point) -> bool:
    """Whether the next step leaves the link's domain."""
    if end.step is None or end.decrement <= problem.limits.tol:
        return False
    return not np.isfinite(model.sums(problem.rows, end.theta + end.step, "value").loglik)


def _covariance(problem: _Problem, model: Model, sums: Sums, end: irls.Point) -> tuple[Array | None, Array | None]:
    """Inverse expected information, by Cholesky where that keeps its digits, else by QR of the rows.

    With a penalty the covariance of the penalised estimator, and `(I+P)^-1` beside it.
    """
    if sums.expected is None:
        return None, None
    axes, objective = problem.own_axes(), problem.objective(model)
    used = end.factor if sums.expected is end.sums.observed else objective.factored(sums.expected)
    if objective.penalty is not None:
        if used is None:
            return None, None
        inverse = used.inverse()
        return axes.covariance(inverse @ sums.expected @ inverse), axes.covariance(inverse)
    if used is not None and used.rcond >= linalg.DOUBTFUL:
        return axes.covariance(used.inverse()), None
    r = problem.triangle(model, end.theta)
    if r.shape[0] < r.shape[1] or not (np.abs(np.diag(r)) > 0).all():
        return None, None
    return axes.covariance(linalg.inverse_from_triangle(r)), None


def _root_weight(model: Model, theta: Array) -> Callable[[Block], Array]:
    def root(block: Block) -> Array:
        local = model.family.local(block.response, model.eta(block, theta))
        return np.sqrt(block.weights * local.expected[:, 0])

    return root
