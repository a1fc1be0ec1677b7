"""scikit-learn: linear models, networks and pipelines, read from their public fitted attributes.

    raw columns -> transformers (see `transformers`) -> coef_, intercept_ or coefs_, intercepts_ -> output

A weight's name is the path by which the user reaches it: `logreg.coef_[0, 2]`, `mlp.intercepts_[1][0]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.adapters.sklearn.schoolings import schooling
from glmnet_bridge.adapters.sklearn.steps import Step, beginning, check_fitted, kind_of
from glmnet_bridge.adapters.sklearn.transformers import through
from glmnet_bridge.adapters.wirings import Wire, Wiring
from glmnet_bridge.adapters.writing.records import Written, weights_of
from glmnet_bridge.adapters.writing.records import schooling as schooling_of
from glmnet_bridge.errors import ReadError, listed
from glmnet_bridge.mapping.raws import Intake
from glmnet_bridge.model import families
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.layers import Activation, Affine

Array = np.ndarray

CLASSIFIERS = ("LogisticRegression", "LogisticRegressionCV", "SGDClassifier", "MLPClassifier")
SQUARED = (
    "LinearRegression",
    "Ridge",
    "RidgeCV",
    "Lasso",
    "LassoCV",
    "ElasticNet",
    "ElasticNetCV",
    "SGDRegressor",
    "MLPRegressor",
)
DEVIANCE = ("PoissonRegressor", "GammaRegressor", "TweedieRegressor")
READ = (*CLASSIFIERS, *SQUARED, *DEVIANCE)
OWN_ARRAYS = ("GLMClassifier", "GLMRegressor")
OWN = (*OWN_ARRAYS, "FormulaClassifier", "FormulaRegressor")  # of glmnet_bridge.sklearn
_HIDDEN = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
_POWERS = {0: "gaussian", 1: "poisson", 2: "gamma", 3: "inverse_gaussian"}
_NO_LIKELIHOOD = {
    "Perceptron": "the perceptron's",
    "PassiveAggressiveClassifier": "a hinge",
    "PassiveAggressiveRegressor": "an epsilon-insensitive error",
    "RidgeClassifier": "the squared error of classes",
    "RidgeClassifierCV": "the squared error of classes",
    "HuberRegressor": "Huber's",
    "QuantileRegressor": "the quantile loss",
    "LinearSVC": "a hinge",
    "SVC": "a hinge",
    "NuSVC": "a hinge",
    "LinearSVR": "an epsilon-insensitive error",
    "SVR": "an epsilon-insensitive error",
    "NuSVR": "an epsilon-insensitive error",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """What stands behind the last layer: the activation, and the family that it means with the estimator's loss."""

    activation: str
    family: Family | None


def read(model: Any) -> Foreign:
    """A fitted estimator, or a pipeline that ends in one, as a network.

    Raises
    ------
    ReadError
        for an estimator that is no network with a likelihood, or was not fitted
    """
    model = _searched(model)
    steps, estimator, path = _parts(model)
    ending = _ending(estimator, path)
    names, named = _raw_names(model)
    wiring, folded = Wiring(names), list[str]()
    value = beginning(wiring, names, named)
    blank = Step(None, value, wiring, "", named, int(estimator.n_features_in_), folded)
    value = through(steps, blank)
    if len(value.wire) != estimator.n_features_in_:
        raise ReadError(
            f"{_called(estimator, path)} takes {estimator.n_features_in_} columns, but the steps before it make "
            f"{len(value.wire)}."
        )
    prefix = f"{path}." if path else ""
    layers = _hidden if hasattr(estimator, "coefs_") else _linear
    network, theta, features = wiring.network(layers(estimator, wiring, value.wire, prefix))
    classes = getattr(estimator, "classes_", None)
    found = Foreign(
        kind=f"scikit-learn {type(model).__name__}" + (f" with {type(estimator).__name__}" if path else ""),
        intake=Intake(names, features, named=named, numeric=not named),
        network=network,
        theta=theta,
        forward=_forward(model, ending, named),
        activation=ending.activation,
        family=ending.family,
        precision=_precision(estimator),
        folded=tuple(folded),
        classes=() if classes is None else tuple(classes.tolist()),
        schooling=schooling(estimator, network.entries),
    )
    record = getattr(model, "written", None)
    return found if record is None else _recorded(found, record)


def _recorded(found: Foreign, record: Written) -> Foreign:
    """A pipeline that was written here, with what its estimator does not say; as far as it was not fitted again."""
    weights = weights_of(record.terms)
    for sign in (1.0, -1.0):  # the classes are sorted, so that the signs may be the other level's
        known = schooling_of(record.meaning, sign * weights, found.theta, found.network, found.precision)
        if not known.notes:
            school = replace(found.schooling, decay=known.decay)
            return replace(found, schooling=school, response=record.meaning.response)
    return found


