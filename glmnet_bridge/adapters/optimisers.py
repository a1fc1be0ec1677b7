"""Optimisers: what their weight decay is as a penalty; all else of them is of no matter at the optimum.

The scales are those of `model.translations`, which the tests there hold against the packages themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glmnet_bridge.adapters.spellings import Spelt, check_settings, number, spelt
from glmnet_bridge.errors import ArgumentError, listed, nearest
from glmnet_bridge.model import translations
from glmnet_bridge.model.penalties import translate

Array = np.ndarray

INTO_GRADIENT = ("Adam", "Adamax", "Adagrad", "Adadelta", "RMSprop", "NAdam", "RAdam")
"""Optimisers of PyTorch that add the decay to the gradient, as SGD does; unless they are told to decouple it."""
ADAMW = {"torch": 0.01, "keras": 0.004}  # the weight decay that AdamW has unless it is told another one
SETTINGS = (
    "lr", "learning_rate", "weight_decay", "decoupled_weight_decay", "momentum", "nesterov", "dampening", "maximize",
    "betas", "beta_1", "beta_2", "eps", "epsilon", "amsgrad", "alpha", "rho", "centered", "lr_decay",
    "initial_accumulator_value", "max_iter", "max_eval", "tolerance_grad", "tolerance_change", "history_size",
    "line_search_fn", "lambd", "t0", "momentum_decay", "foreach", "fused", "capturable", "differentiable", "name",
    "clipnorm", "clipvalue", "global_clipnorm", "use_ema", "ema_momentum",
)  # fmt: skip
DECOUPLED = ("AdamW", "Adafactor", "Muon", "Lion", "Lamb", "Ftrl", "Nadam")
NO_DECAY = ("LBFGS", "Rprop", "SparseAdam")
_NAMES = {name.lower(): name for name in ("SGD", *INTO_GRADIENT, *DECOUPLED, *NO_DECAY)}


@dataclass(frozen=True, slots=True)
class Group:
    """A weight decay, and the identities of the parameters that it is of; None for all of the network.

    `decoupled` says whether it is kept apart from the gradient although the optimiser usually does not.
    """

    decay: float
    parameters: frozenset[int] | None = None
    decoupled: bool = False


@dataclass(frozen=True, slots=True)
class Optimiser:
    """An optimiser: its name, the package it is of, its groups of parameters, and its momentum."""

    name: str = ""
    package: str = ""
    groups: tuple[Group, ...] = ()
    momentum: float = 0.0


@dataclass(frozen=True, slots=True)
class Ridge:
    """Weight decay as a penalty.

    Attributes
    ----------
    l2 : (P,) per row beside a mean loss, else on the total
    words : what it is, or ""
    notes : sentences
    besides : what of it is no penalty, but held weights back
    """

    l2: Array
    words: str = ""
    notes: tuple[str, ...] = ()
    besides: tuple[str, ...] = ()


def told(given: Any) -> Optimiser:
    """The optimiser that a caller names.

    Raises
    ------
    ArgumentError
        for one whose weight decay may be a penalty or not
    """
    found = spelt(given, "optimizer", ())
    check_settings(found, "optimizer", SETTINGS)
    groups = getattr(given, "param_groups", None)
    if found.package == "torch" and isinstance(groups, list):
        made = Optimiser(found.name, "torch", tuple(_group(each, found.name) for each in groups))
    else:
        made = configured(found)
    if any(each.decay for each in made.groups) and made.name.lower() not in _NAMES:
        raise ArgumentError(
            f"optimizer={made.name} has a weight decay, and is not known: it may be a penalty or not."
            f"{nearest(made.name, _NAMES.values())} Those that are known: {', '.join(_NAMES.values())}."
        )
    return made


def configured(found: Spelt) -> Optimiser:
    """An optimiser by its name and its settings."""
    settings = found.settings
    decay = number(settings.get("weight_decay") or 0.0, f"weight_decay of {found.name}")
    momentum = number(settings.get("momentum") or 0.0, f"momentum of {found.name}")
    if "weight_decay" not in settings and found.key == "adamw":
        decay = ADAMW["keras" if found.package == "keras" else "torch"]
    group = Group(decay, None, bool(settings.get("decoupled_weight_decay")))
    return Optimiser(found.name, found.package, (group,), momentum)


def _group(given: Mapping[str, Any], name: str) -> Group:
    if given.get("maximize"):
        raise ArgumentError(f"optimizer={name} has maximize=True: it climbs what loss= should be the opposite of.")
    decay = number(given.get("weight_decay") or 0.0, f"weight_decay of {name}")
    parameters = frozenset(id(each) for each in given["params"])
    return Group(decay, parameters, bool(given.get("decoupled_weight_decay")))


def source(optimiser: Optimiser, group: Group) -> str:
    """The name in `translations` of a group's weight decay."""
    key = optimiser.name.lower()
    if optimiser.package == "keras":
        known = "SGD" if key == "sgd" else "AdamW" if key == "adamw" else "Adam"
        return f"keras {known} weight_decay"
    if group.decoupled or _NAMES.get(key) in DECOUPLED:
        return "torch AdamW weight_decay"
    return "torch SGD weight_decay" if key == "sgd" else "torch Adam weight_decay"


