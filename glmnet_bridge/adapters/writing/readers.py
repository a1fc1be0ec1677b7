"""Models that were written here: modules of PyTorch and models of Keras that carry the record of what they are.

The columns of the formula are computed from the record in double precision, the weights are the
model's own, whatever training has made of them; that both together are the model is checked on its outputs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.adapters.schoolings import UNTOLD, Told, taught
from glmnet_bridge.adapters.wirings import Wire, Wiring
from glmnet_bridge.adapters.writing.records import Feed, Written, schooling, weights_of
from glmnet_bridge.errors import ReadError
from glmnet_bridge.mapping.features import Feature
from glmnet_bridge.mapping.raws import Intake
from glmnet_bridge.model import families
from glmnet_bridge.model.layers import Affine

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Own:
    """What is the model's own: weights with the user's names for them, arithmetic, and how it is run.

    Attributes
    ----------
    kernel : (q,)
    bias : (1,), or (0,) where there is none
    entries : names of these
    run : raw inputs by name `(m,)` to means `(m, 1)`
    precision : machine epsilon
    """

    kernel: Array
    bias: Array
    entries: tuple[str, ...]
    run: Callable[[Mapping[str, Array]], Array]
    precision: float


def read(model: Any, told: Told = UNTOLD) -> Foreign:
    """A model that was written here as a network; `told` is what the caller says of its training since.

    Raises
    ------
    ReadError
        where its last layer was replaced
    """
    record: Written = model.written
    feed = record.feed
    assert feed is not None, "recognised by its feed"
    packages = {kind.__module__.split(".")[0] for kind in type(model).__mro__}
    own = _keras(model, feed) if "keras" in packages else _torch(model, feed)
    names = [name for name in record.terms.index if name != "Intercept"]
    wiring = Wiring(feed.names)
    if len(own.kernel) != len(names):
        raise ReadError(f"The model has {len(own.kernel)} weights for {len(names)} columns: it was changed.")
    layer = Affine(len(names), 1, bias=len(own.bias) > 0, name="glm")
    made = wiring.add(layer, _columns(wiring, feed, names), np.concatenate([own.kernel, own.bias]), own.entries)
    network, theta, features = wiring.network(made)
    family = families.named(record.family, record.link)
    found = Foreign(
        kind=f"{'Keras' if 'keras' in packages else 'PyTorch'} {type(model).__name__} written by glmnet_bridge",
        intake=Intake(feed.names, features, named=True, numeric=False, offset=bool(feed.offset)),
        network=network,
        theta=theta,
        forward=lambda table: own.run(feed.arrays(table)),
        activation=family.link.activation,
        family=family,
        precision=own.precision,
        folded=_folded(feed),
        classes=record.meaning.classes,
        schooling=schooling(record.meaning, weights_of(record.terms), theta, network, own.precision, record.loss),
        response=record.meaning.response,
    )
    named = None if "keras" in packages else {id(each): path for path, each in model.named_parameters()}
    return taught(found, told, family.link.activation, named)


def _folded(feed: Feed) -> tuple[str, ...]:
    if not feed.offset:
        return ()
    return (f"The input {feed.offset!r} is an offset: it is fed 0 here, and the formula's own offset is added.",)


def _columns(wiring: Wiring, feed: Feed, names: list[str]) -> Wire:
    """The columns of the formula: raw inputs as they are, or computed."""
    wire: Wire = ()
    plain = {run.start: at for at, run in feed.export.blocks}
    first = min(plain)
    everything = tuple(range(len(feed.names)))
    for j, name in enumerate(names):
        step = feed.export.operations[plain[j + first]] if j + first in plain else None
        if step is not None and step.kind == "raw":
            wire += (wiring.inputs[feed.names.index(step.setting)],)
        else:
            wire += wiring.feature(Feature(name, everything, function=feed.columns, column=j))
    return wire


def _torch(model: Any, feed: Feed) -> Own:
    import torch

    linear = model.linear
    if type(linear) is not torch.nn.Linear:
        raise ReadError(f"linear is a {type(linear).__name__} now; a Linear is read.")
    weights = linear.weight.detach().cpu().double().numpy()
    bias = () if linear.bias is None else linear.bias.detach().cpu().double().numpy()
    like = linear.weight

    def run(arrays: Mapping[str, Array]) -> Array:
        columns = np.column_stack([arrays[name] for name in feed.names])
        given = [torch.tensor(columns, dtype=like.dtype, device=like.device)]
        if feed.offset:
            given.append(torch.zeros(len(columns), 1, dtype=like.dtype, device=like.device))
        with torch.no_grad():
            found: Array = model(*given).cpu().double().numpy()
        return found

    entries = [f"linear.weight[0, {j}]" for j in range(weights.shape[1])] + ["linear.bias[0]"] * len(bias)
    return Own(weights[0], np.asarray(bias, dtype=float), tuple(entries), run, float(torch.finfo(like.dtype).eps))


def _keras(model: Any, feed: Feed) -> Own:
    import keras

    kernel, *bias = (_numbers(keras, each.value) for each in model.get_layer("glm").weights)

    def run(arrays: Mapping[str, Array]) -> Array:
        given = {name: column[:, None] for name, column in arrays.items()}
        if feed.offset:
            given[feed.offset] = np.zeros((len(next(iter(given.values()))), 1))
        quiet: Any = contextlib.nullcontext()
        if keras.backend.backend() == "torch":
            import torch

            quiet = torch.no_grad()
        with quiet:
            return _numbers(keras, model(given, training=False))

    entries = [f"glm/kernel[{j}, 0]" for j in range(len(kernel))] + ["glm/bias[0]"] * len(bias)
    epsilon = np.finfo(keras.backend.result_type("float64", "float64")).eps
    return Own(kernel[:, 0], np.concatenate([np.empty(0), *bias]), tuple(entries), run, float(epsilon))


def _numbers(keras: Any, tensor: Any) -> Array:
    """A tensor of any backend in double precision."""
    if hasattr(tensor, "detach"):
        found: Array = tensor.detach().cpu().double().numpy()
        return found
    return np.asarray(keras.ops.convert_to_numpy(tensor), dtype=float)
