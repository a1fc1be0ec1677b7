"""Schoolings: how a Keras model was trained, from what it was compiled with and its layers' regularisers.

    mean loss + sum l1 |w| + sum l2 w^2    ->    total -loglik + n l1 |w| + (2 n l2) w^2 / 2

for losses that are minus a log-likelihood. Half of it for the squared error, which is twice one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from glmnet_bridge.adapters.foreigns import Decay, Schooling
from glmnet_bridge.adapters.keras.configs import number
from glmnet_bridge.adapters.keras.graphs import Config, Graph, Node
from glmnet_bridge.adapters.keras.walks import Walked
from glmnet_bridge.model import families
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.layers import Affine

Array = np.ndarray

ALIASES = {
    "bce": "binary_crossentropy",
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
}
CROSS_ENTROPIES = ("categorical_crossentropy", "sparse_categorical_crossentropy")
# loss and activation that together are minus a log-likelihood, and its family
LIKELIHOODS: dict[tuple[str, str], tuple[str, str | None]] = {
    ("binary_crossentropy", "sigmoid"): ("binomial", None),
    ("mean_squared_error", "linear"): ("gaussian", None),
    ("mean_squared_error", "exponential"): ("gaussian", "log"),
    ("poisson", "exponential"): ("poisson", None),
    ("poisson", "linear"): ("poisson", "identity"),
}
REGULARISED = {
    "kernel": "kernel_regularizer",
    "bias": "bias_regularizer",
    "embeddings": "embeddings_regularizer",
    "gamma": "gamma_regularizer",
    "beta": "beta_regularizer",
}


@dataclass(frozen=True, slots=True)
class Loss:
    """The loss that a model was compiled with: its name in snake case, and what it was made with."""

    name: str = ""
    logits: bool = False
    smoothing: float = 0.0
    reduction: str = "sum_over_batch_size"


def loss_of(compiled: Config) -> Loss:
    """The loss of a compile configuration."""
    given = compiled.get("loss")
    while isinstance(given, list | tuple | Mapping) and len(given) == 1:  # of one output, or by its name
        given = given[0] if not isinstance(given, Mapping) else next(iter(given.values()))
    if given is None:
        return Loss()
    if isinstance(given, str):
        return Loss(_snake(given))
    if not isinstance(given, Mapping) or "class_name" not in given:
        return Loss("several losses")
    config = given.get("config")
    if given["class_name"] == "function":
        return Loss(_snake(str(config)))
    if not isinstance(config, Mapping) or given["class_name"] == "__lambda__":
        return Loss("a function of your own")
    return Loss(
        _snake(given["class_name"]),
        bool(config.get("from_logits", False)),
        float(config.get("label_smoothing") or 0.0),
        str(config.get("reduction") or "sum_over_batch_size"),
    )


def _snake(word: str) -> str:
    word = "".join(f"_{each.lower()}" if each.isupper() else each for each in word.split(">")[-1]).lstrip("_")
    return ALIASES.get(word, word)


def settled(loss: Loss, activation: str, outputs: int) -> tuple[str, Family | None, bool]:
    """What stands at the end of the network once the loss is known, the family, and whether the loss is its likelihood.

    A loss from logits applies the activation itself.
    """
    if loss.name in CROSS_ENTROPIES:
        softmax = activation == "softmax" and not loss.logits or activation == "linear" and loss.logits
        if not softmax:
            return activation, None, False
        several = "multinomial" if "multinomial" in families.DISTRIBUTIONS else None
        name = "binomial" if outputs == 2 else several
        return "softmax", None if name is None else families.named(name), True
    if loss.logits:
        right = loss.name == "binary_crossentropy" and activation == "linear"
        return activation, families.named("binomial") if right else None, right
    if (loss.name, activation) in LIKELIHOODS:
        return activation, families.named(*LIKELIHOODS[loss.name, activation]), True
    family = families.named("binomial") if activation == "sigmoid" and loss.name else None
    return activation, family, not loss.name


def schooling(graph: Graph, walked: Walked, compiled: Config, outputs: int, steps: int | None) -> Schooling:
    """All that the model says of its training.

    Parameters
    ----------
    graph, walked : the model, and our reading of it
    compiled : its compile configuration; empty where it was not compiled
    outputs : how many it has
    steps : how many the optimiser has made, or None
    """
    loss = loss_of(compiled)
    _, _, likelihood = settled(loss, walked.activation, outputs)
    notes = _loss_notes(loss, walked, likelihood)
    optimiser, config = _optimiser(compiled)
    strength, told = _weight_decay(optimiser, config)
    notes += told
    if steps == 0:
        notes.append(f"{optimiser} has made no step: the weights are those that it began with, or were set by hand.")
    notes += _layer_notes(graph)
    penalty = None
    if likelihood:
        penalty = _decay(walked, strength, _scale(loss, outputs), loss.reduction != "sum")
    elif strength or any(_regularisers(node) for node in graph.nodes):
        notes.append(f"Its penalty has no scale beside a likelihood, since the loss ({loss.name}) is none.")
    return Schooling(loss.name, likelihood, penalty, tuple(notes), optimiser, loss.smoothing)


def _scale(loss: Loss, outputs: int) -> float:
    """How many times the loss minus the log-likelihood of a row at dispersion 1 is."""
    mean = 1 if loss.name in ("", *CROSS_ENTROPIES) else outputs
    return mean * (0.5 if loss.name == "mean_squared_error" else 1.0)


def _loss_notes(loss: Loss, walked: Walked, likelihood: bool) -> list[str]:
    notes, activation = [], walked.activation
    name = next((layer.name for layer in reversed(walked.network.layers) if isinstance(layer, Affine)), "")
    if loss.name == "binary_crossentropy" and loss.logits and activation == "sigmoid":
        notes.append(
            f"The loss takes logits, but the network ends in a sigmoid (layer {name!r}): it was trained through two of "
            "them."
        )
    elif loss.name == "binary_crossentropy" and not loss.logits and activation == "linear":
        notes.append(
            f"The loss takes probabilities, but layer {name!r} ends without a sigmoid: its output was taken as the "
            "probability itself. Was from_logits=True meant?"
        )
    elif not likelihood:
        notes.append(f"The loss {loss.name} behind {activation} is not minus a log-likelihood.")
    if loss.reduction == "sum":
        notes.append("The loss is summed over a batch, so that the batch size changes what the penalty means.")
    return notes


def _optimiser(compiled: Config) -> tuple[str, Config]:
    given = compiled.get("optimizer")
    if isinstance(given, str):
        return given, {}
    if not isinstance(given, Mapping):
        return "", {}
    config = given.get("config")
    return str(given.get("class_name", "")), config if isinstance(config, Mapping) else {}


def _weight_decay(optimiser: str, config: Config) -> tuple[float, list[str]]:
    """The ridge that weight decay amounts to, per row (lambda / n of the total loss), and what is to be said of it."""
    given = config.get("weight_decay")
    if not given:
        return 0.0, []
    if optimiser == "SGD":
        momentum = float(config.get("momentum") or 0.0)
        told = f"SGD's weight_decay={given:g} is a ridge on all weights, biases too"
        if momentum:
            told += f", of {1 - momentum:g} times that strength because of the momentum"
        return float(given) * (1.0 - momentum), [f"{told}; exclude_from_weight_decay() is not told by the model."]
    return 0.0, [
        f"{optimiser}'s weight_decay={given:g} is decoupled from the gradient: it has no meaning as a penalty on the "
        "likelihood. It keeps weights small on the way, and training to the end would not reach a ridge estimate."
    ]


def _regularisers(node: Node) -> dict[str, tuple[float, float]]:
    """l1 and l2 of each array of a layer that has any."""
    found = {}
    for name in node.weights or {}:
        given = node.config.get(REGULARISED.get(name, ""))
        config = given.get("config", {}) if isinstance(given, Mapping) else {}
        if isinstance(given, Mapping) and given.get("class_name") in ("L1", "L2", "L1L2"):
            found[name] = tuple(float(number(config.get(key) or 0.0)) for key in ("l1", "l2"))
    return found  # type: ignore[return-value]


def _decay(walked: Walked, strength: float, scale: float, per_row: bool) -> Decay | None:
    entries = walked.network.entries
    l1, l2 = np.zeros(len(entries)), np.full(len(entries), strength)
    words: dict[str, None] = {}
    for j, entry in enumerate(entries):
        node, name = walked.origins[entry]
        first, second = _regularisers(node).get(name, (0.0, 0.0))
        l1[j] += first
        l2[j] += 2.0 * second
        if first or second:
            shown = "".join(f", l{power}={value:g}" for power, value in ((1, first), (2, second)) if value)
            words[f"{REGULARISED[name]} of {node.name!r} ({shown[2:]})"] = None
    if not (l1.any() or l2.any()):
        return None
    told = [*words, *([f"weight decay {strength:g}"] if strength else [])]
    return Decay(scale * l1, scale * l2, per_row, "; ".join(told))


def _layer_notes(graph: Graph) -> list[str]:
    """What layers ask of training that has no counterpart."""
    notes = []
    for node in graph.nodes:
        if node.config.get("activity_regularizer") is not None or node.kind == "ActivityRegularization":
            notes.append(f"{node.label} penalises its outputs (activity): that has no GLM counterpart.")
        known = _regularisers(node)
        for name in node.weights or {}:
            given = node.config.get(REGULARISED.get(name, ""))
            if given is not None and name not in known:
                kind = given.get("class_name") if isinstance(given, Mapping) else given
                notes.append(f"{node.label} has the regulariser {kind} on its {name}, which is not translated.")
            bound = node.config.get(f"{name}_constraint")
            if isinstance(bound, Mapping):
                notes.append(f"{node.label} keeps its {name} within {bound.get('class_name')}: no GLM counterpart.")
    return notes
