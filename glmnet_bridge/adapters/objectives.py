"""Objectives: the loss that a network was trained for.

    what it measures     yes or no, one of several classes, counts, squares; or what is no likelihood
    what it takes        means (probabilities), linear predictors (logits), or logarithms of probabilities

With what stands at the network's end both say whether the loss is minus a log-likelihood, and of which family.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glmnet_bridge.adapters.spellings import Spelt, check_settings, number, numbers, spelt
from glmnet_bridge.errors import ArgumentError, nearest
from glmnet_bridge.model import families
from glmnet_bridge.model.families import Family

BINARY, CLASSES, COUNTS, SQUARES = "yes or no", "classes", "counts", "squares"
MEAN, ETA, LOG = "mean", "eta", "log"
KNOWN: dict[str, tuple[str, str]] = {
    "BCELoss": (BINARY, MEAN),
    "BCEWithLogitsLoss": (BINARY, ETA),
    "SoftMarginLoss": (BINARY, ETA),
    "CrossEntropyLoss": (CLASSES, ETA),
    "NLLLoss": (CLASSES, LOG),
    "PoissonNLLLoss": (COUNTS, ETA),
    "MSELoss": (SQUARES, MEAN),
    "binary_crossentropy": (BINARY, MEAN),
    "categorical_crossentropy": (CLASSES, MEAN),
    "sparse_categorical_crossentropy": (CLASSES, MEAN),
    "poisson": (COUNTS, MEAN),
    "mean_squared_error": (SQUARES, MEAN),
    "bce": (BINARY, MEAN),
    "mse": (SQUARES, MEAN),
    "binary_cross_entropy": (BINARY, MEAN),
    "binary_cross_entropy_with_logits": (BINARY, ETA),
    "cross_entropy": (CLASSES, ETA),
}
"""Names in PyTorch and Keras: what the loss measures, and what it takes."""
NO_LIKELIHOOD = (
    "L1Loss", "SmoothL1Loss", "HuberLoss", "HingeEmbeddingLoss", "MultiMarginLoss", "MultiLabelMarginLoss",
    "mean_absolute_error", "mae", "mean_absolute_percentage_error", "mean_squared_logarithmic_error", "huber",
    "log_cosh", "hinge", "squared_hinge", "categorical_hinge", "binary_focal_crossentropy",
    "categorical_focal_crossentropy",
)  # fmt: skip
UNREAD = {
    "gaussiannllloss": "it takes a variance of each row beside the mean, which no GLM here has. Where that was one "
    'constant, its optimum is that of loss="MSELoss"',
    "kldivloss": "its targets are whole distributions. With classes as targets it is CrossEntropyLoss",
}
"""Losses that are not read, and why."""
_KEYS = {name.replace("_", "").lower(): name for name in (*KNOWN, *NO_LIKELIHOOD)}
LOGARITHMS = {"log_softmax": "softmax", "log_sigmoid": "sigmoid"}  # ends that return log-probabilities
SETTINGS = ("reduction", "weight", "pos_weight", "label_smoothing", "ignore_index", "log_input", "from_logits")


IGNORED = ("name", "dtype", "axis", "full", "eps", "delta", "beta", "margin", "p", "size_average", "reduce")
"""Settings that change no optimum here."""
REDUCTIONS = ("mean", "sum", "none", "sum_over_batch_size", "mean_with_sample_weight", "batchmean", "auto")


@dataclass(frozen=True, slots=True)
class Objective:
    """A loss.

    Attributes
    ----------
    name : in its package's words, or "" where no loss is known
    measures, takes : see above; "" where it is no likelihood whatever stands before it
    reduction : of the rows: "mean", "sum" or "none"
    smoothing : label smoothing
    class_weights : of the network's outputs in their order (of a single one: other level, its level); or none
    weighted : whether the mean is one over these weights
    """

    name: str = ""
    measures: str = ""
    takes: str = MEAN
    reduction: str = "mean"
    smoothing: float = 0.0
    class_weights: tuple[float, ...] = ()
    weighted: bool = False

    @property
    def takes_words(self) -> str:
        """What it takes, as its users say."""
        counts = {MEAN: "means", ETA: "logarithms of means", LOG: "logarithms of means"}
        chances = {MEAN: "probabilities", ETA: "logits", LOG: "log-probabilities"}
        return (chances if self.measures in (BINARY, CLASSES) else counts)[self.takes]


@dataclass(frozen=True, slots=True)
class End:
    """What a loss makes of the end of a network.

    Attributes
    ----------
    activation : what stands there with what the loss applies itself: a key of `outputs.OUTPUTS`
    family : of which the loss is minus a log-likelihood, or that the output speaks of; None where the caller must say
    likelihood : whether it is one
    instead : a key of `inference.causes.LOSSES`, where it is none but its optimum is known
    """

    activation: str
    family: Family | None
    likelihood: bool
    instead: str = ""


def told(given: Any) -> Objective:
    """The loss that a caller names.

    Raises
    ------
    ArgumentError
        for one that is not read, or settings that say nothing of these rows
    """
    found = spelt(given, "loss", SETTINGS)
    if found.key in UNREAD:
        raise ArgumentError(f"loss={found.name} is not read: {UNREAD[found.key]}.")
    if found.key not in _KEYS:
        raise ArgumentError(
            f"loss={found.name} is not known.{nearest(found.name, _KEYS.values())} Losses of PyTorch and Keras are, by "
            f"object, function or name: {', '.join(list(KNOWN)[:7])}, {', '.join(NO_LIKELIHOOD[:3])}, ..."
        )
    check_settings(found, "loss", (*SETTINGS, *IGNORED))
    _check_values(found)
    return objective(found)


def _check_values(found: Spelt) -> None:
    """Refuse settings that no loss takes."""
    given = found.settings.get("reduction")
    if found.typed and given is not None and str(given).lower() not in REDUCTIONS:
        raise ArgumentError(
            f"reduction={given!r} of {found.name}: it is one of {', '.join(REDUCTIONS)}."
            f"{nearest(str(given), REDUCTIONS)}"
        )
    smoothing = number(found.settings.get("label_smoothing") or 0.0, f"label_smoothing of {found.name}")
    if not 0.0 <= smoothing < 1.0:
        raise ArgumentError(f"label_smoothing={smoothing:g} of {found.name}: it is a share, 0 or more and below 1.")


def objective(found: Spelt) -> Objective:
    """A loss by its name and its settings; of an unknown one the name alone."""
    settings = found.settings
    measures, takes = KNOWN.get(_KEYS.get(found.key, ""), ("", MEAN))
    if measures == COUNTS and not settings.get("log_input", True) or settings.get("from_logits") is False:
        takes = MEAN
    elif settings.get("from_logits") and measures in (BINARY, CLASSES):
        takes = ETA
    weights = _class_weights(found, measures)
    smoothing = number(settings.get("label_smoothing") or 0.0, f"label_smoothing of {found.name}")
    return Objective(
        found.name, measures, takes, _reduction(settings), smoothing, weights, bool(weights) and measures == CLASSES
    )


def _reduction(settings: Mapping[str, Any]) -> str:
    given = str(settings.get("reduction", "mean")).lower()
    return given if given in ("sum", "none") else "mean"


def _class_weights(found: Spelt, measures: str) -> tuple[float, ...]:
    """Class weights; weights of the rows of a batch say nothing of these rows."""
    weight, positive = found.settings.get("weight"), found.settings.get("pos_weight")
    if measures == CLASSES:
        ignored = found.settings.get("ignore_index", -1)
        if isinstance(ignored, int) and ignored >= 0:
            raise ArgumentError(
                f"{found.name} ignores class {ignored} (ignore_index): leave its rows out of the data, and the setting "
                "out of loss=."
            )
        return () if weight is None else numbers(weight, f"weight of {found.name}")
    if weight is not None:
        raise ArgumentError(
            f"{found.name} has weight=, a number for each row of one batch, which says nothing of these rows. Give "
            "prior_weights= for them, and the loss without weight=."
        )
    return () if positive is None else (1.0, number(positive, f"pos_weight of {found.name}"))


# --- what stands at the end -----------------------------------------------------------------------


def settled(loss: Objective, end: str, outputs: int) -> End:
    """What the loss makes of the end of a network.

    Parameters
    ----------
    loss : of the training
    end : a key of `outputs.OUTPUTS` or of `LOGARITHMS`
    outputs : how many it has
    """
    activation = LOGARITHMS.get(end, end)
    if not loss.name:
        return End(activation, None, True)
    if loss.measures == CLASSES:
        return _classes(loss, end, activation, outputs)
    found = {BINARY: _binary, COUNTS: _counts, SQUARES: _squares}.get(loss.measures, _nothing)(loss, end)
    # two units of a softmax give each row twice the same yes or no, which a mean over units counts once
    pair = activation == "softmax" and outputs == 2 and loss.reduction != "sum" and loss.takes == MEAN
    if pair and end == "softmax" and loss.measures == BINARY:
        return End(activation, families.binomial(), True)
    if pair and end == "softmax" and loss.measures == SQUARES:
        return End(activation, families.binomial(), False, "squared error")
    if found is not None:
        return found
    return End(activation, families.binomial() if activation == "sigmoid" else None, False)


def _classes(loss: Objective, end: str, activation: str, outputs: int) -> End:
    family = families.binomial() if outputs == 2 else families.multinomial()
    # the logarithm of a softmax is a logit as any other
    good = {ETA: ("linear", "log_softmax"), MEAN: ("softmax",), LOG: ("log_softmax",)}[loss.takes]
    if end in good:
        return End("softmax", family, True)
    if loss.takes == ETA and end == "softmax":
        return End("softmax", family, False, "cross-entropy through two softmaxes")
    return End(activation, None, False)


def _binary(loss: Objective, end: str) -> End | None:
    if loss.takes == ETA:
        if end == "linear":
            return End(end, families.binomial(), True)
        return End(end, families.binomial(), False, "cross-entropy through two sigmoids") if end == "sigmoid" else None
    link = _link("binomial", end)
    # a bare output as the probability itself is more often a sigmoid that was forgotten
    return None if link in (None, "identity") else End(end, families.binomial(link), True)


def _counts(loss: Objective, end: str) -> End | None:
    if loss.takes == ETA:
        return End(end, families.poisson(), True) if end == "linear" else None
    link = _link("poisson", end)
    return None if link is None else End(end, families.poisson(link), True)


def _squares(loss: Objective, end: str) -> End | None:
    link = _link("gaussian", end)
    if link is not None:
        return End(end, families.gaussian(link), True)
    link = "logit" if end == "tanh" else _link("binomial", end)
    return None if link is None else End(end, families.binomial(link), False, "squared error")


def _nothing(loss: Objective, end: str) -> End | None:
    return None


def _link(family: str, end: str) -> str | None:
    """The link of a family whose inverse stands at the end, or None."""
    links = (link for name, link in families.KERNELS if name == family)
    return next((link for link in links if families.LINKS[link].activation == end), None)


def times(loss: Objective, end: str, outputs: int) -> float:
    """How many times the loss of a row its likelihood (or its squared error) is, for what is added to the loss."""
    if loss.measures not in (BINARY, SQUARES) or end in ("softmax", "log_softmax"):
        return 1.0
    # a mean over all units; and responses of -1 and +1 lie twice as far apart
    return outputs * (0.25 if loss.measures == SQUARES and end == "tanh" else 1.0)


def fault(loss: Objective, end: str, found: End, layer: str) -> str:
    """What is wrong between a loss and the end of its network, in a sentence; or "".

    `layer` is the name of the last one with weights.
    """
    if not loss.name or found.likelihood:
        return ""
    takes, at = f"The loss takes {loss.takes_words}", f"(layer {layer!r})"
    advice = " Leave one of them out and train again."
    if loss.measures == BINARY and loss.takes == ETA and end == "sigmoid":
        return f"{takes}, but the network ends in a sigmoid {at}: it was trained through two of them.{advice}"
    if loss.measures == CLASSES and loss.takes == ETA and end == "softmax":
        return f"{takes}, but the network ends in a softmax {at}: it was trained through two of them.{advice}"
    if loss.measures == BINARY and loss.takes == MEAN and end == "linear":
        return (
            f"{takes}, but layer {layer!r} ends without a sigmoid: its output was taken as the probability itself. "
            "Was from_logits=True meant? (In PyTorch that is BCEWithLogitsLoss.)"
        )
    if loss.takes == LOG and end in ("linear", "softmax"):
        what = "a softmax" if end == "softmax" else "no softmax at all"
        return (
            f"{takes}, but the network ends in {what} {at}: its output was taken for what it is not. Was LogSoftmax "
            "meant at its end, or CrossEntropyLoss on logits?"
        )
    return f"The loss {loss.name} behind {end} is not minus a log-likelihood."
