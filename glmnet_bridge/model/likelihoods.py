"""From the kernel's sum to the full log-likelihood: constants and dispersion, by R's conventions.

    log-likelihood = saturated(dispersion) + (sum of l) / dispersion

The kernels measure every row against the saturated model. The constants below are those
of `stats::logLik` in R: the Gaussian dispersion is deviance / n, for gamma and inverse
Gaussian it is deviance / sum of weights, and each counts as one parameter in AIC and BIC.
A binomial row of m trials carries its binomial coefficient; m single rows do not, so that
grouped and long data have different log-likelihoods (and the same deviance differences).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from glmnet_bridge.model.families import Distribution

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Observed:
    """The response with its weights, one entry a row.

    Attributes
    ----------
    y : (n,) response; a proportion for binomial
    trials : (n,) number of trials, or None
    prior : (n,) prior weights, or None
    freq : (n,) frequency weights: the row stands for so many equal rows; or None
    """

    y: Array
    trials: Array | None = None
    prior: Array | None = None
    freq: Array | None = None

    @property
    def weights(self) -> Array:
        """(n,) what multiplies the kernel: the product of all three."""
        total: Array | None = None
        for each in (self.prior, self.freq, self.trials):
            if each is not None:
                total = each if total is None else total * each
        return np.ones(len(self.y)) if total is None else np.asarray(total, dtype=float)

    @property
    def nobs(self) -> float:
        """Rows with positive weight, each counted as often as its frequency weight says."""
        if self.prior is None and self.freq is None and self.trials is None:
            return float(len(self.y))
        counts = np.ones(len(self.y)) if self.freq is None else self.freq
        return float(counts[self.weights > 0].sum())


def likelihood_dispersion(distribution: Distribution, observed: Observed, deviance: float) -> float:
    """The dispersion inside the log-likelihood: 1, or its (R's) maximum-likelihood value."""
    if not distribution.free_dispersion:
        return 1.0
    if distribution.name == "gaussian":
        return deviance / observed.nobs
    return deviance / float(_row_weights(observed).sum())


def saturated(distribution: Distribution, observed: Observed, dispersion: float) -> float:
    """Log-likelihood of the saturated model at this dispersion; inf where the dispersion is 0."""
    y, w = observed.y, _row_weights(observed)
    if w.min(initial=1.0) <= 0:
        keep = w > 0
        observed = Observed(y[keep], *(None if a is None else a[keep] for a in _parts(observed)))
        y, w = observed.y, w[keep]
    if distribution.free_dispersion and dispersion <= 0:
        return np.inf
    return float(np.sum(_SATURATED[distribution.name](y, w, observed, dispersion)))


def _parts(observed: Observed) -> tuple[Array | None, Array | None, Array | None]:
    return observed.trials, observed.prior, observed.freq


def _row_weights(observed: Observed) -> Array:
    """(n,) weights of a row's log-density: trials are inside the density, so they do not count."""
    return Observed(observed.y, None, observed.prior, observed.freq).weights


def peak(x: Array) -> Array:
    """`x log x - x - log x!` for x >= 0, also real: the log-probability of x in a Poisson distribution of mean x.

    The terms cancel for large x; there it is Stirling's series, `-log(2 pi x) / 2 - 1/(12 x) + ...`
    (Loader 2000, Fast and accurate computation of binomial probabilities).
    """
    x = np.asarray(x, dtype=float)
    large = x > 15.0
    inverse = 1.0 / np.where(large, x, 1.0)
    square = inverse * inverse
    error = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188))))
    stirling = -0.5 * np.log(2.0 * np.pi * np.where(large, x, 1.0)) - error
    few = np.where(large, 0.0, x)
    return np.where(large, stirling, scipy.special.xlogy(few, few) - few - scipy.special.gammaln(few + 1.0))


def _binomial(y: Array, w: Array, observed: Observed, dispersion: float) -> Array:
    if observed.trials is None:
        return np.zeros_like(y)  # a single yes or no: no coefficient, no entropy
    m = observed.trials
    return w * (peak(m * y) + peak(m * (1.0 - y)) - peak(m))


def _multinomial(y: Array, w: Array, observed: Observed, dispersion: float) -> Array:
    return np.zeros_like(y)  # every row is of one class


def _poisson(y: Array, w: Array, observed: Observed, dispersion: float) -> Array:
    return w * peak(y)


def _gaussian(y: Array, w: Array, observed: Observed, dispersion: float) -> Array:
    rows = np.ones_like(y) if observed.freq is None else observed.freq
    prior = np.ones_like(y) if observed.prior is None else observed.prior
    return -0.5 * rows * (np.log(2 * np.pi * dispersion) - np.log(prior))


def _gamma(y: Array, w: Array, observed: Observed, dispersion: float) -> Array:
    shape = 1.0 / dispersion
    return w * (peak(np.array(shape)) + np.log(shape) - np.log(y))


def _inverse_gaussian(y: Array, w: Array, observed: Observed, dispersion: float) -> Array:
    return -0.5 * w * (np.log(2 * np.pi * dispersion) + 3.0 * np.log(y))


_SATURATED = {
    "binomial": _binomial,
    "poisson": _poisson,
    "gaussian": _gaussian,
    "gamma": _gamma,
    "inverse_gaussian": _inverse_gaussian,
    "multinomial": _multinomial,
}
