"""Tables: the term map, row by row.

    glm_term, network_term, relation, expression, network, as_glm, glm, std_error, distance, status

One row per column of the formula, one per column that only the network has, then one per weight
that is not identified on its own. `glm`, `std_error` and `distance` are those of the model of
formula and network together, so that each row is consistent in itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.data.rows import Array
from glmnet_bridge.errors import listed
from glmnet_bridge.mapping.correspondences import Correspondence
from glmnet_bridge.mapping.distances import Distances
from glmnet_bridge.model.networks import Network

COLUMNS = (
    "glm_term", "network_term", "relation", "expression", "network", "as_glm", "glm", "std_error", "distance",
    "status",
)  # fmt: skip

NUMBERS = ("network", "as_glm", "glm", "std_error", "distance")


def term_table(map_: Correspondence, apart: Distances, theta: Array, aim: str = "") -> pd.DataFrame:
    """The term map of an affine network.

    Parameters
    ----------
    map_ : the correspondence
    apart : its distances
    theta : (P,) the network's weights
    aim : "penalised" or "other loss" where it was trained for more than the likelihood
    """
    relations, expressions = map_.relations, map_.expressions
    status = _status(map_, apart, aim)
    rows: list[dict[str, Any]] = []
    for j, name in enumerate(map_.columns):
        used = np.flatnonzero(map_.matrix[j])
        gone = name in map_.aliased
        rows.append(
            {
                "glm_term": name,
                "network_term": listed([map_.entries[i] for i in used], 3),
                "relation": relations[j],
                "expression": expressions[j],
                "network": map_.values[used[0]] if len(used) == 1 else np.nan,
                "as_glm": apart.folded[j],
                "glm": apart.mle[j],
                "std_error": apart.errors[j],
                "distance": apart.by_refit[j],
                "status": "redundant" if gone else status if len(used) else "frozen",
            }
        )
    rows += [_alone(map_.weights[i], theta[i], "redundant") for i in np.flatnonzero(map_.redundant)]
    return _frame(rows)


def uncharted_table(
    names: tuple[str, ...], mle: Array, errors: Array, network: Network, theta: Array, past: Array | None = None
) -> pd.DataFrame:
    """The table of a network that is no GLM: its terms and its weights stand apart.

    `past` `(q,)` is what skip connections carry past its activations, as coefficients, or None.
    """
    status = "no GLM counterpart"
    rows: list[dict[str, Any]] = [
        {"glm_term": name, "relation": "glm only", "glm": mle[j], "std_error": errors[j], "status": status}
        if past is None or not past[j]
        else {
            "glm_term": name,
            "relation": "combined",
            "expression": "what goes past the activations",
            "as_glm": past[j],
            "glm": mle[j],
            "std_error": errors[j],
            "status": status,
        }
        for j, name in enumerate(names)
    ]
    rows += [_alone(name, theta[i], status) for i, name in enumerate(network.entries)]
    return _frame(rows)


def _alone(name: str, value: float, status: str) -> dict[str, Any]:
    return {"network_term": name, "relation": "network only", "network": value, "status": status}


def _status(map_: Correspondence, apart: Distances, aim: str) -> str:
    if not apart.trained:
        return "not converged"
    return aim or ("folded" if map_.folded else "exact")


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """All columns in their order: text is empty where there is none, numbers are nan."""
    return pd.DataFrame(
        {
            name: np.array([row.get(name, np.nan) for row in rows], dtype=float)
            if name in NUMBERS
            else np.array([row.get(name, "") for row in rows], dtype=object)
            for name in COLUMNS
        }
    )
