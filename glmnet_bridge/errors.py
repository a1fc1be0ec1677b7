"""Errors and warnings: what was given, where, what is allowed, what to do.

Every error that a user can cause is a `BridgeError`, which is also a `ValueError`. Its
message names the culprit (column, level, row, argument) and the next step. Warnings have
a class each, so that they can be filtered, and are raised at most once per fit.
"""

from __future__ import annotations

import difflib
import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from typing import TypeGuard

_PACKAGE = os.path.dirname(__file__) + os.sep


class BridgeError(ValueError):
    """Root of all errors that bad input can cause."""


class FormulaError(BridgeError):
    """The formula cannot be read, or asks for something that is not allowed."""


class DataError(BridgeError):
    """A column, a row or a value does not fit what the model needs."""


class ArgumentError(BridgeError, TypeError):
    """An argument has an unknown name, or a value outside its range."""


class FitError(BridgeError):
    """The fit failed, and the caller asked for an error (`strict=True`)."""


class ReadError(BridgeError):
    """A network of another package cannot be read; the message names the layer and what would help."""


class MissingExtraError(BridgeError, ImportError):
    """An optional package is needed; the message names the extra that brings it."""


class BridgeWarning(UserWarning):
    """Root of all warnings."""


class FormulaWarning(BridgeWarning):
    """The formula means something else than it seems to say."""


class DataWarning(BridgeWarning):
    """The numbers are right, but the data deserve a second look."""


class ConvergenceWarning(BridgeWarning):
    """The fit stopped before the maximum of the likelihood."""


class SeparationWarning(BridgeWarning):
    """Some coefficients have no finite estimate."""


class AliasWarning(BridgeWarning):
    """Some columns are linear combinations of others and were left out."""


def warn(message: str, kind: type[BridgeWarning]) -> None:
    """Warn at the caller's line, the first one outside this package, however deep the cause lies."""
    depth = 2
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, depth = frame.f_back, depth + 1
    warnings.warn(message, kind, stacklevel=depth)


def nearest(word: object, allowed: Iterable[object]) -> str:
    """`" Did you mean 'x'?"` for the allowed word nearest to `word`, or an empty string.

    Numbers are not misspelt: 1 is no more meant by 1.5 than 15 is.
    """
    if _spells_number(word):
        return ""
    names = [str(name) for name in allowed]
    close = difflib.get_close_matches(str(word), names, n=1, cutoff=0.5)
    if not close:
        lower = {name.lower(): name for name in names}
        close = [lower[str(word).lower()]] if str(word).lower() in lower else []
    return f" Did you mean {close[0]!r}?" if close else ""


def _spells_number(word: object) -> bool:
    try:
        float(word if isinstance(word, str) else word.__float__())  # type: ignore[attr-defined]
    except (AttributeError, ValueError):
        return False
    return True


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is one real number: Python's or numpy's, of any size; True and False are none."""
    return _is_kind(value, "iuf", int | float)


def is_whole(value: object) -> TypeGuard[int]:
    """Whether it is one integer: Python's or numpy's, of any size; True and False are none, nor is 2.0."""
    return _is_kind(value, "iu", int)


def _is_kind(value: object, kinds: str, plain: object) -> bool:
    # by numpy's kind, as its own classes take a duration for an integer
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    if kind is not None:
        return kind in kinds and getattr(value, "ndim", None) == 0
    return isinstance(value, plain) and not isinstance(value, bool)  # type: ignore[arg-type]


def check_flags(**given: object) -> None:
    """Arguments that are True or False.

    Raises
    ------
    ArgumentError
        for anything else, such as the text "yes"
    """
    for name, value in given.items():
        if type(value).__name__ not in ("bool", "bool_"):  # numpy has one of its own, by either name
            raise ArgumentError(f"{name}={value!r}: give True or False.")


def listed(items: Sequence[object], most: int = 5) -> str:
    """`a, b, c and 4 more`: at most `most` items, in words."""
    shown = ", ".join(str(item) for item in items[:most])
    left = len(items) - most
    return f"{shown} and {left} more" if left > 0 else shown


def missing_extra(package: str, extra: str) -> MissingExtraError:
    """The error for an optional package that is not installed."""
    return MissingExtraError(
        f"This needs the package {package!r}, which is not installed. "
        f'Install it with: pip install "glmnet_bridge[{extra}]"'
    )
