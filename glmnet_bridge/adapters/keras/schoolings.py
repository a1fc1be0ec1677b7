"""Schoolings: how a Keras model was trained, from what it was compiled with and its layers' regularisers.

    mean loss + sum l1 |w| + sum l2 w^2    ->    total -loglik + n l1 |w| + (2 n l2) w^2 / 2

for losses that are minus a log-likelihood. Half of it for the squared error, which is twice one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from glmnet_bridge.adapters import objectives, optimisers
from glmnet_bridge.adapters.foreigns import Decay, Schooling
from glmnet_bridge.adapters.keras.configs import number
from glmnet_bridge.adapters.keras.graphs import Config, Graph, Node
from glmnet_bridge.adapters.keras.walks import Walked
from glmnet_bridge.adapters.objectives import SQUARES, End, Objective, fault, settled, times
from glmnet_bridge.adapters.optimisers import Optimiser, Ridge
from glmnet_bridge.adapters.schoolings import Told, check, last, refuse_known, sentence, weight_decay
from glmnet_bridge.adapters.spellings import Spelt

Array = np.ndarray

ALIASES = {"bce": "binary_crossentropy", "mse": "mean_squared_error", "mae": "mean_absolute_error"}
REGULARISED = {
    "kernel": "kernel_regularizer",
    "bias": "bias_regularizer",
    "embeddings": "embeddings_regularizer",
    "gamma": "gamma_regularizer",
    "beta": "beta_regularizer",
}


def loss_of(compiled: Config) -> Objective:
    """The loss of a compile configuration."""
    given = compiled.get("loss")
    while isinstance(given, list | tuple | Mapping) and len(given) == 1:  # of one output, or by its name
        given = given[0] if not isinstance(given, Mapping) else next(iter(given.values()))
    if given is None:
        return Objective()
    if isinstance(given, str):
        return _named(given)
    if not isinstance(given, Mapping) or "class_name" not in given:
        return Objective("several losses")
    config = given.get("config")
    if given["class_name"] == "function":
        return _named(str(config))
    if not isinstance(config, Mapping) or given["class_name"] == "__lambda__":
        return Objective("a function of your own")
    return _named(given["class_name"], config)


def _named(name: str, settings: Config | None = None) -> Objective:
    word = "".join(f"_{each.lower()}" if each.isupper() else each for each in name.split(">")[-1]).lstrip("_")
    return objectives.objective(Spelt(ALIASES.get(word, word), settings or {}, "keras"))


def trained_with(compiled: Config, told: Told) -> tuple[Objective, Optimiser | None]:
    """Loss and optimiser: what the model was compiled with, or else what the caller says.

    Raises
    ------
    ArgumentError
        where both say it
    """
    loss, optimiser = loss_of(compiled), _optimiser(compiled)
    refuse_known(told, loss.name, "" if optimiser is None else optimiser.name, "compiled Keras model")
    said = told.optimiser
    if said is not None and not said.package:  # a name alone: as Keras means it
        said = replace(said, package="keras")
    return told.objective or loss, said or optimiser


def schooling(graph: Graph, walked: Walked, compiled: Config, told: Told, steps: int | None) -> Schooling:
    """All that is known of the model's training.

    Parameters
    ----------
    graph, walked : the model, and our reading of it
    compiled : its compile configuration; empty where it was not compiled
    told : what the caller says instead
    steps : how many the optimiser has made, or None
    """
    (loss, optimiser), network, end = trained_with(compiled, told), walked.network, walked.activation
    found = settled(loss, end, network.outputs)
    check(loss, found, None, network)
    decays = weight_decay(loss, optimiser, found, end, network, None)
    notes = [each for each in (fault(loss, end, found, last(network)), *decays.notes) if each]
    if optimiser is not None and steps == 0:
        notes.append(
            f"{optimiser.name} has made no step: the weights are those that it began with, or were set by hand."
        )
    notes += _layer_notes(graph)
    penalty = None
    if found.likelihood or found.instead:
        penalty = _decay(walked, decays, times(loss, end, network.outputs) * _half(loss, found), loss)
    elif not decays.notes and any(_regularisers(node) for node in graph.nodes):
        notes.append(f"Its penalty has no scale beside a likelihood, since the loss ({loss.name}) is none.")
    return Schooling(
        loss=loss.name,
        likelihood=found.likelihood,
        decay=penalty,
        notes=(*notes, *([sentence(told)] if told.words else [])),
        optimiser="" if optimiser is None else optimiser.name,
        smoothing=loss.smoothing,
        class_weights=loss.class_weights or None,
        # on TensorFlow Keras goes back to the logits before a sigmoid or softmax: what "two of them" did is not known
        instead=found.instead if loss.measures == SQUARES else "",
        besides=(*decays.besides, *_bounds(graph)),
    )


def _half(loss: Objective, found: End) -> float:
    """A squared error is twice minus a log-likelihood."""
    return 0.5 if loss.measures == SQUARES and found.likelihood else 1.0


def _optimiser(compiled: Config) -> Optimiser | None:
    given = compiled.get("optimizer")
    if isinstance(given, str):
        return Optimiser(given, "keras")
    if not isinstance(given, Mapping):
        return None
    config = given.get("config")
    name = str(given.get("class_name", ""))
    return optimisers.configured(Spelt(name, config if isinstance(config, Mapping) else {}, "keras"))


def _regularisers(node: Node) -> dict[str, tuple[float, float]]:
    """l1 and l2 of each array of a layer that has any."""
    found = {}
    for name in node.weights or {}:
        given = node.config.get(REGULARISED.get(name, ""))
        config = given.get("config", {}) if isinstance(given, Mapping) else {}
        if isinstance(given, Mapping) and given.get("class_name") in ("L1", "L2", "L1L2"):
            found[name] = tuple(float(number(config.get(key) or 0.0)) for key in ("l1", "l2"))
    return found  # type: ignore[return-value]


def _decay(walked: Walked, decays: Ridge, scale: float, loss: Objective) -> Decay | None:
    """The penalties of the layers, which are `scale` times as strong beside the likelihood, and the optimiser's."""
    entries = walked.network.entries
    l1, l2 = np.zeros(len(entries)), decays.l2.copy()
    words: dict[str, None] = {}
    for j, entry in enumerate(entries):
        node, name = walked.origins[entry]
        first, second = _regularisers(node).get(name, (0.0, 0.0))
        l1[j] += scale * first
        l2[j] += scale * 2.0 * second
        if first or second:
            shown = "".join(f", l{power}={value:g}" for power, value in ((1, first), (2, second)) if value)
            words[f"{REGULARISED[name]} of {node.name!r} ({shown[2:]})"] = None
    if not (l1.any() or l2.any()):
        return None
    told = [*words, *([decays.words] if decays.words else [])]
    return Decay(l1, l2, loss.reduction != "sum", "; ".join(told), loss.weighted, True)


def _bounds(graph: Graph) -> tuple[str, ...]:
    """What layers ask of training that keeps weights from the optimum of the loss, as far as no penalty says it."""
    found = []
    for node in graph.nodes:
        if node.config.get("activity_regularizer") is not None or node.kind == "ActivityRegularization":
            found.append(f"the penalty on the outputs of {node.name!r}")
        bounded = [name for name in node.weights or {} if isinstance(node.config.get(f"{name}_constraint"), Mapping)]
        found += [f"the bound on the {name} of {node.name!r}" for name in bounded]
    return tuple(found)


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
