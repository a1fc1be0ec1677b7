"""Comparisons: what makes two fits differ.

    a as it is -> a trained to its end -> without its penalty and other causes (as in `inference.causes`)
      -> with b's event, family and link -> for b's response -> on b's rows, weights and offset
      -> with b's columns -> with b's penalty and other causes -> b as it is

Each step moves the linear predictors of b's rows; the steps add up to the whole difference. A step
that moves no predictor but changes the coefficients is the coding. In one number, the share of a
step is its projection on the whole difference, in the metric of b's information. Of several classes
the predictors are those against b's base, whatever the base of a.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge import gaps
from glmnet_bridge.answers import rows_of
from glmnet_bridge.data.rows import Rows
from glmnet_bridge.errors import ArgumentError, BridgeError, listed
from glmnet_bridge.fits import Fit
from glmnet_bridge.fitting import predictions
from glmnet_bridge.fitting.estimates import Estimate, estimate
from glmnet_bridge.inference.causes import NO_CAUSES, Training
from glmnet_bridge.mapping import verdicts
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import single_unit
from glmnet_bridge.pairs import Bridge
from glmnet_bridge.report.documents import Document
from glmnet_bridge.report.maps import cause_table
from glmnet_bridge.report.sections import Column, Paragraph, Part, Table

Array = np.ndarray

_WORDS = verdicts.CAUSES | {
    "event": "the other event",
    "family": "the other family or link",
    "response": "another response",
    "rows": "other rows, weights or offsets",
    "terms": "other terms",
}
SAME = 1e-6  # standard errors below which two fits are one


@dataclass(frozen=True, slots=True)
class Move:
    """One cause: its name, in words, whose it is, and the linear predictors of b's rows `(n, k)` before and after."""

    name: str
    words: str
    side: str
    before: Array
    after: Array


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two fits side by side, and what makes the gap between them.

    Attributes
    ----------
    a, b : the fits
    moves : the causes, in the order in which they were undone; none where predictions lie at infinity
    metric : (n, k, k) weight of each of b's rows in the size of a difference
    scale : what the moves are differences of: "eta", or "the mean" where the links differ
    """

    a: Fit
    b: Fit
    moves: tuple[Move, ...]
    metric: Array
    scale: str = "eta"

    @functools.cached_property
    def table(self) -> pd.DataFrame:
        """One row per coefficient of either: `term, a, b, difference, se_a, se_b, distance`.

        `difference` is a less b, `distance` that in b's standard errors; nan where one has no such term.
        """
        names = list(dict.fromkeys([*self.a.names, *self.b.names]))
        out = pd.DataFrame({"term": names})
        for which, fit in (("a", self.a), ("b", self.b)):
            out[which] = fit.params.reindex(names).to_numpy()
        out["difference"] = out["a"] - out["b"]
        for which, fit in (("a", self.a), ("b", self.b)):
            out[f"se_{which}"] = fit.bse.reindex(names).to_numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            out["distance"] = out["difference"] / out["se_b"]
        return out

    @property
    def size(self) -> float:
        """How far the predictions are apart: root of the summed squared differences of eta, in b's information.

        Where the links differ it is the means that are compared, in the variance of b's. nan where one of the
        fits, or one on the way from a to b, has predictions at infinity.
        """
        return self._size(self._gap) if self.moves else np.nan

    @property
    def _gap(self) -> Array:
        return self.moves[0].before - self.moves[-1].after

    @functools.cached_property
    def causes(self) -> pd.DataFrame:
        """One row per cause: `cause, side, share, distance, largest, explanation`; the shares add up to 1.

        `side` says whose training it lies in, "a" or "b", or is empty.
        """
        size = self.size
        rows = []
        for move in self.moves:
            change = move.before - move.after
            share = self._product(change, self._gap) / size**2 if size > SAME else 0.0
            at, of = divmod(int(np.abs(change).argmax()), change.shape[1])
            which = f" of {self.b.estimate.model.outputs[of]}" if change.shape[1] > 1 else ""
            largest = f"row {self.b.sample.index[at]}: {change[at, of]:+.3g} in {self.scale}{which}"
            if self._size(change) > SAME:
                rows.append((move.name, move.side, share, share * size, largest, move.words))
        if self._recoded:
            words = "other columns for the same model: coefficients differ, predictions do not"
            rows.append(("coding", "", 0.0, 0.0, "no row", words))
        return pd.DataFrame(rows, columns=["cause", "side", *NO_CAUSES.columns[1:]])

    @property
    def verdict(self) -> str:
        """What makes the gap, in one paragraph."""
        found = self.causes[self.causes["cause"] != "coding"]
        if not self.moves:
            return (
                "The data of one fit, or of one on the way from the first to the second, are separated: predictions "
                "lie at infinity, so that the gap has no size and no shares."
            )
        coded = " They code the same model in different columns: its coefficients differ." if self._recoded else ""
        if self.size <= SAME:
            return f"Both fits make the same predictions (less than {SAME:g} SE apart).{coded}"
        shares = [
            (f"{_WORDS[name]}{f' of {side}' if side else ''}", share)
            for name, side, share in zip(found["cause"], found["side"], found["share"], strict=True)
            if abs(share) >= 5e-4
        ]
        return f"The predictions are {self.size:.3g} SE apart, all rows together. {verdicts.shares(shares)}{coded}"

    @property
    def _recoded(self) -> bool:
        """Whether both have the same predictions at their maxima but other columns."""
        other = self.a.names != self.b.names
        if not other and self.moves and self.size <= SAME:
            other = bool((self.table["distance"].abs() > SAME).any())
        return (
            bool(self.moves)
            and other
            and not any(
                move.name in ("terms", "rows", "response") and self._size(move.before - move.after) > SAME
                for move in self.moves
            )
        )

    def _size(self, change: Array) -> float:
        return float(np.sqrt(max(self._product(change, change), 0.0)))

    def _product(self, one: Array, other: Array) -> float:
        return float(np.einsum("ni,nij,nj->", one, self.metric, other, optimize=True))

    def summary(self) -> Document:
        """Both side by side, with the causes: `print` it, or ask it `.as_html()`."""
        columns = (
            Column("term", "coefficient"), Column("a", "a", "estimate"), Column("b", "b", "estimate"),
            Column("difference", "a - b", "estimate"), Column("se_b", "std. error of b", "error"),
            Column("distance", "difference (SE)", "distance"),
        )  # fmt: skip
        parts: list[Part] = [
            Paragraph(f"a: {self.a.formula} ({self.a.modelled})"),
            Paragraph(f"b: {self.b.formula} ({self.b.modelled})"),
            Paragraph(self.verdict),
            *([cause_table(self.causes)] if len(self.causes) else []),
            Table(self.table, "Both side by side", columns),
        ]
        return Document("Why two fits differ", tuple(parts))

    def __repr__(self) -> str:
        return self.summary().as_text()

    def _repr_html_(self) -> str:
        return self.summary().as_html()


def compare(a: Fit | Bridge, b: Fit | Bridge) -> Comparison:
    """Why do two fits differ? Each cause is undone in turn, and its share of the difference measured.

    Parameters
    ----------
    a, b : fits of GLMs or of networks that are GLMs; of a `Bridge` the network is taken. Fits of
        different rows are compared on those of `b`, which needs the data that `b` was fitted on

    Returns
    -------
    Comparison, with `.table` (side by side) and `.causes`

    Raises
    ------
    ArgumentError
        for what is no fit, or a network that is no GLM
    BridgeError
        where the rows of `b` cannot be read by the formula of `a`

    Examples
    --------
    >>> import glmnet_bridge as gb
    >>> data = {"y": [0, 1, 0, 1, 1, 0, 1, 1], "x": [0.0, 1, 2, 3, 4, 5, 6, 7]}
    >>> both = gb.compare(gb.glm("y ~ x", data, penalty=gb.penalties.ridge(1)), gb.glm("y ~ x", data))
    >>> both.causes["cause"].tolist()
    ['penalty']
    """
    left, right = _fit_of(a, "first"), _fit_of(b, "second")
    turned = _against(left, right)
    nowhere = Comparison(left, right, (), np.zeros((right.sample.n, 1, 1)))
    if left.estimate.separation is not None or right.estimate.separation is not None:
        return nowhere
    here = _on(left, right)
    moves = [*_undone(left, here, turned), *_bridged(left, right, here, turned), *_redone(right)]
    if not all(np.isfinite(move.after).all() for move in moves):
        return nowhere
    if left.family.link.name == right.family.link.name:
        return Comparison(left, right, tuple(moves), _metric(right))
    mean = right.family.mean(_eta(right.estimate, right.rows))
    metric = right.rows.weights[:, None] / (
        np.maximum(right.family.variance(mean), np.finfo(float).tiny) * right.dispersion
    )
    return Comparison(left, right, _as_means(moves, left, right), metric[:, :, None], "the mean")


def _fit_of(given: Any, which: str) -> Fit:
    found = given.network if isinstance(given, Bridge) else given
    if not isinstance(found, Fit):
        raise ArgumentError(
            f"The {which} argument of compare is a {type(given).__name__}. Give a Fit or a Bridge; a trained network "
            "is read by gb.network(formula, data, network=...)."
        )
    if found.estimate.model.reduction:
        raise ArgumentError(
            f"The {which} argument of compare is a bias-reduced fit, which compare cannot explain: it knows penalties "
            "and trainings. Fit it without bias_reduction=."
        )
    if not found.estimate.model.network.affine:
        raise ArgumentError(f"The {which} argument of compare is a network that is no GLM: it has no coefficients.")
    return found


def _against(a: Fit, b: Fit) -> Array:
    """What turns a's linear predictors into those of b's classes against b's base, `(k, k)`.

    Raises
    ------
    ArgumentError
        where one models several classes, and the other one number or other classes
    """
    if not (a.family.joint or b.family.joint):
        return np.eye(1)
    one, two = a.recipe.response, b.recipe.response
    if a.family.joint != b.family.joint or set(one.levels) != set(two.levels):
        raise ArgumentError(
            f"The first fit models {one.describes}, the second one {two.describes}: they have no predictions in common."
        )
    places, others, base = _classes(a, b)
    return places[:, others] - places[:, [base]]


def _classes(a: Fit, b: Fit) -> tuple[Array, list[int], int]:
    """Which of b's classes `(k, k + 1)` each of a's linear predictors speaks of; those after b's base, and that."""
    one, two = a.recipe.response, b.recipe.response
    own = [level for level in one.levels if level != one.base]
    base = list(two.levels).index(two.base)
    places = np.array([[level == each for level in two.levels] for each in own], dtype=float)
    return places, [at for at in range(len(two.levels)) if at != base], base