def _searched(model: Any) -> Any:
    """The best estimator of a search."""
    if kind_of(model, ("BaseSearchCV",)) is None:
        return model
    if not hasattr(model, "best_estimator_"):
        raise ReadError(f"The {type(model).__name__} has no best_estimator_. Call .fit(X, y) first, with refit=True.")
    return model.best_estimator_


def _parts(model: Any) -> tuple[list[tuple[str, Any]], Any, str]:
    """Transformers by path, the estimator at the end, and its own path."""
    steps: list[tuple[str, Any]] = []
    path: list[str] = []
    while kind_of(model, ("Pipeline",)) is not None:
        before = ".".join(path)
        steps += [(f"{before}.{name}" if before else name, each) for name, each in model.steps[:-1]]
        name, model = model.steps[-1]
        path.append(name)
    return steps, model, ".".join(path)


def _called(estimator: Any, path: str) -> str:
    return f"Step {path!r} ({type(estimator).__name__})" if path else f"The {type(estimator).__name__}"


# --- what is read, and what it ends in ---------------------------------------------------------------


def _ending(estimator: Any, path: str) -> Ending:
    """The output of the estimator; refuses what has no likelihood of ours."""
    if kind_of(estimator, OWN) is not None:
        return _own_ending(estimator, path)
    name = kind_of(estimator, READ)
    if name is None:
        raise _refusal(estimator, path)
    check_fitted(estimator, f"Step {path!r}" if path else "network=")
    if name in CLASSIFIERS:
        return _class_ending(estimator, path)
    if name in DEVIANCE:
        family = _deviance_family(estimator, name, path)
        return Ending(family.link.activation, family)
    loss = getattr(estimator, "loss", "squared_error")
    if loss == "poisson":
        return Ending("exponential", families.named("poisson", "log"))
    if loss != "squared_error":
        raise _no_likelihood(estimator, path, f"loss={loss!r}", 'loss="squared_error"')
    outputs = getattr(estimator, "n_outputs_", np.atleast_2d(getattr(estimator, "coef_", 0.0)).shape[0])
    if outputs != 1:
        raise ReadError(f"{_called(estimator, path)} predicts {outputs} responses at once; fit one for each of them.")
    return Ending("linear", families.named("gaussian"))


def _own_ending(estimator: Any, path: str) -> Ending:
    """An estimator of this package; one of a formula has design columns of its own, and is a fit already."""
    check_fitted(estimator, f"Step {path!r}" if path else "network=")
    fit = estimator.fit_
    if kind_of(estimator, OWN_ARRAYS) is None or fit.family.joint:
        raise ReadError(
            f"{_called(estimator, path)} is a GLM of this package, and its attribute fit_ the fit itself: there is "
            "nothing to read. Compare it with another fit or bridge by gb.compare(estimator.fit_, other)."
        )
    return Ending(fit.family.link.activation, fit.family)


def _class_ending(estimator: Any, path: str) -> Ending:
    loss = getattr(estimator, "loss", "log_loss")
    if loss != "log_loss":
        raise _no_likelihood(estimator, path, f"loss={loss!r}", 'loss="log_loss"')
    called, classes = _called(estimator, path), estimator.classes_
    several = isinstance(classes, list) or (
        getattr(estimator, "out_activation_", "") == "logistic" and estimator.n_outputs_ > 1
    )
    if several:
        raise ReadError(f"{called} predicts several yes/no responses at once; fit one network for each of them.")
    if len(classes) == 2:
        return Ending("sigmoid", families.named("binomial"))
    apart = getattr(estimator, "multi_class", "") == "ovr" or getattr(estimator, "solver", "") == "liblinear"
    if apart or kind_of(estimator, ("SGDClassifier",)) is not None:
        raise ReadError(
            f"{called} fits {len(classes)} classes one against the rest: as many models, not one likelihood. Fit "
            'LogisticRegression(solver="lbfgs"), which is a softmax, or read each of the models by itself.'
        )
    return Ending("softmax", None)


def _deviance_family(estimator: Any, name: str, path: str) -> Family:
    power = {"PoissonRegressor": 1, "GammaRegressor": 2}.get(name, getattr(estimator, "power", None))
    if power not in _POWERS:
        raise ReadError(
            f"{_called(estimator, path)} has power={power}; read are "
            f"{', '.join(f'{key} ({word})' for key, word in _POWERS.items())}."
        )
    link = getattr(estimator, "link", "log")
    return families.named(_POWERS[power], ("log" if power else "identity") if link == "auto" else link)


