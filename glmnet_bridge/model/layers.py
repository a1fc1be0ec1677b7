"""Layers: the steps of a network, `(m, inputs)` to `(m, outputs)`.

    Affine, Gain                       hold weights: runs of theta
    Normalise, Contrast, Fixed         affine, with nothing to learn
    Activation                         a fixed function of each unit
    Branch                             any of these, on some of the units, beside the others

A graph with skip connections and several inputs is a chain too: the units that a later step
still needs are carried along by `Branch`. So every network is differentiated, folded and run in
one way. A new layer is a frozen record with these verbs; it enters all laws in `tests/laws`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from glmnet_bridge.errors import ArgumentError, nearest

Array = np.ndarray


class Layer(Protocol):
    """One step of a network, `(m, inputs)` to `(m, outputs)`."""

    name: str
    inputs: int
    outputs: int
    affine: bool

    @property
    def parameters(self) -> int:
        """Number of entries in this layer's run of theta."""
        ...

    @property
    def shifts(self) -> bool:
        """Whether the layer adds a number that does not depend on its inputs."""
        ...

    def forward(self, z: Array, theta: Array) -> Array:
        """The layer's output `(m, outputs)`."""
        ...

    def backward(self, z: Array, theta: Array, delta: Array) -> Array:
        """From `d / d output` `(..., outputs)` to `d / d input` `(..., inputs)`."""
        ...

    def gradient(self, z: Array, delta: Array) -> Array:
        """`d / d theta` row by row: `(m, j, parameters)` for delta `(m, j, outputs)`."""
        ...


@dataclass(frozen=True, slots=True)
class Affine:
    """`z W + b`; theta holds W `(inputs, outputs)` row by row, then b `(outputs,)`."""

    inputs: int
    outputs: int = 1
    bias: bool = True
    name: str = "output"
    affine = True

    @property
    def parameters(self) -> int:
        return (self.inputs + self.bias) * self.outputs

    @property
    def shifts(self) -> bool:
        return self.bias

    def weights(self, theta: Array) -> tuple[Array, Array]:
        """Kernel `(inputs, outputs)` and bias `(outputs,)`, zero where the layer has none."""
        size = self.inputs * self.outputs
        bias = theta[size:] if self.bias else np.zeros(self.outputs)
        return theta[:size].reshape(self.inputs, self.outputs), bias

    def forward(self, z: Array, theta: Array) -> Array:
        kernel, bias = self.weights(theta)
        return z @ kernel + bias

    def backward(self, z: Array, theta: Array, delta: Array) -> Array:
        return delta @ self.weights(theta)[0].T

    def gradient(self, z: Array, delta: Array) -> Array:
        kernel = z[:, None, :, None] * delta[:, :, None, :]
        flat = kernel.reshape(*delta.shape[:2], self.inputs * self.outputs)
        return np.concatenate([flat, delta], axis=2) if self.bias else flat


def _leaky(z: Array) -> Array:
    return np.where(z > 0, z, 0.01 * z)


# name: (function, derivative as a function of the input)
ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "identity": (np.positive, np.ones_like),
    "sigmoid": (lambda z: 0.5 * (1.0 + np.tanh(0.5 * z)), lambda z: 0.25 * (1.0 - np.tanh(0.5 * z) ** 2)),
    "tanh": (np.tanh, lambda z: 1.0 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0.0), lambda z: (z > 0).astype(float)),
    "leaky_relu": (_leaky, lambda z: np.where(z > 0, 1.0, 0.01)),
}


@dataclass(frozen=True, slots=True)
class Activation:
    """A fixed function of each unit; `kind` is a name of `ACTIVATIONS`."""

    inputs: int
    kind: str
    name: str = "activation"

    def __post_init__(self) -> None:
        if self.kind not in ACTIVATIONS:
            raise ArgumentError(
                f"Unknown activation {self.kind!r}; there are {', '.join(ACTIVATIONS)}."
                f"{nearest(self.kind, ACTIVATIONS)}"
            )

    @property
    def outputs(self) -> int:
        return self.inputs

    @property
    def affine(self) -> bool:
        return self.kind == "identity"

    @property
    def parameters(self) -> int:
        return 0

    @property
    def shifts(self) -> bool:
        return bool(self.forward(np.zeros((1, 1)), np.zeros(0))[0, 0] != 0)

    def forward(self, z: Array, theta: Array) -> Array:
        return ACTIVATIONS[self.kind][0](z)

    def backward(self, z: Array, theta: Array, delta: Array) -> Array:
        slope = ACTIVATIONS[self.kind][1](z)
        return delta * (slope if delta.ndim == 2 else slope[:, None, :])

    def gradient(self, z: Array, delta: Array) -> Array:
        return np.zeros((*delta.shape[:2], 0))


@dataclass(frozen=True, slots=True)
class Normalise:
    """`(z - mean) / scale` with fixed mean and scale `(inputs,)`: a scaler, or a normalisation layer."""

    mean: Array
    scale: Array
    name: str = "normalise"
    affine = True

    @property
    def inputs(self) -> int:
        return len(self.mean)

    outputs = inputs

    @property
    def parameters(self) -> int:
        return 0

    @property
    def shifts(self) -> bool:
        return bool(self.mean.any())

    def forward(self, z: Array, theta: Array) -> Array:
        out = z - self.mean
        out /= self.scale
        return out

    def backward(self, z: Array, theta: Array, delta: Array) -> Array:
        return delta / self.scale

    def gradient(self, z: Array, delta: Array) -> Array:
        return np.zeros((*delta.shape[:2], 0))