def _on(a: Fit, b: Fit) -> Rows:
    """b's rows, as a reads them: its own where these are the same, else b's data read by a's formula."""
    alike = a.sample.n == b.sample.n and a.sample.index.equals(b.sample.index)
    if a.data is None and b.data is None and not (alike and np.array_equal(a.rows.response, b.rows.response)):
        if a.estimate.model.columns != b.estimate.model.columns:
            raise BridgeError(
                "The fits have other responses and other columns, and neither holds its data: fit both with formulas, "
                "or on the same rows."
            )
        return replace(b.rows, weights=np.ones(b.sample.n), offset=None)  # the same columns of other rows
    if alike and (b.data is None or a.data is None or a.data is b.data):
        return a.rows
    if b.data is None:
        raise BridgeError(
            "The fits have different rows, and the second one does not hold its data: fit it with a formula and "
            "keep_data=True, or fit both on the same rows."
        )
    try:
        sample = a.recipe.sample(b.data)
    except BridgeError:
        if alike:
            return a.rows  # the same rows in another frame, without a's columns
        raise
    if not sample.index.equals(b.sample.index):
        raise BridgeError(
            f"The first fit's formula reads {sample.n} of the second one's {b.sample.n} rows: missing values in its "
            "other columns drop some. Fit both on rows that are complete in the columns of both."
        )
    return replace(rows_of(replace(sample, response=b.rows.response)), weights=np.ones(sample.n))


