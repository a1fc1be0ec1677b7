"""statsmodels: results of GLM, Logit, Probit, Poisson, MNLogit, OLS and WLS, read as networks of one layer.

    data -> design columns (see `specs`; or the columns of exog, as they are) -> params -> link

A weight's name is `params[age]`; of several equations `params[age, 1]`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters import specs
from glmnet_bridge.adapters.foreigns import Decay, Foreign, Schooling
from glmnet_bridge.adapters.wirings import Wire, Wiring
from glmnet_bridge.errors import ArgumentError, ReadError
from glmnet_bridge.mapping.raws import Intake
from glmnet_bridge.model import families
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.layers import Affine

Array = np.ndarray

# model, and its family and link; GLM says them itself
MODELS: dict[str, tuple[str, str] | None] = {
    "GLM": None,
    "Logit": ("binomial", "logit"),
    "Probit": ("binomial", "probit"),
    "Poisson": ("poisson", "log"),
    "MNLogit": None,
    "OLS": ("gaussian", "identity"),
    "WLS": ("gaussian", "identity"),
}
_LEVEL = re.compile(r".*\[(?:T\.)?(.*)\]")
_PLACE = re.compile(r"const|x\d+")


@dataclass(frozen=True, slots=True)
class Columns:
    """The model's design columns.

    Attributes
    ----------
    names : of its raw inputs
    named : whether these are names of columns
    wiring : the units
    wires : (unit,) of each column of exog, () for the constant
    """

    names: tuple[str, ...]
    named: bool
    wiring: Wiring
    wires: tuple[Wire, ...]


def read(result: Any) -> Foreign:
    """A fitted result as a network.

    Raises
    ------
    ReadError
        for a model that was not fitted, or whose likelihood is none of ours
    """
    model, params = getattr(result, "model", None), getattr(result, "params", None)
    if model is None or params is None:
        raise ReadError(
            f"A statsmodels {type(result).__name__} has no estimates. Give the result of its .fit(), not the model."
        )
    name = type(model).__name__
    table = np.asarray(params, dtype=float)
    table = table[:, None] if table.ndim == 1 else table
    if name not in MODELS or len(table) != len(model.exog_names):
        raise ReadError(
            f"A statsmodels {name} is not read: its likelihood is no GLM of ours. Read are {', '.join(MODELS)}."
        )
    family = _family(model, name)
    columns = _columns(model)
    activation = "softmax" if family is None else family.link.activation
    network, theta, features = columns.wiring.network(_layers(columns, model.exog_names, table, name == "MNLogit"))
    order = _order(columns)
    record = getattr(result, "written", None)  # of a result that was written here
    return Foreign(
        kind=f"statsmodels {name} result",
        intake=Intake(
            columns.names, features, named=columns.named, numeric=_spec(model) is None, offset=bool(_shifts(model))
        ),
        network=network,
        theta=theta,
        forward=_forward(result, model, columns),
        activation=activation,
        family=family,
        folded=_folded(model),
        classes=_classes(model) if record is None else record.meaning.classes,
        response=_response(model) if record is None else record.meaning.response,
        schooling=_schooling(result, name, np.tile(order[:, None], table.shape[1]).ravel()),
    )


def _family(model: Any, name: str) -> Family | None:
    """The model's family; None for a softmax."""
    if name == "MNLogit":
        return None
    said = MODELS[name]
    if said is not None:
        return families.named(*said)
    try:
        return families.named(model.family)
    except ArgumentError as error:
        raise ReadError(f"The statsmodels GLM has a family that is not read. {error}") from None


# --- columns ---------------------------------------------------------------------------------------


def _spec(model: Any) -> Any:
    """The formula's specification, by its name of either version; None for a model of arrays."""
    return getattr(model.data, "model_spec", getattr(model.data, "design_info", None))


def _columns(model: Any) -> Columns:
    """From the formula's specification, or else from exog."""
    if _spec(model) is None:
        return _of_exog(model)
    frame = getattr(model.data, "frame", None)
    found = specs.terms(_spec(model), None if frame is None else set(frame.columns))
    names = specs.variables(found)
    wiring = Wiring(names)
    wires = specs.wired(wiring, names, found)
    return Columns(names, True, wiring, tuple(wires[name] for name in model.exog_names))


def _of_exog(model: Any) -> Columns:
    """The columns of exog are the raw inputs, but for a constant."""
    exog, own = getattr(model, "exog", None), getattr(model.data, "orig_exog", None)
    names = [str(name) for name in model.exog_names]
    if exog is None:
        constant = [name in ("const", "Intercept") for name in names]
    else:
        constant = [bool((np.asarray(column) == 1.0).all()) for column in np.asarray(exog).T]
    at = constant.index(True) if True in constant else -1
    raw = [name for j, name in enumerate(names) if j != at]
    named = isinstance(own, pd.DataFrame) if own is not None else not all(_PLACE.fullmatch(name) for name in names)
    wiring = Wiring(raw)
    waiting = iter(wiring.inputs)
    wires = tuple(() if j == at else (next(waiting),) for j in range(len(names)))
    return Columns(tuple(raw), named, wiring, wires)


