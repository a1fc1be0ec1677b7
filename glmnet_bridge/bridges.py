"""The verbs: from a formula and a frame (or arrays) to fits and bridges. Glue only, no arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from glmnet_bridge.answers import rows_of
from glmnet_bridge.cautions import speak
from glmnet_bridge.design import arguments, matrices, responses, samples
from glmnet_bridge.errors import ArgumentError, DataError, FitError, check_flags
from glmnet_bridge.fits import Fit
from glmnet_bridge.fitting import reductions
from glmnet_bridge.fitting.estimates import Limits, estimate
from glmnet_bridge.keywords import checked_keywords
from glmnet_bridge.model import families, penalties
from glmnet_bridge.model.families import Family
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import single_unit

if TYPE_CHECKING:
    from glmnet_bridge.pairs import Bridge
    from glmnet_bridge.readings import Wish


@checked_keywords
def glm(
    formula: str,
    data: Any,
    family: Any = "binomial",
    link: Any = None,
    *,
    prior_weights: Any = None,
    freq_weights: Any = None,
    trials: Any = None,
    offset: Any = None,
    exposure: Any = None,
    event: Any = None,
    base: Any = None,
    penalty: Any = None,
    bias_reduction: str | None = None,
    missing: str = "drop",
    functions: Mapping[str, Callable[..., Any]] | None = None,
    start: Any = None,
    max_steps: int = 50,
    tol: float = 1e-9,
    strict: bool = False,
    keep_data: bool = True,
) -> Fit:
    """Fit a generalized linear model from a formula and a frame, by IRLS.

    Parameters
    ----------
    formula : `"y ~ x + C(g)"`; names are columns of `data`
    data : a pandas, polars or Arrow frame, or a dict of columns; it is not changed, and not copied: change
        it in place after the fit, and answers for its rows change too
    family : a name ("binomial", "gaussian", "poisson", "gamma", "inverse_gaussian", "multinomial"), one of
        `gb.families`, or a statsmodels family object
    link : a link of the family; its canonical one by default
    prior_weights : R's weights, statsmodels' var_weights: the row's variance is divided by it
    freq_weights : the row stands for so many equal rows
    trials : number of trials of each row, for a proportion as response
    offset, exposure : added to the linear predictor, as it is or by its logarithm
    event : the level whose probability is modelled; the last one by default
    base : of the multinomial family: the class that the others are compared with; the first one by default
    penalty : `gb.penalties.ridge(strength)`, on the sum of the log-likelihood
    bias_reduction : "mean" (or "firth": Firth 1993; Kosmidis and Firth 2009), "median" (Kenne Pagui, Salvan and
        Sartori 2017) or "jeffreys" (the maximum of the likelihood times Jeffreys' prior), as brglm2 has them.
        Estimates are finite where the data are separated
    missing : "drop" rows with missing values (they are counted), or "raise"
    functions : your own functions by their names in the formula
    start : coefficients to start from
    max_steps, tol : step limit, and distance to the optimum in standard errors to stop at
    strict : raise `FitError` where the fit does not converge, instead of a warning
    keep_data : keep a reference to `data` for `augment`

    Returns
    -------
    Fit

    Raises
    ------
    BridgeError
        naming the culprit and the next step

    Examples
    --------
    >>> import glmnet_bridge as gb
    >>> data = {"y": [0, 1, 0, 1, 1, 0, 1, 1], "x": [0.0, 1, 2, 3, 4, 5, 6, 7]}
    >>> fit = gb.glm("y ~ x", data)
    >>> fit.params.round(4).to_dict()
    {'Intercept': -0.7822, 'x': 0.398}
    """
    check_flags(strict=strict, keep_data=keep_data)
    chosen = families.named(family, link)
    _only_log(chosen, exposure)
    recipe, sample = samples.learn(
        formula,
        data,
        support=chosen.distribution.support,
        event=event,
        base=base,
        trials=trials,
        prior_weights=prior_weights,
        freq_weights=freq_weights,
        offset=offset,
        exposure=exposure,
        missing=missing,
        functions=functions,
    )
    names = recipe.design.names
    limits = Limits(tol, max_steps)
    kept = data if keep_data else None
    return _fitted(names, chosen, recipe, sample, penalty, start, limits, strict, kept, bias_reduction)


@checked_keywords
def bridge(
    formula: str,
    data: Any,
    family: Any = None,
    link: Any = None,
    *,
    network: Any = None,
    inputs: Any = None,
    loss: Any = None,
    optimizer: Any = None,
    activation: str | None = None,
    train: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    momentum: float | None = None,
    validation: float | None = None,
    patience: int | None = None,
    prior_weights: Any = None,
    freq_weights: Any = None,
    trials: Any = None,
    offset: Any = None,
    exposure: Any = None,
    event: Any = None,
    base: Any = None,
    penalty: Any = None,
    missing: str = "drop",
    functions: Mapping[str, Callable[..., Any]] | None = None,
    start: Any = None,
    max_steps: int = 50,
    tol: float = 1e-9,
    random_state: Any = None,
    progress: bool = False,
    strict: bool = False,
    keep_data: bool = True,
) -> Bridge:
    """Fit a GLM, put a network beside it, and map the one to the other, term by term.

    Without `network`, `inputs`, `activation` and `train` the network is the GLM: both views hold one
    estimate.

    Parameters
    ----------
    formula, data, family, link : as in `glm`, like all arguments not named here
        (`family` is "binomial" unless a trained network says otherwise)
    network : a trained model of another package (scikit-learn), read as a
        network; or a hand-built `Network`, taken as it is at `start`, or trained from there with `train`
    inputs : what the network is fed: names of columns (`"age"`, `"site[north]"` for one level of a
        factor), a one-sided formula ("x1 + C(g)"), or numbers aligned with the rows; by default the
        columns that its inputs are named after, or those of the formula
    loss : what the trained network was trained for, where it does not say so itself (PyTorch, ONNX, bare weights,
        Keras that is not compiled): the object or function of the training loop, such as
        `torch.nn.BCEWithLogitsLoss(pos_weight=w)`, or its name, with its settings as in
        "CrossEntropyLoss(label_smoothing=0.1)". It says the family, and what `causes` looks for
    optimizer : what it was trained by, likewise: `torch.optim.SGD(...)`, whose weight decay is a penalty on the
        parameters of each group, or "SGD(weight_decay=0.01)"
    activation : of the unit before the link, such as "relu"; the network is then no GLM, and is trained
        (without `train` by "lbfgs", from the GLM's coefficients)
    train : a learner ("sgd", "adam", "momentum", "nesterov", "gradient descent", "lbfgs") that trains the
        network instead of sharing the GLM's estimate
    epochs, batch_size, learning_rate, momentum, validation, patience : options of the learner
    start : the network's weights, in the order of its entries or by their names; for a network that
        is the GLM, coefficients to start from
    random_state : seed of the learner
    progress : draw a progress bar while training

    Returns
    -------
    Bridge

    Examples
    --------
    >>> import glmnet_bridge as gb
    >>> data = {"y": [0, 1, 0, 1, 1, 0, 1, 1], "x": [0.0, 1, 2, 3, 4, 5, 6, 7]}
    >>> br = gb.bridge("y ~ x", data)
    >>> br.table[["glm_term", "network_term", "relation", "status"]]
        glm_term network_term relation status
    0  Intercept         bias     same  exact
    1          x    kernel[x]     same  exact
    >>> br.glm.estimate is br.network.estimate
    True
    """
    # the map is loaded on use: a plain fit does without
    from glmnet_bridge.pairs import meet, shared
    from glmnet_bridge.readings import extended, family_of, read, wish

    check_flags(strict=strict, keep_data=keep_data, progress=progress)
    wanted = wish(
        network, inputs, activation, train, start, False, functions, loss, optimizer,
        epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, momentum=momentum,
        validation=validation, patience=patience, random_state=random_state, progress=progress,
    )  # fmt: skip
    chosen = family_of(wanted, family, link)
    left = glm(
        extended(formula, data, wanted, functions), data, chosen, None,
        prior_weights=prior_weights, freq_weights=freq_weights, trials=trials, offset=offset,
        exposure=exposure, event=event, base=base, penalty=penalty, missing=missing, functions=functions,
        start=start if wanted.shared else None, max_steps=max_steps, tol=tol, strict=strict,
        keep_data=keep_data,
    )  # fmt: skip
    if wanted.shared:
        return shared(left)
    reading = read(wanted, left.recipe, left.sample, left.family, left.estimate.model.penalty, data, glm=left)
    return meet(left, replace(reading, fit=_handed(reading.fit, wanted, strict, keep_data)))


@checked_keywords
def network(
    formula: str,
    data: Any,
    family: Any = None,
    link: Any = None,
    *,
    network: Any = None,
    inputs: Any = None,
    loss: Any = None,
    optimizer: Any = None,
    activation: str | None = None,
    train: str | None = "irls",
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    momentum: float | None = None,
    validation: float | None = None,
    patience: int | None = None,
    prior_weights: Any = None,
    freq_weights: Any = None,
    trials: Any = None,
    offset: Any = None,
    exposure: Any = None,
    event: Any = None,
    base: Any = None,
    penalty: Any = None,
    missing: str = "drop",
    functions: Mapping[str, Callable[..., Any]] | None = None,
    start: Any = None,
    max_steps: int = 50,
    tol: float = 1e-9,
    random_state: Any = None,
    progress: bool = False,
    strict: bool = False,
    keep_data: bool = True,
) -> Fit:
    """The network alone: a `Fit` with `weights()`, `forward(data)`, `layers()`, `gradient()`, `information()`.

    Parameters
    ----------
    formula, data, family, link, network, inputs, loss, optimizer, activation : as in `bridge`, like all not
        named here
    train : "irls" fits the one unit that the formula's GLM is, by Newton's method; a learner's name
        trains; None evaluates the network as it is at `start`. A `network` or `inputs` that are given
        without a learner are evaluated at `start` too
    start : the network's weights, in the order of its entries or by their names

    Returns
    -------
    Fit

    Examples
    --------
    >>> import glmnet_bridge as gb
    >>> data = {"y": [0, 1, 0, 1, 1, 0, 1, 1], "x": [0.0, 1, 2, 3, 4, 5, 6, 7]}
    >>> net = gb.network("y ~ x", data, start=[0.0, 0.0], train=None)
    >>> net.gradient().to_dict()
    {'bias': 1.0, 'kernel[x]': 7.0}
    """
    from glmnet_bridge.readings import extended, family_of, read, wish

    check_flags(strict=strict, keep_data=keep_data, progress=progress)
    wanted = wish(
        network, inputs, activation, train, start, train is None, functions, loss, optimizer,
        epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, momentum=momentum,
        validation=validation, patience=patience, random_state=random_state, progress=progress,
    )  # fmt: skip
    chosen = family_of(wanted, family, link)
    _only_log(chosen, exposure)
    recipe, sample = samples.learn(
        extended(formula, data, wanted, functions), data, support=chosen.distribution.support,
        event=event, base=base, trials=trials, prior_weights=prior_weights, freq_weights=freq_weights, offset=offset,
        exposure=exposure, missing=missing, functions=functions,
    )  # fmt: skip
    if wanted.shared:
        kept, limits = data if keep_data else None, Limits(tol, max_steps)
        return _fitted(recipe.design.names, chosen, recipe, sample, penalty, start, limits, strict, kept)
    found = read(wanted, recipe, sample, chosen, penalties.given(penalty), data, glm=None).fit
    return _handed(found, wanted, strict, keep_data)


def _handed(found: Fit, wanted: Wish, strict: bool, keep_data: bool) -> Fit:
    """A network as the caller wants it: with or without its data, or not at all where training did not converge."""
    if strict and wanted.training is not None and not found.converged:
        raise FitError(found.estimate.note)
    return found if keep_data else replace(found, data=None)


@checked_keywords
def fit(
    X: Any,
    y: Any,
    family: Any = "binomial",
    link: Any = None,
    *,
    names: Any = None,
    intercept: bool = True,
    prior_weights: Any = None,
    freq_weights: Any = None,
    trials: Any = None,
    offset: Any = None,
    exposure: Any = None,
    event: Any = None,
    base: Any = None,
    penalty: Any = None,
    bias_reduction: str | None = None,
    start: Any = None,
    max_steps: int = 50,
    tol: float = 1e-9,
    strict: bool = False,
) -> Fit:
    """Fit arrays without a formula; X `(n, q)` is read as it lies and never copied.

    An intercept is added unless `intercept=False`. The other arguments are those of `glm`, with
    one number per row in the place of column names.

    Examples
    --------
    >>> import glmnet_bridge as gb
    >>> import numpy as np
    >>> fit = gb.fit(np.arange(8.0), [0, 1, 0, 1, 1, 0, 1, 1], names=["x"])
    >>> fit.params.round(4).to_dict()
    {'Intercept': -0.7822, 'x': 0.398}
    """
    check_flags(intercept=intercept, strict=strict)
    chosen = families.named(family, link)
    _only_log(chosen, exposure)
    matrices.check_order(X, y, chosen.distribution.support == "binomial")
    source, index, found, named = matrices.as_source(X, names, intercept)
    if not source.n or not (intercept or found):
        raise DataError(f"X has no {'rows' if not source.n else 'columns, and there is no intercept'}.")
    y, prior_weights, freq_weights, trials, offset, exposure = (
        matrices.beside(X, value) for value in (y, prior_weights, freq_weights, trials, offset, exposure)
    )
    response, values, counts = responses.from_array(
        y, index, support=chosen.distribution.support, event=event, base=base, trials=trials
    )
    total = matrices.combined_offset(offset, exposure, index)
    if total is not None and chosen.joint:
        raise ArgumentError(samples.no_offset())
    columns = ((matrices.CONSTANT,) if intercept else ()) + found
    recipe = matrices.MatrixRecipe(columns, response, intercept, total is not None, named)
    sample = samples.Sample(
        source=source,
        response=values,
        trials=counts,
        prior_weights=None if prior_weights is None else arguments.number("prior_weights", prior_weights, index),
        freq_weights=None if freq_weights is None else arguments.number("freq_weights", freq_weights, index),
        offset=total,
        index=index,
        kept=None,
        dropped={},
        n_read=len(index),
    )
    limits = Limits(tol, max_steps)
    return _fitted(recipe.names, chosen, recipe, sample, penalty, start, limits, strict, None, bias_reduction)


def _only_log(family: Family, exposure: Any) -> None:
    if exposure is not None and family.link.name != "log":
        raise ArgumentError(
            f"exposure= is for the log link, where it multiplies the mean; this is the {family.link.name} link. "
            "Use offset= for a known part of the linear predictor."
        )


def _fitted(
    names: tuple[str, ...],
    family: Family,
    recipe: Any,
    sample: samples.Sample,
    penalty: Any,
    start: Any,
    limits: Limits,
    strict: bool,
    data: Any,
    bias_reduction: Any = None,
) -> Fit:
    outputs = recipe.response.outputs
    decay = penalties.given(penalty)
    reduction = "" if bias_reduction is None else reductions.given(bias_reduction, family, decay)
    model = Model(names, single_unit(names, outputs), family, decay, outputs, reduction)
    rows = rows_of(sample)
    counted = sample.freq_weights
    nobs = float(sample.n) if counted is None else float(counted.sum())
    found = estimate(model, rows, start=start, limits=limits, nobs=nobs, counts=counted)
    fitted = Fit(found, recipe, sample, data)
    speak(fitted, strict)
    return fitted