def _eta(found: Estimate, rows: Rows) -> Array:
    """Linear predictors `(n, k)`; infinite where separation sends them."""
    if found.model.network.outputs == 1:
        return predictions.linear_predictor(found, rows)[:, None]
    if found.separation is not None:
        return np.full((rows.n, found.model.network.outputs), np.inf)
    return predictions.linear_predictors(found, rows)


def _steps(fit: Fit) -> tuple[Training, list[tuple[str, str, Array, Array]]]:
    """The causes that lie in a fit's own training, as weights before and after."""
    training = gaps.training_of(fit, fit.recipe.response)
    if fit.outcome in ("converged", "rank deficient", "boundary", "separated") and not training.l2.any():
        return training, []
    return training, gaps.steps_of(training, fit, (lambda theta: theta, np.abs(fit.estimate.theta)))


def _undone(a: Fit, here: Rows, turned: Array) -> list[Move]:
    """From a as it is to the maximum of its own likelihood, seen on b's rows and against b's base."""
    moves = []
    for name, words, before, after in _steps(a)[1]:
        etas = [_eta(replace(a.estimate, theta=theta), here) @ turned for theta in (before, after)]
        moves.append(Move(name, words, "a", etas[0], etas[1]))
    if not a.estimate.model.network.plain:
        at = moves[-1].after if moves else _eta(a.estimate, here) @ turned
        rest = _eta(_maximum(a, a.rows, a.family), here) @ turned
        moves.append(Move("structure", "the network cannot express all of its columns", "a", at, rest))
    return moves


