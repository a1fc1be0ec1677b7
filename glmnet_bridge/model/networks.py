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

import re
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from glmnet_bridge.data.rows import Columns
from glmnet_bridge.errors import ArgumentError
from glmnet_bridge.model.layers import Activation, Affine, Branch, Contrast, Fixed, Gain, Normalise, bare

Array = np.ndarray

BIAS = re.compile(r"(bias|intercept)s?_?\d*$|params\[(Intercept|const)\b")


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
        """Whether eta is affine in theta too: no weight is multiplied by another one on its way."""
        depth = np.zeros(len(self.inputs.names), dtype=int)
        for layer in self.layers:
            reads, keeps = paths(layer)
            own, inner = int(layer.parameters > 0), bare(layer)
            deepest = max((depth[j] for j in reads), default=0)
            added = isinstance(inner, Gain) and not inner.gain  # a shift multiplies nothing
            deepest = max(deepest, own) if added else deepest + own
            depth = np.r_[depth[list(keeps)], np.full(layer.outputs - len(keeps), deepest)]
        return self.affine and bool(depth.max(initial=0) <= 1)

    @property
    def plain(self) -> bool:
        """Whether theta is the coefficients themselves: one unit on the columns as they are."""
        if not self.layers:
            return False
        layer = self.layers[0]
        alone = self.inputs.matrix is None and len(self.layers) == 1
        return alone and isinstance(layer, Affine) and not layer.bias

    @property
    def biases(self) -> Array:
        """Which weights are biases `(P,)`: what they add to the linear predictors is the same in every row."""
        varies = np.array([name != "Intercept" for name in self.inputs.names], dtype=bool)
        found = []
        for layer in self.layers:
            reads, keeps = paths(layer)
            fed, inner = varies[list(reads)], bare(layer)
            found.append(_biases(inner, fed))
            varies = np.r_[varies[list(keeps)], _varying(inner, fed)]
        named = np.array([is_bias(entry) for entry in self.entries], dtype=bool)  # a column of ones by another name
        return np.concatenate([np.zeros(0, dtype=bool), *found]) | named

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


def single_unit(columns: tuple[str, ...], outputs: tuple[str, ...] = ()) -> Network:
    """The network that a GLM is: one unit without hidden layer, or one for each of several `outputs`.

    The constant's weight is its bias.
    """
    units = outputs or ("",)
    entries = tuple(_entry(name, unit) for name in columns for unit in units)
    return Network(Inputs(columns), (Affine(len(columns), len(units), bias=False),), entries)


def _entry(column: str, unit: str) -> str:
    if column == "Intercept":
        return f"bias[{unit}]" if unit else "bias"
    return f"kernel[{column}, {unit}]" if unit else f"kernel[{column}]"


def by_output(width: int, outputs: int) -> Array:
    """Positions of the coefficients output by output, among those of B `(width, outputs)` row by row."""
    found: Array = np.arange(width * outputs).reshape(width, outputs).T.ravel()
    return found


def dense_entries(layers: tuple[Any, ...], inputs: tuple[str, ...], outputs: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Names for theta: `kernel[x]`, `bias`; with several units or layers `hidden.kernel[x, 2]`, `hidden.bias[2]`."""
    several = sum(layer.parameters > 0 for layer in layers) > 1
    names: list[str] = []
    labels = tuple(inputs)
    for number, whole in enumerate(layers):
        layer = bare(whole)
        # a layer of another width is refused by the network, which says so
        reads, kept = (tuple(labels[j] if j < len(labels) else f"{j}" for j in some) for some in paths(whole))
        units = tuple(str(unit) for unit in range(layer.outputs))
        if number == len(layers) - 1 and len(outputs) == layer.outputs:
            units = outputs
        elif isinstance(layer, Gain | Activation | Normalise):
            units = reads  # unit by unit: each is still what it was
        names += _entries(layer, f"{layer.name}." if several else "", reads, units)
        labels = (*kept, *units)
    return tuple(names)


def paths(layer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Positions of the units that a layer reads, and of those that it carries along."""
    return (layer.reads, layer.keeps) if isinstance(layer, Branch) else (tuple(range(layer.inputs)), ())


def _entries(layer: Any, prefix: str, sources: tuple[str, ...], units: tuple[str, ...]) -> list[str]:
    one = len(units) == 1
    if isinstance(layer, Gain):
        words = ["gain"] * layer.gain + ["bias"] * layer.shift
        return [f"{prefix}{word}{'' if one else f'[{unit}]'}" for word in words for unit in units]
    if not isinstance(layer, Affine):
        return []
    names = [f"{prefix}kernel[{source}{'' if one else f', {unit}'}]" for source in sources for unit in units]
    return names + ([f"{prefix}bias{'' if one else f'[{unit}]'}" for unit in units] if layer.bias else [])


def is_bias(entry: str) -> bool:
    """Whether a weight's name says that it is a bias: `bias`, `fc.bias`, `dense/bias[0]`, `params[const]`."""
    return BIAS.search(entry.split("[")[0]) is not None or BIAS.match(entry) is not None


def _biases(layer: Any, fed: Array) -> Array:
    """Which of a layer's weights are biases, where `fed` says which of its inputs vary."""
    if isinstance(layer, Affine):
        return np.r_[np.repeat(~fed, layer.outputs), np.ones(layer.bias * layer.outputs, dtype=bool)]
    if isinstance(layer, Gain):
        return np.r_[np.tile(~fed, layer.gain), np.ones(layer.shift * layer.inputs, dtype=bool)]
    return np.zeros(layer.parameters, dtype=bool)


def _varying(layer: Any, fed: Array) -> Array:
    """Which of a layer's outputs vary with its inputs."""
    if isinstance(layer, Affine):
        return np.full(layer.outputs, fed.any())
    if isinstance(layer, Fixed | Contrast):
        return np.asarray((layer.backward(np.zeros((1, layer.inputs)), np.zeros(0), np.eye(layer.outputs)) != 0) @ fed)
    return fed  # unit by unit


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
        zero = np.zeros((1, layer.inputs))
        if layer.parameters:
            columns.insert(0, _slopes(network, layer, before, onward).reshape(width * outputs, layer.parameters))
        onward = layer.backward(zero, theta[run], onward.T).T
    return np.concatenate(columns, axis=1)


def _slopes(network: Network, layer: Any, before: Array, onward: Array) -> Array:
    """`d B / d theta` of one layer, `(p, k, parameters)`: linear in what comes in, and what a bias adds."""
    width, outputs = len(before), onward.shape[1]
    delta = np.broadcast_to(onward.T, (width, outputs, len(onward)))
    added = layer.gradient(np.zeros((1, layer.inputs)), onward.T[None])
    found: Array = layer.gradient(before, delta)
    if added.any():
        found = found - added + _ones(network)[:, None, None] * added
    return found


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
                pairs[:, i, :, i] = tape.gram(np.ascontiguousarray(w[:, i] if w.ndim == 2 else w[:, i, i]))
                for j in range(i if w.ndim == 3 else 0):
                    # outputs that share a row's probability have weights below 0: through their root, too
                    pairs[:, i, :, j] = pairs[:, j, :, i] = -tape.gram(np.ascontiguousarray(-w[:, i, j]))
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
