"""Functions: the names that a formula may call, and what the user adds to them.

A formula calls only what stands in these tables: patsy's words and transforms, numpy's
elementwise functions by name, a few of them without `np.` as in R, and the user's own
functions, which may not replace any of these in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from glmnet_bridge.design.transforms import STATEFUL
from glmnet_bridge.errors import ArgumentError, nearest

Functions = Mapping[str, Callable[..., Any]]

BARE = {
    name: getattr(np, name)
    for name in (
        "log",
        "log2",
        "log10",
        "log1p",
        "exp",
        "expm1",
        "sqrt",
        "abs",
        "sin",
        "cos",
        "tan",
        "floor",
        "ceil",
    )
}
"""Functions that R users write without `np.`; the column is named as typed."""

ROW_WISE: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "where": (3, 3, ()),
    "clip": (1, 3, ("a_min", "a_max", "min", "max")),
    "round": (1, 2, ("decimals",)),
    "around": (1, 2, ("decimals",)),
    "isin": (2, 2, ("invert",)),
    "digitize": (2, 2, ("right",)),
    "nan_to_num": (1, 1, ("nan", "posinf", "neginf")),
    "sinc": (1, 1, ()),
    "i0": (1, 1, ()),
}
"""numpy functions that work row by row but are no ufuncs: fewest and most arguments, keywords."""

FORMS = ("successes", "offset")
CONTRASTS = ("Treatment", "Sum", "Helmert", "Diff", "Poly")
CONSTANTS = {"pi": float(np.pi), "e": float(np.e), "euler_gamma": float(np.euler_gamma)}
RESERVED = frozenset(["C", "I", "Q", *FORMS, *CONTRASTS, *STATEFUL, *BARE, "np", "numpy", "eval", "exec"])

R_WORDS = {
    "factor": "C(x)",
    "as.factor": "C(x)",
    "cbind": "successes(k, m), of m trials, or k + f, successes and failures",
    "as.numeric": "x",
    "ns": "cr(x, df=4)",
    "s": "cr(x, df=4)",
    "poly": "x + I(x**2), or bs(x, df=4)",
    "ifelse": "np.where(condition, a, b)",
    "relevel": 'C(x, Treatment("reference"))',
    "cut": "C(np.digitize(x, [1, 2, 3]))",
    "pmin": "np.minimum(a, b)",
    "pmax": "np.maximum(a, b)",
}


def ufunc(name: str) -> np.ufunc | None:
    """numpy's elementwise function of that name, if it is one with a single result."""
    function = vars(np).get(name)
    single = isinstance(function, np.ufunc) and function.nout == 1 and function.signature is None
    return function if single else None


def unknown(name: str, known: Functions) -> str:
    """Why a function cannot be called, and what to write instead."""
    if name in FORMS:
        place = "as a term of its own, right of the tilde" if name == "offset" else "as the whole response"
        return f"{name}(...) is allowed only {place}."
    if name in R_WORDS:
        hint = f"For R's {name}() write {R_WORDS[name]}."
    elif ufunc(name):
        hint = f"Write np.{name}(...)."
    else:
        hint = nearest(name, [*STATEFUL, *BARE, "C", "I", "Q", *known]).strip()
    own = f"Your own functions come in by functions={{{name!r}: {name}}}." if name.isidentifier() else ""
    return " ".join(filter(None, [f"the function {name!r} is not known.", hint, own]))


def not_row_wise(name: str) -> str:
    """Why `np.<name>` cannot be called, and what may have been meant."""
    if name in vars(np):
        return f"np.{name} does not work row by row, so it is not allowed in a formula."
    known = [key for key in vars(np) if ufunc(key)]
    return f"np.{name} does not exist.{nearest(name, [*known, *ROW_WISE])}"


def check_functions(functions: Mapping[str, Callable[..., Any]] | None) -> Mapping[str, Callable[..., Any]]:
    """The user's functions, after a look at their names."""
    if functions is None:
        return {}
    if not isinstance(functions, Mapping):
        raise ArgumentError(f"functions must be a dict of name to function, not {type(functions).__name__}.")
    for name, function in functions.items():
        if not (isinstance(name, str) and name.isidentifier() and callable(function)):
            raise ArgumentError(f"functions={{{name!r}: ...}}: the key must be a name and the value a function.")
        if hasattr(function, "__patsy_stateful_transform__"):
            raise ArgumentError(f"functions={{{name!r}: ...}}: a stateful transform cannot be saved with the model.")
        if name in RESERVED and BARE.get(name) is not function:
            raise ArgumentError(f"functions={{{name!r}: ...}}: {name!r} is built in. Choose another name.")
    return functions
