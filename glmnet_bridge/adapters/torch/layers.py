"""Layers of torch.nn by the name of their type, as steps of a walk. A new one is a line in `LAYERS`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from glmnet_bridge.adapters.torch import steps
from glmnet_bridge.adapters.torch.functions import batch_norm, dropout, end, hidden, leaky, no_link, same, softmax
from glmnet_bridge.adapters.torch.walks import Walk, attempted
from glmnet_bridge.adapters.torch.weights import Units

KNOWN_LAYERS = (
    "Linear, BatchNorm1d, Embedding, Dropout, Identity, Flatten, ReLU, LeakyReLU, Sigmoid, Tanh, and at the end "
    "Softmax, LogSoftmax, LogSigmoid"
)


def layer(walk: Walk, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a layer makes of its inputs."""
    kind = type(module).__name__
    if hasattr(module, "parametrizations"):
        raise walk.refusal(
            "computes its weights from others (a parametrization such as weight_norm)",
            'First make them plain: torch.nn.utils.parametrize.remove_parametrizations(layer, "weight").',
        )
    read = LAYERS.get(kind)
    if read is None:
        raise walk.refusal(
            "is not read",
            f"Layers that are: {KNOWN_LAYERS}. Give what it computes as inputs of the network, or leave it out.",
        )
    if args and not isinstance(args[0], Units):
        raise walk.refusal("is given something that depends on no input")
    try:
        return read(walk, module, *args, **kwargs)
    except TypeError as error:
        raise walk.refusal(f"is called in a way that is not read ({error})") from error


def _own(walk: Walk, module: Any, name: str) -> Any:
    """A parameter of a layer; one that is computed before each run is no parameter."""
    value = getattr(module, name)
    if value is not None and name not in module._parameters:
        raise walk.refusal(
            f"computes its {name} before each run (weight_norm, spectral_norm or pruning)",
            f'First make it plain: torch.nn.utils.prune.remove(layer, "{name}") or remove_weight_norm(layer).',
        )
    return walk.book.look(value)


def _linear_layer(walk: Walk, module: Any, x: Units) -> Units:
    return steps.linear(walk, x, _own(walk, module, "weight"), _own(walk, module, "bias"))


def _batch_norm_layer(walk: Walk, module: Any, x: Units) -> Units:
    return batch_norm(
        walk, x, module.running_mean, module.running_var, module.weight, module.bias, eps=module.eps, look=True
    )


def _embedding_layer(walk: Walk, module: Any, codes: Units) -> Units:
    if module.max_norm is not None:
        raise walk.refusal("rescales its rows (max_norm) whenever it is run", "Train it without max_norm.")
    return steps.look_up(walk, _own(walk, module, "weight"), codes, module.padding_idx)


def _dropout_layer(walk: Walk, module: Any, x: Units) -> Units:
    return dropout(walk, x)


def _moved_layer(walk: Walk, module: Any, x: Units) -> Units:
    return Units(attempted(walk, module, (x.ids,), {}), x.codes)


def _without(read: Callable[..., Units]) -> Callable[..., Units]:
    """A function as a layer that has no settings."""
    return lambda walk, module, x: read(walk, x)


LAYERS: dict[str, Callable[..., Any]] = {
    "Linear": _linear_layer,
    "NonDynamicallyQuantizableLinear": _linear_layer,
    "BatchNorm1d": _batch_norm_layer,
    "Embedding": _embedding_layer,
    "Dropout": _dropout_layer,
    "AlphaDropout": _dropout_layer,
    "FeatureAlphaDropout": _dropout_layer,
    "Dropout1d": _dropout_layer,
    "Identity": _without(same),
    "Flatten": _moved_layer,
    "Unflatten": _moved_layer,
    "ReLU": _without(hidden("relu")),
    "LeakyReLU": lambda walk, module, x: leaky(walk, x, module.negative_slope),
    "Sigmoid": _without(hidden("sigmoid")),
    "Tanh": _without(hidden("tanh")),
    "Softmax": lambda walk, module, x: softmax("softmax")(walk, x, module.dim),
    "LogSoftmax": lambda walk, module, x: softmax("log_softmax")(walk, x, module.dim),
    "LogSigmoid": _without(end("log_sigmoid")),
    "Softplus": no_link("softplus"),
}
