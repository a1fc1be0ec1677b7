"""Weights without a graph: a state_dict, or a file of tensors, with the architecture beside it.

    network=(module, weights)                           a PyTorch module, untrained or on the meta device
    network=(["fc1", "relu", "fc2", "sigmoid"], weights)    the layers by their names in the weights
    network=weights                                     where these are one weight matrix, with or without a bias

`weights` is a dict of tensors or arrays, or the path of a `.safetensors`, `.pt` or `.pth` file. A name is a linear
layer (`fc1.weight` of shape (out, in), `fc1.bias`) or a BatchNorm (with `running_mean` and `running_var`);
the other words are activations. Nothing but numpy is needed for `.safetensors`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.adapters.outputs import OUTPUTS
from glmnet_bridge.adapters.schoolings import UNTOLD, Told, taught
from glmnet_bridge.adapters.tensors import files
from glmnet_bridge.adapters.wirings import Wire, Wiring
from glmnet_bridge.errors import ReadError, listed, nearest
from glmnet_bridge.mapping.raws import Intake
from glmnet_bridge.model.layers import ACTIVATIONS, Activation, Affine, Gain, Normalise

Array = np.ndarray

ENDS = {"sigmoid": "sigmoid", "softmax": "softmax", "tanh": "tanh", "exp": "exponential", "exponential": "exponential"}
NOTHING = ("linear", "dropout", "identity")  # words without effect at inference
EPS = 1e-5  # of torch's BatchNorm
SUFFIXES = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True, slots=True)
class _Step:
    """A step on rows `(m, in)`: what it does to them, and what it adds to a wiring."""

    run: Callable[[Array], Array]
    build: Callable[[Wiring, Wire], Wire]


def read(model: Any, widths: int | Mapping[str, int] | None = None, told: Told = UNTOLD) -> Foreign:
    """Weights, with or without an architecture, as a network; `told` is what the caller says of their training.

    Raises
    ------
    ReadError
        naming the entry that does not fit, or what must be said beside the weights
    """
    if not isinstance(model, tuple):
        state = _state(model)
        return _taught(_of_words(_one_layer(state), state), told)
    if len(model) != 2:
        raise ReadError(f"network= is a tuple of {len(model)}; give two: (module or list of layers, weights).")
    architecture, weights = model
    state = _state(weights)
    if isinstance(architecture, str):
        return _taught(_of_words(architecture.split(), state), told)
    if isinstance(architecture, Sequence):
        return _taught(_of_words([str(word) for word in architecture], state), told)
    if not any(kind.__module__.split(".")[0] == "torch" for kind in type(architecture).__mro__):
        raise ReadError(
            f"The architecture is a {type(architecture).__name__}. Give a PyTorch module, or the layers by name, as in "
            '(["fc1", "relu", "fc2", "sigmoid"], weights).'
        )
    from glmnet_bridge.adapters.torch import readers

    return readers.read_with(architecture, state, widths, told)


def _taught(found: Foreign, told: Told) -> Foreign:
    return taught(found, told, found.activation)


def _state(weights: Any) -> dict[str, Any]:
    if isinstance(weights, str | os.PathLike):
        return files.load(weights)
    if not isinstance(weights, Mapping):
        raise ReadError(
            f"The weights beside an architecture are a {type(weights).__name__}. Give a state_dict, or the path of a "
            ".safetensors file."
        )
    return {str(name): value for name, value in weights.items()}


def _array(value: Any) -> Array:
    """A tensor of any package, or an array."""
    if hasattr(value, "detach"):
        found: Array = value.detach().cpu().double().numpy()
        return found
    return np.asarray(value, dtype=float)


# --- layers by name -------------------------------------------------------------------------------


def _one_layer(state: dict[str, Any]) -> list[str]:
    """The one linear layer that weights without an architecture can be."""
    matrices = [name for name, value in state.items() if np.ndim(_array(value)) == 2]
    vectors = [name for name in state if name not in matrices]
    stem = matrices[0].rpartition(".")[0] if len(matrices) == 1 else None
    bias = f"{stem}.bias" if stem else "bias"
    if stem is None or matrices != [f"{stem}.weight" if stem else "weight"] or vectors not in ([], [bias]):
        layers = list(dict.fromkeys(name.rpartition(".")[0] for name in state))
        shown = ", ".join(f'"{name}"' for name in layers[:3])
        raise ReadError(
            f"The weights ({listed(list(state))}) do not say how they go together. Give the architecture "
            f'beside them: network=(module, weights), or the layers by name: network=([{shown}, "sigmoid"], weights), '
            'with activations ("relu", "tanh") where they stand (on the command line --architecture '
            f'"{" ".join(layers[:3])} sigmoid").'
        )
    return [stem]


def _stems(state: Mapping[str, Any]) -> list[str]:
    """Names of the layers that the weights hold, in their order."""
    return list(dict.fromkeys(name.rpartition(".")[0] for name in state))


def _of_words(words: Sequence[str], state: dict[str, Any]) -> Foreign:
    """The layers that these words name, in their order."""
    arrays = {name: _array(value) for name, value in state.items()}
    stems = _stems(state)
    words = [word for word in words if word in stems or word not in NOTHING]
    activation = "linear" if not words or words[-1] in stems else ENDS.get(words[-1], "linear")
    body = words if activation == "linear" else words[:-1]
    used: set[str] = set()
    steps = [_step(word, arrays, used) for word in body]
    left = [name for name in arrays if name not in used and not name.endswith("num_batches_tracked")]
    if left or not steps:
        raise ReadError(
            f"The architecture ({' '.join(words) or 'empty'}) leaves out {listed(left)}. Name every layer of the "
            f"weights: {listed(stems)}."
        )
    first = max((arrays[name] for name in arrays if name.rpartition(".")[0] == body[0]), key=np.ndim, default=None)
    if first is None:
        raise ReadError(f"The architecture begins with {body[0]!r}; name a layer of the weights first.")
    wiring = Wiring([f"input {j + 1}" for j in range(first.shape[-1])])
    wire = wiring.inputs
    for step in steps:
        wire = step.build(wiring, wire)
    network, theta, features = wiring.network(wire)

    if activation not in ("linear", "softmax") and network.outputs > 1:
        raise ReadError(
            f"{words[-1]!r} ends the network in {network.outputs} units, each for a response of its own. Give the "
            "weights of one of them."
        )

    def forward(table: pd.DataFrame) -> Array:
        values = table.to_numpy(dtype=float)
        for step in steps:
            values = step.run(values)
        return OUTPUTS[activation](values)

    return Foreign(
        kind="set of weights",
        intake=Intake(tuple(f"input {j + 1}" for j in range(first.shape[-1])), features),
        network=network,
        theta=theta,
        forward=forward,
        activation=activation,
        folded=_folded(body, arrays),
    )


def _step(word: str, arrays: dict[str, Array], used: set[str]) -> _Step:
    """What a word stands for: a layer of the weights, or an activation."""
    prefix = f"{word}." if word else ""
    held = {name.removeprefix(prefix): arrays[name] for name in arrays if name.rpartition(".")[0] == word}
    if not held:
        return _activation(word, arrays)
    again = [f"{prefix}{name}" for name in held if f"{prefix}{name}" in used]
    strange = [f"{prefix}{name}" for name in held if name not in SUFFIXES]
    if again or strange:
        raise ReadError(
            f"The architecture names {word!r} twice; shared weights are not read."
            if again
            else f"Entry {strange[0]!r} belongs to a layer that is not read from weights alone: give the module beside "
            "them, network=(module, weights)."
        )
    used.update(f"{prefix}{name}" for name in held)
    if "running_mean" in held or "running_var" in held:
        return _batch_norm(word, prefix, held)
    if held.get("weight", np.zeros(0)).ndim != 2 or held.get("bias", np.zeros(0)).ndim != 1:
        shapes = ", ".join(f"{prefix}{name} {each.shape}" for name, each in held.items())
        raise ReadError(
            f"Layer {word!r} is no linear layer ({shapes}): that has a weight of shape (out, in), and a bias."
        )
    return _linear(word, prefix, held)


def _activation(word: str, arrays: dict[str, Array]) -> _Step:
    if word in ACTIVATIONS:
        run = ACTIVATIONS[word][0]
        return _Step(run, lambda wiring, wire: wiring.add(Activation(len(wire), word, word), wire))
    if word in ENDS:
        raise ReadError(f"{word!r} is an activation of the output; it stands at the end of the architecture.")
    known = [*_stems(arrays), *ACTIVATIONS, *ENDS]
    raise ReadError(
        f"{word!r} is neither a layer of the weights ({listed(_stems(arrays))}) nor an activation "
        f"({', '.join(dict.fromkeys([*ACTIVATIONS, *ENDS]))}).{nearest(word, known)}"
    )


def _linear(word: str, prefix: str, held: dict[str, Array]) -> _Step:
    weight, bias = held["weight"], held.get("bias")
    out, wide = weight.shape
    entries = [f"{prefix}weight[{u}, {j}]" for j in range(wide) for u in range(out)]
    theta = weight.T.ravel()
    if bias is not None:
        entries += [f"{prefix}bias[{u}]" for u in range(len(bias))]
        theta = np.concatenate([theta, bias])
    layer = Affine(wide, out, bias=bias is not None, name=word or "linear")
    shift = np.zeros(out) if bias is None else bias
    return _Step(lambda values: values @ weight.T + shift, lambda wiring, wire: wiring.add(layer, wire, theta, entries))


def _batch_norm(word: str, prefix: str, held: dict[str, Array]) -> _Step:
    lost = [name for name in ("running_mean", "running_var") if name not in held]
    if lost:
        raise ReadError(f"Layer {word!r} lacks {prefix}{lost[0]}, without which a BatchNorm cannot be read.")
    mean, scale = held["running_mean"], np.sqrt(held["running_var"] + EPS)
    learnt = [name for name in ("weight", "bias") if name in held]
    theta = np.concatenate([np.zeros(0), *(held[name] for name in learnt)])
    entries = [f"{prefix}{name}[{j}]" for name in learnt for j in range(len(mean))]

    def run(values: Array) -> Array:
        out = (values - mean) / scale * held.get("weight", 1.0) + held.get("bias", 0.0)
        return np.asarray(out)

    def build(wiring: Wiring, wire: Wire) -> Wire:
        made = wiring.add(Normalise(mean, scale, word), wire)
        gain = Gain(len(mean), gain="weight" in held, shift="bias" in held, name=word)
        return wiring.add(gain, made, theta, entries) if learnt else made

    return _Step(run, build)


def _folded(body: Sequence[str], arrays: dict[str, Array]) -> tuple[str, ...]:
    norms = [word for word in body if f"{word}.running_mean" in arrays]
    return tuple(
        f"BatchNorm {word!r} in inference mode: its running moments are taken as fixed, with eps={EPS:g}, the default "
        "of PyTorch (the weights do not hold it); standard errors ignore their estimation."
        for word in norms
    )