@dataclass(frozen=True, slots=True)
class Contrast:
    """Each output less the base output: C softmax logits are C - 1 linear predictors.

    `others` are the positions of the other logits in the order of the linear predictors; by default as they stand.
    """

    inputs: int
    base: int = 0
    name: str = "softmax"
    others: tuple[int, ...] = ()
    affine = True

    @property
    def outputs(self) -> int:
        return self.inputs - 1

    @property
    def parameters(self) -> int:
        return 0

    @property
    def shifts(self) -> bool:
        return False

    @property
    def matrix(self) -> Array:
        """`(inputs, outputs)`: identity without the base's column, -1 in the base's row."""
        others = self.others or [j for j in range(self.inputs) if j != self.base]
        matrix = np.eye(self.inputs)[:, list(others)]
        matrix[self.base] = -1.0
        return matrix

    def forward(self, z: Array, theta: Array) -> Array:
        return z @ self.matrix

    def backward(self, z: Array, theta: Array, delta: Array) -> Array:
        return delta @ self.matrix.T

    def gradient(self, z: Array, delta: Array) -> Array:
        return np.zeros((*delta.shape[:2], 0))


@dataclass(frozen=True, slots=True)
class Gain:
    """`z * gain + shift`, unit by unit; theta holds the gains, then the shifts, of those that are learnt."""

    inputs: int
    gain: bool = True
    shift: bool = True
    name: str = "gain"
    affine = True

    @property
    def outputs(self) -> int:
        return self.inputs

    @property
    def parameters(self) -> int:
        return (self.gain + self.shift) * self.inputs

    @property
    def shifts(self) -> bool:
        return self.shift

    def forward(self, z: Array, theta: Array) -> Array:
        if not self.gain:
            return z + theta[-self.inputs :] if self.shift else z
        out = z * theta[: self.inputs]
        if self.shift:
            out += theta[-self.inputs :]
        return out

    def backward(self, z: Array, theta: Array, delta: Array) -> Array:
        return delta * theta[: self.inputs] if self.gain else delta

    def gradient(self, z: Array, delta: Array) -> Array:
        parts = [z[:, None, :] * delta] * self.gain + [delta] * self.shift
        return np.concatenate(parts, axis=2) if parts else np.zeros((*delta.shape[:2], 0))


@dataclass(frozen=True, slots=True)
class Fixed:
    """`z M + c` with nothing to learn: matrix `(inputs, outputs)`, constant `(outputs,)`; `kind` says what it is.

    `diagonal` is M where it scales unit by unit, else None.
    """

    matrix: Array
    constant: Array
    name: str = "fixed"
    kind: str = "fixed"
    diagonal: Array | None = field(init=False)
    affine = True

    def __post_init__(self) -> None:
        d, k = self.matrix.shape
        scales = d == k and np.count_nonzero(self.matrix) == np.count_nonzero(self.matrix.diagonal())
        object.__setattr__(self, "diagonal", self.matrix.diagonal() if scales else None)

    @property
    def inputs(self) -> int:
        return int(self.matrix.shape[0])

    @property
    def outputs(self) -> int:
        return int(self.matrix.shape[1])

    @property
    def parameters(self) -> int:
        return 0

    @property
    def shifts(self) -> bool:
        return bool(self.constant.any())

    def forward(self, z: Array, theta: Array) -> Array:
        out: Array = z @ self.matrix if self.diagonal is None else z * self.diagonal
        out += self.constant
        return out

    def backward(self, z: Array, theta: Array, delta: Array) -> Array:
        return delta @ self.matrix.T if self.diagonal is None else delta * self.diagonal

    def gradient(self, z: Array, delta: Array) -> Array:
        return np.zeros((*delta.shape[:2], 0))


@dataclass(frozen=True, slots=True)
class Branch:
    """A layer on some of the units, with others carried along: `(kept units, layer of the units read)`.

    Attributes
    ----------
    layer : what is computed
    inputs : width of what comes in
    reads : positions of the units that the layer is fed, in its order
    keeps : positions of the units that a later layer needs, in front of the layer's output
    """

    layer: Any
    inputs: int
    reads: tuple[int, ...]
    keeps: tuple[int, ...]

    @property
    def name(self) -> str:
        return str(self.layer.name)

    @property
    def outputs(self) -> int:
        return len(self.keeps) + int(self.layer.outputs)

    @property
    def affine(self) -> bool:
        return bool(self.layer.affine)

    @property
    def parameters(self) -> int:
        return int(self.layer.parameters)

    @property
    def shifts(self) -> bool:
        return bool(self.layer.shifts)

    def forward(self, z: Array, theta: Array) -> Array:
        out: Array = self.layer.forward(z[:, list(self.reads)], theta)
        return np.concatenate([z[:, list(self.keeps)], out], axis=1)

    def backward(self, z: Array, theta: Array, delta: Array) -> Array:
        kept = len(self.keeps)
        inner = self.layer.backward(z[:, list(self.reads)], theta, delta[..., kept:])
        back = np.zeros((*delta.shape[:-1], self.inputs), dtype=np.result_type(delta, inner))
        back[..., list(self.keeps)] = delta[..., :kept]
        for place, unit in enumerate(self.reads):  # one by one: a unit may be read twice
            back[..., unit] += inner[..., place]
        return back

    def gradient(self, z: Array, delta: Array) -> Array:
        found: Array = self.layer.gradient(z[:, list(self.reads)], delta[..., len(self.keeps) :])
        return found


def bare(layer: Any) -> Any:
    """The layer itself, without what is carried along beside it."""
    return layer.layer if isinstance(layer, Branch) else layer
