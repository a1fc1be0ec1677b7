"""Views: an estimate in the words of a network, and how many free parameters it has."""

from __future__ import annotations

import numpy as np
import pandas as pd

from glmnet_bridge.errors import ArgumentError, FitError, nearest
from glmnet_bridge.fitting.covariances import jacobian, states
from glmnet_bridge.fitting.estimates import Estimate
from glmnet_bridge.model.layers import Activation, Affine, Contrast, Fixed, Gain, Normalise, bare
from glmnet_bridge.model.networks import Network

KINDS = ("expected", "observed")
WORDS = {
    Affine: "dense",
    Activation: "activation",
    Normalise: "normalisation",
    Contrast: "difference of logits",
    Gain: "gain and shift",
}


def weights(estimate: Estimate) -> pd.DataFrame:
    """One row per weight: `layer, entry, value`."""
    network = estimate.model.network
    layers = [
        layer.name
        for layer, run in zip(network.layers, network.slices(), strict=True)
        for _ in range(run.stop - run.start)
    ]
    return pd.DataFrame({"layer": layers, "entry": list(network.entries), "value": estimate.theta})


def layers(estimate: Estimate) -> pd.DataFrame:
    """One row per layer, as in `model.summary()`: `layer, kind, output_shape, parameters`."""
    network, link = estimate.model.network, estimate.model.family.link
    # the softmax has a unit for the base class too, whose logit is 0
    means = network.outputs + estimate.model.family.joint
    rows = [("inputs", "input", f"(rows, {features(network)})", 0)]
    for whole in network.layers:
        layer = bare(whole)
        kind = layer.kind if isinstance(layer, Activation | Fixed) else WORDS[type(layer)]
        rows.append((layer.name, kind, f"(rows, {layer.outputs})", layer.parameters))
    rows.append(("mean", link.activation, f"(rows, {means})", 0))
    return pd.DataFrame(rows, columns=["layer", "kind", "output_shape", "parameters"])


def features(network: Network) -> int:
    """How many inputs a network takes; a constant column is none, but what its bias is multiplied by."""
    names = network.inputs.names
    if len(network.layers) == 1 and len(names) * network.outputs == len(network.entries):
        return int(np.sum(~network.biases[:: network.outputs]))
    return len(names)


def gradient(estimate: Estimate) -> pd.Series:
    """Score by weight, at dispersion 1: the slope of the log-likelihood, minus that of the summed loss."""
    score = estimate.sums.score
    if score is None:
        raise FitError("The likelihood is not finite at these weights, so that it has no gradient.")
    return pd.Series(score, index=list(estimate.model.network.entries), name="score")


def information(estimate: Estimate, kind: str = "expected") -> pd.DataFrame:
    """Information `(P, P)` of the weights at dispersion 1: "expected" (Gauss-Newton) or "observed" (Hessian).

    Raises
    ------
    ArgumentError
        for another kind
    FitError
        for the observed information of a network whose eta is not affine in its weights
    """
    if kind not in KINDS:
        raise ArgumentError(f"kind={kind!r} is unknown; it is 'expected' or 'observed'.{nearest(kind, KINDS)}")
    if kind == "observed" and not estimate.model.network.affine:
        raise FitError(
            "The observed information of a network with hidden activations needs second derivatives of its "
            "layers, which are not computed. Use kind='expected', the Gauss-Newton matrix."
        )
    matrix = estimate.sums.expected if kind == "expected" else estimate.sums.observed
    if matrix is None:
        raise FitError("The likelihood is not finite at these weights, so that it has no information matrix.")
    entries = list(estimate.model.network.entries)
    return pd.DataFrame(matrix, index=entries, columns=entries)


def free_parameters(estimate: Estimate) -> int:
    """What degrees of freedom count: the directions in which the linear predictor can move."""
    network = estimate.model.network
    independent = [j for j, state in enumerate(states(estimate)) if state != "aliased"]
    if network.plain or estimate.separation is not None:
        return len(independent)
    if not network.affine:
        return network.parameters
    slopes = jacobian(estimate)[independent]
    return int(np.linalg.matrix_rank(slopes)) if slopes.size else 0


def effective_parameters(estimate: Estimate) -> float:
    """The effective degrees of freedom of a penalised fit, `tr((I+P)^-1 I)`; without penalty the free parameters.

    As what is left of the rank of I + P when the penalty has had its part, `tr((I+P)^-1 P)`: that keeps the digits
    which the trace of large numbers loses. A coefficient at infinity counts whole.
    """
    decay = estimate.model.decay
    posterior, info = estimate.posterior, estimate.sums.expected
    if decay is None or posterior is None or info is None or not np.isfinite(posterior).all():
        return free_parameters(estimate)
    rank = round(float(np.sum(posterior * (info + np.diag(decay)))))
    infinite = sum(state not in ("finite", "aliased") for state in states(estimate))
    return rank + infinite - float(decay @ posterior.diagonal())
