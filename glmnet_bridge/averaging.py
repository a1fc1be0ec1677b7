"""Averaging: the rows, weights, variables and groups that effects are averaged over.

    fit (or data=)  ->  Stage  ->  rows, readings, places, groups        for `inference/averages.py`

Columns of the data are read when an effect needs them: the slope of a variable that is a column of the
design needs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data import frames
from glmnet_bridge.data.rows import Rows
from glmnet_bridge.data.selections import Selection
from glmnet_bridge.design import arguments
from glmnet_bridge.design.matrices import MatrixRecipe
from glmnet_bridge.design.samples import Sample
from glmnet_bridge.errors import ArgumentError, DataError, is_number, listed, nearest
from glmnet_bridge.inference.averages import Target, payload
from glmnet_bridge.inference.moves import ByColumn, ByFormula, Given, Readings, Slope, Space, Touch

Array = np.ndarray

TYPICAL = ("mean", "median")
MOST_GROUPS = 1000


@dataclass(frozen=True, slots=True)
class Stage:
    """What effects are averaged over.

    Attributes
    ----------
    space : the variables of the model
    predictors : those that stand in the formula's terms
    sample : the rows
    weights : (n,) what each counts
    data : the caller's data, or None
    bare : whether a part of the offset is an array beside the data
    known : columns that were read already
    slopes : how the columns move with a variable, as far as known
    """

    space: Space
    predictors: tuple[str, ...]
    sample: Sample
    weights: Array
    data: Any
    bare: bool
    known: dict[str, Any] = field(default_factory=dict)
    slopes: dict[str, Slope] = field(default_factory=dict)

    def check(self, name: Any, where: str) -> None:
        """Refuse what is no variable of the model."""
        if name not in self.space.variables:
            held = listed(self.space.variables, 12) or "none"
            raise ArgumentError(
                f"{where}: {name!r} is no variable of this model; there are {held}."
                f"{nearest(name, self.space.variables)} Names are those of the data's columns."
            )

    def column(self, name: str) -> Any:
        """The column of all rows as it lies, one of the four kinds of values."""
        if name not in self.known:
            self.known[name] = _column(self, name)
        return self.known[name]

    def used(self, name: str) -> Any:
        """The column of the rows used."""
        return Selection({name: self.column(name)}, self._kept)[name]

    @property
    def _kept(self) -> Array | None:
        return None if isinstance(self.space, ByColumn) else self.sample.kept

    def levels(self, name: str, needed: bool = True) -> tuple[Any, ...] | None:
        """The levels of a variable, the reference first; None for a number."""
        groupings = self.space.grouping(name)
        if groupings is None and not needed and self.slope(name).constant:
            return None
        if groupings is None or not any(_itself(factor, name) for factor in groupings):
            raw = self.used(name)
            if isinstance(raw, pd.Categorical):
                return tuple(raw.categories[np.unique(raw.codes[raw.codes >= 0])].tolist())
            if raw.dtype.kind == "b":
                return (False, True)
            if groupings is None:
                return None
            text = listed([factor.expression.code for factor in groupings])
            raise ArgumentError(
                f"{name!r} is a number that the formula divides into levels ({text}), so that it has neither a slope "
                f"nor levels of its own. Ask for predictions, as in kind='prediction', at={{{name!r}: [low, high]}}."
            )
        factor = next(factor for factor in groupings if _itself(factor, name))
        return _reference_first(factor)

    def two_valued(self, name: str) -> bool:
        """Whether a number is 0 or 1 in every row."""
        raw = self.used(name)
        return bool(((raw == 0) | (raw == 1)).all())

    def slope(self, name: str) -> Slope:
        """How the columns move with a numeric variable; its typical distance is the standard deviation."""
        if name not in self.slopes:
            found = self.space.slope(name)
            if found.curved is not None:
                values = np.asarray(self.used(name), dtype=float)
                scale = float(np.std(values))
                found = replace(found, scale=scale if scale > 0 else max(abs(float(values[0])), 1.0))
            self.slopes[name] = found
        return self.slopes[name]

    def typical(self, name: str, how: str) -> Any:
        """Mean or median of a number, by the weights; the most common level."""
        levels, raw, w = self.levels(name), self.used(name), self.weights
        if levels is not None:
            return _most_common(raw, levels, w)
        values = np.asarray(raw, dtype=float)
        if how == "mean":
            return float(w @ values / w.sum())
        order = np.argsort(values, kind="stable")
        below = np.cumsum(w[order])
        low, high = (np.searchsorted(below, below[-1] / 2, side=side) for side in ("left", "right"))
        return float(0.5 * (values[order[low]] + values[order[min(high, len(values) - 1)]]))

    def value(self, name: str, given: Any) -> Any:
        """A value at which a variable is held, checked."""
        raw = self.column(name)
        if isinstance(raw, pd.Categorical) or raw.dtype.kind == "b":
            levels = self.levels(name) or ()
            if given not in levels:
                raise ArgumentError(
                    f"at: {name!r} has no level {given!r}; there are {listed(levels, 8)}.{nearest(given, levels)}"
                )
            return given
        if isinstance(given, str) and given in TYPICAL:
            return self.typical(name, given)
        if not is_number(given) or not np.isfinite(given):
            raise ArgumentError(
                f"at: {name!r} is a number, and cannot be {given!r}; give a number, 'mean' or 'median'."
            )
        return given


def stage(fit: Any, data: Any, weights: Any, offset: Any, exposure: Any) -> Stage:
    """The rows of a fit, or of other data, with the variables of the model."""
    recipe = getattr(fit.recipe, "own", fit.recipe)
    if data is None and (offset is not None or exposure is not None):
        raise ArgumentError("offset= and exposure= belong to data=; the rows of the fit have their own.")
    if data is None and getattr(fit, "sample", None) is None:
        raise DataError("This fit was loaded without its rows; give data= with the rows to average over.")
    sample = fit.sample if data is None else recipe.sample(data, offset=offset, exposure=exposure)
    if not sample.n:
        raise DataError("There are no rows to average over.")
    given = {"offset": offset, "exposure": exposure}
    space, bare = _space(fit, recipe, given)
    chosen = space.variables
    if isinstance(space, ByFormula):
        chosen = ByFormula(space.design).variables
    found = Stage(space, chosen, sample, np.empty(0), fit.data if data is None else data, bare)
    return Stage(space, chosen, sample, _weights(found, weights, fit, data is None), found.data, bare)


def _space(fit: Any, recipe: Any, given: dict[str, Any]) -> tuple[Space, bool]:
    """The variables of a model, and whether it has an offset beside the data."""
    columns = fit.estimate.model.columns
    if isinstance(recipe, MatrixRecipe):
        return ByColumn(recipe.names, recipe.intercept), recipe.offset
    design = getattr(recipe, "design", None)
    if design is None or design.names != columns:
        raise ArgumentError(
            "This network reads columns beside those of the formula, so that a variable of the data is not all that "
            "moves. Ask the GLM beside it, as in gb.effects(bridge.glm)."
        )
    texts = {name: recipe.given[name] for name in given if name in recipe.given and given[name] is None}
    offsets = [(text, False) for text in design.formula.offsets]
    offsets += [(text, name == "exposure") for name, text in texts.items() if text is not None]
    bare = any(text is None for text in texts.values()) or any(value is not None for value in given.values())
    return ByFormula(design, tuple(offsets)), bare


def _weights(stage: Stage, given: Any, fit: Any, own: bool) -> Array:
    """What each row counts `(n,)`: its frequency; rows that the fit did not count are left out."""
    sample = stage.sample
    counts = np.ones(sample.n)
    if own:
        frequencies = 1.0 if sample.freq_weights is None else sample.freq_weights
        counts = np.asarray(frequencies * (sample.weights > 0), dtype=float)
    if given is None:
        return counts
    if own and isinstance(given, str) and given in ("prior_weights", "trials", "freq_weights"):
        part = getattr(sample, given)
        if part is None:
            raise ArgumentError(f"weights={given!r}: this fit has no {given}.")
        return counts if given == "freq_weights" else counts * part
    if isinstance(given, str):
        values = np.asarray(frames.columns(_frame(stage, [given]), [given], rows=sample.kept)[given])
        if values.dtype.kind not in "iuf":
            raise ArgumentError(f"weights={given!r} holds no numbers.")
        values = values.astype(float)
    else:
        index = sample.index if sample.kept is None else _frame(stage, []).index
        values = arguments.aligned("weights", given, index)
        values = values if sample.kept is None else values[sample.kept]
    return np.asarray(counts * arguments.checked("prior_weights", values, sample.index, "weights="), dtype=float)


def _frame(stage: Stage, names: Sequence[str]) -> pd.DataFrame:
    if stage.data is None:
        raise DataError(
            "This fit no longer has its data, which these effects need; give data= with the rows to average over, "
            "or fit with keep_data=True."
        )
    return frames.as_frame(stage.data, names or None)


def _column(stage: Stage, name: str) -> Any:
    if isinstance(stage.space, ByColumn):
        at, source = stage.space.names.index(name), stage.sample.source
        rows = Rows(source, np.empty((source.n, 0)), np.broadcast_to(1.0, source.n))
        return np.concatenate([block.columns.picked(np.array([at]))[:, 0] for block in rows.blocks()])
    values, gaps = frames.read(_frame(stage, [name]), name)
    return values


def _itself(factor: Any, name: str) -> bool:
    """Whether a factor is the variable itself, or `C(variable)`."""
    text = factor.expression
    inside = text.arguments[0] if text.call == "C" and text.arguments else text
    return bool(inside.column == name)


def _reference_first(factor: Any) -> tuple[Any, ...]:
    """The levels of a factor with that of `Treatment(reference)` in front."""
    levels, reference = factor.levels, getattr(factor.contrast, "reference", None)
    if reference is None:
        return tuple(levels)
    first = levels.index(reference) if reference in levels else int(reference)
    return (levels[first], *(level for at, level in enumerate(levels) if at != first))


def _most_common(raw: Any, levels: tuple[Any, ...], w: Array) -> Any:
    """The level with most weight; of equal ones the first."""
    if isinstance(raw, pd.Categorical):
        sums = np.bincount(raw.codes, w, minlength=len(raw.categories))
        totals = {level: float(sums[raw.categories.get_loc(level)]) for level in levels}
    else:
        totals = {level: float(w[raw == level].sum()) for level in levels}
    return max(totals, key=lambda level: totals[level])


# --- what the sums need -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of rows: `codes` `(n,)`, -1 for rows in none, or None for one group; a dict of values for each."""

    codes: Array | None
    labels: list[dict[str, Any]]


