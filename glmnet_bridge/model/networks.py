"""Networks: layers with named, flat parameters, and the products that a fit needs.

    eta, J = network(U, theta)         score = J'u         information = J' diag(w) J

`U` are the columns of a design (see `data.rows.Columns`), `eta` is what the family's inverse
link (the output activation) is applied to. A GLM is the network of one affine layer whose
Jacobian is the design matrix.

A network whose layers are all affine is never run layer by layer: `fold` composes them
into coefficients of the columns, `eta = U B(theta)`, with the Jacobian `A = d vec B / d theta`,
and score and information are `A' vec(U'u)` and `A' (U'wU) A`, through the columns' own verbs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from glmnet_bridge.data.rows import Columns
from glmnet_bridge.errors import ArgumentError, nearest

Array = np.ndarray


class Layer(Protocol):
    """One step of a network, `(m, inputs)` to `(m, outputs)`."""

    inputs: int
    outputs: int
    affine: bool

    @property
    def parameters(self) -> int:
        """Number of entries in this layer's run of theta."""
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

    def forward(self, z: Array, theta: Array) -> Array:
        return (z - self.mean) / self.scale

    def backward(self, z: Array, theta: Array, delta: Array) -> Array:
        return delta / self.scale

    def gradient(self, z: Array, delta: Array) -> Array:
        return np.zeros((*delta.shape[:2], 0))


@dataclass(frozen=True, slots=True)
class Contrast:
    """Each output less the base output: C softmax logits are C - 1 linear predictors."""

    inputs: int
    base: int = 0
    name: str = "softmax"
    affine = True

    @property
    def outputs(self) -> int:
        return self.inputs - 1

    @property
    def parameters(self) -> int:
        return 0

    @property
    def matrix(self) -> Array:
        """`(inputs, outputs)`: identity without the base's column, -1 in the base's row."""
        matrix = np.delete(np.eye(self.inputs), self.base, axis=1)
        matrix[self.base] = -1.0
        return matrix

    def forward(self, z: Array, theta: Array) -> Array:
        return z @ self.matrix

    def backward(self, z: Array, theta: Array, delta: Array) -> Array:
        return delta @ self.matrix.T

    def gradient(self, z: Array, delta: Array) -> Array:
        return np.zeros((*delta.shape[:2], 0))


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the network is fed, in terms of the design's columns: `Z = U M`.

    Attributes
    ----------
    names : the network's own names of its inputs, d of them
    matrix : (p, d) array M, or None where the inputs are the p columns themselves
    ones : (p,) array with `U ones = 1`: how a bias is written in the columns; None if no
        combination of the columns is constant
    """

    names: tuple[str, ...]
    matrix: Array | None = None
    ones: Array | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """Inputs and layers; theta is the layers' parameters one after the other.

    `entries` are the names of theta's P entries, in the words of whoever made the network.
    """

    inputs: Inputs
    layers: tuple[Any, ...]
    entries: tuple[str, ...]

    def __post_init__(self) -> None:
        widths = [len(self.inputs.names), *(layer.outputs for layer in self.layers)]
        for width, layer in zip(widths, self.layers, strict=False):
            if layer.inputs != width:
                raise ArgumentError(
                    f"Layer {layer.name!r} takes {layer.inputs} inputs but is given {width}. "
                    "Make the widths of neighbouring layers agree."
                )
        if self.parameters != len(self.entries):
            raise ArgumentError(f"The network has {self.parameters} parameters but {len(self.entries)} names.")

    @property
    def parameters(self) -> int:
        """P, the length of theta."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def outputs(self) -> int:
        """k, the number of linear predictors."""
        return int(self.layers[-1].outputs)

    @property
    def affine(self) -> bool:
        """Whether eta is affine in the columns, so that the network is a GLM."""
        return all(layer.affine for layer in self.layers)

    @property
    def linear(self) -> bool:
        """Whether eta is affine in theta too: at most one layer has weights (stacked ones multiply)."""
        return self.affine and sum(layer.parameters > 0 for layer in self.layers) <= 1

    @property
    def plain(self) -> bool:
        """Whether theta is the coefficients themselves: one unit on the columns as they are."""
        layer = self.layers[0]
        alone = self.inputs.matrix is None and len(self.layers) == 1
        return alone and isinstance(layer, Affine) and not layer.bias

    def slices(self) -> list[slice]:
        """Where each layer's parameters lie in theta."""
        ends = np.cumsum([0, *(layer.parameters for layer in self.layers)])
        return [slice(int(a), int(b)) for a, b in zip(ends[:-1], ends[1:], strict=True)]

    def at(self, theta: Array) -> Body:
        """The network with its parameters: `forward`, `score` and `info` on columns."""
        if self.plain:
            return AffineBody(theta.reshape(-1, self.layers[0].outputs), None)
        if self.affine:
            return AffineBody(fold(self, theta), fold_jacobian(self, theta))
        return HiddenBody(self, theta)


