"""glum: a fitted GeneralizedLinearRegressor, from a formula, a frame with categories, or an array.

data -> design columns -> coef_, intercept_ -> link
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters import specs
from glmnet_bridge.adapters.foreigns import Decay, Foreign, Schooling
from glmnet_bridge.adapters.wirings import Wire, Wiring
from glmnet_bridge.errors import ReadError
from glmnet_bridge.mapping.raws import Intake
from glmnet_bridge.model import families
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.layers import Affine
from glmnet_bridge.model.networks import is_bias

Array = np.ndarray

_FAMILIES = {
    "NormalDistribution": "gaussian",
    "PoissonDistribution": "poisson",
    "GammaDistribution": "gamma",
    "InverseGaussianDistribution": "inverse_gaussian",
    "BinomialDistribution": "binomial",
}
_POWERS = {0: "gaussian", 1: "poisson", 2: "gamma", 3: "inverse_gaussian"}
_LINKS = {"IdentityLink": "identity", "LogLink": "log", "LogitLink": "logit", "CloglogLink": "cloglog"}


def read(model: Any) -> Foreign:
    """A fitted regressor as a network.

    Raises
    ------
    ReadError
        for one that was not fitted, or whose family or link is none of ours
    """
    kind = type(model).__name__
    if not hasattr(model, "coef_"):
        raise ReadError(f"The glum {kind} was not fitted: it has no weights to read. Call .fit(X, y) first.")
    family = _family(model)
    spec = getattr(model, "X_model_spec_", None)
    levels = getattr(model, "categorical_levels_", None)
    if spec is not None:
        names, wiring, wire = _of_formula(spec)
    elif levels is not None:
        names, wiring, wire = _of_frame(model, levels)
    else:
        names = tuple(f"input {j + 1}" for j in range(model.n_features_in_))
        wiring = Wiring(names)
        wire = wiring.inputs
    named = spec is not None or levels is not None
    coef = np.asarray(model.coef_, dtype=float)
    entries = [f"coef_[{j}]" for j in range(len(coef))] + ["intercept_"] * bool(model.fit_intercept)
    theta = np.append(coef, [float(model.intercept_)] * bool(model.fit_intercept))
    layer = Affine(len(coef), 1, bias=bool(model.fit_intercept), name="coef_")
    network, theta, features = wiring.network(wiring.add(layer, wire, theta, entries))
    return Foreign(
        kind=f"glum {kind}",
        intake=Intake(names, features, named=named, numeric=not named),
        network=network,
        theta=theta,
        forward=lambda table: _forward(model, table, named),
        activation=family.link.activation,
        family=family,
        schooling=_schooling(model, entries),
    )


def _family(model: Any) -> Family:
    distribution, link = model.family_instance, model.link_instance
    kind = type(distribution).__name__
    family = _POWERS.get(distribution.power) if kind == "TweedieDistribution" else _FAMILIES.get(kind)
    ours = _LINKS.get(type(link).__name__)
    if family is None or ours is None:
        raise ReadError(
            f"The glum {type(model).__name__} has a {kind} with a {type(link).__name__}, which is not read. Read are "
            f"{', '.join(_FAMILIES)} (and Tweedie powers 0 to 3) with {', '.join(_LINKS)}."
        )
    return families.named(family, ours)


def _of_formula(spec: Any) -> tuple[tuple[str, ...], Wiring, Wire]:
    found = specs.terms(spec)
    names = specs.variables(found)
    wiring = Wiring(names)
    wires = specs.wired(wiring, names, found)
    return names, wiring, tuple(unit for name in spec.column_names for unit in wires[name])


def _of_frame(model: Any, levels: dict[str, list[Any]]) -> tuple[tuple[str, ...], Wiring, Wire]:
    """Columns of numbers as they are, categories as indicators of their levels."""
    names = tuple(dict.fromkeys(str(name) for name in model.term_names_))
    wiring = Wiring(names)
    wire: Wire = ()
    for name, unit in zip(names, wiring.inputs, strict=True):
        if name not in levels:
            wire += (unit,)
            continue
        count = sum(term == name for term in model.term_names_)
        values = list(levels[name]) + [model.cat_missing_name] * bool(model.has_missing_category_[name])
        wire += wiring.levels(unit, values[len(values) - count :], name)
    return names, wiring, wire


def _forward(model: Any, table: pd.DataFrame, named: bool) -> Array:
    return np.asarray(model.predict(table if named else table.to_numpy(dtype=float)), dtype=float)[:, None]


def _schooling(model: Any, entries: Sequence[str]) -> Schooling:
    """alpha is the strength beside the mean half deviance: times the rows on the scale of the likelihood."""
    alpha = getattr(model, "alpha_", model.alpha)
    if getattr(model, "alpha_search", False):
        alpha = model._alphas[-1]
    ratio = float(np.ravel(getattr(model, "l1_ratio_", model.l1_ratio))[0])
    strength = 0.0 if alpha is None else float(np.ravel(alpha)[0])
    notes, decay = [], None
    if strength:
        kernel = np.array([not is_bias(entry) for entry in entries], dtype=float)
        p1, p2 = (_shares(given, kernel) for given in (model.P1, model.P2))
        if p1 is None or p2 is None or model.scale_predictors:
            notes.append(
                f"Its penalty (alpha={strength:g}) is a matrix, or on standardised columns: it is not translated."
            )
        else:
            words = f"alpha={strength:g}" + (f", l1_ratio={ratio:g}" if ratio else "")
            decay = Decay(strength * ratio * p1, strength * (1 - ratio) * p2, True, words)
    if model.n_iter_ >= model.max_iter:
        notes.append(f"It stopped at max_iter={model.max_iter}, before its own stopping rule was met.")
    return Schooling(loss="half deviance", decay=decay, notes=tuple(notes), optimiser=str(model.solver))


def _shares(given: Any, kernel: Array) -> Array | None:
    """By how much of the strength each weight is penalised; None for a matrix."""
    if isinstance(given, str):
        return kernel
    shares = np.asarray(given, dtype=float)
    if shares.ndim != 1 or len(shares) != int(kernel.sum()):
        return None
    return np.append(shares, np.zeros(len(kernel) - len(shares)))