def grouped(stage: Stage, by: Any) -> Groups:
    """The groups that one or several columns make; rows that lack a value are in none."""
    if by is None:
        return Groups(None, [{}])
    names = [by] if isinstance(by, str) else list(by)
    frame = None if isinstance(stage.space, ByColumn) else _frame(stage, names)
    kept = stage.sample.kept
    columns = {}
    for name in names:
        if frame is None:
            stage.check(name, "by")
            columns[name] = pd.Series(stage.used(name))
            continue
        if name not in frame.columns:
            raise frames.unknown(frame, name, " (by=)")
        column = frame[name].reset_index(drop=True)
        columns[name] = column if kept is None else column.iloc[kept].reset_index(drop=True)
    counted = stage.weights > 0
    table = pd.DataFrame(columns)
    groups = table.groupby(names, sort=True, observed=True, dropna=True)
    if groups.ngroups > MOST_GROUPS:
        raise ArgumentError(
            f"by={by!r} makes {groups.ngroups:,} groups; at most {MOST_GROUPS:,} are averaged by. Group its values "
            "first, or hold them by at=."
        )
    if not groups.ngroups:
        raise DataError(f"by={by!r} has no value in any row.")
    codes = groups.ngroup().to_numpy()
    labels = pd.Series(codes).drop_duplicates().loc[lambda part: part >= 0].sort_values().index
    found = [{name: table[name].iloc[at] for name in names} for at in labels]
    some = np.bincount(codes[counted & (codes >= 0)], minlength=len(found)) > 0
    place = np.append(np.where(some, np.cumsum(some) - 1, -1), -1)
    return Groups(place[codes], [label for label, seen in zip(found, some, strict=True) if seen])


