"""Readings: the network side of a bridge, from what the caller gave to a `Fit`.

wish -> inputs -> columns of formula and network -> theta (given, or trained) -> Fit
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from glmnet_bridge.adapters import notes, outputs, recognition, schoolings
from glmnet_bridge.adapters.agreements import Agreement, agree
from glmnet_bridge.adapters.foreigns import Foreign
from glmnet_bridge.answers import rows_of
from glmnet_bridge.data import frames
from glmnet_bridge.data.rows import Array, Rows
from glmnet_bridge.design.formulas import parse
from glmnet_bridge.design.samples import Recipe, Sample
from glmnet_bridge.errors import ArgumentError, BridgeError, FitError, listed, nearest
from glmnet_bridge.fits import Fit
from glmnet_bridge.fitting import descents, dispersions, losses
from glmnet_bridge.fitting.covariances import coefficients
from glmnet_bridge.fitting.dispersions import Degrees
from glmnet_bridge.fitting.estimates import Estimate, estimate
from glmnet_bridge.fitting.linalg import Rank
from glmnet_bridge.fitting.traces import Step, Trace
from glmnet_bridge.fitting.trainings import Training, training
from glmnet_bridge.mapping import feeds, orders, unions, views
from glmnet_bridge.mapping.checks import generalised_inverse_of_rank
from glmnet_bridge.mapping.inputs import Asked, Fed, Reader, ask, known, split, widths
from glmnet_bridge.mapping.orders import Nameless
from glmnet_bridge.mapping.raws import feed_model, own_names
from glmnet_bridge.mapping.recipes import UnionRecipe
from glmnet_bridge.mapping.unions import CONSTANT, Union
from glmnet_bridge.model import families
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.layers import Activation, Affine
from glmnet_bridge.model.models import Model, Sums
from glmnet_bridge.model.networks import Inputs, Network, dense_entries, fold, fold_jacobian, single_unit
from glmnet_bridge.model.penalties import Penalty

IRLS = "irls"
DEFAULT_LEARNER = "lbfgs"  # for a network that Newton cannot fit, where no learner was named
REACHED = 1e-6  # standard errors within which given weights are the optimum


@dataclass(frozen=True, slots=True)
class Wish:
    """What the network side is to be.

    Attributes
    ----------
    network : a hand-built Network, or None for one unit on the inputs
    foreign : a model of another package, which `network` is read from
    asked : what it is fed
    activation : before the link, or None
    training : the learner's options, or None where theta is given or shared
    start : (P,) weights, or None
    evaluate : whether the network is taken as it is at `start`
    from_glm : whether training starts at the GLM's coefficients
    """

    network: Network | None
    asked: Asked
    activation: str | None
    training: Training | None
    start: Any
    evaluate: bool
    from_glm: bool = False
    foreign: Foreign | None = None

    @property
    def own(self) -> bool:
        """Whether the network is the formula's GLM itself."""
        return self.network is None and self.activation is None and self.asked.nothing

    @property
    def shared(self) -> bool:
        """Whether it is so, and fitted as the GLM."""
        return self.own and self.training is None and not self.evaluate


@dataclass(frozen=True, slots=True)
class Reading:
    """A network on the rows of a formula.

    Attributes
    ----------
    fit : its Fit, over the columns of both
    union : these columns
    fed : what the network is fed; None where its inputs are the columns themselves
    network : as it was given
    agreement : how well our reading of a model of another package (`fit.foreign`) agrees with it
    sums : of an affine network those at its folded coefficients B `(q, k)` of the union's columns, row by row
    nameless : which of its inputs only their order tells apart; None where it knows them by name
    """

    fit: Fit
    union: Union
    fed: Fed | None
    network: Network
    agreement: Agreement | None = None
    sums: Sums | None = None
    nameless: Nameless | None = None


