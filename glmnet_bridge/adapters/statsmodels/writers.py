"""statsmodels, written: a fit as the `GLMResults` that statsmodels itself would have returned, without fitting again.

The model is statsmodels' own GLM, over the formula where patsy makes the same columns of it (so that
`predict` takes frames), else over the design matrix with its names. Coefficients, covariance, dispersion
and the history of the steps are the fit's; all else statsmodels computes from them, in its own ways:
its p-values are normal, its response residuals of trials count successes, and its likelihood of a gamma
or inverse Gaussian fit is at Pearson's dispersion.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import patsy

from glmnet_bridge.adapters.writing.exports import apart, check, compare, hand, judged, terms_of
from glmnet_bridge.adapters.writing.records import written
from glmnet_bridge.data import frames
from glmnet_bridge.design.functions import BARE
from glmnet_bridge.errors import ArgumentError, listed
from glmnet_bridge.fitting import covariances
from glmnet_bridge.mapping.inputs import dense
from glmnet_bridge.model.networks import fold

Array = np.ndarray

FAMILIES = {
    "binomial": "Binomial",
    "gaussian": "Gaussian",
    "poisson": "Poisson",
    "gamma": "Gamma",
    "inverse_gaussian": "InverseGaussian",
}
LINKS = {
    "logit": "Logit",
    "probit": "Probit",
    "cloglog": "CLogLog",
    "loglog": "LogLog",
    "cauchit": "Cauchy",
    "log": "Log",
    "identity": "Identity",
    "inverse": "InversePower",
    "sqrt": "Sqrt",
    "1/mu^2": "InverseSquared",
}
SAME = 1e-12  # of a column, relative


def to_statsmodels(fit: Any) -> Any:
    """A `GLMResultsWrapper`; what is known of it is its attribute `written`.

    Raises
    ------
    ArgumentError
        for hidden units, infinite coefficients, and a penalty, of which a `GLMResults` knows nothing
    FitError
        where its means are not those of the fit
    """
    check(fit)
    if fit.estimate.model.penalty.strength:
        raise ArgumentError(
            "A GLMResults knows no penalty: its tests and information criteria would be of another estimate. Fit "
            "without penalty=, or use to_sklearn(), to_torch(), to_keras() or to_onnx(), which hold coefficients only."
        )
    model, spec = _model(fit)
    result = _result(fit, model)
    result.written = written(fit, terms_of(fit), _differences(fit, result, spec is not None), notes=_notes(fit, spec))
    return result


# --- the model ------------------------------------------------------------------------------------


def _model(fit: Any) -> tuple[Any, Any]:
    """statsmodels' model on the rows of the fit, and patsy's design where it is that of the fit."""
    import statsmodels.api as sm

    sample = fit.sample
    names = [name for name, state in zip(fit.names, covariances.states(fit.estimate), strict=True) if state == "finite"]
    exog = pd.DataFrame(dense(sample.source, 0, sample.n), index=sample.index, columns=list(fit.names))
    spec, frame = _by_formula(fit, exog) if len(names) == len(fit.names) else (None, None)
    links = sm.families.links
    made = getattr(links, LINKS[fit.family.link.name])()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of links that do not keep the mean in its range: the fit has said so
        model = sm.GLM(
            _endog(fit),
            exog[names],
            family=getattr(sm.families, FAMILIES[fit.family.name])(link=made),
            offset=None if sample.offset is None else sample.offset[:, 0],
            var_weights=sample.prior_weights,
            freq_weights=sample.freq_weights,
        )
    if spec is not None:
        _remember(model, spec, frame)
    return model, spec


def _remember(model: Any, spec: Any, frame: pd.DataFrame) -> None:
    """What `from_formula` leaves behind, by which new frames are read, and pickled models find their design again."""
    import statsmodels

    y = np.asarray(model.data.orig_endog, dtype=float).reshape(len(frame), -1)
    names = [model.endog_names] if isinstance(model.endog_names, str) else list(model.endog_names)
    left = " + ".join(name if name.isidentifier() else f"Q({name!r})" for name in names)
    model.formula = model.data.formula = f"{left} ~ {spec.describe()}"
    model.data.frame = frame.assign(**dict(zip(names, y.T, strict=True)))
    version = tuple(int(part) for part in statsmodels.__version__.split(".")[:2])
    setattr(model.data, "model_spec" if version >= (0, 15) else "design_info", spec)


def _endog(fit: Any) -> Any:
    """The response; of trials as successes and failures."""
    sample, name = fit.sample, fit.recipe.response.name
    y = sample.response[:, 0]
    if sample.trials is None:
        return pd.Series(y, index=sample.index, name=name)
    successes = np.rint(y * sample.trials)
    return pd.DataFrame({"successes": successes, "failures": sample.trials - successes}, index=sample.index)


def _by_formula(fit: Any, exog: pd.DataFrame) -> tuple[Any, Any]:
    """patsy's design and the frame it reads, or None where it makes other columns or none."""
    design = getattr(fit.recipe, "design", None)
    if design is None or fit.data is None or len(design.names) != len(fit.names):
        return None, None
    read = sorted(frozenset().union(*(each.expression.names for each in design.learnt.values())))
    frame = frames.as_frame(fit.data, read)
    frame = _trimmed(frame if fit.sample.kept is None else frame.iloc[fit.sample.kept])
    terms = [term.name() for term in design.formula.terms if term.factors]
    text = " + ".join(terms if design.has_intercept and terms else ["1" if design.has_intercept else "0", *terms])
    known: Mapping[str, Any] = {**BARE, "np": np, **design.formula.functions}
    try:
        made = patsy.dmatrix(text, frame, eval_env=patsy.EvalEnvironment([known]), NA_action="raise")
    except Exception:  # whatever patsy's reading of our text raises: the matrix serves as well
        return None, None
    if made.shape != exog.shape or made.design_info.column_names != list(exog.columns):
        return None, None
    ours = exog.to_numpy()
    close = np.abs(np.asarray(made) - ours).max(axis=0) <= SAME * np.abs(ours).max(axis=0)
    return (made.design_info, frame) if close.all() else (None, None)


