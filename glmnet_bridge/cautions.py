"""Cautions: what the reader of a fit must be told, each thing once, in a sentence with the next step.

outcome, aliases -> a warning at the caller's line, or an error where `strict` asks for one
"""

from __future__ import annotations

from glmnet_bridge.data.frames import rows_where
from glmnet_bridge.errors import (
    AliasWarning,
    BridgeWarning,
    ConvergenceWarning,
    DataWarning,
    FitError,
    SeparationWarning,
    listed,
    warn,
)
from glmnet_bridge.fits import Fit
from glmnet_bridge.fitting import edges, predictions, statistics
from glmnet_bridge.report import sentences


def speak(fitted: Fit, strict: bool) -> None:
    """Warn of what the reader must know, each thing once; with `strict` a fit without maximum raises."""
    found = fitted.estimate
    message, kind = _verdict(fitted)
    if message and strict and not found.converged:
        raise FitError(message)
    if message:
        warn(message, kind)
    if fitted.aliased:
        equations = "; ".join(f"{name} = {text}" for name, text in list(fitted.aliased.items())[:5])
        more = f" and {len(fitted.aliased) - 5} more" if len(fitted.aliased) > 5 else ""
        warn(
            f"Columns left out because others determine them: {equations}{more}. Their coefficients are nan; the "
            "fit is the same without them. Take them out of the model, or one of the columns that they consist of.",
            AliasWarning,
        )


def _verdict(fitted: Fit) -> tuple[str, type[BridgeWarning]]:
    found = fitted.estimate
    if found.outcome == "separated" and found.separation is not None:
        said = found.separation.sentence(fitted.names, fitted.family)
        return f"{said} {sentences.unfinished_rest(found.distance)}".strip(), SeparationWarning
    if found.outcome == "boundary":
        eta = predictions.linear_predictor(found, fitted.rows)
        edge = edges.on_edge(fitted.family, eta) & (fitted.rows.weights > 0)
        means = listed(sorted({f"{value:.0f}" for value in fitted.family.mean(eta[edge])}))
        where = f" ({rows_where(fitted.sample.index, edge)} with a fitted mean of {means})" if edge.any() else ""
        return sentences.edge(fitted.family.link.name, where), ConvergenceWarning
    if not found.converged:
        return sentences.unfinished(found.outcome, len(found.trace) - 1, found.distance), ConvergenceWarning
    if fitted.family.distribution.free_dispersion and statistics.exact(fitted.family, fitted.rows, fitted.deviance):
        return sentences.exact(fitted.recipe.response.name), DataWarning
    return "", BridgeWarning
