"""Fit: the public face of an `Estimate`, in the words of statsmodels and broom.

Every method is one call of a function of an earlier stage, and stands in `members` by the kind of
question. A `Fit` refers to the rows it was fitted on (the caller's own frame, not a copy) for answers
row by row.
"""

from __future__ import annotations

from glmnet_bridge.members.diagnostics import OfDiagnostics
from glmnet_bridge.members.files import ForFiles
from glmnet_bridge.members.hypotheses import OfHypotheses
from glmnet_bridge.members.networks import OfNetwork
from glmnet_bridge.members.people import ForPeople
from glmnet_bridge.members.reductions import OfReduction
from glmnet_bridge.members.words import ForWriters
from glmnet_bridge.members.writers import ForPackages


class Fit(OfHypotheses, OfReduction, OfNetwork, OfDiagnostics, ForPeople, ForWriters, ForPackages, ForFiles):
    """A fitted model: coefficients, standard errors, likelihood, predictions.

    Attributes
    ----------
    estimate : Estimate, shared by the GLM and the network view
    recipe : how the data were read (formula, levels, knots, response coding), for new data
    sample : the rows it was fitted on
    data : the caller's data, for `augment`
    foreign : the model of another package that the weights were read from, or None
    """
