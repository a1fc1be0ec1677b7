"""Losses that networks are trained with and that are no likelihood of the family, as kernels at eta.

squared error of the mean     l = -(y - mu)^2 / 2
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from glmnet_bridge.model.families import Link

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class SquaredError:
    """Half the squared error of the mean, as rows `(m, k)`; the observed information is taken for the expected one."""

    y: Array
    mean: Array
    slope: Array

    @property
    def loglik(self) -> Array:
        return -0.5 * (self.y - self.mean) ** 2

    @property
    def score(self) -> Array:
        return (self.y - self.mean) * self.slope

    @property
    def expected(self) -> Array:
        return self.slope**2

    observed = expected


def squared_error(link: Link) -> Callable[[Array, Array], Any]:
    """The kernel of squared error behind this link."""
    return lambda y, eta: SquaredError(y, link.inverse(eta), link.slope(eta))