def ridge(optimiser: Optimiser, paths: Sequence[str], named: Mapping[int, str] | None, loss: str) -> Ridge:
    """The penalty that the weight decay of an optimiser is.

    Parameters
    ----------
    optimiser : of the training
    paths : (P,) of the parameter that each weight is of
    named : paths of the module's parameters by their identity, where they can be told
    loss : what the decay stands beside, as in `translations.Setting`
    """
    l2, words, notes = np.zeros(len(paths)), [], []
    besides: tuple[str, ...] = ()
    own, lost = _owned(optimiser, paths, named)
    for group, there in own:
        if not group.decay:
            continue
        which = source(optimiser, group)
        if translations.find(which).box:
            besides = (f"the decoupled weight decay of {optimiser.name}, which is no penalty",)
            notes.append(_apart(optimiser, group))
            continue
        l2[there] = _strength(which, group.decay, loss, optimiser.momentum)
        on = list(dict.fromkeys(path for path, held in zip(paths, there, strict=True) if held))
        where = "" if there.all() else f" on {listed(on, 4)}"
        words.append(f"{optimiser.name} weight_decay={group.decay:g}{where}")
        notes += _keras_sgd(optimiser, group)
    return Ridge(l2, "; ".join(words), (*dict.fromkeys(notes), *lost), besides)


def _strength(which: str, decay: float, loss: str, momentum: float) -> float:
    takes = translations.find(which).takes
    return translate(which, decay, n=1.0, loss=loss, momentum=momentum if "momentum" in takes else 0.0).l2


def _apart(optimiser: Optimiser, group: Group) -> str:
    return (
        f"{optimiser.name}'s weight_decay={group.decay:g} is decoupled from the gradient: it has no meaning as a "
        "penalty on the likelihood. It keeps weights small on the way, and training to the end would not reach a ridge "
        f"estimate, but the maximum of the likelihood with weights of at most {1.0 / group.decay:g} in size."
    )


def _keras_sgd(optimiser: Optimiser, group: Group) -> list[str]:
    if optimiser.package != "keras":
        return []
    told = f"SGD's weight_decay={group.decay:g} is a ridge on all weights, biases too"
    if optimiser.momentum:
        told += f", of {1 - optimiser.momentum:g} times that strength because of the momentum"
    return [f"{told}; exclude_from_weight_decay() is not told by the model."]


def _owned(
    optimiser: Optimiser, paths: Sequence[str], named: Mapping[int, str] | None
) -> tuple[list[tuple[Group, Array]], list[str]]:
    """Which weights `(P,)` each group is of, and what is to be said of the others."""
    every = np.ones(len(paths), dtype=bool)
    told = [each.parameters for each in optimiser.groups if each.parameters is not None]
    known = {} if named is None else named
    if told and any(part & known.keys() for part in told):
        own = []
        for group in optimiser.groups:
            held = {known[each] for each in group.parameters or () if each in known}
            own.append((group, np.array([path in held for path in paths], dtype=bool)))
        left = ~np.any([there for _, there in own], axis=0)
        lost = list(dict.fromkeys(path for path, out in zip(paths, left, strict=True) if out))
        if not lost:
            return own, []
        verb = "is" if len(lost) == 1 else "are"
        return own, [f"{listed(lost)} {verb} not among the parameters of {optimiser.name}: it never moved them."]
    if len({(each.decay, each.decoupled) for each in optimiser.groups}) > 1:
        raise ArgumentError(
            f"optimizer={optimiser.name} has groups of parameters with several weight decays, and none of them is a "
            "parameter of network=: nothing says which weights they are of. Give the module that it was made for."
        )
    if not told or not any(each.decay for each in optimiser.groups):
        return [(group, every) for group in optimiser.groups[:1]], []
    note = f"The parameters of {optimiser.name} are not those of the network: its weight decay is taken to be on all."
    return [(optimiser.groups[0], every)], [note]