def single_unit(columns: tuple[str, ...], layer: str = "") -> Network:
    """The network that a GLM is: one unit without hidden layer; the constant's weight is its bias."""
    prefix = f"{layer}." if layer else ""
    entries = tuple(f"{prefix}bias" if name == "Intercept" else f"{prefix}kernel[{name}]" for name in columns)
    return Network(Inputs(columns), (Affine(len(columns), 1, bias=False),), entries)


def dense_entries(layers: tuple[Any, ...], inputs: tuple[str, ...], outputs: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Names for theta: `kernel[x]`, `bias`; with several units or layers `hidden.kernel[x, 2]`, `hidden.bias[2]`."""
    affine = [layer for layer in layers if isinstance(layer, Affine)]
    names: list[str] = []
    for number, layer in enumerate(affine):
        prefix = f"{layer.name}." if len(affine) > 1 else ""
        sources = inputs if number == 0 else tuple(str(unit) for unit in range(layer.inputs))
        last = number == len(affine) - 1 and len(outputs) == layer.outputs
        units = outputs if last else tuple(str(unit) for unit in range(layer.outputs))
        several = layer.outputs > 1
        names += [f"{prefix}kernel[{s}{', ' + u if several else ''}]" for s in sources for u in units]
        names += [f"{prefix}bias{'[' + u + ']' if several else ''}" for u in units] if layer.bias else []
    return tuple(names)


def is_bias(entry: str) -> bool:
    """Whether a weight's name says that it is a bias."""
    return entry.split("[")[0].endswith("bias")


def fold(network: Network, theta: Array) -> Array:
    """Coefficients `(p, k)` of the design's columns: `eta = U fold(network, theta)`."""
    if network.plain:
        return theta.reshape(-1, network.outputs)
    return _folds(network, theta)[-1]


def _folds(network: Network, theta: Array) -> list[Array]:
    """The coefficients of the columns after each layer; entry 0 is before the first."""
    inputs = network.inputs
    path = [np.eye(len(inputs.names)) if inputs.matrix is None else inputs.matrix]
    for layer, run in zip(network.layers, network.slices(), strict=True):
        zero = np.zeros((1, layer.inputs))
        constant = layer.forward(zero, theta[run])
        # not forward(path) - constant: a scaler's mean would cancel the digits of its slope
        linear = path[-1] @ layer.backward(zero, theta[run], np.eye(layer.outputs)).T
        path.append(linear + np.outer(_ones(network), constant) if constant.any() else linear)
    return path


def _ones(network: Network) -> Array:
    if network.inputs.ones is None:
        raise ArgumentError(
            "The network adds a constant (a bias, or a scaler's mean), but no combination of the "
            "columns is constant. Add an intercept to the columns."
        )
    return network.inputs.ones


def fold_jacobian(network: Network, theta: Array) -> Array:
    """`A = d vec(B) / d theta`, `(p * k, P)`, B `(p, k)` row by row."""
    path = _folds(network, theta)
    width, outputs = path[0].shape[0], network.outputs
    columns = [np.zeros((width * outputs, 0))]
    onward = np.eye(outputs)
    for layer, run, before in reversed(list(zip(network.layers, network.slices(), path[:-1], strict=True))):
        if layer.parameters:
            seen = np.column_stack([before, _ones(network)]) if layer.bias else before
            block = np.einsum("pi,jk->pkij", seen, onward)
            columns.insert(0, block.reshape(width * outputs, layer.parameters))
        onward = layer.backward(np.zeros((1, layer.inputs)), theta[run], onward.T).T
    return np.concatenate(columns, axis=1)


class Body(Protocol):
    """A network with its parameters; the tape is what `forward` leaves for the way back."""

    def forward(self, columns: Columns) -> tuple[Array, Any]:
        """eta `(m, k)` and the tape."""
        ...

    def score(self, tape: Any, u: Array) -> Array:
        """`J'u`, `(P,)`, for u `(m, k)`."""
        ...

    def info(self, tape: Any, w: Array) -> Array:
        """`J' diag(w) J`, `(P, P)`, for w `(m, k)` or `(m, k, k)`."""
        ...


@dataclass(frozen=True, slots=True)
class AffineBody:
    """`eta = U B`; `jacobian` is A `(p * k, P)`, or None where theta is B itself."""

    coefficients: Array
    jacobian: Array | None

    def forward(self, columns: Columns) -> tuple[Array, Columns]:
        return columns.dot(self.coefficients), columns

    def score(self, tape: Columns, u: Array) -> Array:
        flat = tape.tdot(u).ravel()
        return flat if self.jacobian is None else self.jacobian.T @ flat

    def info(self, tape: Columns, w: Array) -> Array:
        """`J' diag(w) J` for w `(m, k)`, or `(m, k, k)` where outputs share information."""
        p, k = self.coefficients.shape
        if k == 1:
            gram = tape.gram(np.ascontiguousarray(w.reshape(len(w))))
        else:
            pairs = np.zeros((p, k, p, k))
            for i in range(k):
                for j in range(k):
                    if w.ndim == 3 or i == j:
                        pairs[:, i, :, j] = tape.gram(np.ascontiguousarray(w[:, i] if w.ndim == 2 else w[:, i, j]))
            gram = pairs.reshape(p * k, p * k)
        return gram if self.jacobian is None else self.jacobian.T @ gram @ self.jacobian


@dataclass(frozen=True, slots=True)
class HiddenBody:
    """A network that must be run: the tape holds the input of every layer."""

    network: Network
    theta: Array

    def forward(self, columns: Columns) -> tuple[Array, list[Array]]:
        inputs = self.network.inputs
        tape = [columns.matrix() if inputs.matrix is None else columns.dot(inputs.matrix)]
        for layer, run in zip(self.network.layers, self.network.slices(), strict=True):
            tape.append(layer.forward(tape[-1], self.theta[run]))
        return tape[-1], tape

    def score(self, tape: list[Array], u: Array) -> Array:
        """Back-propagation: `J'u` without forming J."""
        return self._back(tape, u[:, None, :]).sum(axis=(0, 1))

    def jacobian(self, tape: list[Array]) -> Array:
        """J, `(m, k, P)`: one row of back-propagation for each output."""
        rows, outputs = tape[-1].shape
        return self._back(tape, np.broadcast_to(np.eye(outputs), (rows, outputs, outputs)))

    def info(self, tape: list[Array], w: Array) -> Array:
        """`J' diag(w) J`: the Gauss-Newton matrix, which is the expected information."""
        jacobian = self.jacobian(tape)
        weighted = jacobian * w[:, :, None] if w.ndim == 2 else np.einsum("mij,mjp->mip", w, jacobian)
        flat = (jacobian.shape[0] * jacobian.shape[1], jacobian.shape[2])
        return jacobian.reshape(flat).T @ weighted.reshape(flat)

    def _back(self, tape: list[Array], delta: Array) -> Array:
        """`(m, j, P)` derivatives of j combinations of the outputs, delta `(m, j, k)`."""
        parts: list[Array] = []
        steps = list(zip(self.network.layers, self.network.slices(), tape[:-1], strict=True))
        for layer, run, z in reversed(steps):
            parts.insert(0, layer.gradient(z, delta))
            delta = layer.backward(z, self.theta[run], delta)
        return np.concatenate(parts, axis=2)
