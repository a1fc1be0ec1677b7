"""Learnt: the GLM on what a hidden network's last layer is fed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from glmnet_bridge.answers import rows_of
from glmnet_bridge.data.rows import ArraySource
from glmnet_bridge.design.matrices import CONSTANT, MatrixRecipe
from glmnet_bridge.fits import Fit
from glmnet_bridge.fitting.estimates import estimate
from glmnet_bridge.mapping import units
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import single_unit


def last_layer(network: Fit) -> Fit:
    """The maximum-likelihood fit of the network's response on what its last layer is fed.

    Parameters
    ----------
    network : with activations
    """
    found = network.estimate
    learned = units.features(found.model, found.theta)
    matrix = np.concatenate([learned.values(block) for block in network.rows.blocks()])
    names = (CONSTANT, *learned.names)
    sample = replace(network.sample, source=ArraySource(matrix, True))
    model = Model(names, single_unit(names), network.family)
    fitted = estimate(model, rows_of(sample), nobs=network.nobs)
    recipe = MatrixRecipe(names, network.recipe.response, True, sample.offset is not None, True)
    return Fit(fitted, recipe, sample, pd.DataFrame(matrix, columns=list(learned.names)))
