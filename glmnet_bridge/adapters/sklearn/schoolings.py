"""How a scikit-learn estimator was trained, from its own parameters: loss, penalty, solver, when it stopped.

Penalties on the scale of the total log-likelihood at dispersion 1, `lam` in `lam / 2 ||w||^2`:

    LogisticRegression          C         1 / C; liblinear penalises the intercept too
    Ridge                       alpha     alpha: it minimises ||y - Xb||^2 + alpha ||b||^2, twice our loss
    Lasso, ElasticNet, SGD,     alpha     n alpha: these minimise a mean
    Poisson-, Gamma-, Tweedie-
    MLP, lbfgs                  alpha     alpha
    MLP, adam and sgd           alpha     n alpha / B with batches of B rows: the penalty is divided by
                                          the batch, not by all rows, so that the batch size changes it
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from glmnet_bridge.adapters.foreigns import Decay, Schooling
from glmnet_bridge.adapters.sklearn.steps import kind_of
from glmnet_bridge.model.networks import is_bias

Array = np.ndarray
Strength = tuple[float, float, bool, str]  # l1, l2, whether per row, words


def schooling(estimator: Any, entries: Sequence[str]) -> Schooling:
    """What the estimator says of its training; `entries` are the names of its weights."""
    notes = _notes(estimator)
    return Schooling(
        loss=_loss(estimator),
        decay=_decay(estimator, entries),
        notes=tuple(notes),
        optimiser=_optimiser(estimator),
        class_weights=_class_weights(estimator),
    )


def _loss(estimator: Any) -> str:
    own = getattr(estimator, "loss", None)
    if isinstance(own, str):
        return own
    if hasattr(estimator, "classes_"):
        return "log_loss"
    deviance = (
        kind_of(estimator, ("PoissonRegressor", "GammaRegressor", "TweedieRegressor", "GLMRegressor")) is not None
    )
    return "half deviance" if deviance else "squared_error"


def _optimiser(estimator: Any) -> str:
    if kind_of(estimator, ("SGDClassifier", "SGDRegressor")) is not None:
        return "sgd"
    return str(getattr(estimator, "solver_", getattr(estimator, "solver", "")))


def _class_weights(estimator: Any) -> Any:
    given = getattr(estimator, "class_weight", None)
    return {label: float(weight) for label, weight in given.items()} if isinstance(given, dict) else given


# --- penalties -----------------------------------------------------------------------------------------


def _decay(estimator: Any, entries: Sequence[str]) -> Decay | None:
    """The penalty of each weight; None where there is none."""
    name = kind_of(estimator, _STRENGTHS)
    l1, l2, per_row, words = _STRENGTHS[name](estimator) if name is not None else (0.0, 0.0, False, "")
    if not (l1 or l2):
        return None
    kernel = np.array([not is_bias(entry) for entry in entries], dtype=float)
    return Decay(l1 * _reached(estimator, kernel, 1), l2 * _reached(estimator, kernel, 2), per_row, words)


def _reached(estimator: Any, kernel: Array, power: int) -> Array:
    """By how much of the strength each weight is penalised: the intercept by none, but for liblinear."""
    if getattr(estimator, "solver", "") != "liblinear" or not estimator.fit_intercept:
        return kernel
    # liblinear's intercept is the weight of a column that holds intercept_scaling
    return np.where(kernel == 1, 1.0, float(estimator.intercept_scaling) ** -power)


def _logistic(estimator: Any) -> Strength:
    # a cross-validated one keeps what it chose, once for each class
    c = float(np.ravel(getattr(estimator, "C_", estimator.__dict__.get("C", 1.0)))[0])
    ratio = _ratio(estimator)
    if getattr(estimator, "penalty", "l2") is None or np.isinf(c):
        return 0.0, 0.0, False, ""
    return ratio / c, (1 - ratio) / c, False, f"C={c:g}" + (f", l1_ratio={ratio:g}" if ratio else "")


def _ratio(estimator: Any) -> float:
    """The share of the l1 penalty, by either of the parameters that say it."""
    word = getattr(estimator, "penalty", "deprecated")
    if word in ("l1", "l2"):
        return float(word == "l1")
    found = getattr(estimator, "l1_ratio_", getattr(estimator, "l1_ratio", 0.0))
    first = np.ravel(0.0 if found is None else found)[0]
    return 0.0 if first is None else float(first)


def _ridge(estimator: Any) -> Strength:
    alpha = float(np.ravel(getattr(estimator, "alpha_", getattr(estimator, "alpha", 0.0)))[0])
    return 0.0, alpha, False, f"alpha={alpha:g}"


def _elastic(estimator: Any) -> Strength:
    alpha = float(getattr(estimator, "alpha_", getattr(estimator, "alpha", 0.0)))
    lasso = kind_of(estimator, ("Lasso", "LassoCV")) is not None
    ratio = 1.0 if lasso else float(getattr(estimator, "l1_ratio_", estimator.l1_ratio))
    words = f"alpha={alpha:g}" + ("" if lasso else f", l1_ratio={ratio:g}")
    return alpha * ratio, alpha * (1 - ratio), True, words


def _sgd(estimator: Any) -> Strength:
    alpha, penalty = float(estimator.alpha), estimator.penalty
    if penalty is None:
        return 0.0, 0.0, True, ""
    ratio = {"l1": 1.0, "l2": 0.0}.get(penalty, estimator.l1_ratio)
    return alpha * ratio, alpha * (1 - ratio), True, f"penalty={penalty!r}, alpha={alpha:g}"


def _mean_deviance(estimator: Any) -> Strength:
    return 0.0, float(estimator.alpha), True, f"alpha={estimator.alpha:g}"


def _mlp(estimator: Any) -> Strength:
    alpha = float(estimator.alpha)
    if estimator.solver == "lbfgs":
        return 0.0, alpha, False, f"alpha={alpha:g}"
    batch, inverse = batches(estimator)
    return 0.0, alpha * inverse, True, f"alpha={alpha:g} in batches of {batch} rows"


def batches(estimator: Any) -> tuple[int, float]:
    """The batch size, and the mean of 1 / rows over the batches of an epoch, the last of which may be smaller."""
    n = round(estimator.t_ / max(len(estimator.loss_curve_), 1))
    size = min(200 if estimator.batch_size == "auto" else int(estimator.batch_size), n)
    whole, rest = divmod(n, size)
    return size, (whole / size + (1 / rest if rest else 0.0)) / (whole + bool(rest))


def _own(estimator: Any) -> Strength:
    """The ridge of this package's own estimators is on the sum of the log-likelihood."""
    penalty = estimator.fit_.estimate.model.penalty
    return 0.0, float(penalty.strength), False, repr(penalty)


