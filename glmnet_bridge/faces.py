"""Faces: from a `Fit` or a `Bridge` to the plain values that documents and figures are made of.

A `Fit` is read here by its public names, so this module stands before `fits.py`: the methods
there that people see (`summary`, `repr`, `report`, `plot`) are one call each of a function here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge import dressings, vcovs
from glmnet_bridge.errors import BridgeError
from glmnet_bridge.fitting import covariances, reductions
from glmnet_bridge.mapping import verdicts, views
from glmnet_bridge.model.networks import by_output
from glmnet_bridge.plots import Plots, network_edges, output_activation
from glmnet_bridge.report import canvas, diagrams, maps, sentences, summaries
from glmnet_bridge.report.documents import Document, writable
from glmnet_bridge.report.maps import MapFacts
from glmnet_bridge.report.sections import Figure
from glmnet_bridge.report.summaries import Facts


def facts(fit: Any, level: float = 0.95, vcov: Any = None, measured: bool = False) -> Facts:
    """What the documents of a fit say; where a verdict has `measured` its distance, the outcome leaves it out."""
    estimate, family = fit.estimate, fit.family
    free = family.distribution.free_dispersion
    reduced = bool(estimate.model.reduction)
    optimum = sentences.optimum(estimate.model.network.affine, estimate.model.penalty.strength > 0, reduced)
    coefficients = _coefficients(fit, level, vcov)
    known = bool(coefficients["std_error"].notna().any())
    return Facts(
        modelled=fit.modelled,
        formula=fit.formula,
        coefficients=coefficients,
        level=level,
        heading="coefficient" if estimate.model.network.affine else "weight",
        statistic="t" if free else "z",
        figures={
            "nobs": fit.nobs,
            "n_read": float(fit.sample.n_read),
            "rank": float(views.free_parameters(estimate)),
            **{name: getattr(fit, name) for name in ("df_resid", "llf", "deviance", "null_deviance", "aic", "bic")},
            "distance": fit.distance_to_mle,
        },
        settings=_settings(fit, vcovs.words(vcov), known),
        outcome=sentences.outcome(
            fit.outcome,
            len(estimate.trace) - 1,
            estimate.trace.method,
            np.nan if measured else fit.distance_to_mle,
            optimum,
        ),
        warnings=_warnings(fit, measured),
        notes=_notes(fit, level, vcovs.words(vcov), known),
        entries=entries(fit),
    )


def _coefficients(fit: Any, level: float, vcov: Any) -> pd.DataFrame:
    """`tidy` with the state of each column; a network that is no GLM has weights instead."""
    found = fit.tidy(level=level, vcov=vcov).assign(term=list(fit.names))
    if fit.estimate.model.network.affine:
        return found.assign(state=list(covariances.states(fit.estimate)))
    weights = fit.weights()
    plain = pd.DataFrame({"term": weights["entry"], "estimate": weights["value"], "state": "finite"})
    return plain.reindex(columns=[*found.columns, "state"])


def _settings(fit: Any, vcov: str, known: bool) -> dict[str, str]:
    penalty = fit.estimate.model.penalty
    free, reduced = fit.family.distribution.free_dispersion, bool(fit.estimate.model.reduction)
    found = {"Dispersion": sentences.dispersion(fit.dispersion, free, reduced)}
    if known:
        found["Standard errors"] = sentences.errors(vcov, penalty.strength > 0)
    if penalty.strength > 0:
        found |= {"Penalty": repr(penalty), "Effective df": sentences.effective(fit.edf)}
    return found


def _warnings(fit: Any, measured: bool) -> tuple[str, ...]:
    """What comes before any number: a fit without maximum says so first."""
    estimate = fit.estimate
    if estimate.separation is not None:
        rest = sentences.unfinished_rest(estimate.distance)
        return tuple(text for text in (estimate.separation.sentence(fit.names, fit.family), rest) if text)
    if fit.outcome == "boundary":
        return (sentences.edge(fit.family.link.name),)
    if fit.outcome == "as given":
        return ()
    if not estimate.converged:
        note = sentences.without_distance(estimate.note) if measured else estimate.note
        distance = np.nan if measured else estimate.distance
        return (note or sentences.unfinished(fit.outcome, len(estimate.trace) - 1, distance),)
    undispersed = fit.family.distribution.free_dispersion and not fit.dispersion > 0
    return (sentences.exact(fit.recipe.response.name),) if undispersed else ()


def _notes(fit: Any, level: float, vcov: str, known: bool) -> tuple[str, ...]:
    """Conditions of the numbers; the last one speaks of the network."""
    sample, family, penalty = fit.sample, fit.family, fit.estimate.model.penalty
    design = getattr(fit.recipe, "design", None)
    free = family.distribution.free_dispersion
    given = [part is not None for part in (sample.prior_weights, sample.freq_weights, sample.trials, sample.offset)]
    loss = fit.mean_losses[0]
    limits = sentences.conditions("t" if free else "z", free, vcov, level) if known else ""
    found = (
        sentences.as_given() if fit.outcome == "as given" else "",
        sentences.rows(fit.rows_dropped, sample.n),
        sentences.aliased(fit.aliased),
        "" if design is None else sentences.unused(design.unused),
        "" if design is None else sentences.references(dressings.references(design.factors)),
        sentences.weights(*given),
        sentences.penalty(repr(penalty), vcov, fit.edf) if penalty.strength > 0 else "",
        _reduction(fit),
        limits if fit.estimate.model.network.affine else sentences.no_errors(),
        sentences.likelihood(family.name, sample.trials is not None),
        sentences.two_languages(family.link.activation, family.distribution.loss, loss, _units(fit)),
    )
    return tuple(text for text in found if text)


def _reduction(fit: Any) -> str:
    """What reducing the bias means for the numbers; nothing where it was not."""
    model = fit.estimate.model
    return sentences.reduction(model.reduction, reductions.gradient_of_penalty(model)) if model.reduction else ""


def _units(fit: Any) -> int:
    """How many units the network is on the columns themselves; 0 where it is more than that."""
    return fit.estimate.model.network.outputs if len(entries(fit)) else 0


def entries(fit: Any) -> pd.DataFrame:
    """`glm_term, network_term, relation, value`: each coefficient and its entry in a network of one layer."""
    model, theta = fit.estimate.model, fit.estimate.theta
    network = model.network
    names = replace(model, columns=network.inputs.names).labels
    if not (network.affine and len(network.layers) == 1 and len(names) == len(network.entries)):
        return pd.DataFrame({"glm_term": [], "network_term": [], "relation": [], "value": []})
    order = by_output(len(network.inputs.names), network.outputs)
    own = dict(zip(names, zip(np.array(network.entries)[order].tolist(), theta[order], strict=True), strict=True))
    rows = [
        (name, *own[name][:1], "same", own[name][1]) if name in own else (name, "", "glm only", np.nan)
        for name in fit.names
    ]
    return pd.DataFrame(rows, columns=["glm_term", "network_term", "relation", "value"])


# --- a fit ------------------------------------------------------------------------------------


def summary(fit: Any, level: float, vcov: Any) -> Document:
    """The document of a fit, without figures."""
    return summaries.document(facts(fit, level, vcov))


def short(fit: Any) -> str:
    """A fit in at most 25 lines."""
    return summaries.short(facts(fit))


def notebook(fit: Any) -> str:
    """A fit at the end of a notebook cell."""
    return summaries.notebook(facts(fit), _diagram(fit))


def report(fit: Any, path: str | os.PathLike[str]) -> Path:
    """Write the document of a fit with its figures."""
    target = writable(path)
    return _written(summaries.document(facts(fit), _drawings_for(target, fit.plot)), target)


# --- a bridge ---------------------------------------------------------------------------------


def map_facts(bridge: Any) -> MapFacts:
    """What the documents of a bridge say."""
    shared = bridge.glm.estimate is bridge.network.estimate
    map_, apart = bridge.correspondence, bridge.distances
    measured = map_ is not None and apart is not None and verdicts.measured(map_, apart)
    unfinished = shared and measured and not bridge.glm.converged
    return MapFacts(
        glm=facts(bridge.glm, measured=unfinished),
        network=None if shared else facts(bridge.network, measured=measured),
        table=bridge.table,
        verdict=bridge.verdict,
        concepts=bridge.concepts,
        redundant=bridge.redundant,
        layers=bridge.network.layers(),
        notes=tuple(bridge.notes),
        measured=measured,
        causes=bridge.telling_causes,
    )


def map_summary(bridge: Any) -> Document:
    """The document of a bridge, without figures."""
    return maps.document(map_facts(bridge))


def map_short(bridge: Any) -> str:
    """A bridge in at most 25 lines."""
    return maps.short(map_facts(bridge))


def map_notebook(bridge: Any) -> str:
    """A bridge at the end of a notebook cell."""
    return maps.notebook(map_facts(bridge), _diagram(bridge.network))


def map_report(bridge: Any, path: str | os.PathLike[str]) -> Path:
    """Write the document of a bridge with its figures."""
    target = writable(path)
    return _written(maps.document(map_facts(bridge), _drawings_for(target, bridge.plot)), target)


# --- figures and files ------------------------------------------------------------------------


def _diagram(fit: Any) -> Figure | None:
    """The small drawing of a fit's network; None where no weight is finite."""
    if not fit.estimate.model.network.parameters:
        return None
    drawn = diagrams.small_svg(
        network_edges(fit),
        activation=output_activation(fit),
        response=fit.recipe.response.describes,
    )
    alt = "Diagram of the network: a line for each weight, as wide as its effect, dashed where negative"
    return Figure(drawn, alt)


