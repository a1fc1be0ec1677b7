"""A GLM as a PyTorch module: raw columns in, mean out.

    x -> DesignColumns (nothing to learn) -> linear -> inverse link

Whoever imports this module wants PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from glmnet_bridge.adapters.writing import computations
from glmnet_bridge.adapters.writing.records import Feed, Written
from glmnet_bridge.errors import missing_extra

try:
    import torch
    from torch import Tensor, nn
except ImportError as error:
    raise missing_extra("torch", "torch") from error

Array = np.ndarray

INVERSES: dict[str, Callable[[Tensor], Tensor]] = {
    "logit": torch.sigmoid,
    "probit": torch.special.ndtr,
    "cloglog": lambda eta: -torch.expm1(-torch.exp(eta)),
    "loglog": lambda eta: torch.exp(-torch.exp(-eta)),
    "cauchit": lambda eta: torch.atan2(torch.ones_like(eta), -eta) / math.pi,
    "log": torch.exp,
    "identity": lambda eta: eta,
    "inverse": torch.reciprocal,
    "sqrt": torch.square,
    "1/mu^2": torch.rsqrt,
}
"""The mean from the linear predictor, by link."""

_NAMES = {"equal": "eq", "power": "pow", "rint": "round", "fabs": "abs"}


class DesignColumns(nn.Module):
    """The columns of a formula `(m, q)`, without the intercept, from raw ones `(m, r)`; nothing in it is learnt.

    Parameters
    ----------
    feed : the columns as operations, names of the raw ones, and the levels of those that come as codes
    """

    package = "PyTorch"
    one: Tensor

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self.export, self.names, self.levels = feed.export, feed.names, feed.levels
        self.register_buffer("one", torch.ones(1, 1, dtype=torch.float64), persistent=False)
        for name, values in computations.settings(feed.export, feed.levels).items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float64), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The columns of the design."""
        raws = {name: x[:, j : j + 1] for j, name in enumerate(self.names)}
        made: Tensor = computations.columns(self, self.export, raws)
        return made

    def constant(self, name: str, values: Array) -> Any:
        """The buffer of that name."""
        return getattr(self, name)

    def function(self, name: str) -> Callable[..., Any]:
        """The function that numpy calls so."""
        found = getattr(torch, _NAMES.get(name, name), None)
        if found is None:
            raise computations.no_function(name, self.package)
        function: Callable[..., Any] = found
        return function

    def number(self, value: Any) -> Any:
        """Yes and no as 1 and 0."""
        return value * self.one

    def indicators(self, codes: Any, count: int) -> Any:
        """One column `(m, count)` for each code."""
        return nn.functional.one_hot(codes[:, 0].long(), count) * self.one

    def standardised(self, value: Any, mean: Any, scale: Any) -> Any:
        """`(x - mean) / scale`."""
        return (value - mean) / scale

    def matrix(self, value: Any, matrix: Any) -> Any:
        """Values `(m, a)` times a matrix `(a, b)`."""
        return value @ matrix

    def rows(self, table: Any, at: Any) -> Any:
        """Rows of a buffer by their places `(m, 1)`."""
        return table[at[:, 0].long()]

    def join(self, parts: Sequence[Any]) -> Any:
        """Columns beside each other."""
        return torch.cat(list(parts), dim=1) if len(parts) > 1 else parts[0]

    def total(self, value: Any) -> Any:
        """Sums of rows `(m, 1)`."""
        return value.sum(dim=1, keepdim=True)

    def reshape(self, value: Any, shape: tuple[int, ...]) -> Any:
        """The same numbers in another shape."""
        return value.reshape(shape)


class GLM(nn.Module):
    """A GLM: raw columns `(m, r)` in the order of `inputs`, mean `(m, 1)` out.

    Parameters
    ----------
    feed : the columns of the formula
    kernel : (q,) their coefficients
    bias : the intercept, or None
    link : its name

    Attributes
    ----------
    inputs : names of the raw columns, in the order of x
    levels : of the columns that come as codes: code k stands for the level at place k
    columns, linear : the design, and the layer with the coefficients
    written : formula, terms, and the largest difference from the fit
    """

    def __init__(self, feed: Feed, kernel: Array, bias: float | None, link: str) -> None:
        super().__init__()
        self.columns = DesignColumns(feed)
        self.linear = nn.Linear(len(kernel), 1, bias=bias is not None, dtype=torch.float64)
        with torch.no_grad():
            self.linear.weight.copy_(torch.tensor(kernel[None]))
            if bias is not None:
                self.linear.bias.fill_(bias)
        self.link, self.feed = link, feed
        self.written: Written | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the raw columns."""
        return self.feed.names

    @property
    def levels(self) -> Mapping[str, tuple[Any, ...]]:
        """Levels of the columns that come as codes."""
        return self.feed.levels

    def tensor(self, data: Any) -> Tensor:
        """The raw columns of a frame as the tensor `(m, r)` that `forward` takes."""
        arrays = self.feed.arrays(data)
        like = self.linear.weight
        return torch.tensor(
            np.column_stack([arrays[name] for name in self.inputs]), dtype=like.dtype, device=like.device
        )

    def forward(self, x: Tensor) -> Tensor:
        """The mean `(m, 1)`."""
        return INVERSES[self.link](self.linear(self.columns(x)))

    def extra_repr(self) -> str:
        """What stands in the printed module."""
        lines = [f"inputs={list(self.inputs)}, link={self.link!r}"]
        return "\n".join(lines if self.written is None else [*lines, *repr(self.written).splitlines()])


class OffsetGLM(GLM):
    """A GLM with an offset `(m, 1)` as second input, which is added to the linear predictor."""

    def forward(self, x: Tensor, offset: Tensor) -> Tensor:  # type: ignore[override]
        """The mean `(m, 1)`."""
        return INVERSES[self.link](self.linear(self.columns(x)) + offset.reshape(-1, 1))