_STRENGTHS: dict[str, Any] = {
    "LogisticRegression": _logistic,
    "LogisticRegressionCV": _logistic,
    "Ridge": _ridge,
    "RidgeCV": _ridge,
    "Lasso": _elastic,
    "LassoCV": _elastic,
    "ElasticNet": _elastic,
    "ElasticNetCV": _elastic,
    "SGDClassifier": _sgd,
    "SGDRegressor": _sgd,
    "PoissonRegressor": _mean_deviance,
    "GammaRegressor": _mean_deviance,
    "TweedieRegressor": _mean_deviance,
    "MLPClassifier": _mlp,
    "MLPRegressor": _mlp,
    "GLMClassifier": _own,
    "GLMRegressor": _own,
}


# --- notes ------------------------------------------------------------------------------------------------


def _notes(estimator: Any) -> list[str]:
    """What else may keep the weights from the maximum of the likelihood."""
    out = []
    steps, most = getattr(estimator, "n_iter_", None), getattr(estimator, "max_iter", None)
    if most and steps is not None and np.max(steps) >= most and estimator.tol is not None:
        out.append(f"It stopped at max_iter={most}, before its own stopping rule was met.")
    if getattr(estimator, "early_stopping", False):
        share = f"{estimator.validation_fraction:.0%}"
        out.append(f"early_stopping=True: {share} of the rows were held out, and training stopped by them.")
    if kind_of(estimator, ("MLPClassifier", "MLPRegressor")) is not None and estimator.solver != "lbfgs":
        size, _ = batches(estimator)
        out.append(
            f"{estimator.solver} in batches of {size} rows: scikit-learn divides alpha by the rows of a batch, so that "
            "the penalty on all rows grows with n / batch."
        )
    if getattr(estimator, "positive", False):
        out.append("positive=True: negative coefficients were not allowed.")
    return out