def wish(
    network: Any,
    inputs: Any,
    activation: Any,
    train: Any,
    start: Any,
    evaluate: bool,
    functions: Any,
    loss: Any = None,
    optimizer: Any = None,
    **options: Any,
) -> Wish:
    """Check what the caller asked of the network side; `options` are those of `trainings.training`.

    Raises
    ------
    ArgumentError
        naming the argument
    """
    foreign, told = None, schoolings.told(loss, optimizer)
    if network is not None and not isinstance(network, Network):
        foreign = recognition.read(network, {"widths": widths(ask(inputs, functions)), "told": told})
        network, start = foreign.network, foreign.theta if start is None else start
    if told.words and (foreign is None or train not in (None, IRLS)):
        here = "there is none" if foreign is None else f"train={train!r} trains it on from there by the likelihood"
        raise ArgumentError(f"Leave {told.words} out: it says how a network= of another package was trained; {here}.")
    if network is not None and activation is not None:
        raise ArgumentError("activation= is for the formula's own unit; the layers of network= have their own.")
    if activation in ("identity", "linear"):
        activation = None
    elif activation is not None:
        Activation(1, activation)
    chosen = _training(train, options)
    asked = ask(inputs, functions)
    found = Wish(network, asked, activation, chosen, start, evaluate, foreign=foreign)
    if found.own or chosen is not None:
        return found
    if activation is not None and start is None:
        return replace(found, training=training(DEFAULT_LEARNER, **options), from_glm=asked.nothing)
    if start is None:
        what = "network=" if network is not None else "inputs="
        raise ArgumentError(
            f"{what} needs its weights: give start= (one number per weight, as in start=[0.1, -0.2]), or "
            "train= with a learner such as train='lbfgs'."
        )
    return replace(found, evaluate=True)


def family_of(wanted: Wish, family: Any, link: Any) -> Family:
    """What the caller says, or what a foreign network says, or binomial."""
    if wanted.foreign is not None:
        return outputs.settled(wanted.foreign, family, link)
    return families.named("binomial" if family is None else family, link)


def _training(train: Any, options: Mapping[str, Any]) -> Training | None:
    if train is not None and train != IRLS:
        return training(train, **options)
    given = [name for name, value in options.items() if value is not None and name not in ("random_state", "progress")]
    if given:
        raise ArgumentError(
            f"{given[0]}={options[given[0]]!r} is an option of a learner: say which, as in train='sgd'."
        )
    return None


def extended(formula: Any, data: Any, wanted: Wish, functions: Any) -> Any:
    """The formula, so read that rows lacking one of the network's inputs are dropped too."""
    network, asked = wanted.network, wanted.asked
    if network is None and asked.nothing:
        return formula
    columns = set(frames.as_frame(data).columns)
    names = asked.variables(columns)
    if asked.nothing and wanted.foreign is not None:
        read = (split(name, columns)[0] for name in own_names(wanted.foreign.intake, columns))
        names = frozenset(name for name in read if name is not None)
    elif asked.nothing and network is not None:
        read = (split(name, columns)[0] for name in network.inputs.names)
        names = frozenset(name for name in read if name is not None)
    for name in names - columns:
        raise frames.unknown(frames.as_frame(data), name, " (named by inputs=)")
    parsed = parse(formula, functions)
    return replace(parsed, names=parsed.names | names)


def read(
    wanted: Wish,
    recipe: Recipe,
    sample: Sample,
    family: Family,
    penalty: Penalty,
    data: Any,
    *,
    glm: Fit | None,
) -> Reading:
    """The network on these rows.

    Parameters
    ----------
    wanted : what it is to be
    recipe, sample : the formula's
    family, penalty : of the model
    data : the frame
    glm : the formula's fit, if there is one
    """
    rows = rows_of(sample)
    # a penalised fit keeps columns that others determine
    rank = unions.decide_rank(rows) if glm is None or penalty.strength else glm.estimate.rank
    agreement, foreign, nameless = None, wanted.foreign, None
    if foreign is None:
        fed, network = _network(wanted, recipe, sample, data)
    else:
        fed, raws = feed_model(foreign.intake, wanted.asked, recipe.design, data, rows, sample.index, sample.kept)
        agreement = agree(foreign, raws, fed, rows)
        network = outputs.with_family(foreign, recipe.response, family)
        foreign = outputs.judged(foreign, family)
        columns = frames.as_frame(data).columns
        foreign = notes.noted(foreign, wanted.asked, raws, columns, family, rows)
        nameless = orders.nameless(foreign.intake, wanted.asked, raws, columns)
    if fed is None:
        union = unions.over_columns(recipe.design, rows, network.inputs, rank)
    else:
        union = unions.unite(recipe.design, rows, fed, network, rank)
    names = recipe.response.outputs
    _check_outputs(network, family, names)
    model = Model(union.names, _over(union, network), family, penalty, names)
    wide = replace(sample, source=union.source)
    reader = Reader() if fed is None else fed.reader
    own = recipe if not union.wider else UnionRecipe(recipe, reader, union.names, union.picks, union.constant)
    reference = None
    if glm is not None and wanted.own and model.network.plain and glm.converged:
        reference = glm.estimate.theta
    if wanted.from_glm:
        wanted = replace(wanted, start=_from_glm(model, rows_of(wide), glm))
    separated = glm is not None and wanted.own and model.network.plain and glm.estimate.outcome == "separated"
    found, sums = _estimate(wanted, model, rows_of(wide), wide, union.rank, reference, separated)
    return Reading(Fit(found, own, wide, data, foreign), union, fed, network, agreement, sums, nameless)


