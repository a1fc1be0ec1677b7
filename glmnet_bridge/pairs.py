"""Pairs: a GLM and a network over the same rows, and the map between them.

`Bridge` holds two fits (over one estimate, where the network is the GLM) and what the stage
`mapping` says about them. `shared` and `meet` put one together.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge import faces, gaps, learnt, prose
from glmnet_bridge.adapters import places
from glmnet_bridge.adapters.agreements import Agreement
from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.errors import BridgeError
from glmnet_bridge.fits import Fit
from glmnet_bridge.fitting import covariances
from glmnet_bridge.fitting.estimates import Estimate, Limits, estimate
from glmnet_bridge.inference.causes import NO_CAUSES, Training
from glmnet_bridge.mapping import (
    checks,
    clippings,
    concepts,
    correspondences,
    distances,
    faults,
    tables,
    units,
    verdicts,
)
from glmnet_bridge.mapping.checks import Checks
from glmnet_bridge.mapping.correspondences import Correspondence
from glmnet_bridge.mapping.distances import Distances
from glmnet_bridge.mapping.orders import Known
from glmnet_bridge.mapping.remarks import Remarks
from glmnet_bridge.mapping.terms import Terms
from glmnet_bridge.mapping.unions import Union
from glmnet_bridge.model.models import Model, Sums
from glmnet_bridge.model.networks import by_output, single_unit
from glmnet_bridge.model.penalties import Penalty
from glmnet_bridge.plots import Plots
from glmnet_bridge.readings import Reading, evaluated, sums_of
from glmnet_bridge.report.documents import Document

ROUNDING = 1e-7  # standard errors below which a gap is the rounding of the optima


@dataclass(frozen=True, eq=False)
class Bridge:
    """A GLM, a network, and which weight of the one is which term of the other.

    Attributes
    ----------
    glm : the formula's Fit
    network : the network's Fit; where it is the GLM, both hold one estimate
    union : the maximum-likelihood Fit of formula and network together, which distances are
        measured to; the GLM itself where that is it
    constrained : where the network ties or leaves out terms, the Fit of the GLM with these constraints
    correspondence : the map, as a matrix; None for a network that is no GLM
    distances : how far the weights are from the maximum of the likelihood; None likewise
    checks : how well network and GLM agreed on the rows; None where both are one
    clipped : labels of the rows that a ReLU before the link sets to eta = 0, or None
    agreement : how well our reading of it agrees with the model itself
    training : what is known of how the network was trained; None where it shares the GLM's estimate
    local : the GLM that a network with ReLUs is on these rows, where none of them bends; else None
    remarks : what the rows show of the network beside the map
    """

    glm: Fit
    network: Fit
    union: Fit
    constrained: Fit | None = None
    correspondence: Correspondence | None = None
    distances: Distances | None = None
    checks: Checks | None = None
    clipped: pd.Index | None = None
    agreement: Agreement | None = None
    training: Training | None = None
    local: Fit | None = None
    remarks: Remarks = Remarks()

    @property
    def foreign(self) -> Foreign | None:
        """The model of another package that the network was read from, or None."""
        return self.network.foreign

    @property
    def margins(self) -> tuple[str, ...]:
        """Which ReLUs are lines on these rows, and by how much."""
        return self.remarks.margins

    @functools.cached_property
    def table(self) -> pd.DataFrame:
        """The term map: one row per GLM term, then one per weight without counterpart."""
        found = self.network.estimate
        if self.correspondence is None or self.distances is None:
            mle, errors = self.union.params.to_numpy(), self.union.bse.to_numpy()
            past = units.skipped(found.model.network, found.theta)
            return tables.uncharted_table(self.union.names, mle, errors, found.model.network, found.theta, past)
        return tables.term_table(self.correspondence, self.distances, found.theta, self._aim_word)

    @functools.cached_property
    def links(self) -> pd.DataFrame:
        """One row per non-zero entry of R: `glm_term, network_term, weight`."""
        if self.correspondence is None:
            return pd.DataFrame({"glm_term": [], "network_term": [], "weight": []})
        return self.correspondence.links()

    @functools.cached_property
    def redundant(self) -> pd.DataFrame:
        """One row per direction in which the weights can move without changing a prediction."""
        if self.correspondence is None:
            return pd.DataFrame({"direction": [], "network_terms": [], "description": []})
        return self.correspondence.directions()

    @functools.cached_property
    def concepts(self) -> pd.DataFrame:
        """Each idea of the GLM beside its name in the network, with its value: `glm, network, value`."""
        found = self.network
        elsewhere = self._penalty if self.foreign is not None else ""
        return concepts.concepts(found.estimate, found.sample, found.dispersion, elsewhere)

    @functools.cached_property
    def verdict(self) -> str:
        """What the map says, in one paragraph."""
        if self.correspondence is None or self.distances is None:
            return self._uncharted()
        told = self.telling_causes
        extra = None if self.constrained is None else self.constrained.deviance - self.union.deviance
        return verdicts.verdict(
            verdicts.Case(
                map_=self.correspondence,
                apart=self.distances,
                shared=self.glm.estimate is self.network.estimate,
                outcome=self.union.outcome,
                penalty=self._penalty,
                other="" if self.training is None else self.training.other,
                besides=() if self.training is None else self.training.besides,
                constrained=extra,
                learnt=self.network.estimate.trace.method != "none",
                causes=tuple(zip(told["cause"], told["share"], strict=True)),
                faults=self._faults,
            )
        )

    @functools.cached_property
    def units(self) -> pd.DataFrame:
        """One row per hidden unit that the linear predictor is affine in: `unit, mean, sd, outside`.

        These are the units from which some way leads to the output past no further activation, whatever the
        layer. `outside` is the share of a unit's variation that no combination of the columns explains: 0 is a
        column that the GLM has. Empty for a network without activations.
        """
        found = self.network.estimate
        if found.model.network.affine:
            return pd.DataFrame(columns=["unit", "mean", "sd", "outside"])
        return units.outside(found.model, self.network.rows, found.theta)

    @functools.cached_property
    def last_layer(self) -> Fit:
        """The GLM on what the last layer is fed, by maximum likelihood: on `units`, and the raw inputs that skip them.

        Its standard errors are conditional on these features, which were learnt from the same rows: they
        understate.

        Raises
        ------
        BridgeError
            for a network without activations, whose last layer is the GLM itself
        """
        if self.network.estimate.model.network.affine:
            raise BridgeError("The network has no hidden activation: its last layer is the GLM itself, br.network.")
        return learnt.last_layer(self.network)

    @property
    def telling_causes(self) -> pd.DataFrame:
        """The causes that matter: none at the maximum of the likelihood, nor of the gap of what is misplaced."""
        if self.distances is None or self.remarks.misplaced or not self.distances.joint > distances.AT_OPTIMUM:
            return NO_CAUSES.copy()
        return self.causes[self.causes["share"].abs() >= 5e-4]

    @property
    def _penalty(self) -> str:
        """The penalty of the network's training in words, or ""."""
        if self.training is not None:
            return self.training.penalty if self.training.penalised else ""
        penalty = self.network.estimate.model.penalty
        return repr(penalty) if penalty.strength > 0 else ""

    @property
    def _aim_word(self) -> str:
        """What the training aimed at beside the likelihood, as a status: "penalised", "other loss" or ""."""
        if self._penalty:
            return "penalised"
        return "other loss" if self.training is not None and self.training.other else ""

    def _uncharted(self) -> str:
        found, rows = self.network.estimate, self.network.rows
        last = clippings.output_activation(found.model.network)
        clips = self.clipped is not None and len(self.clipped)
        return verdicts.uncharted(
            "a hidden activation" if last is None else last.kind,
            self.network.family.link.activation,
            None if self.clipped is None else self.clipped.tolist(),
            self.network.sample.n,
            self.union.llf - self.network.llf,
            self._faults,
            self.remarks.units,
            clippings.toll(found.model, rows, found.theta) if clips else np.nan,
        )

    @property
    def _faults(self) -> tuple[str, ...]:
        return gaps.faults_of(self.network, self.glm, self.remarks)

    @functools.cached_property
    def causes(self) -> pd.DataFrame:
        """Why the network is not at the maximum of the likelihood: one row per cause, undone one after the other.

        Columns `cause, share, distance, largest, explanation`; the shares add up to 1, the distances to the
        joint distance in standard errors. Empty where both views hold one estimate, or no distance is known.
        """
        if self.training is None or self.correspondence is None:
            return NO_CAUSES.copy()
        network = self.network if self.local is None else self.local
        found = gaps.causes_of(self.training, self.correspondence, network, self.union)
        return NO_CAUSES.copy() if found is None or found.size < ROUNDING else found.table()

    @functools.cached_property
    def ridge(self) -> pd.DataFrame:
        """Standard errors under the network's own ridge: `term, as_glm, se_bayesian, se_sandwich, edf`.

        `se_bayesian` is that of the posterior where the penalty is a normal prior, `se_sandwich` that of the
        penalised weights around their own mean; neither includes the bias of these data. The terms' shares
        `edf` add up to the effective degrees of freedom.

        Raises
        ------
        BridgeError
            for a network that is no GLM, an L1 penalty, or a loss that is not the likelihood
        """
        return gaps.ridge_of(self.training, self.correspondence, self.network if self.local is None else self.local)

    @property
    def notes(self) -> tuple[str, ...]:
        """Conditions of the numbers in the table."""
        out = []
        if self.union is not self.glm:
            why = "the network's columns too" if len(self.union.names) > len(self.glm.names) else "no penalty"
            if self.union.names == self.glm.names and not self.network.estimate.model.penalty.strength:
                why = "more steps"
            out.append(
                f"glm, std_error and distance are those of the maximum-likelihood fit with {why} (log-likelihood "
                f"{self.union.llf:.4f})."
            )
        foreign = self.foreign
        if foreign is not None and self.agreement is not None:
            precision = self.agreement.precision
            arithmetic = "half" if precision > 1e-5 else "single" if precision > 1e-10 else "double"
            out.append(
                f"Read from a {foreign.kind}; its outputs and those of our reading differ by "
                f"{verdicts.bound(self.agreement.rows)} on the rows and {verdicts.bound(self.agreement.random)} "
                f"on random rows ({arithmetic} precision)."
            )
            out += foreign.folded
            out += [self.remarks.taken] if self.remarks.taken else []
        out += [*self.margins, *(self.remarks.units if self.local is not None else ())]
        if self.checks is not None:
            rows = verdicts.rounding(max(self.checks.rows, self.checks.random))
            out.append(
                f"Network and GLM agree to {rows} on the rows (relative), the covariances by both routes to "
                f"{verdicts.rounding(self.checks.covariance)} SE."
            )
        return tuple(out)

    def summary(self) -> Document:
        """All about both views and the map: `print` it, or ask it `.as_html()`, `.as_latex()`."""
        return faces.map_summary(self)

    def __repr__(self) -> str:
        return faces.map_short(self)

    def _repr_html_(self) -> str:
        return faces.map_notebook(self)

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write the summary with figures to one file; its ending says the format: .html, .md or .tex."""
        return faces.map_report(self, path)

    def report_text(self, *, level: float = 0.95, labels: Any = None) -> str:
        """The verdict, then the results of the GLM in a paragraph, as `Fit.report_text`."""
        return prose.bridge_text(self, None, level, labels)

    @property
    def plot(self) -> Plots:
        """The figures of both views, such as `bridge.plot.network()`: see `glmnet_bridge.plots.Plots`."""
        return Plots((("GLM", self.glm), ("network", self.network)))


def shared(glm: Fit) -> Bridge:
    """The bridge of a GLM and the network that it is: one estimate, two views."""
    model, outputs = glm.estimate.model, glm.estimate.model.outputs
    columns = model.columns
    terms = Terms(columns, len(columns), _kept(glm.estimate, len(columns)), outputs)
    order = by_output(len(terms.independent), terms.count)
    values = np.empty(len(order))
    values[order] = covariances.coefficients(glm.estimate)[terms.kept]
    matrix = np.zeros((len(terms.labels), len(order)))
    matrix[terms.kept, order] = 1.0
    entries = single_unit(tuple(columns[j] for j in terms.independent), outputs).entries
    map_ = Correspondence(
        terms=terms,
        aliased=terms.aliased(glm.aliased),
        entries=entries,
        values=values,
        matrix=matrix,
        constant=np.zeros(len(matrix)),
        weights=entries,
        jacobian=matrix,
        folded=False,
        ties=(),
    )
    union = _union_fit(glm, None, glm)
    apart = _shared_distances(map_, glm, union)
    return Bridge(glm, glm, union, correspondence=map_, distances=apart)


def _shared_distances(map_: Correspondence, glm: Fit, union: Fit) -> Distances:
    found = glm.estimate
    if union is not glm:
        return _distances(map_, glm, union, found.distance, known=found.sums)
    folded, errors = map_.coefficients, union.bse.to_numpy()
    nothing = np.where(np.isfinite(errors), 0.0, np.nan)
    return Distances(
        folded=folded,
        mle=folded,
        errors=errors,
        by_refit=nothing,
        by_step=nothing,
        joint=found.distance,
        training=found.distance,
        excess=0.0,
    )


def meet(glm: Fit, reading: Reading) -> Bridge:
    """The bridge of a GLM and a network with weights of its own."""
    fit, wide = reading.fit, _union_fit(glm, reading.union, reading.fit)

    def known() -> Known:
        return Known(fit.deviance, wide.deviance, wide.dispersion, lambda: fit.null_deviance)

    remarks = gaps.remarks_of(fit, reading.network, reading.nameless, wide)
    remarks = places.remarked(remarks, fit.foreign, fit.recipe.response, fit.estimate, fit.rows, known)
    return (_charted if fit.estimate.model.network.affine else _beyond)(glm, reading, wide, remarks)


def _charted(glm: Fit, reading: Reading, wide: Fit, remarks: Remarks) -> Bridge:
    """The bridge of a network that is a GLM."""
    found, union = reading.fit.estimate, reading.union
    training = gaps.training_of(reading.fit, glm.recipe.response)
    outputs = found.model.outputs
    map_ = correspondences.correspond(union, reading.network, found.theta, reading.fit.aliased, outputs)
    rows = reading.fit.rows
    beta = map_.terms.matrix(np.nan_to_num(map_.coefficients))
    agree = checks.confirm(union, reading.fed, reading.network, found.theta, beta, rows)
    known = None if reading.sums is None else map_.terms.kept_of(reading.sums)
    apart = checks.covariance_difference(map_, found.model.network, found.model, found.theta, rows)
    return Bridge(
        glm=glm,
        network=reading.fit,
        union=wide,
        constrained=gaps.constrained(map_, union, reading.fit),
        correspondence=map_,
        distances=_distances(map_, reading.fit, wide, gaps.short_of(training, reading.fit, wide.dispersion), known),
        checks=Checks(*agree, apart),
        agreement=reading.agreement,
        training=training,
        remarks=remarks,
    )


def _beyond(glm: Fit, reading: Reading, wide: Fit, remarks: Remarks) -> Bridge:
    """The bridge of a network that is no GLM, or one on these rows only."""
    fit = reading.fit
    found = fit.estimate
    network = found.model.network
    reached = units.reaches(found.model, fit.rows, found.theta)
    remarks = replace(remarks, units=faults.unit_faults(found.model, fit.rows, found.theta, reached))
    flat = units.flattened(network, reached)
    if flat is None:
        hidden = clippings.clipped(found.model, fit.rows, found.theta)
        clipped = None if hidden is None else fit.sample.index[hidden]
        return Bridge(glm, fit, wide, clipped=clipped, agreement=reading.agreement, remarks=remarks)
    model = replace(found.model, network=flat)
    sums, folded = sums_of(model, fit.rows, found.theta)
    rank = reading.union.rank
    local = replace(fit, estimate=evaluated(model, fit.rows, found.theta, sums, rank, fit.nobs))
    flattened = replace(reading, fit=local, network=replace(reading.network, layers=flat.layers), sums=folded)
    remarks = replace(remarks, margins=units.margins(network, reached))
    return replace(_charted(glm, flattened, wide, remarks), network=fit, local=local)


def _kept(found: Estimate, width: int) -> Any:
    return np.arange(width) if found.rank is None else found.rank.kept


def _distances(map_: Correspondence, fit: Fit, union: Fit, training: float, known: Sums | None) -> Distances:
    return distances.distances(
        map_,
        fit.estimate.model,
        fit.rows,
        mle=union.params.to_numpy(),
        errors=union.bse.to_numpy(),
        deviance=union.deviance,
        dispersion=union.dispersion,
        training=training,
        information=_information(map_, union),
        known=known,
    )


def _information(map_: Correspondence, union: Fit) -> Any:
    """The information of the union model's independent coefficients at its estimate, over the dispersion."""
    expected = map_.terms.ordered(union.estimate.sums).expected
    if expected is None or len(expected) != len(map_.kept) or union.estimate.separation is not None:
        return None
    return expected / union.dispersion


def _union_fit(glm: Fit, union: Union | None, network: Fit) -> Fit:
    """The maximum-likelihood fit of all columns: the GLM itself where it is that."""
    wider = union is not None and union.wider
    unfinished = glm.outcome in ("step limit", "diverged")
    if not wider and not unfinished and glm.estimate.model.penalty.strength == 0:
        return glm
    own = network.estimate.model
    model = Model(own.columns, single_unit(own.columns, own.outputs), glm.family, Penalty(), own.outputs)
    rows = network.rows if wider else glm.rows
    start = None if wider or not unfinished else glm.params.to_numpy()
    found = estimate(model, rows, start=start, limits=Limits(), nobs=glm.nobs)
    return replace(network, estimate=found, foreign=None)