def _with_levels(frame: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Categories as they are known."""
    return frame.assign(
        **{
            name: frame[name].cat.set_categories(known[name].cat.categories)
            for name, kind in frame.dtypes.items()
            if isinstance(kind, pd.CategoricalDtype)
        }
    )


def _trimmed(frame: pd.DataFrame) -> pd.DataFrame:
    """Without levels that no row has: the fit has no column for them."""
    kinds = frame.dtypes.items()
    trimmed = {
        name: frame[name].cat.remove_unused_categories()
        for name, kind in kinds
        if isinstance(kind, pd.CategoricalDtype)
    }
    return frame.assign(**trimmed)


# --- the result -------------------------------------------------------------------------------------


def _result(fit: Any, model: Any) -> Any:
    """What `GLM.fit` leaves behind, from the fit's own numbers."""
    from statsmodels.genmod.generalized_linear_model import GLMResults, GLMResultsWrapper

    finite = np.array([state == "finite" for state in covariances.states(fit.estimate)])
    params = covariances.representer(fit.estimate)[finite]
    covariance = covariances.covariance(fit.estimate)[np.ix_(finite, finite)]
    model.mu = fit.fittedvalues.to_numpy()
    model.scale = float(fit.dispersion)
    model.weights = model.iweights * model.n_trials * model.family.weights(model.mu)
    result = GLMResults(model, params, covariance, model.scale)
    result.method = "IRLS"
    result.mle_settings = {"wls_method": "glmnet_bridge", "optimizer": "IRLS"}
    result.fit_history = _history(fit, finite)
    result.converged = bool(fit.converged)
    return GLMResultsWrapper(result)


def _history(fit: Any, finite: Array) -> dict[str, Any]:
    """The steps in statsmodels' form: before the first one there is infinity."""
    steps, network = fit.estimate.trace.steps, fit.estimate.model.network
    params = [fold(network, step.theta)[finite, 0] for step in steps]
    return {
        "params": [np.inf, *params],
        "deviance": [np.inf, *(-2.0 * step.loglik for step in steps)],
        "iteration": len(steps) - 1,
    }


def _notes(fit: Any, spec: Any) -> tuple[str, ...]:
    found = []
    if fit.aliased:
        found.append(
            f"{listed(list(fit.aliased))} {'are' if len(fit.aliased) > 1 else 'is'} left out, being a combination of "
            "other columns."
        )
    if spec is None:
        found.append("The model is one of the design matrix: predict takes its columns, by position.")
    elif fit.recipe.design.unused:
        unused = [f"{name} ({listed(list(levels))})" for name, levels in fit.recipe.design.unused.items()]
        found.append(f"Levels without rows are unknown to it: {listed(unused)}; predict wants frames without them.")
    if fit.sample.offset is not None:
        found.append(
            "Offsets and the logarithm of an exposure are in offset=, which predict takes for new rows; "
            "get_prediction() leaves them out unless given, as ever in statsmodels."
        )
    return tuple(found)


def _differences(fit: Any, result: Any, by_formula: bool) -> tuple[float, float]:
    """Largest relative differences of the means: on the rows, on random ones."""
    if by_formula and fit.recipe.design.variables:
        handed = hand(fit, elementary=False)
        if handed.export.raws:
            known = result.model.data.frame

            def predicted(table: pd.DataFrame, offset: Array | None) -> Array:
                found: Array = result.predict(_with_levels(table, known), offset=offset).to_numpy()
                return found

            return compare(handed, predicted)
    draw = np.random.default_rng(0)
    exog = result.model.exog
    rows = exog[draw.integers(0, len(exog), 200)]
    random = np.array([draw.permutation(column) for column in rows.T]).T
    mean = fit.family.mean(random @ result.params.to_numpy())
    on_rows = apart(result.fittedvalues.to_numpy(), fit.fittedvalues.to_numpy())
    return judged(on_rows, apart(result.model.predict(result.params, random), mean))
