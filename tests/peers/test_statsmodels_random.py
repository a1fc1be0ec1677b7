"""Random fits beside statsmodels: every family and link, with weights, trials, offsets and columns of many sizes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.tools.sm_exceptions import ConvergenceWarning, DomainWarning

import glmnet_bridge as gb
from glmnet_bridge.model import families

Array = np.ndarray

LINKS = sm.families.links
THEIRS = {
    "logit": LINKS.Logit,
    "probit": LINKS.Probit,
    "cloglog": LINKS.CLogLog,
    "loglog": LINKS.LogLog,
    "cauchit": LINKS.Cauchy,
    "log": LINKS.Log,
    "identity": LINKS.Identity,
    "inverse": LINKS.InversePower,
    "sqrt": LINKS.Sqrt,
    "1/mu^2": LINKS.InverseSquared,
}
FAMILIES = {
    "binomial": sm.families.Binomial,
    "gaussian": sm.families.Gaussian,
    "poisson": sm.families.Poisson,
    "gamma": sm.families.Gamma,
    "inverse_gaussian": sm.families.InverseGaussian,
}
# linear predictors well inside the link's domain, so that the maximum lies there too
RANGES = {
    ("binomial", "log"): (-3.0, -1.2),
    ("binomial", "identity"): (0.25, 0.75),
    "identity": (1.0, 5.0),
    "inverse": (0.5, 2.0),
    "1/mu^2": (0.5, 2.0),
    "sqrt": (1.0, 3.0),
}
FITS = 20  # of each family and link


@dataclass(frozen=True)
class Data:
    """Columns with the constant `(n, p)`, response, and what goes along with each row (None: nothing)."""

    X: Array
    y: Array
    weights: dict[str, Array]
    trials: Array | None
    offset: Array | None


def draw(random: np.random.Generator, name: str, link: str) -> Data:
    """Rows whose means come from some linear predictor."""
    n, p = int(random.integers(60, 250)), int(random.integers(1, 5))
    low, high = RANGES.get((name, link), RANGES.get(link, (-1.0, 1.0)))
    X = random.uniform(size=(n, p))
    level = random.random(p) < 0.3
    X[:, level] = X[:, level] > 0.5
    share = random.dirichlet(np.ones(p + 1))  # the last one is that of the offset
    eta = low + (high - low) * (X @ share[:p])
    offset = None
    if random.random() < 0.5:
        offset = (high - low) * share[p] * random.uniform(size=n)
        eta = eta + offset
    trials = random.integers(1, 9, n) if name == "binomial" and random.random() < 0.5 else None
    mean = families.named(name, link).mean(eta)
    weights = {}
    if random.random() < 0.6:
        kind = random.choice(["prior_weights", "freq_weights"])
        weights = {kind: random.integers(1, 5, n).astype(float)}
        if kind == "prior_weights":
            weights = {kind: 10.0 ** random.uniform(-1, 1, n)}
    units = 10.0 ** random.integers(-3, 4, p)
    return Data(np.column_stack([np.ones(n), X * units]), response(random, name, mean, trials), weights, trials, offset)


def response(random: np.random.Generator, name: str, mean: Array, trials: Array | None) -> Array:
    if name == "binomial":
        m = np.ones(len(mean), int) if trials is None else trials
        return random.binomial(m, mean) / m
    if name == "poisson":
        return random.poisson(mean).astype(float)
    if name == "gaussian":
        return mean + 0.2 * random.normal(size=len(mean))
    return random.gamma(6.0, mean / 6.0) if name == "gamma" else random.wald(mean, 20.0)


def both(data: Data, name: str, link: str):
    """Our fit and statsmodels', or None where statsmodels fails or stops short of its maximum."""
    ours = gb.fit(data.X, data.y, name, link, intercept=False, trials=data.trials, offset=data.offset, **data.weights)
    given = {kind.replace("prior", "var"): value for kind, value in data.weights.items()}
    y = data.y if data.trials is None else np.column_stack([data.y, 1.0 - data.y]) * data.trials[:, None]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DomainWarning)  # statsmodels calls its own default links unsafe
        warnings.simplefilter("ignore", ConvergenceWarning)  # the fit says so, too
        model = sm.GLM(y, data.X, family=FAMILIES[name](THEIRS[link]()), offset=data.offset, **given)
        try:
            theirs = model.fit(tol=1e-14, rtol=1e-11, tol_criterion="params", maxiter=300)
        except (ValueError, np.linalg.LinAlgError):
            return ours, None
    return ours, theirs if theirs.converged else None


def loglik(theirs, data: Data, deviance: float) -> float:
    """statsmodels' log-likelihood at its means and R's dispersion, deviance / n."""
    given = {kind.replace("prior", "var"): value for kind, value in data.weights.items()}
    known = theirs.model.family.__class__ in (sm.families.Binomial, sm.families.Poisson)
    n = data.weights.get("freq_weights", np.ones(len(data.y))).sum()
    mean = theirs.fittedvalues
    return theirs.model.family.loglike(theirs.model.endog, mean, scale=1.0 if known else deviance / n, **given)


@pytest.mark.slow
# statsmodels fits several classes by another class, beside which they stand in tests/references
@pytest.mark.parametrize(("name", "link"), [key for key in families.KERNELS if key[0] != "multinomial"], ids=str)
def test_same_fits(name: str, link: str) -> None:
    """Both are at rounding error of the maximum; statsmodels' goes through the mean and stops on its last step.

    Its steps are those of Fisher scoring, which converge only linearly where the link is not
    canonical: coefficients that still move by 1e-11 of themselves can be 1e-8 standard errors off.
    """
    compared = 0
    for seed in range(FITS):
        data = draw(np.random.default_rng([seed, *map(ord, name + link)]), name, link)
        ours, theirs = both(data, name, link)
        assert ours.outcome in ("converged", "boundary")
        if theirs is None or ours.outcome == "boundary":
            continue
        compared += 1
        error = ours.bse.to_numpy()
        assert (np.abs(ours.params.to_numpy() - theirs.params) / error).max() < 1e-7, seed
        assert np.abs(theirs.bse / error - 1.0).max() < 1e-7, seed
        assert ours.deviance == pytest.approx(theirs.deviance, rel=1e-12), seed
        assert ours.pearson_chi2 == pytest.approx(theirs.pearson_chi2, rel=1e-8), seed
        # R, and we, take the prior weights of a gamma or inverse Gaussian likelihood for repetitions
        if name not in ("gamma", "inverse_gaussian") or "prior_weights" not in data.weights:
            assert ours.llf == pytest.approx(loglik(theirs, data, ours.deviance), rel=1e-10, abs=1e-10), seed
    assert compared >= 0.9 * FITS
