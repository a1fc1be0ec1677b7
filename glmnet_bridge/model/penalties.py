"""Penalties, always on the *sum* of the log-likelihood: maximise `l(theta) - value(theta)`.

    ridge:  lambda / 2 * sum over penalised j of theta_j^2

A network's weight decay on the mean loss of n rows is this lambda divided by n. The
intercept (the bias) is free unless asked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glmnet_bridge.errors import ArgumentError

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Penalty:
    """A quadratic penalty; strength 0 is none.

    Attributes
    ----------
    strength : lambda, on the sum of the log-likelihood
    intercept : whether the intercept (bias) is penalised too
    """

    strength: float = 0.0
    intercept: bool = False

    @property
    def name(self) -> str:
        return "none" if self.strength == 0 else "ridge"

    def __repr__(self) -> str:
        if self.strength == 0:
            return "no penalty"
        return f"ridge({self.strength:g}{', intercept=True' if self.intercept else ''})"

    def diagonal(self, entries: tuple[str, ...]) -> Array | None:
        """Second derivative `(P,)` for parameters of these names; None where nothing is penalised."""
        if self.strength == 0:
            return None
        free = [not self.intercept and _is_intercept(name) for name in entries]
        return np.where(free, 0.0, self.strength)


def _is_intercept(name: str) -> bool:
    return name == "Intercept" or name.rsplit(".", 1)[-1].split("[")[0] == "bias"


def none() -> Penalty:
    """No penalty: plain maximum likelihood."""
    return Penalty()


def ridge(strength: float, *, intercept: bool = False) -> Penalty:
    """Half the squared coefficients times `strength`, on the sum of the log-likelihood.

    Raises
    ------
    ArgumentError
        for a strength that is negative or not finite
    """
    if not (isinstance(strength, int | float | np.number) and np.isfinite(strength) and strength >= 0):
        raise ArgumentError(f"ridge({strength!r}): the strength must be a finite number, zero or more.")
    return Penalty(float(strength), intercept)


def given(penalty: object) -> Penalty:
    """The penalty that the argument `penalty=` stands for: a `Penalty`, "none" or None."""
    if penalty is None or penalty == "none":
        return Penalty()
    if isinstance(penalty, Penalty):
        return penalty
    raise ArgumentError(
        f"penalty={penalty!r} is not understood. Give gb.penalties.ridge(strength), on the sum of the "
        "log-likelihood, or None."
    )