def _network(wanted: Wish, recipe: Recipe, sample: Sample, data: Any) -> tuple[Fed | None, Network]:
    """What is fed, and the network as it was given, or one unit on that."""
    design, given = recipe.design, wanted.network
    if given is not None and wanted.asked.nothing and given.inputs.matrix is not None:
        if given.inputs.matrix.shape[0] != len(design.names):
            raise ArgumentError(
                f"The network's input matrix has {given.inputs.matrix.shape[0]} rows; the formula has "
                f"{len(design.names)} columns ({listed(design.names, 8)})."
            )
        return None, given
    asked, wanted_names = wanted.asked, None if given is None else given.inputs.names
    if given is not None and asked.nothing:
        columns = set(frames.as_frame(data).columns)
        if known(given.inputs.names, design.names, columns):
            asked = Asked(names=given.inputs.names)
    if wanted.own:
        wanted_names = design.names
    fed = feeds.feed(asked, design, data, sample.index, sample.kept, wanted_names)
    if given is not None:
        return fed, given
    outputs = recipe.response.outputs
    if wanted.own:
        return fed, single_unit(design.names, outputs)
    bias, units = CONSTANT in design.names or not asked.nothing, max(len(outputs), 1)
    layers: tuple[Any, ...] = (Affine(len(fed.names), units, bias=bias),)
    entries = dense_entries(layers, fed.names, outputs)
    if wanted.activation is not None:
        layers = (*layers, Activation(units, wanted.activation, wanted.activation))
    return fed, Network(Inputs(fed.names), layers, entries)


def _over(union: Union, network: Network) -> Network:
    """The network over the union's columns; plain where it reads just these."""
    matrix, p = union.inputs.matrix, len(union.names)
    if matrix is not None and matrix.shape == (p, p) and np.array_equal(matrix, np.eye(p)):
        return Network(replace(union.inputs, matrix=None), network.layers, network.entries)
    return Network(union.inputs, network.layers, network.entries)


def _check_outputs(network: Network, family: Family, names: tuple[str, ...]) -> None:
    """One linear predictor, or of several classes one for each after the base."""
    wanted = max(len(names), 1)
    if network.outputs == wanted:
        return
    if family.joint:
        raise ArgumentError(
            f"The network ends in {network.outputs} linear predictors; the response has {wanted + 1} classes, and so "
            f"{wanted} linear predictors ({listed(names, 8)}). A softmax over {wanted + 1} units becomes that with the "
            f"layer Contrast({wanted + 1}, base), base being the unit of the class that the others are compared with."
        )
    raise ArgumentError(
        f"The network ends in {network.outputs} linear predictors; the {family.name} family has one. "
        'A softmax over two units becomes one with the layer Contrast(2); several classes need family="multinomial".'
    )


def _from_glm(model: Model, rows: Rows, glm: Fit | None) -> Array | None:
    """The GLM's coefficients as weights of one layer: kernel, then bias; None where they are not finite."""
    names, outputs = model.columns, model.outputs
    if glm is None:
        beta = coefficients(estimate(Model(names, single_unit(names, outputs), model.family, outputs=outputs), rows))
    else:
        beta = glm.params.to_numpy()
    by_name = dict(zip(names, beta.reshape(-1, len(names)).T, strict=True))
    bias = [by_name[CONSTANT]] if CONSTANT in by_name else []
    theta = np.concatenate([by_name[name] for name in model.network.inputs.names] + bias)
    return theta if np.isfinite(theta).all() else None


def weights(start: Any, entries: tuple[str, ...]) -> Array:
    """`start=` as theta `(P,)`: numbers in the order of the entries, or by their names.

    Raises
    ------
    ArgumentError
        naming the entry that is missing, or not finite
    """
    if isinstance(start, Mapping | pd.Series):
        return _by_name(dict(start.items()), entries)
    try:
        theta = np.asarray(start, dtype=float).ravel()
    except (TypeError, ValueError):
        raise ArgumentError(f"start={start!r}: give one number per weight.") from None
    if len(theta) != len(entries):
        raise ArgumentError(
            f"start= has {len(theta)} weights; the network has {len(entries)}, in the order {listed(entries, 12)}."
        )
    return _finite(theta, entries)


def _by_name(given: dict[Any, Any], entries: tuple[str, ...]) -> Array:
    lost = [name for name in entries if name not in given]
    extra = [name for name in given if name not in entries]
    if extra:
        raise ArgumentError(f"start= names {extra[0]!r}, which is no weight.{nearest(extra[0], entries)}")
    if lost:
        raise ArgumentError(f"start= has no value for {listed(lost)}.")
    return _finite(np.array([float(given[name]) for name in entries]), entries)


