"""scikit-learn: linear models, networks and pipelines, read from their public fitted attributes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.adapters.wirings import Wiring
from glmnet_bridge.mapping.raws import Intake
from glmnet_bridge.model import families
from glmnet_bridge.model.layers import Affine

Array = np.ndarray


def read(model: Any) -> Foreign:
    """A fitted estimator as a network."""
    names = tuple(str(n) for n in getattr(model, "feature_names_in_", ())) or tuple(
        f"input {j + 1}" for j in range(model.n_features_in_)
    )
    wiring = Wiring(names)
    coef = np.atleast_2d(model.coef_)
    entries = [f"coef_[{u}, {j}]" for j in range(coef.shape[1]) for u in range(len(coef))] + [
        f"intercept_[{u}]" for u in range(len(coef))
    ]
    out = wiring.add(
        Affine(coef.shape[1], len(coef), name="coef_"),
        wiring.inputs,
        np.concatenate([coef.T.ravel(), np.atleast_1d(model.intercept_)]),
        entries,
    )
    network, theta, features = wiring.network(out)
    several = len(coef) > 1

    def forward(table: pd.DataFrame) -> Array:
        found = model.predict_proba(table)
        return found if several else found[:, 1:]

    return Foreign(
        kind="scikit-learn LogisticRegression",
        intake=Intake(names, features, named=True, numeric=False),
        network=network,
        theta=theta,
        forward=forward,
        activation="softmax" if several else "sigmoid",
        family=families.named("multinomial" if several else "binomial"),
        classes=tuple(model.classes_.tolist()),
    )