def _redone(b: Fit) -> list[Move]:
    """From the maximum of b's likelihood to b as it is."""
    moves = []
    for name, words, before, after in reversed(_steps(b)[1]):
        etas = [_eta(replace(b.estimate, theta=theta), b.rows) for theta in (after, before)]
        moves.append(Move(name, words, "b", etas[0], etas[1]))
    if not b.estimate.model.network.plain:
        at = moves[0].before if moves else _eta(b.estimate, b.rows)
        rest = _eta(_maximum(b, b.rows, b.family), b.rows)
        moves.insert(0, Move("structure", "the network cannot express all of its columns", "b", rest, at))
    return moves


def _bridged(a: Fit, b: Fit, here: Rows, turned: Array) -> list[Move]:
    """From the maximum of a's likelihood to that of b's."""
    own, at = a.rows, _eta(_maximum(a, a.rows, a.family), here) @ turned
    if a.family.joint:
        own = replace(own, response=_as_coded(own.response, a, b))
    moves: list[Move] = []

    def move(name: str, words: str, found: Estimate, rows: Rows) -> None:
        nonlocal at
        there = _eta(found, rows)
        moves.append(Move(name, words, "", at, there))
        at = there

    if _opposite(a, b):
        own = replace(own, response=1.0 - own.response)
        words = f"a models {a.recipe.response.describes}, b {b.recipe.response.describes}"
        move("event", words, _maximum(a, own, a.family), here)
    if (a.family.name, a.family.link.name) != (b.family.name, b.family.link.name):
        move("family", f"a is {a.family!r}, b is {b.family!r}", _maximum(a, own, b.family), here)
    if here is a.rows and not np.array_equal(own.response, b.rows.response):
        own = replace(own, response=b.rows.response)
        words = f"a models {a.recipe.response.describes}, b {b.recipe.response.describes}"
        move("response", words, _maximum(a, own, b.family), here)
    beside = replace(here, response=b.rows.response, weights=b.rows.weights, offset=b.rows.offset)
    if here is not a.rows or not _same_rows(own, b.rows):
        words = "a was fitted on other rows, weights or offsets than b"
        move("rows", words, _maximum(a, beside, b.family), beside)
    only_a, only_b = (sorted(set(one.names) - set(two.names)) for one, two in ((a, b), (b, a)))
    parts = [f"only {which}: {listed(names, 6)}" for which, names in (("a", only_a), ("b", only_b)) if names]
    move("terms", "; ".join(parts), _maximum(b, b.rows, b.family), b.rows)
    return moves


def _as_coded(response: Array, a: Fit, b: Fit) -> Array:
    """Indicators of the classes after b's base, from those of the classes after a's."""
    places, others, _ = _classes(a, b)
    whole = response @ places + (1.0 - response.sum(axis=1, keepdims=True)) * (1.0 - places.sum(axis=0))
    return np.asarray(whole[:, others])


def _opposite(a: Fit, b: Fit) -> bool:
    one, two = a.recipe.response, b.recipe.response
    other = one.event != two.event and one.event in two.levels and two.event in one.levels
    return other and one.name == two.name


def _same_rows(one: Rows, two: Rows) -> bool:
    pairs = ((one.response, two.response), (one.weights, two.weights), (one.offset, two.offset))
    return all((x is None) == (y is None) and (x is None or y is None or np.array_equal(x, y)) for x, y in pairs)


def _maximum(fit: Fit, rows: Rows, family: Any) -> Estimate:
    """The maximum-likelihood estimate of a fit's columns on these rows."""
    found = fit.estimate
    settled = fit.converged and found.model.network.plain and not found.model.penalty.strength
    if settled and rows is fit.rows and family == fit.family:
        return found
    names, outputs = found.model.columns, found.model.outputs
    return estimate(Model(names, single_unit(names, outputs), family, outputs=outputs), rows, nobs=fit.nobs)


def _as_means(moves: list[Move], a: Fit, b: Fit) -> tuple[Move, ...]:
    """The moves from mean to mean: linear predictors of two links cannot be compared."""
    turn = [move.name for move in moves].index("family")
    before = [a.family if at <= turn else b.family for at in range(len(moves))]
    after = [a.family if at < turn else b.family for at in range(len(moves))]
    return tuple(
        replace(move, before=one.mean(move.before), after=two.mean(move.after))
        for move, one, two in zip(moves, before, after, strict=True)
    )


def _metric(b: Fit) -> Array:
    """The expected information `(n, k, k)` of each of b's rows, over the dispersion."""
    eta = _eta(b.estimate, b.rows)
    local = b.family.local(b.rows.response, eta)
    found: Array = local.expected if b.family.joint else np.broadcast_to(local.expected, eta.shape)[:, :, None]
    found = b.rows.weights[:, None, None] * found / b.dispersion
    return np.where(np.isfinite(found), found, 0.0)