def _refusal(estimator: Any, path: str) -> ReadError:
    called = _called(estimator, path)
    loss = next(
        (_NO_LIKELIHOOD[kind.__name__] for kind in type(estimator).__mro__ if kind.__name__ in _NO_LIKELIHOOD), ""
    )
    if loss:
        return _no_likelihood(estimator, path, f"{loss} loss" if loss.endswith("'s") else loss, "LogisticRegression")
    parts = {word for kind in type(estimator).__mro__ for word in kind.__module__.split(".")}
    if parts & {"tree", "ensemble"}:
        why = "is built of trees, which jump from leaf to leaf: there is no linear predictor and no weight per term"
    elif hasattr(estimator, "transform") and not hasattr(estimator, "predict"):
        why = "is a transformer and predicts nothing: put an estimator behind it"
    else:
        why = "is not read"
    return ReadError(f"{called} {why}. Read are {listed(READ, len(READ))}, alone or at the end of a Pipeline.")


def _no_likelihood(estimator: Any, path: str, loss: str, instead: str) -> ReadError:
    return ReadError(
        f"{_called(estimator, path)} was trained with {loss}, which is no likelihood: it has no standard errors, and "
        f"no maximum that a GLM could be compared with. Train it with {instead}, or another estimator with a "
        f"likelihood ({listed(READ, 4)})."
    )


# --- raw inputs and weights -----------------------------------------------------------------------------


def _raw_names(model: Any) -> tuple[tuple[str, ...], bool]:
    """Names of the raw inputs, and whether they are columns of the frame that it was fitted on."""
    first = model
    while kind_of(first, ("Pipeline",)) is not None:
        first = next(
            (each for _, each in first.steps if hasattr(each, "feature_names_in_") or hasattr(each, "n_features_in_")),
            first.steps[-1][1],
        )
    names = getattr(first, "feature_names_in_", None)
    if names is not None:
        return tuple(str(name) for name in names), True
    return tuple(f"input {j + 1}" for j in range(int(first.n_features_in_))), False


def _linear(estimator: Any, wiring: Wiring, wire: Wire, prefix: str) -> Wire:
    """`coef_` and `intercept_`, in the shape that the estimator keeps them in."""
    coef, intercept = np.asarray(estimator.coef_, dtype=float), np.asarray(estimator.intercept_, dtype=float)
    kernel = np.atleast_2d(coef)
    units, inputs = kernel.shape
    flat = coef.ndim == 1
    entries = [
        f"{prefix}coef_[{j}]" if flat else f"{prefix}coef_[{u}, {j}]" for j in range(inputs) for u in range(units)
    ]
    bias = bool(getattr(estimator, "fit_intercept", True))
    if bias:
        entries += [f"{prefix}intercept_" if not intercept.ndim else f"{prefix}intercept_[{u}]" for u in range(units)]
    theta = np.concatenate([kernel.T.ravel(), np.atleast_1d(intercept) if bias else []])
    return wiring.add(Affine(inputs, units, bias=bias, name=f"{prefix}coef_"), wire, theta, entries)


def _hidden(estimator: Any, wiring: Wiring, wire: Wire, prefix: str) -> Wire:
    """`coefs_` and `intercepts_`, layer by layer, with the activation between them."""
    last = len(estimator.coefs_) - 1
    for number, (kernel, bias) in enumerate(zip(estimator.coefs_, estimator.intercepts_, strict=True)):
        inputs, units = kernel.shape
        entries = [f"{prefix}coefs_[{number}][{j}, {u}]" for j in range(inputs) for u in range(units)]
        entries += [f"{prefix}intercepts_[{number}][{u}]" for u in range(units)]
        layer = Affine(inputs, units, name=f"{prefix}coefs_[{number}]")
        wire = wiring.add(layer, wire, np.concatenate([kernel.ravel(), bias]), entries)
        if number < last:
            wire = _activated(estimator.activation, wiring, wire, f"{prefix}hidden {number + 1}")
    return wire


def _activated(activation: Any, wiring: Wiring, wire: Wire, name: str) -> Wire:
    if activation not in _HIDDEN:
        raise ReadError(f"Layer {name!r} has activation {activation!r}; read are {', '.join(_HIDDEN)}.")
    kind = _HIDDEN[activation]
    return wire if kind == "identity" else wiring.add(Activation(len(wire), kind, name), wire)


# --- the model itself --------------------------------------------------------------------------------------


def _forward(model: Any, ending: Ending, named: bool) -> Any:
    def forward(table: pd.DataFrame) -> Array:
        given: Any = table if named else table.to_numpy()
        if hasattr(model, "predict_proba") and ending.activation != "softmax":
            return np.asarray(model.predict_proba(given), dtype=float)[:, 1:]
        if ending.activation == "softmax":
            return np.asarray(model.predict_proba(given), dtype=float)
        return np.asarray(model.predict(given), dtype=float).reshape(len(table), -1)

    return forward


def _precision(estimator: Any) -> float:
    """Machine epsilon of the weights; scikit-learn keeps single precision where it was fitted on it."""
    arrays: Sequence[Any] = estimator.coefs_ if hasattr(estimator, "coefs_") else [estimator.coef_]
    single = any(np.asarray(each).dtype == np.float32 for each in arrays)
    return float(np.finfo(np.float32 if single else np.float64).eps)
