"""Concepts: each idea of the one trade beside its name in the other, with its value in this fit.

deviance = 2 x (sum of losses - sum of saturated losses)
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy

from glmnet_bridge.data.rows import Array
from glmnet_bridge.design.samples import Sample
from glmnet_bridge.fitting import linalg
from glmnet_bridge.fitting.estimates import Estimate
from glmnet_bridge.mapping.verdicts import NOISE, rounding
from glmnet_bridge.mapping.views import features


def _entropy(share: Array) -> Array:
    """That of each row's event and its complement; most rows are one of the two, which leaves nothing."""
    out = np.zeros_like(share)
    between = (share > 0.0) & (share < 1.0)
    inner = share[between]
    out[between] = scipy.special.entr(inner) + scipy.special.entr(1.0 - inner)
    return out


# what a loss function leaves when every row is fitted perfectly; families not named here leave nothing
LEAST_LOSS = {
    "binomial": _entropy,
    "poisson": lambda y: y - scipy.special.xlogy(y, y),
}


def concepts(estimate: Estimate, sample: Sample, dispersion: float, penalty: str = "") -> pd.DataFrame:
    """The table of ideas: `glm, network, value`.

    Parameters
    ----------
    estimate : the network's
    sample : the rows used
    dispersion : of the fit
    penalty : of a training elsewhere, in words
    """
    family, bias = estimate.model.family, _bias(estimate)
    also = "" if bias == "none" else " and the bias"
    inputs = features(estimate.model.network)
    columns = _counted(len(estimate.model.columns), "column")
    rows = [
        (
            "linear predictor eta",
            "value before the output activation",
            f"sum of {_counted(inputs, 'weighted input')}{also}",
        ),
        (f"link: {family.link.name}", "inverse of the output activation", family.link.activation),
        (f"distribution: {family.name}", "loss function", family.distribution.loss),
        *_likelihood(estimate, sample),
        ("design column", "input", f"{columns}, {_counted(inputs, 'input')}{also}"),
        ("coefficient", "weight (entry of a kernel)", _counted(estimate.model.network.parameters, "entry")),
        ("intercept", "bias", bias),
        *_rows(sample),
        *_curvature(estimate, dispersion),
        *_fitting(estimate, penalty),
    ]
    return pd.DataFrame(rows, columns=["glm", "network", "value"])


def mean_losses(estimate: Estimate, sample: Sample) -> tuple[float, float]:
    """Mean loss of the fit and of the saturated model, per unit of weight."""
    total = float(sample.weights.sum())
    least = LEAST_LOSS.get(estimate.model.family.name)
    y = np.zeros(sample.n) if sample.response is None else sample.response[:, 0]
    saturated = 0.0 if least is None else float(sample.weights @ least(y)) / total
    return saturated - estimate.sums.loglik / total, saturated


def _likelihood(estimate: Estimate, sample: Sample) -> list[tuple[str, str, str]]:
    loss, saturated = mean_losses(estimate, sample)
    total = float(sample.weights.sum())
    deviance = -2.0 * estimate.sums.loglik
    return [
        ("minus the log-likelihood, per row", "mean loss", f"{loss:.6g}"),
        ("saturated model", "lowest possible loss", f"{saturated:.6g}"),
        (
            "deviance",
            "2 x (loss - saturated), summed",
            f"{deviance:.6g} = 2 x {total:.6g} x ({loss:.6g} - {saturated:.6g})",
        ),
    ]


def _rows(sample: Sample) -> list[tuple[str, str, str]]:
    out = [
        ("prior weight", "sample weight", _range(sample.prior_weights)),
        ("frequency weight", "repeated row", _range(sample.freq_weights)),
        ("offset", "input with its weight fixed at 1", _range(sample.offset)),
    ]
    if sample.trials is not None:
        out.append(("number of trials", "sample weight of a share", _range(sample.trials)))
    return out


def _curvature(estimate: Estimate, dispersion: float) -> list[tuple[str, str, str]]:
    sums, network = estimate.sums, estimate.model.network
    used = None if sums.expected is None else linalg.factor(sums.expected)
    size = network.parameters
    condition = "singular: some weights are redundant" if used is None else f"rcond {used.rcond:.1e}"
    if estimate.model.family.canonical and network.affine:
        second = "equal to the Fisher information (canonical link)"
    else:
        second = "differs from the Fisher information"
    known = "estimated" if estimate.model.family.distribution.free_dispersion else "known"
    return [
        ("score", "minus the gradient of the summed loss (back-propagation)", _largest(estimate)),
        ("Fisher information", "Gauss-Newton matrix", f"{size} x {size}, {condition}"),
        ("observed information", "Hessian of the summed loss", second),
        ("standard error", "root of the inverse Gauss-Newton matrix's diagonal", "see std_error"),
        ("dispersion", "scale of the noise", f"{dispersion:.6g} ({known})"),
    ]


def _largest(estimate: Estimate) -> str:
    """The largest entry of the score; none stands out where all are rounding beside their standard deviations."""
    score, info = estimate.sums.score, estimate.sums.expected
    if score is None:
        return "not finite"
    largest = float(np.abs(score).max(initial=0.0))
    if info is not None and (np.abs(score) <= NOISE * np.sqrt(np.maximum(info.diagonal(), 0.0))).all():
        return "less than 1e-8 of its standard deviation"
    return f"largest entry {rounding(largest)}"


def _fitting(estimate: Estimate, penalty: str) -> list[tuple[str, str, str]]:
    steps = max(len(estimate.trace) - 1, 0)
    decay = estimate.model.penalty.strength
    return [
        (
            "IRLS step (Fisher scoring)",
            "natural-gradient step of length 1",
            f"{_method(estimate)}, {_counted(steps, 'step')}",
        ),
        ("iteration", "epoch: one pass over all rows", _epochs(estimate)),
        ("Newton decrement", "distance to the optimum", f"{rounding(estimate.distance)} standard errors"),
        ("ridge penalty", "weight decay", penalty or _decay(decay)),
        ("outcome of the fit", "how training ended", estimate.outcome),
        (
            "aliased column",
            "redundant weight",
            "none" if estimate.rank is None else str(len(estimate.rank.dropped)),
        ),
        ("separation", "weights that grow without bound", "none" if estimate.separation is None else "yes"),
    ]


def _method(estimate: Estimate) -> str:
    return "none" if not len(estimate.trace) else estimate.trace.method


def _epochs(estimate: Estimate) -> str:
    return f"{estimate.trace.steps[-1].epoch:g}" if len(estimate.trace) else "0"


def _decay(strength: float) -> str:
    if strength == 0:
        return "none"
    return f"{strength:.6g} on the sum of the log-likelihood; on the mean loss divide by the total weight"


def _bias(estimate: Estimate) -> str:
    found = estimate.theta[estimate.model.network.biases]
    return "none" if not len(found) else ", ".join(f"{value:.6g}" for value in found[:3])


def _range(values: Array | None) -> str:
    if values is None:
        return "none"
    low, high = float(np.min(values)), float(np.max(values))
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def _counted(number: int, word: str) -> str:
    plural = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{number} {word if number == 1 else plural}"
