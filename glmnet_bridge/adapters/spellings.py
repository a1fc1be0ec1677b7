"""Spellings: a loss or an optimiser as a training loop has it, as a name and what it was made with.

    torch.nn.BCEWithLogitsLoss(pos_weight=w)      an object of PyTorch or Keras
    torch.nn.functional.cross_entropy             a function, or functools.partial of one with settings
    "SGD(weight_decay=0.01)", "mse"               written out, for what was trained elsewhere; nothing is run

Told by names and attributes, so that no package is imported.
"""

from __future__ import annotations

import ast
import functools
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glmnet_bridge.errors import ArgumentError, nearest

PACKAGES = ("torch", "keras")


@dataclass(frozen=True, slots=True)
class Spelt:
    """A name, the settings beside it, and the package that it is of ("" where only the name is known).

    `typed` says that somebody wrote the settings down, rather than an object that checked them itself.
    """

    name: str
    settings: Mapping[str, Any]
    package: str = ""
    typed: bool = False

    @property
    def key(self) -> str:
        """The name in one spelling: `BCELoss`, `bce_loss` and "bceloss" are one."""
        return self.name.replace("_", "").lower()


def spelt(given: Any, argument: str, keys: Sequence[str]) -> Spelt:
    """What is given for an argument.

    Parameters
    ----------
    given : the object, the function, the class, or its name
    argument : for messages
    keys : settings that an object of PyTorch holds as attributes

    Raises
    ------
    ArgumentError
        for what has no name
    """
    if isinstance(given, str):
        return _written(given, argument)
    if isinstance(given, functools.partial):
        inner = spelt(given.func, argument, keys)
        return Spelt(inner.name, {**inner.settings, **given.keywords}, inner.package, True)
    kinds = given.__mro__ if isinstance(given, type) else type(given).__mro__
    package = next((each for kind in kinds if (each := kind.__module__.split(".")[0]) in PACKAGES), "")
    if package == "keras" and not isinstance(given, type) and callable(getattr(given, "get_config", None)):
        with warnings.catch_warnings():  # of how Keras makes numbers of its own variables
            warnings.simplefilter("ignore")
            return Spelt(type(given).__name__, given.get_config(), package)
    if package and not isinstance(given, type):
        held = {key: getattr(given, key) for key in keys if hasattr(given, key)}
        return Spelt(type(given).__name__, held, package)
    name = getattr(given, "__name__", None)
    if not callable(given) or name is None:
        raise ArgumentError(
            f"{argument}= is a {type(given).__name__}. Give the object of the training loop (of PyTorch or Keras), or "
            "its name with its settings, as text."
        )
    module = str(getattr(given, "__module__", "") or "").split(".")[0]
    return Spelt(name, {}, package or (module if module in PACKAGES else ""))


def _written(text: str, argument: str) -> Spelt:
    """`Name` or `Name(setting=number, ...)`."""
    wrong = ArgumentError(f'{argument}={text!r}: write a name, with settings by name, as in "Name(setting=0.1)".')
    try:
        body = ast.parse(text.strip(), mode="eval").body
        call = body if isinstance(body, ast.Call) else None
        name = body if call is None else call.func
        settings = {} if call is None else {each.arg: ast.literal_eval(each.value) for each in call.keywords}
    except (SyntaxError, ValueError):
        raise wrong from None
    if not isinstance(name, ast.Name | ast.Attribute) or (call is not None and call.args) or None in settings:
        raise wrong
    known = {str(key): settings[key] for key in settings}
    return Spelt(name.id if isinstance(name, ast.Name) else name.attr, known, typed=True)


def check_settings(found: Spelt, argument: str, known: Collection[str]) -> None:
    """Refuse a setting that nobody knows, where no object has checked it."""
    for name in found.settings if found.typed else ():
        if name not in known:
            raise ArgumentError(
                f"{argument}={found.name} has no setting {name!r}.{nearest(name, known)} Those that are known: "
                f"{', '.join(sorted(known))}."
            )


def numbers(value: Any, what: str) -> tuple[float, ...]:
    """Numbers of a tensor, an array, a list or one alone.

    Raises
    ------
    ArgumentError
        for what is no number, or not finite, or below 0
    """
    try:
        held = value.detach().cpu().double().numpy() if hasattr(value, "detach") else value
        found = np.asarray(held, dtype=float).ravel()
    except (TypeError, ValueError):
        raise ArgumentError(f"{what} is a {type(value).__name__}; it should be numbers.") from None
    if not (np.isfinite(found).all() and (found >= 0).all()):
        raise ArgumentError(f"{what} has numbers that are negative or not finite: {found.tolist()}.")
    return tuple(found.tolist())


def number(value: Any, what: str) -> float:
    """One number, zero or more."""
    found = numbers(value, what)
    if len(found) != 1:
        raise ArgumentError(f"{what} has {len(found)} numbers; it should be one.")
    return found[0]