def _order(columns: Columns) -> Array:
    """Positions of the columns of exog as the layer takes them: the constant last."""
    constant = [j for j, wire in enumerate(columns.wires) if not wire]
    return np.array([j for j, wire in enumerate(columns.wires) if wire] + constant, dtype=int)


def _layers(columns: Columns, exog_names: Sequence[str], params: Array, softmax: bool) -> Wire:
    """One affine layer; of a multinomial model the base class has eta 0."""
    wiring, units = columns.wiring, params.shape[1]
    reads = [unit for wire in columns.wires for unit in wire]
    order = _order(columns)
    entries = [
        f"params[{exog_names[j]}, {unit}]" if units > 1 else f"params[{exog_names[j]}]"
        for j in order
        for unit in range(units)
    ]
    layer = Affine(len(reads), units, bias=len(order) > len(reads), name="params")
    wire = wiring.add(layer, reads, params[order], entries)
    return wiring.fixed(np.eye(units, units + 1, 1), wire, None, "base class", "selection") if softmax else wire


# --- what else it says --------------------------------------------------------------------------------


def _forward(result: Any, model: Any, columns: Columns) -> Any:
    def forward(table: pd.DataFrame) -> Array:
        if _spec(model) is not None:
            # categories as plain values: levels that no row of the training had are no fault of these rows
            plain = {name: object for name, kind in table.dtypes.items() if isinstance(kind, pd.CategoricalDtype)}
            return np.asarray(result.predict(table.astype(plain)), dtype=float).reshape(len(table), -1)
        waiting = iter(table.to_numpy(dtype=float).T)
        exog = np.column_stack([next(waiting) if wire else np.ones(len(table)) for wire in columns.wires])
        return np.asarray(result.predict(exog), dtype=float).reshape(len(table), -1)

    return forward


def _classes(model: Any) -> tuple[object, ...]:
    """Both classes, the modelled one last, where the response was coded by levels."""
    names = getattr(model, "endog_names", None)
    if not isinstance(names, list) or len(names) != 2:
        return ()
    found = [_LEVEL.fullmatch(str(name)) for name in names]
    return tuple(_label(each[1]) for each in reversed(found) if each) if all(found) else ()


def _response(model: Any) -> str:
    """The left side of its formula, or ""."""
    formula = getattr(model, "formula", None)
    return formula.split("~")[0].strip() if isinstance(formula, str) and "~" in formula else ""


def _label(text: str) -> object:
    """A level as it was before it became text."""
    if text in ("True", "False"):
        return text == "True"
    return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else text


def _folded(model: Any) -> tuple[str, ...]:
    out = []
    classes = _classes(model)
    if classes:
        out.append(
            f"statsmodels models the first level of such a response, {classes[-1]!r}; its signs are turned where the "
            "formula models the other one."
        )
    out += [
        f"It was fitted with {name}=, which is no input of the network: give {name}= here too."
        for name in _shifts(model)
    ]
    # GLM keeps the weights of its last iteration as .weights
    own = (("weights", "prior_weights"),) if type(model).__name__ == "WLS" else ()
    for name, ours in (("freq_weights", "freq_weights"), ("var_weights", "prior_weights"), *own):
        given = getattr(model, name, None)
        if given is not None and np.any(np.asarray(given) != 1):
            out.append(f"It was fitted with {name}: give them here as {ours}=.")
    return tuple(out)


def _shifts(model: Any) -> list[str]:
    """What its linear predictor was fitted with beside the columns."""
    given = {name: getattr(model, name, None) for name in ("offset", "exposure")}
    return [name for name, values in given.items() if values is not None and np.any(values)]


def _schooling(result: Any, name: str, order: Array) -> Schooling:
    settings = getattr(result, "mle_settings", None) or {}
    regularized = "Regularized" in type(result).__name__
    notes = []
    if regularized:
        notes.append("It was fitted by fit_regularized, whose alpha the result does not keep.")
    said = getattr(result, "converged", None)
    done = (getattr(result, "mle_retvals", None) or {}).get("converged", True) if said is None else said
    if not done:
        notes.append("statsmodels says that it did not converge.")
    decay = None
    if settings.get("optimizer") in ("l1", "l1_cvxopt_cp"):
        strength = np.broadcast_to(np.asarray(settings["alpha"], dtype=float).ravel(), len(order))
        l1 = strength[order] if np.size(settings["alpha"]) == len(order) else strength
        decay = Decay(l1.copy(), np.zeros(len(order)), False, f"fit_regularized, alpha={settings['alpha']}")
    return Schooling(
        loss="negative log-likelihood" if name not in ("OLS", "WLS") else "squared error",
        decay=decay,
        notes=tuple(notes),
        besides=("a penalty of fit_regularized",) if regularized and decay is None else (),
        optimiser=str(settings.get("optimizer", "" if regularized else getattr(result, "method", ""))),
    )
