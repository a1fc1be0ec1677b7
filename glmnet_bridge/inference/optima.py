"""Optima: where the training of a network would end, whatever it was trained for.

    maximise   sum of w l(y, eta(theta))  -  sum l2 theta^2 / 2  -  sum l1 |theta|

from the weights as they are. Each step maximises the second-order model of this around theta, with
the expected information (Gauss-Newton) and damping (Levenberg, Marquardt) where a step does not
improve; with l1 that model is minimised exactly (`lassos`). Where a penalty keeps the score of stacked affine
layers from 0, Gauss-Newton would crawl: what the products of weights add to the curvature is added there.
Redundant weights stay where the step of least length leaves them; what they fold into is unique.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from glmnet_bridge.data.rows import Rows
from glmnet_bridge.fitting import linalg
from glmnet_bridge.inference import lassos
from glmnet_bridge.model.layers import Affine
from glmnet_bridge.model.models import Model, Sums
from glmnet_bridge.model.networks import Inputs, Network, fold, fold_jacobian

Array = np.ndarray

MOST = 100  # steps
FLAT = 1e-3  # log-likelihood that a slope without curvature may promise at an optimum
TOLERANCE = 1e-9  # standard errors
NOISE = 1e-13  # of the largest eigenvalue: below it a direction is redundant, and its curvature rounding


@dataclass(frozen=True, slots=True)
class Aim:
    """What a network was trained for.

    Attributes
    ----------
    model : its family's kernel is the loss
    rows : with the responses and weights of the training
    l1, l2 : (P,) penalties on the total, at dispersion 1
    """

    model: Model
    rows: Rows
    l1: Array
    l2: Array

    def value(self, theta: Array, loglik: float) -> float:
        """What is maximised."""
        return loglik - float(self.l2 @ theta**2) / 2.0 - float(self.l1 @ np.abs(theta))

    @property
    def penalised(self) -> bool:
        """Whether some weight has a penalty."""
        return bool(self.l1.any() or self.l2.any())


@dataclass(frozen=True, slots=True)
class Optimum:
    """Where the training would end: theta `(P,)`, and whether that is an optimum to within `TOLERANCE`."""

    theta: Array
    reached: bool


def optimum(aim: Aim, theta: Array, dispersion: float = 1.0, known: Sums | None = None) -> Optimum:
    """Train on from `theta` until nothing is left to gain.

    Parameters
    ----------
    aim : what is maximised
    theta : (P,) where it starts
    dispersion : for the distance at which it stops, in standard errors
    known : the sums at theta, where they have been evaluated already
    """
    sums = aim.model.sums(aim.rows, theta, "expected") if known is None else known
    damping = 0.0
    for _ in range(MOST):
        if sums.score is None or sums.expected is None:
            return Optimum(theta, False)
        step, gain = _step(aim, theta, sums, damping)
        rounding = 1e-13 * (1.0 + abs(aim.value(theta, sums.loglik)))
        if abs(gain) <= dispersion * TOLERANCE**2 and damping == 0.0:
            return Optimum(theta + step, True)
        there = theta + step
        with np.errstate(over="ignore", invalid="ignore"):  # a step too long is not taken
            found = aim.model.sums(aim.rows, there, "expected")
            before, after = aim.value(theta, sums.loglik), aim.value(there, found.loglik)
        if np.isfinite(after) and gain >= -rounding and after >= before + 1e-4 * gain - rounding:
            theta, sums = there, found
            damping = 0.0 if damping < 1e-6 else damping / 10.0
        elif abs(gain) <= rounding:
            return Optimum(theta, bool(abs(gain) <= dispersion * 1e-12))
        else:
            damping = max(10.0 * damping, 1e-6)
            if damping > 1e12:
                break
    return Optimum(theta, False)


def short(aim: Aim, theta: Array, dispersion: float, known: Sums | None = None) -> float:
    """How far `theta` is from the optimum, in standard errors, as one step sees it; nan where there is none.

    `known` are the sums at theta, where they have been evaluated already.
    """
    sums = aim.model.sums(aim.rows, theta, "expected") if known is None else known
    if sums.score is None or sums.expected is None:
        return float("nan")
    step, gain = _step(aim, theta, sums, 0.0)
    if not aim.l1.any() and _flat(aim, theta, sums, step) > FLAT * dispersion:
        return float("inf")
    return float(np.sqrt(max(gain, 0.0) / dispersion))


def _flat(aim: Aim, theta: Array, sums: Sums, step: Array) -> float:
    """What moving the weights by their own size would gain along slopes that have no curvature (saturated rows)."""
    assert sums.score is not None and sums.expected is not None
    slope = sums.score - aim.l2 * theta
    left = slope - (sums.expected @ step + aim.l2 * step)
    return float(np.max(np.abs(left) * (1.0 + np.abs(theta)), initial=0.0))


def _step(aim: Aim, theta: Array, sums: Sums, damping: float) -> tuple[Array, float]:
    """The step, and what it would gain, by the second-order model (twice that, as a squared decrement)."""
    assert sums.score is not None and sums.expected is not None
    slope = sums.score - aim.l2 * theta
    curve = sums.expected + np.diag(aim.l2)
    if aim.l2.any() and not aim.l1.any() and aim.model.network.affine and not aim.model.network.linear:
        curve = _bent(aim, theta, curve)
    if damping:
        # rows that are saturated have no curvature: there the slope says how far a step may go
        size = np.maximum(curve.diagonal(), np.abs(slope) / (1.0 + np.abs(theta)))
        curve = curve + np.diag(damping * np.where(size > 0, size, 1.0))
    if aim.l1.any():
        step = lassos.step(slope, curve, aim.l1, theta)
        less = aim.l1 @ (np.abs(theta + step) - np.abs(theta))
        return step, 2.0 * float(slope @ step - 0.5 * step @ curve @ step - less)
    factor = linalg.factor(curve)
    if factor is None or factor.rcond < NOISE:
        step = linalg.generalised_inverse(curve, NOISE) @ slope
    else:
        step = factor.solve(slope)
    return step, float(slope @ step)


def _bent(aim: Aim, theta: Array, curve: Array) -> Array:
    """The curvature of stacked affine layers, `curve - sum_i g_i d2 beta_i`, g the score of the coefficients.

    beta is linear in each single weight, so that the difference of its Jacobian over a step of 1 is its derivative.
    Directions of negative curvature are taken for as much positive one, as far as a step of theirs may go.
    """
    network, columns = aim.model.network, aim.model.columns
    outputs = network.outputs
    names = tuple(f"{column}, {unit}" for column in columns for unit in range(outputs))
    plain = replace(aim.model, network=Network(Inputs(columns), (Affine(len(columns), outputs, bias=False),), names))
    score = plain.sums(aim.rows, fold(network, theta).ravel(), "score").score
    here = fold_jacobian(network, theta)
    turned = np.array([(fold_jacobian(network, theta + one) - here).T @ score for one in np.eye(len(theta))])
    scale = np.sqrt(np.maximum(curve.diagonal(), 0.0))
    scale = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh((curve - 0.5 * (turned + turned.T)) / np.outer(scale, scale))
    return np.asarray((vectors * np.abs(values)) @ vectors.T) * np.outer(scale, scale)
