"""Steps of a walk through a PyTorch graph: what computes, as layers of the wiring, and where the network ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from glmnet_bridge.adapters.torch.walks import END, Walk, lower, numbers, weight_shape
from glmnet_bridge.adapters.torch.weights import BATCH, Units, Weights
from glmnet_bridge.adapters.wirings import Wire
from glmnet_bridge.errors import ReadError
from glmnet_bridge.model.layers import Activation, Affine, Gain, Normalise

Array = np.ndarray


def linear(walk: Walk, x: Units, weight: Any, bias: Any = None) -> Units:
    """`x W' + b` over the last dimension; weight `(out, in)`."""
    wire, shape = walk.fed(x)
    if len(weight_shape(weight)) != 2 or not shape or shape[-1] != weight_shape(weight)[1]:
        raise walk.misfit(f"takes {weight_shape(weight)[-1]} inputs but is given {shape[-1] if shape else 1}")
    count, wide = weight_shape(weight)
    if len(wire) != wide:
        raise walk.refusal(
            f"is applied to {len(wire) // wide} positions with the same weights", "Shared weights are not read."
        )
    out = (*shape[:-1], count)
    if not isinstance(weight, Weights):
        made = walk.fixed(numbers(weight).T, wire)
        return walk.units(made, out) if bias is None else shift(walk, walk.units(made, out), bias)
    trained = bias if isinstance(bias, Weights) else None
    ids = weight.ids.T.flatten().tolist() + ([] if trained is None else trained.ids.flatten().tolist())
    layer = Affine(wide, count, bias=trained is not None, name=walk.title(weight))
    made = walk.wiring.add(layer, wire, *walk.claim(ids))
    value = walk.units(made, out)
    return value if bias is None or trained is not None else shift(walk, value, bias)


def look_up(walk: Walk, weight: Any, codes: Units, padding: int | None) -> Units:
    """Rows of a table, by codes: indicators of the levels, times the table."""
    wire, shape = walk.row(codes)
    levels, wide = weight_shape(weight)
    one_column(walk, wire)
    take_codes(walk, wire[0], levels, codes.codes)
    rows = [level for level in range(levels) if level != padding]
    parts = walk.wiring.levels(wire[0], rows, walk.title(weight))
    if isinstance(weight, Weights):
        ids = weight.ids[rows].flatten().tolist()
        layer = Affine(len(rows), wide, bias=False, name=walk.title(weight))
        made = walk.wiring.add(layer, parts, *walk.claim(ids))
        fixed = None if padding is None else walk.book.values[weight.ids[padding].numpy()]
    else:
        made = walk.fixed(numbers(weight)[rows], parts)
        fixed = None if padding is None else numbers(weight)[padding]
    if fixed is not None and fixed.any():
        level = walk.wiring.levels(wire[0], [padding], walk.title(weight))
        made = walk.wiring.sum([made, walk.fixed(fixed[None], level)], walk.title(weight))
    return walk.units(made, (*shape, wide))


def one_column(walk: Walk, wire: Wire) -> None:
    """Refuse to look up several columns in one table."""
    if len(wire) != 1:
        raise walk.refusal(
            f"looks up {len(wire)} columns of codes in one table, whose weights are then shared",
            "Give each column an embedding of its own.",
        )


def take_codes(walk: Walk, unit: int, levels: int, cast: bool) -> None:
    """A raw input whose values are codes below `levels`."""
    if unit >= len(walk.names):
        raise walk.refusal("looks up codes that the network computed itself; only an input of the network has them")
    walk.tables.append((unit, levels, walk.what()))
    if not cast:
        walk.whole.add(walk.group_of(unit))


def normalise(walk: Walk, x: Units, mean: Array, variance: Array, eps: float) -> Units:
    """`(x - mean) / sqrt(variance + eps)`."""
    wire, shape = walk.fed(x)
    if len(wire) != len(mean):
        raise walk.misfit(f"takes {len(mean)} inputs but is given {len(wire)}")
    if not np.isfinite([mean, variance]).all() or not (variance + eps > 0).all():
        raise walk.refusal("has running moments that are not finite", "Train again with a smaller learning rate.")
    made = walk.wiring.add(Normalise(mean, np.sqrt(variance + eps), walk.title()), wire)
    return walk.units(made, shape)


def gain(walk: Walk, x: Units, gain: Any, bias: Any) -> Units:
    """`x * gain + bias`, unit by unit, in one layer where both are trained."""
    if not (isinstance(gain, Weights) and isinstance(bias, Weights)):
        x = x if gain is None else scale(walk, x, gain)
        return x if bias is None else shift(walk, x, bias)
    wire, shape = walk.fed(x)
    ids = gain.ids.flatten().tolist() + bias.ids.flatten().tolist()
    return walk.units(walk.wiring.add(Gain(len(wire), name=walk.title()), wire, *walk.claim(ids)), shape)


def scale(walk: Walk, x: Units, factor: Any) -> Units:
    """`x * factor`, for weights or a constant."""
    wire, shape, beside = _beside(walk, x, factor)
    if isinstance(factor, Weights):
        layer = Gain(len(wire), shift=False, name=walk.title(factor))
        return walk.units(walk.wiring.add(layer, wire, *walk.claim(beside.tolist())), shape)
    return walk.units(walk.fixed(beside, wire), shape)


def shift(walk: Walk, x: Units, term: Any) -> Units:
    """`x + term`, for weights or a constant."""
    wire, shape, beside = _beside(walk, x, term)
    if isinstance(term, Weights):
        layer = Gain(len(wire), gain=False, name=walk.title(term))
        return walk.units(walk.wiring.add(layer, wire, *walk.claim(beside.tolist())), shape)
    return walk.units(walk.fixed(np.ones(len(wire)), wire, beside), shape)


def add_up(walk: Walk, a: Units, b: Units, sign: float = 1.0) -> Units:
    """`a + sign * b`."""
    one, two = _spread(walk, a.ids, b.ids, units=True)
    (left, shape), (right, _) = walk.fed(Units(one, a.codes)), walk.fed(Units(two, b.codes))
    eye = np.eye(len(left))
    return walk.units(walk.fixed(np.vstack([eye, sign * eye]), left + right, kind="sum"), shape)


def apply(walk: Walk, x: Units, matrix: Array, shape: Sequence[int]) -> Units:
    """A fixed linear map of one row."""
    return walk.units(walk.fixed(matrix, walk.fed(x)[0]), shape)


def activation(walk: Walk, x: Units, kind: str) -> Units:
    """A hidden activation; one that ends the network is taken off again."""
    wire, shape = walk.fed(x)
    made = walk.wiring.add(Activation(len(wire), kind, walk.title()), wire)
    walk.tops |= dict.fromkeys(made, (kind, wire, made, walk.what()))
    return walk.units(made, shape)


def end(walk: Walk, x: Units, kind: str) -> Units:
    """An activation that may only stand at the end of a network."""
    wire, shape = walk.fed(x)
    start = END + len(walk.tops)
    made = tuple(range(start, start + len(wire)))
    walk.tops |= dict.fromkeys(made, (kind, wire, made, walk.what()))
    return walk.units(made, shape)


def finish(walk: Walk, value: Any) -> tuple[str, Wire]:
    """The activation that stands at the end, and the units in front of it."""
    if isinstance(value, Sequence) and len(value) == 1:
        value = value[0]
    if not isinstance(value, Units):
        given = f"{len(value)} values" if isinstance(value, Sequence | dict) else "no value that depends on inputs"
        raise ReadError(
            f"forward() returns {given}; a network of one tensor is read. Wrap it in a module that returns the one."
        )
    wire, _ = walk.row(value)
    kind, reads, makes, words = walk.tops.get(wire[0], ("linear", (), (), ""))
    if wire == makes and kind in ("sigmoid", "tanh", "exponential", "log_sigmoid") and len(wire) > 1:
        raise ReadError(
            f"{words} ends the network in {len(wire)} units, each for a response of its own. Read them one by "
            "one: wrap the network in a module that returns one of them."
        )
    if wire == makes and kind not in ("relu", "leaky_relu"):
        return kind, reads
    for unit in _sources(walk, wire):
        kind, _, _, words = walk.tops.get(unit, ("", (), (), ""))
        if unit >= END or kind == "sigmoid":
            raise ReadError(
                f"After {lower(words)} the network goes on without any weight, so that its output is no inverse link. "
                "Return the activation itself, or the values in front of it."
            )
    return "linear", wire


def _sources(walk: Walk, wire: Wire) -> set[int]:
    """The units that these are made from without weights, and these."""
    found: set[int] = set()
    waiting = list(wire)
    while waiting:
        unit = waiting.pop()
        if unit not in found:
            found.add(unit)
            waiting += walk.plain.get(unit, ())
    return found


def _beside(walk: Walk, x: Units, other: Any) -> tuple[Wire, tuple[int, ...], Array]:
    """Units, and what stands beside each: a weight's number, or a constant."""
    import torch

    walk.fed(x)
    beside = other.ids if isinstance(other, Weights) else torch.as_tensor(numbers(other))
    ids, beside = _spread(walk, x.ids, beside)
    if not bool((beside == beside[:1]).all()):
        raise walk.misfit("adds or multiplies by numbers that differ from row to row")
    wire, shape = walk.row(Units(ids))
    return wire, shape, beside[0].flatten().numpy()


def _spread(walk: Walk, a: Any, b: Any, units: bool = False) -> tuple[Any, Any]:
    import torch

    try:
        one, two = torch.broadcast_tensors(a, b)
    except RuntimeError:
        raise walk.misfit(f"puts together values of shapes {tuple(a.shape[1:])} and {tuple(b.shape[1:])}") from None
    if len(one) != BATCH:
        raise walk.misfit("puts together values that do not go row by row")
    walk.stretched |= one.shape != a.shape or (units and two.shape != b.shape)
    return one, two
