"""scikit-learn, written: a fit as a Pipeline that takes frames and gives means.

    frame -> columns -> LogisticRegression, LinearRegression, PoissonRegressor, GammaRegressor or TweedieRegressor

Where every term is a number, a scaled number or a factor with a reference level, the first step is a
ColumnTransformer of scikit-learn's own scalers and encoders; else a `DesignTransformer`. All steps are fitted on a few
rows first, so that they have whatever this version of scikit-learn gives a fitted estimator, and then hold the
fit's own numbers. Fitted again on data, the pipeline finds them by itself: its C or alpha is the fit's penalty.
"""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.writing.exports import Handed, compare, hand
from glmnet_bridge.adapters.writing.listings import Export
from glmnet_bridge.adapters.writing.records import written
from glmnet_bridge.errors import ArgumentError, missing_extra

Array = np.ndarray

FEW = 8
COLUMNS, MODEL = "columns", "model"
POWERS = {"gaussian": 0, "poisson": 1, "gamma": 2, "inverse_gaussian": 3}
ESTIMATORS = {
    ("binomial", "logit"): "LogisticRegression",
    ("gaussian", "identity"): "LinearRegression",
    ("poisson", "log"): "PoissonRegressor",
    ("gamma", "log"): "GammaRegressor",
}
"""Estimators whose mean is that of a family and link; TweedieRegressor has the log and identity links of the others."""


def to_sklearn(fit: Any) -> Any:
    """A fitted Pipeline; what is known of it is its attribute `written`.

    Raises
    ------
    ArgumentError
        for a fit that is no GLM, infinite coefficients, an offset, and a family or link without estimator
    FitError
        where the pipeline does not give the fit's means
    """
    if importlib.util.find_spec("sklearn") is None:
        raise missing_extra("scikit-learn", "sklearn")
    from sklearn.pipeline import Pipeline

    handed = hand(fit, elementary=False)
    if handed.offset:
        raise ArgumentError(
            "No estimator of scikit-learn takes an offset, so that a pipeline could not give this fit's means. "
            "to_torch(), to_keras() and to_onnx() take it as an input. For the rate of an exposure: model "
            "count / exposure with prior_weights='exposure', which has the same coefficients."
        )
    bias = handed.fit.names[0] == "Intercept"
    design = getattr(fit.recipe, "design", None)
    first = [] if design is None else [(COLUMNS, _columns(handed, design))]
    pipeline = Pipeline([*first, (MODEL, _estimator(handed, bias))])
    classes, turned = _classes(fit)
    named = design is not None or fit.recipe.named
    _begin(pipeline, handed.table if named else handed.table.to_numpy(), classes, handed.family.name)
    _fill(pipeline, handed, bias, turned)

    def mean(table: pd.DataFrame, offset: Array | None) -> Array:
        given = table if named else table.to_numpy()
        if classes is None:
            return np.asarray(pipeline.predict(given))
        found: Array = pipeline.predict_proba(given)[:, 0 if turned else 1]
        return found

    pipeline.written = written(fit, handed.terms, compare(handed, mean), notes=_notes(handed, bias, classes, turned))
    return pipeline


def _estimator(handed: Handed, bias: bool) -> Any:
    from sklearn import linear_model

    name, link = handed.family.name, handed.family.link.name
    penalty = handed.fit.estimate.model.penalty
    kind = ESTIMATORS.get((name, link), "")
    if kind == "LogisticRegression":
        # liblinear is the solver that penalises the intercept too
        solver = {"solver": "liblinear"} if _whole(handed, bias) else {}
        c = 1.0 / penalty.strength if penalty.strength else np.inf
        return linear_model.LogisticRegression(C=c, fit_intercept=bias, max_iter=1000, **solver)
    if kind == "LinearRegression":
        ridge = linear_model.Ridge(alpha=penalty.strength, fit_intercept=bias)
        return ridge if penalty.strength else linear_model.LinearRegression(fit_intercept=bias)
    mean = {"alpha": penalty.strength / float(handed.fit.rows.weights.sum()), "fit_intercept": bias, "max_iter": 1000}
    if kind:
        return getattr(linear_model, kind)(**mean)
    if name in POWERS and link in ("log", "identity"):
        return linear_model.TweedieRegressor(power=POWERS[name], link=link, **mean)
    raise ArgumentError(
        f"scikit-learn has no estimator for the {name} family with {link} link; there are "
        f"{', '.join(f'{each} with {word}' for each, word in ESTIMATORS)}, and the log and identity links of counts "
        "and positive numbers. to_torch(), to_keras(), to_onnx() and glmnet_bridge.sklearn's estimators have all."
    )


def _whole(handed: Handed, bias: bool) -> bool:
    """Whether the intercept is penalised too."""
    penalty = handed.fit.estimate.model.penalty
    return bias and penalty.intercept and penalty.strength > 0


def _classes(fit: Any) -> tuple[Array | None, bool]:
    """Both classes, sorted as scikit-learn has them, and whether the event is the first of them."""
    if fit.family.name != "binomial":
        return None, False
    response = fit.recipe.response
    levels = list(response.levels) if response.kind == "binary" and len(response.levels) == 2 else [0, 1]
    found = np.unique(np.array(levels))
    event = response.event if response.kind == "binary" else 1
    return found, bool(found[0] == event)


