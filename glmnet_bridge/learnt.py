"""Learnt: the GLM on what a hidden network's linear predictors are affine in, its last layer's features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from glmnet_bridge.answers import rows_of
from glmnet_bridge.data.rows import Array, ArraySource
from glmnet_bridge.design.matrices import CONSTANT, MatrixRecipe
from glmnet_bridge.fits import Fit
from glmnet_bridge.fitting.estimates import estimate
from glmnet_bridge.mapping import units
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import single_unit

FAINT = 1e-6  # ten roundings of single precision, in which networks are trained: no training saw less vary


def last_layer(network: Fit) -> Fit:
    """The maximum-likelihood fit of the network's response on the features of its last layer (`units.features`).

    A unit that is a constant (saturated), or a combination of the units before it, but for less than `FAINT` of
    its size is aliased: its coefficient would be that of the last digits.

    Parameters
    ----------
    network : with activations
    """
    found = network.estimate
    learned = units.features(found.model, found.theta)
    matrix = np.concatenate([learned.values(block) for block in network.rows.blocks()])
    matrix = _without_faint(matrix, network.rows.weights > 0)
    names = (CONSTANT, *learned.names)
    sample = replace(network.sample, source=ArraySource(matrix, True))
    outputs = found.model.outputs
    model = Model(names, single_unit(names, outputs), network.family, outputs=outputs)
    fitted = estimate(model, rows_of(sample), nobs=network.nobs)
    recipe = MatrixRecipe(names, network.recipe.response, True, sample.offset is not None, True)
    return Fit(fitted, recipe, sample, pd.DataFrame(matrix, columns=list(learned.names)))


def _without_faint(matrix: Array, counted: Array) -> Array:
    """The columns `(n, h)`, where one that the constant and earlier ones nearly make is what they make exactly."""
    whole = np.column_stack([np.ones(len(matrix)), matrix])
    r = np.asarray(np.linalg.qr(whole[counted], mode="r"))
    norms = np.sqrt((r**2).sum(axis=0))
    basis: Array = np.zeros((len(r), 0))
    kept: list[int] = []
    for j in range(r.shape[1]):
        rest = r[:, j] - basis @ (basis.T @ r[:, j])
        rest -= basis @ (basis.T @ rest)
        size = np.sqrt(rest @ rest)
        if size > FAINT * norms[j]:
            basis = np.column_stack([basis, rest / size])
            kept.append(j)
    for j in np.setdiff1d(np.arange(1, r.shape[1]), kept):
        parts = np.linalg.lstsq(r[:, kept] / norms[kept], r[:, j], rcond=None)[0]
        parts[np.abs(parts) <= FAINT * norms[j]] = 0.0
        whole[:, j] = whole[:, kept] @ (parts / norms[kept])
    return whole[:, 1:]
