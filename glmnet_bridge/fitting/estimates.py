"""The fit: from a model and rows to an `Estimate`.

    coordinates -> start -> Newton -> rank and aliases -> separation -> covariance

Newton runs in centred and scaled columns; everything is mapped back at the end. Where it
converges quadratically and the information is sound, no more is asked. Everything else (a
decrement that shrinks geometrically, no step that improves, the step limit, a singular
information) is decided exactly, not guessed from the size of a coefficient: rank by a QR of
the columns, separation by a linear programme. Only what has a maximum is then led on to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from glmnet_bridge.data.rows import Rows, one_blas_thread
from glmnet_bridge.errors import DataError, FitError
from glmnet_bridge.fitting import (
    continuations,
    dispersions,
    edges,
    irls,
    large,
    linalg,
    offsets,
    reductions,
    starts,
)
from glmnet_bridge.fitting.batches import hold
from glmnet_bridge.fitting.coordinates import Coordinates
from glmnet_bridge.fitting.linalg import Rank
from glmnet_bridge.fitting.problems import Limits, Problem, of_columns, posed
from glmnet_bridge.fitting.ranks import decided
from glmnet_bridge.fitting.traces import Step, Trace
from glmnet_bridge.model.models import Model, Sums
from glmnet_bridge.model.networks import by_output

if TYPE_CHECKING:
    from glmnet_bridge.fitting.separation import Separation

Array = np.ndarray

# below this the information cannot tell an ill-conditioned design from aliased columns
SUSPECT = 1e-9
# with a standard error beyond this (columns and weights of unit size) the estimate may be on its way to infinity
LOST = 1e4
# decrement at which the way to infinity is left: it halves with every step, and the deviance is its square away
FAR_OUT = 1e-6
# standard errors from its maximum at which a fit with a part of the offsets may end
ROUGH = 1e-2
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
        optimum, of a bias-reduced fit that of the adjusted score
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
        """Whether theta is what was asked for: the maximum of the likelihood, or the root of the adjusted score."""
        return self.outcome in ("converged", "rank deficient")


def estimate(
    model: Model,
    rows: Rows,
    *,
    start: Any = None,
    limits: Limits | None = None,
    nobs: float | None = None,
    counts: Array | None = None,
) -> Estimate:
    """Maximise the likelihood of a network of one affine layer over its columns, or reduce its bias.

    Parameters
    ----------
    model : its network must be the columns' own (`networks.single_unit`)
    rows : all rows
    start : (p * k,) coefficients to start from, in the order of the model's labels, or a Series or dict of them
        by label, or None
    limits : tolerance and step limit
    nobs : number of observations, for the dispersion in the stopping rule; rows by default
    counts : (n,) frequency weights, for the dispersion of a bias-reduced fit

    Raises
    ------
    DataError
        where a column, weight or offset makes the likelihood undefined
    """
    limits = limits or Limits()
    first = None if start is None else starts.given(start, model)
    level = offsets.common_level(model, rows)
    if level is not None:
        begin = None if first is None else offsets.raised(first, model.columns.index("Intercept"), level)
        low = offsets.without(rows, level)
        found = _given_back(estimate(model, low, start=begin, limits=limits, nobs=nobs, counts=counts), level)
        if found is not None:
            return found
    if len(rows.spans()) == 1:
        rows = hold(rows)  # a single block is formed once, not at every step
    # an overflow far from the maximum is no news: what is not finite is refused where it comes up
    with one_blas_thread(rows.n * len(model.columns) ** 2), np.errstate(over="ignore", invalid="ignore"):
        problem = posed(model, rows, limits, nobs or rows.n)
        return _reduced(problem, first, counts) if model.reduction else _examined(problem, first)


def _reduced(problem: Problem, start: Array | None, counts: Array | None) -> Estimate:
    """The bias-reduced estimate. It is finite where the maximum is not, so that nothing asks for separation."""
    model, ranks = problem.model, None
    theta = _first(problem, start)
    sums = model.sums(problem.rows, theta, "expected")
    if not np.isfinite(sums.loglik):
        raise starts.impossible(model, problem.rows)
    used = None if sums.expected is None else linalg.factor(sums.expected)
    if used is None or used.rcond < SUSPECT:
        ranks = decided(problem.rows, problem.axes)
        if len(ranks.dropped):
            problem = replace(problem, kept=ranks.kept)
            start = None if start is None else start[of_columns(ranks.kept, model.network.outputs)]
            theta = _first(problem, start)
    found = _finished(problem, reductions.solve(problem, theta, counts), ranks)
    return replace(found, trace=replace(found.trace, method="newton on the adjusted score"))


def _first(problem: Problem, start: Array | None) -> Array:
    """Where to start: raw coefficients of the kept columns, or the constant that the data ask for."""
    if start is None:
        return starts.start(problem.reduced(), problem.rows, problem.position())
    return problem.own_axes().own(start)


def _given_back(found: Estimate, level: float) -> Estimate | None:
    """The estimate for offsets with the level; None where it has no intercept to give the level to."""
    names = found.model.network.inputs.names
    if "Intercept" not in names:
        return None
    at = names.index("Intercept")
    steps = tuple(replace(step, theta=offsets.raised(step.theta, at, -level)) for step in found.trace.steps)
    theta = offsets.raised(found.theta, at, -level)
    found = replace(found, theta=theta, trace=replace(found.trace, steps=steps))
    if not found.converged or found.covariance is None or found.model.family.distribution.free_dispersion:
        return found
    lost = 0.5 * float(np.spacing(abs(theta[at])) / np.sqrt(found.covariance[at, at]))
    outcome = "stalled" if lost > offsets.ROUNDED else found.outcome
    return replace(found, distance=max(found.distance, lost), outcome=outcome)


def _examined(problem: Problem, start: Array | None) -> Estimate:
    """Solve; where the information is nearly singular decide rank, where Newton does not converge decide separation."""
    path, ranks = _attempt(problem, start), None
    if path is None or path.outcome != "converged" or _nearly_singular(path):
        ranks = decided(problem.rows, problem.axes)
        if len(ranks.dropped):
            problem = replace(problem, kept=ranks.kept)
            start = None if start is None else start[of_columns(ranks.kept, problem.model.network.outputs)]
            path = _attempt(problem, start)
    if start is not None and path is not None and path.outcome in ("singular", "stalled"):
        path = _attempt(problem, None)  # no way back from where it started
    examined = path is None or path.outcome != "converged" or _lost(problem, path)
    found = _separated(problem) if examined else None
    if found is not None:
        return _limit(problem, found, ranks)
    path = _on_edge(problem, _patient(problem, path))
    found = _separated(problem) if path.outcome == "boundary" and not examined else None
    return _finished(problem, path, ranks) if found is None else _limit(problem, found, ranks)


def _attempt(problem: Problem, start: Array | None) -> irls.Path | None:
    """Newton's path, watched for separation; None where nothing lies inside the link's domain to start from."""
    try:
        return _solve(problem, start, watch=geometric)
    except FitError:
        return None


def _patient(problem: Problem, path: irls.Path | None) -> irls.Path:
    """The path, led on where it may have a maximum to go to; raises where there is nothing to start from."""
    if path is not None and path.outcome in ("singular", "suspicious"):
        path = _solve(problem, problem.own_axes().raw(path.end.theta), watch=None)
    if path is not None and (path.outcome == "converged" or problem.limits.max_steps < ENOUGH):
        return path
    led = None if edges.has(problem.model.family) else _led(problem)
    return led or path or _solve(problem, None, watch=None)


def _led(problem: Problem) -> irls.Path | None:
    """The path of a fit that takes offsets and weights in step by step; None where they are no reason, or no way."""
    size = continuations.spread(problem.rows)

    def solve(share: float, theta: Array | None) -> irls.Path | None:
        limits = replace(problem.limits, tol=max(problem.limits.tol, ROUGH)) if share < 1.0 else problem.limits
        stage = replace(problem, rows=continuations.partial(problem.rows, share), limits=limits)
        try:
            return _solve(stage, None if theta is None else problem.own_axes().raw(theta), watch=None)
        except (DataError, FitError):
            return None  # the likelihood is no number where this one would start

    return continuations.let_in(solve, size) if size >= 1.0 else None


def _nearly_singular(path: irls.Path) -> bool:
    return path.end.factor is not None and path.end.factor.rcond < SUSPECT


def _lost(problem: Problem, path: irls.Path) -> bool:
    """Whether a standard error is so large that Newton may have come to rest on its way to infinity."""
    factor = path.end.factor
    return path.outcome == "converged" and factor is not None and factor.exceeded(LOST**2)


def _on_edge(problem: Problem, path: irls.Path) -> irls.Path:
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


def _solve(problem: Problem, start: Array | None, watch: Callable[[list[Step]], bool] | None) -> irls.Path:
    """Newton from `start`, raw coefficients of the kept columns, or from the constant that the data ask for."""
    model = problem.reduced()
    objective = problem.objective(model)
    theta = _first(problem, start)
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


def separated(model: Model, rows: Rows) -> tuple[Separation | None, Rank]:
    """Whether the likelihood has a maximum, and which columns are aliased; nothing is fitted."""
    with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
        problem = posed(model, rows, Limits(), rows.n)
        ranks = decided(problem.rows, problem.axes)
        return _separated(replace(problem, kept=ranks.kept)), ranks


def _separated(problem: Problem) -> Separation | None:
    from glmnet_bridge.fitting import separation  # loaded when it is suspected

    model = problem.reduced()
    if model.family.joint:
        return _classes_separated(problem)
    sides = separation.sides(model.family, problem.rows.response[:, 0])
    if sides is None:
        return None
    kept = np.arange(len(problem.model.columns)) if problem.kept is None else problem.kept
    held = problem.held()
    found = separation.prove(problem.rows.standardised(None, None), sides, np.setdiff1d(kept, held))
    if found is None:
        return None
    return replace(found, status=tuple("finite" if j in held else word for j, word in enumerate(found.status)))


def _classes_separated(problem: Problem) -> Separation | None:
    """The same for several classes: about each coefficient of each class."""
    from glmnet_bridge.fitting import rivals

    width, outputs = len(problem.model.columns), problem.model.network.outputs
    order = by_output(width, outputs)
    kept = np.arange(width) if problem.kept is None else problem.kept
    open_ones = np.isin(order // outputs, kept) & ~np.isin(order, problem.held())
    return rivals.prove(problem.rows.standardised(None, None), np.flatnonzero(open_ones))


def _limit(problem: Problem, found: Separation, ranks: Rank | None) -> Estimate:
    """The fit that separated data tend to: rows at infinity fit perfectly, the others decide what stays finite."""
    if problem.model.family.joint:
        return _near_limit(problem, found, ranks)
    rest = replace(problem, rows=replace(problem.rows, weights=np.where(found.goes_off, 0.0, problem.rows.weights)))
    some = (rest.rows.weights > 0).any()
    staying = np.union1d(decided(rest.rows, rest.axes).kept, problem.held()) if some else problem.held()
    if problem.kept is not None:
        staying = np.intersect1d(staying, problem.kept)
    rest = replace(rest, kept=staying)
    if some and len(staying):
        path = _on_edge(rest, _patient(rest, _attempt(rest, None)))
    else:
        p = len(staying)  # penalised columns, which nothing but the penalty speaks of
        sums = Sums(0.0, np.zeros(p), np.zeros((p, p)), np.zeros((p, p)))
        path = irls.Path(irls.Point(np.zeros(p), sums, 0.0, decrement=0.0), (), "converged")
    ended = _finished(rest, path, ranks)
    return replace(ended, outcome="separated", separation=found, rank=ranks)


def _near_limit(problem: Problem, found: Separation, ranks: Rank | None) -> Estimate:
    """The same for several classes: a point so far out that probabilities are those of the limit to some 1e-12.

    A row may rule out some classes and leave others open, so that no row can be left out.
    """
    far = replace(problem, limits=Limits(FAR_OUT, max(problem.limits.max_steps, 3 * ENOUGH)))
    ended = _finished(far, _solve(far, None, watch=None), ranks)
    return replace(ended, outcome="separated", separation=found, rank=ranks)


def _finished(problem: Problem, path: irls.Path, ranks: Rank | None) -> Estimate:
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


def _chi2(problem: Problem, model: Model, sums: Sums, theta: Array) -> float | None:
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


def _leaves(problem: Problem, model: Model, end: irls.Point) -> bool:
    """Whether the next step leaves the link's domain."""
    if end.step is None or end.decrement <= problem.limits.tol:
        return False
    return not np.isfinite(model.sums(problem.rows, end.theta + end.step, "value").loglik)


def _covariance(problem: Problem, model: Model, sums: Sums, end: irls.Point) -> tuple[Array | None, Array | None]:
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