def _drawings_for(target: Path, plot: Plots) -> tuple[Figure, ...]:
    """HTML holds drawings within itself; the other formats would need files beside."""
    return drawings(plot) if target.suffix.lower() in (".html", ".htm") else ()


def drawings(plot: Plots) -> tuple[Figure, ...]:
    """The figures of a report, with words; those that this model has."""
    found: list[tuple[str, Callable[[], Any], str, str]] = [
        ("curve", plot.curve, "Fitted curve over the data",
         "What the model says over one variable; the band is for the mean, not for single rows."),
        ("network", plot.network, "Diagram of the network with a line for each weight",
         "The model as a network: every line is one of its weights."),
        ("coefficients", plot.coefficients, "Coefficients with confidence limits",
         "Each coefficient with its limits."),
        ("loss", plot.loss, "Mean loss and distance to the optimum at each step",
         "The way to the estimate: the mean loss after each step or epoch, and how many standard errors were "
         "still to go."),
        ("contours", plot.contours, "Contours of the likelihood with the path of each fit",
         "The likelihood around its maximum, and the way of each fit towards it."),
    ]  # fmt: skip
    made = ((name, alt, caption, _drawn(draw)) for name, draw, alt, caption in found)
    return tuple(Figure(canvas.svg(figure, name), alt, caption) for name, alt, caption, figure in made if figure)


def _drawn(draw: Callable[[], Any]) -> Any:
    """The figure, or None where this model has no such figure: the plots refuse it themselves."""
    try:
        made = draw()
    except BridgeError:
        return None
    return made.figure if hasattr(made, "get_xlabel") else made


def _written(document: Document, target: Path) -> Path:
    return Document(document.title, document.parts, _made_with()).write(target)


def _made_with() -> str:
    """The last line of a report."""
    try:
        return f"Made with glmnet_bridge {metadata.version('glmnet_bridge')}."
    except metadata.PackageNotFoundError:
        return "Made with glmnet_bridge."