def _notes(handed: Handed, bias: bool, classes: Array | None, turned: bool) -> tuple[str, ...]:
    found = []
    if turned and classes is not None:
        found.append(
            f"scikit-learn sorts its classes, so that coef_ is of {classes.tolist()[1]!r} and has the opposite signs; "
            f"the mean is column 0 of predict_proba, for {classes.tolist()[0]!r}."
        )
    if _whole(handed, bias) and handed.family.name != "binomial":
        found.append("The fit's penalty is on the intercept too; fitted again, this pipeline leaves it free.")
    return tuple(found)


# --- columns --------------------------------------------------------------------------------------


def _columns(handed: Handed, design: Any) -> Any:
    """A ColumnTransformer if it can be, else a DesignTransformer that holds the design."""
    plain = _plain(handed.export, [name for name, _ in design.terms if name != "Intercept"])
    if plain is None:
        from glmnet_bridge.adapters.sklearn.designs import DesignTransformer

        text = handed.formula.split("~", 1)[1].strip()
        return DesignTransformer(text, dict(design.formula.functions) or None)
    from sklearn.compose import ColumnTransformer

    return ColumnTransformer(plain, sparse_threshold=0.0)


def _plain(export: Export, names: list[str]) -> list[tuple[str, Any, list[str]]] | None:
    """Each term as a transformer of one column, or None where a term is more than that."""
    parts: list[tuple[str, Any, list[str]]] = []
    if len(names) != len(export.blocks):
        return None
    for name, (at, _) in zip(names, export.blocks, strict=True):
        found = _part(export, at)
        if found is None:
            return None
        while any(name == known for known, _, _ in parts) or "__" in name:
            name = f"{name.replace('__', '_')}_"
        parts.append((f"term {name}", *found))
    return parts


def _part(export: Export, at: int) -> tuple[Any, list[str]] | None:
    """The transformer that makes the columns of a step, and the column that it reads."""
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    steps, step = export.operations, export.operations[at]
    drop: Any = None
    scaler: Any = "passthrough"
    if step.kind == "matrix":
        drop, step = _reference(step.setting), steps[step.of[0]]
        if drop is None or step.kind != "levels":
            return None
    elif step.kind == "standardised":
        mean, scale = step.setting
        scaler = StandardScaler(with_mean=bool(mean.any()), with_std=bool((scale != 1.0).any()))
        step = steps[step.of[0]]
    if step.kind == "levels":
        levels = list(step.setting)
        number = not isinstance(levels[0], str)
        if steps[step.of[0]].kind != "raw" or (number and sorted(levels) != levels):
            return None
        scaler = OneHotEncoder(
            categories=[np.array(levels, dtype=None if number else object)],
            drop=None if drop is None else [levels[drop]],
            sparse_output=False,
        )
        step = steps[step.of[0]]
    elif step.kind == "number":
        step = steps[step.of[0]]
    return (scaler, [step.setting]) if step.kind == "raw" else None


def _reference(matrix: Array) -> int | None:
    """The level without a column, where all others have an indicator in their order."""
    full = np.eye(len(matrix))
    for j in range(len(matrix)):
        if np.array_equal(np.delete(full, j, axis=1), matrix):
            return j
    return None


# --- numbers ---------------------------------------------------------------------------------------


def _begin(pipeline: Any, table: Any, classes: Array | None, family: str) -> None:
    """Fit all steps on a few rows: what they learn is replaced, but all that a fitted step has is there."""
    few = table[: max(FEW, 2)] if isinstance(table, np.ndarray) else table.iloc[: max(FEW, 2)]
    y = np.ones(len(few)) if classes is None else classes[np.arange(len(few)) % 2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.fit(few, y)


def _fill(pipeline: Any, handed: Handed, bias: bool, turned: bool) -> None:
    """Replace what the steps learnt from a few rows."""
    from glmnet_bridge.adapters.sklearn.designs import DesignTransformer

    fit, sign = handed.fit, -1.0 if turned else 1.0
    first, model = pipeline.steps[0][1], pipeline.steps[-1][1]
    if isinstance(first, DesignTransformer):
        first.hold(fit.recipe.design, handed.table.columns)
    elif first is not model:
        _fill_scalers(first, handed)
    kernel, constant = sign * handed.beta[int(bias) :], sign * float(handed.beta[0]) if bias else 0.0
    steps = len(fit.trace) - 1
    model.n_features_in_ = len(kernel)
    if hasattr(model, "classes_"):
        model.coef_, model.intercept_ = kernel[None], np.array([constant])
        model.n_iter_ = np.array([steps], dtype=np.int32)
        return
    model.coef_, model.intercept_ = kernel, constant
    if getattr(model, "n_iter_", None) is not None:
        model.n_iter_ = steps
    if hasattr(model, "singular_"):
        model.rank_ = int(np.isfinite(fit.params).sum()) - bias
        del model.singular_


def _fill_scalers(columns: Any, handed: Handed) -> None:
    scalers = {name: made for name, made, _ in columns.transformers_}
    for (name, _, _), (at, _) in zip(columns.transformers, handed.export.blocks, strict=True):
        step = handed.export.operations[at]
        if step.kind == "standardised":
            made, (mean, scale) = scalers[name], step.setting
            made.mean_ = mean.copy()
            made.n_samples_seen_ = len(handed.table)
            made.scale_, made.var_ = (scale.copy(), scale**2) if made.with_std else (None, None)