def _finite(theta: Array, entries: tuple[str, ...]) -> Array:
    bad = [f"{entries[j]} is {theta[j]}" for j in np.flatnonzero(~np.isfinite(theta))]
    if bad:
        raise ArgumentError(f"The weights are not finite: {listed(bad)}. Training that diverged ends like this.")
    return theta


def _estimate(
    wanted: Wish,
    model: Model,
    rows: Rows,
    sample: Sample,
    rank: Rank | None,
    reference: Array | None,
    separated: bool,
) -> tuple[Estimate, Sums | None]:
    """The estimate at given or trained weights, with everything evaluated there; and `Reading.sums`."""
    start = None if wanted.start is None else weights(wanted.start, model.network.entries)
    counted = sample.freq_weights
    nobs = float(sample.n) if counted is None else float(counted.sum())
    trained = None
    if wanted.training is not None:
        trained = descents.descend(
            model, rows, wanted.training, theta=start, reference=reference, nobs=nobs, separated=separated
        )
    elif start is None:
        raise ArgumentError(f"train=None evaluates the network at start=: give it, {model.network.parameters} numbers.")
    theta = start if trained is None else trained.theta
    assert theta is not None
    sums, folded = sums_of(model, rows, theta)
    if trained is None:
        _check_likelihood(model, sums, wanted.foreign)
        return evaluated(model, rows, theta, sums, rank, nobs), folded
    if sums.expected is None:
        raise FitError(trained.sentence)
    found = evaluated(model, rows, theta, sums, rank, nobs)
    distance = trained.distance if np.isfinite(trained.distance) else found.distance
    found = replace(found, outcome=trained.outcome, distance=distance, trace=trained.trace, note=trained.sentence)
    return found, folded


def sums_of(model: Model, rows: Rows, theta: Array) -> tuple[Sums, Sums | None]:
    """The sums at theta, and of an affine network those for the coefficients that it folds to, from one pass."""
    if not model.network.affine:
        return model.sums(rows, theta, "both"), None
    plain = replace(model, network=single_unit(model.columns, model.outputs))
    folded = plain.sums(rows, fold(model.network, theta).ravel(), "both")
    return folded if model.network.plain else folded.through(fold_jacobian(model.network, theta)), folded


def _check_likelihood(model: Model, sums: Sums, foreign: Foreign | None) -> None:
    if sums.expected is not None and np.isfinite(sums.loglik):
        return
    known = f"The {foreign.kind} predicts means that this family cannot have: give" if foreign is not None else (
        f"Check that start= is in the order {listed(model.network.entries, 8)}, and give"
    )  # fmt: skip
    raise BridgeError(
        f"At these weights the likelihood ({model.family.title}) is not finite. {known} the family and link that the "
        "weights belong to."
    )


def evaluated(model: Model, rows: Rows, theta: Array, sums: Sums, rank: Rank | None, nobs: float) -> Estimate:
    """An estimate for weights that no fit of ours found."""
    empty = Trace((), model.network.entries, "none")
    found = Estimate(model, theta, sums, None, "as given", np.nan, empty, rank=rank)
    free = views.free_parameters(found)
    if not model.network.affine:
        residual = nobs - free if model.family.distribution.free_dispersion else None
        distance = losses.Loss(model, rows, residual).gap(theta).distance
        return replace(found, sums=replace(sums, observed=None), distance=distance, trace=_one(found, distance))
    assert sums.expected is not None and sums.score is not None
    decay = model.decay
    info = sums.expected if decay is None else sums.expected + np.diag(decay)
    inverse = generalised_inverse_of_rank(info, free if decay is None else None)
    score = sums.score if decay is None else sums.score - decay * theta
    covariance = inverse if decay is None else inverse @ sums.expected @ inverse
    found = replace(found, covariance=covariance, posterior=None if decay is None else inverse)
    scale = 1.0
    if model.family.distribution.free_dispersion:
        degrees = Degrees(nobs, views.effective_parameters(found))
        scale = dispersions.dispersion(model.family, dispersions.pearson_chi2(model, rows, theta), degrees)
    with np.errstate(invalid="ignore", over="ignore"):
        distance = float(np.sqrt(max(float(score @ inverse @ score), 0.0) / scale))
    outcome = "converged" if distance <= REACHED else "as given"
    return replace(found, outcome=outcome, distance=distance, trace=_one(found, distance))


def _one(found: Estimate, distance: float) -> Trace:
    """A trace of the given weights alone."""
    step = Step(0, 0, found.sums.loglik, distance, 0.0, found.theta)
    return Trace((step,), found.model.network.entries, "none")
