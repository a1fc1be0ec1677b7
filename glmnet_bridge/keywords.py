"""Keywords: a call that does not fit the signature of a verb is refused with the name that was meant."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from glmnet_bridge.errors import ArgumentError, nearest

Verb = TypeVar("Verb", bound=Callable[..., Any])


_OTHER_WORDS = {
    "weights": "prior_weights (R's weights) or freq_weights",
    "sample_weight": "prior_weights or freq_weights",
    "var_weights": "prior_weights",
    "frequency_weights": "freq_weights",
    "n_trials": "trials",
    "maxiter": "max_steps",
    "max_iter": "max_steps",
    "start_params": "start",
    "firth": 'bias_reduction, as in bias_reduction="firth"',
    "bias_reduced": 'bias_reduction, as in bias_reduction="firth"',
    "alpha": "penalty, as in penalty=gb.penalties.ridge(1)",
    "na_action": "missing",
    "seed": "random_state",
    "lr": "learning_rate",
    "criterion": "loss",
    "loss_fn": "loss",
    "loss_function": "loss",
    "objective": "loss",
    "optimiser": "optimizer",
    "optim": "optimizer",
    "opt": "optimizer",
    "weight_decay": 'optimizer, as in optimizer="SGD(weight_decay=0.01)"',
    "pos_weight": 'loss, as in loss="BCEWithLogitsLoss(pos_weight=3)"',
    "class_weight": 'loss, as in loss="CrossEntropyLoss(weight=[1, 3])"',
    "label_smoothing": 'loss, as in loss="CrossEntropyLoss(label_smoothing=0.1)"',
}
"""Other packages' names of our arguments, where the nearest spelling would mislead."""

_ELSEWHERE = {"bias_reduction": " Bias reduction is for glm() and fit()."}
"""Arguments that only some verbs have."""


def checked_keywords(verb: Verb) -> Verb:
    """Calls that do not fit the signature raise an `ArgumentError`, with the nearest name for an unknown one."""

    @functools.wraps(verb)
    def wrapper(*args: Any, **keywords: Any) -> Any:
        try:
            return verb(*args, **keywords)
        except TypeError:
            # the signature is only looked at after a failure: binding costs as much as a step of a small fit
            misfit = _misfit(verb, args, keywords)
            if misfit is None:
                raise  # it failed inside
            raise misfit from None

    return wrapper  # type: ignore[return-value]


def _misfit(verb: Callable[..., Any], args: tuple[Any, ...], keywords: dict[str, Any]) -> ArgumentError | None:
    """Why a call does not fit the signature, or None where it does."""
    signature = inspect.signature(verb)
    known = signature.parameters
    for name in keywords:
        if name not in known:
            word = _OTHER_WORDS.get(name, "")
            there = word and word.split(" ")[0].strip(",") in known
            hint = f" Here it is called {word}." if there else _ELSEWHERE.get(name) or nearest(name, known)
            return ArgumentError(f"{verb.__name__}() has no argument {name!r}.{hint}")
    try:
        signature.bind(*args, **keywords)
    except TypeError as error:
        places = [name for name, each in known.items() if each.kind is each.POSITIONAL_OR_KEYWORD]
        return ArgumentError(f"{verb.__name__}(): {error}. It takes {', '.join(places)} by position, all else by name.")
    return None