def one_row(stage: Stage, places: list[dict[str, Any]], groups: Groups) -> list[tuple[int, int]] | None:
    """The span of one row, where all variables are held and all rows are alike; else None."""
    if not set(stage.space.variables) <= set(places[0]):
        return None
    if groups.codes is not None:
        raise ArgumentError("at= holds all variables, so that all rows are alike and there are no groups for by=.")
    first = int(np.argmax(stage.weights > 0))
    return [(first, first + 1)]


def rows(stage: Stage, groups: Groups, alone: list[tuple[int, int]] | None) -> Rows:
    """The rows with what the sums need of them; the one row of all held variables has the mean of a bare offset."""
    sample, weights, codes, offset = stage.sample, stage.weights, groups.codes, stage.sample.offset
    if codes is not None and (codes < 0).any():
        weights, codes = np.where(codes < 0, 0.0, weights), np.maximum(codes, 0)
    if alone is not None and offset is not None and stage.bare:
        if isinstance(stage.space, ByFormula) and stage.space.offsets:
            raise ArgumentError(
                "This model has several offsets, one of them given as an array, so that there is no typical one. "
                "Give all of them as names of columns."
            )
        offset = np.broadcast_to(weights @ offset / weights.sum(), offset.shape)
    return Rows(sample.source, payload(sample.n, codes), weights, offset)


def held(stage: Stage, places: list[dict[str, Any]]) -> Touch | Given:
    """The columns that the held variables change."""
    return stage.space.touch(frozenset(places[0]))


def readings(stage: Stage, targets: Sequence[Target], places: list[dict[str, Any]]) -> Readings:
    """The columns of the data that the targets and places need."""
    if isinstance(stage.space, ByColumn):
        return Readings(None, stage.sample.index, stage.space.names)
    needed = set(held(stage, places).reads) | set(places[0])
    for target in targets:
        if target.touch is not None:
            needed |= target.touch.reads | {str(target.name)}
        if target.slope is not None:
            needed |= target.slope.reads
    return Readings(
        Selection({name: stage.column(name) for name in sorted(needed)}, stage.sample.kept), stage.sample.index
    )
