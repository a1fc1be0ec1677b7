"""Many rows: a Hessian from a subsample, then passes that only form the score.

    1. Newton on about a tenth of the rows, until it is nearer to its own optimum than that is to all rows'
    2. steps H^-1 score with that H (scaled to all rows) and corrections learnt from the
       steps themselves (L-BFGS); a pass without information costs a fifth of a full one
    3. one full pass near the optimum, its Newton step, and a last score to certify it; where rows
       of high leverage may still move the information (see `changes`), a second full pass instead

The answer is the optimum of all rows: the subsample only decides how fast it is reached.
Where a pass does not cut the decrement to a quarter (sorted rows, rare levels, separation)
the route is left, and plain Newton goes on from the best point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from glmnet_bridge.data.rows import Rows
from glmnet_bridge.fitting import changes, irls
from glmnet_bridge.fitting.batches import Held
from glmnet_bridge.fitting.irls import Objective, Path, Point, Recorder
from glmnet_bridge.fitting.linalg import Factor
from glmnet_bridge.fitting.traces import Step
from glmnet_bridge.model.models import Model, Sums

Array = np.ndarray
Watch = Callable[[list[Step]], bool]

ROWS = 20_000  # with fewer, plain Newton is as fast
RUN = 512  # consecutive rows of the subsample
CLOSE = 3e-5  # decrement before the full pass of 1e6 rows; its Newton step squares it
PASSES = 12  # most passes that only form the score
COMMON = 2000  # information about a column from which the subsample knows it well
FAR = 20.0  # decrement by root of the parameters beyond which a point is no better than the start
CUT = 4.0  # a pass must divide the decrement by this


def worthwhile(model: Model, rows: Rows) -> bool:
    """Whether a subsample pays: many rows for the columns, and more than one Newton step to go."""
    one_step = model.family.name == "gaussian" and model.family.link.name == "identity"
    return rows.n >= max(ROWS, 200 * model.network.parameters) and not one_step


def solve(
    objective: Objective, model: Model, rows: Rows, theta: Array, *, tol: float, max_steps: int, watch: Watch | None
) -> Path | None:
    """The path to the optimum, or None where plain Newton must do it from the start; arguments as `irls.newton`."""
    few = _subsample(objective, model, rows, max(rows.n // 10, 30 * len(theta)))
    if few is None:
        return None
    least = 12 * len(theta)
    fewer = None
    if few.rows.n >= 4 * least:
        fewer = _subsample(objective, model, few.rows, max(few.rows.n // 8, least))
    # the optimum of all rows is about root p of the subsample's standard errors from its own
    rough = max(1.0, np.sqrt(len(theta)) / 3.0)
    if fewer is not None:
        warm = irls.newton(fewer.objective, theta, tol=rough, max_steps=10, polish=False)
        theta = warm.end.theta if warm.outcome == "converged" else theta
    first = irls.newton(few.objective, theta, tol=rough, max_steps=10, polish=False)
    if first.outcome != "converged" or first.end.factor is None or first.end.factor.rcond < 1e-7:
        return None
    spread = few.objective.dispersion(first.end.sums.loglik)
    close = _close(rows.n, first.end.factor, few.share)
    near, decrement, record = _descend(objective, few, first.end.theta, first.end.factor, spread, close)
    path = _certified(objective, few, rows, near, tol, record) if decrement <= close else None
    if path is not None:
        return path
    # the subsample misled. All rows go on from here, unless a column that it hardly knows ran off
    here = objective.at(near)
    if not here.decrement < FAR * np.sqrt(len(theta)):
        return None
    return irls.newton(objective, near, tol=tol, max_steps=max_steps, polish=False, watch=watch, known=here)


@dataclass(frozen=True, slots=True)
class Subsample:
    """Some rows, the objective on them, and their share of all weights."""

    rows: Rows
    objective: Objective
    share: float
    model: Model

    def spans(self) -> list[tuple[int, int]]:
        """Runs of about a quarter of the rows, spread as evenly as the rows themselves: they may be sorted."""
        size = 4 * RUN if self.rows.n >= 64 * RUN else RUN
        return [(start, start + size) for start in range(0, self.rows.n - size + 1, 4 * size)]


def _subsample(objective: Objective, model: Model, rows: Rows, size: int) -> Subsample | None:
    few = taken(rows, size)
    share = float(few.weights.sum()) / float(rows.weights.sum())
    if not share > 0:
        return None
    small = Objective(
        lambda theta, want: model.sums(few, theta, want),
        None if objective.penalty is None else objective.penalty * share,
        None if objective.residual_df is None else objective.residual_df * share,
    )
    return Subsample(few, small, share, model)


def _close(n: int, hessian: Factor, share: float) -> float:
    """Decrement at which the full pass is made, so that standard errors are good to 1e-8 where it ends.

    A step of d standard errors moves the linear predictor of the rows that carry column j by about
    d / root(H_jj), and their weights by as much. The subsample takes up all but some percent of that,
    except for a column that hardly any of its rows carry.
    """
    size = hessian.scale / np.sqrt(share)
    spared = np.where(size**2 > COMMON, 2e-7, 5e-9)
    return float(min(CLOSE * np.sqrt(n / 1e6), (spared * size).min()))


def taken(rows: Rows, size: int) -> Rows:
    """About `size` rows as runs spread evenly over all, copied into one array."""
    runs = min(-(-size // RUN), rows.n // RUN)
    starts = np.linspace(0, rows.n - RUN, runs).astype(int)
    blocks = [rows.block(int(start), int(start) + RUN) for start in starts]
    cells = None if blocks[0].columns.cell is None else np.concatenate([b.columns.cell for b in blocks])
    source = Held(np.concatenate([b.columns.dense for b in blocks]), cells, rows.source.layout)
    return Rows(
        source,
        np.concatenate([b.response for b in blocks]),
        np.concatenate([b.weights for b in blocks]),
        None if rows.offset is None else np.concatenate([b.offset for b in blocks]),
    )


def _descend(
    objective: Objective, few: Subsample, theta: Array, hessian: Factor, spread: float, close: float
) -> tuple[Array, float, Recorder]:
    """Score-only steps from `theta`: the last point, its (expected) decrement, and the steps.

    The last step is not evaluated when its decrement will be small enough by the rate so
    far: the full pass that follows evaluates it anyway. Where columns have heavy tails, one
    step more is taken if it spares the second full pass.
    """
    record = Recorder()
    pairs: list[tuple[Array, Array]] = []
    slope = _slope(objective, theta)
    before, closer = np.inf, close
    for _ in range(PASSES):
        step = _two_loop(slope, pairs, hessian, few.share)
        decrement = float(np.sqrt(max(slope @ step, 0.0) / spread))
        record.add(Point(theta, Sums(np.nan), np.nan, decrement=decrement))
        if not decrement * CUT < before:
            return theta, decrement, record
        moved, rate = theta + step, decrement / before
        if before == np.inf:
            closer = min(close, _closer(few, theta, moved, decrement))
        if decrement <= closer or (decrement <= close and decrement * rate > closer):
            return theta, decrement, record
        ahead = decrement * rate
        if rate > 0 and (ahead <= closer or (ahead <= close and ahead * rate > closer)):
            return moved, ahead, record
        after = _slope(objective, moved)
        if not np.isfinite(after).all():
            return theta, decrement, record
        if step @ (slope - after) > 0:
            pairs.append((step, slope - after))
        theta, slope, before = moved, after, decrement
    return theta, np.inf, record


def _closer(few: Subsample, theta: Array, moved: Array, decrement: float) -> float:
    """Decrement from which a Newton step moves no row far enough to be seen in a standard error.

    It is infinite unless some rows move much further than most.
    """
    move = changes.Moved(few.model, theta, moved)
    reach = sum((move(few.rows.block(*span)) for span in few.spans()), changes.Reach(0.0, 0.0, 0))
    # rows outside these runs may move twice as far
    return 0.5 * changes.ENOUGH * decrement / reach.largest if reach.heavy else np.inf


def _slope(objective: Objective, theta: Array) -> Array:
    score = objective.evaluate(theta, "score").score
    assert score is not None
    return objective.slope(theta, score)


def _two_loop(slope: Array, pairs: list[tuple[Array, Array]], hessian: Factor, share: float) -> Array:
    """`H^-1 slope` with the L-BFGS corrections of all pairs (step, drop of the slope)."""
    rest = slope.copy()
    shares = []
    for step, drop in reversed(pairs):
        amount = float(step @ rest) / float(step @ drop)
        rest -= amount * drop
        shares.append(amount)
    out = hessian.solve(rest) * share
    for (step, drop), amount in zip(pairs, reversed(shares), strict=True):
        out += step * (amount - float(drop @ out) / float(step @ drop))
    return out


def _certified(
    objective: Objective, few: Subsample, rows: Rows, near: Array, tol: float, record: Recorder
) -> Path | None:
    """One full pass, its Newton step, and the score where it ends; or a second full pass there.

    Between the two points, some 1e-5 standard errors apart, the information changes by
    about 1e-5 / sqrt(n) relative, unless few rows carry much of it. The log-likelihood is
    exact to second order.
    """
    here = objective.at(near)
    record.add(here)
    if here.step is None or here.factor is None or here.decrement > 1e-3:
        return None
    end = _ended(objective, few, rows, here, near + here.step)
    if end is None:
        end = objective.at(near + here.step)
    record.add(end)
    return Path(end, tuple(record.steps), "converged") if end.decrement <= tol else None


def _ended(objective: Objective, few: Subsample, rows: Rows, here: Point, theta: Array) -> Point | None:
    """The point at `theta`, a small step from `here`; None where the information there must be summed again."""
    info, expected = here.sums.observed, None
    if info is not None and here.sums.expected is info:
        spans = few.spans()
        share = few.share * sum(stop - start for start, stop in spans) / few.rows.n
        change = changes.change(few.model, few.rows, spans, share, info, here.theta, theta)
        if change.hopeless:
            return None
        last = changes.last(few.model, rows, here.theta, theta)
        score = last.sums.score
        if change.covers(last.reach):
            info = info + change.info
        elif last.reach.largest > changes.ENOUGH:
            return None
        expected = info
    else:
        # of other links both kinds of information are summed at the end of a fit anyway
        score = objective.evaluate(theta, "score").score
    assert score is not None and here.factor is not None
    slope = objective.slope(theta, score)
    gain = max(float(slope @ here.factor.solve(slope)), 0.0)
    loglik = here.sums.loglik + 0.5 * here.gain
    return replace(
        here,
        theta=theta,
        sums=Sums(loglik, score, info, expected),
        factor=here.factor if expected is None else objective.factored(expected),
        value=objective.value(theta, loglik),
        decrement=float(np.sqrt(gain / objective.dispersion(loglik))),
    )
