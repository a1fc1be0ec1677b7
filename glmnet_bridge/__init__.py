"""glmnet_bridge: a GLM and the neural network that it is, not the R package glmnet.

The public names, by what they are for; each is loaded when it is first used.

    bridge                    a formula and a frame to a GLM, a network, and the map between them
    glm, network, fit         a formula and a frame (or arrays) to one of the two
    compare                   why two fits differ
    load                      a fit that `fit.save(path)` wrote
    separation                which coefficients are infinite, without a fit
    anova, drop1, add1        what terms add: tables of deviance, with likelihood-ratio, F and score tests
    score_test                whether columns that are left out belong into the model
    effects                   average slopes, contrasts of levels, risk ratios, predictions
    simulate                  data from known coefficients
    figures                   activations and losses, for teaching
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PLACES = {
    "bridge": "bridges",
    "glm": "bridges",
    "network": "bridges",
    "fit": "bridges",
    "compare": "comparisons",
    "load": "saving",
    "separation": "separations",
    "anova": "anovas",
    "drop1": "anovas",
    "add1": "additions",
    "score_test": "additions",
    "effects": "marginals",
    "simulate": "simulations",
    "families": "model.families",
    "penalties": "model.penalties",
    "figures": "report.figures",
    "errors": "errors",
}
__all__ = ["__version__", *_PLACES]


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name not in _PLACES:
        raise AttributeError(f"module 'glmnet_bridge' has no attribute {name!r}")
    module = importlib.import_module(f"glmnet_bridge.{_PLACES[name]}")
    found = module if name in ("families", "penalties", "figures", "errors") else getattr(module, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
