"""Shrinkages: standard errors of a network's terms under the ridge that it was trained with.

    B = (I + P)^-1           P: the penalties of the weights, I: their information
    Bayesian   A B A'        the posterior of the terms where the penalty is a normal prior of the weights
    sandwich   A B I B A'    that of the penalised terms around their own mean
    edf        tr(B I)       diag(A B A' J) per term, J the information of the terms themselves

A = d beta / d theta takes the weights to the formula's terms, so that redundant weights need no care: what a
penalty does to a term is what it does to the weights that it is made of. All times the dispersion, Pearson's
chi2 over n - edf.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from glmnet_bridge.data.rows import Rows
from glmnet_bridge.errors import BridgeError
from glmnet_bridge.fitting import dispersions, linalg
from glmnet_bridge.fitting.dispersions import Degrees
from glmnet_bridge.mapping.correspondences import Correspondence
from glmnet_bridge.model.models import Model

Array = np.ndarray


def shrunken(map_: Correspondence, model: Model, rows: Rows, theta: Array, l2: Array, nobs: float) -> pd.DataFrame:
    """One row per term: `term, as_glm, se_bayesian, se_sandwich, edf`; nan for columns left out.

    Parameters
    ----------
    map_ : the correspondence
    model : the network's model, for its family
    rows : over the map's columns
    theta : (P,) weights
    l2 : (P,) ridge on the total log-likelihood, at dispersion 1
    nobs : number of observations

    Raises
    ------
    BridgeError
        where the information at these weights is not finite
    """
    kept = map_.kept
    beta = map_.coefficients[kept]
    info = map_.terms.kept_sums(model.family, rows, beta).expected
    if info is None:
        raise BridgeError("The likelihood is not finite at these weights, so that they have no standard errors.")
    jacobian = map_.jacobian[kept]
    bayesian = _posterior(jacobian, info, l2)
    if bayesian is None:
        raise BridgeError("At these weights the information is singular, so that they have no standard errors.")
    sandwich = bayesian @ info @ bayesian
    part = (bayesian @ info).diagonal()
    scale = 1.0
    if model.family.distribution.free_dispersion:
        chi2 = dispersions.pearson_chi2(model, rows, theta)
        scale = dispersions.dispersion(model.family, chi2, Degrees(nobs, float(part.sum())))
    out = np.full((3, len(map_.columns)), np.nan)
    out[:, kept] = np.sqrt(bayesian.diagonal() * scale), np.sqrt(sandwich.diagonal() * scale), part
    columns = {"term": list(map_.columns), "as_glm": map_.coefficients}
    return pd.DataFrame(columns | dict(zip(("se_bayesian", "se_sandwich", "edf"), out, strict=True)))


def _posterior(jacobian: Array, info: Array, l2: Array) -> Array | None:
    """`A B A'`: weights along redundant directions take what makes their penalty least (a Schur complement)."""
    _, values, directions = np.linalg.svd(jacobian)
    rank = int((values > 1e-10 * values.max(initial=0.0)).sum())
    reach, idle = directions[:rank].T, directions[rank:].T
    moved = jacobian @ reach
    pull = idle.T @ (l2[:, None] * reach)
    penalty = reach.T @ (l2[:, None] * reach)
    penalty = penalty - pull.T @ np.linalg.pinv(idle.T @ (l2[:, None] * idle), rcond=1e-12, hermitian=True) @ pull
    used = linalg.factor(moved.T @ info @ moved + penalty)
    return None if used is None else moved @ used.inverse() @ moved.T
