"""Maximum likelihood in 50-digit arithmetic: the definition, in mpmath, on the very floats of the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mpmath as mp
import numpy as np

mp.mp.dps = 50
Number = mp.mpf

# link: (mean, its derivative) at eta
LINKS: dict[str, Callable[[Number], tuple[Number, Number]]] = {
    "logit": lambda e: (1 / (1 + mp.exp(-e)), mp.exp(-e) / (1 + mp.exp(-e)) ** 2),
    "probit": lambda e: (mp.ncdf(e), mp.npdf(e)),
    "cloglog": lambda e: (-mp.expm1(-mp.exp(e)), mp.exp(e - mp.exp(e))),
    "loglog": lambda e: (mp.exp(-mp.exp(-e)), mp.exp(-e - mp.exp(-e))),
    "cauchit": lambda e: (mp.mpf(1) / 2 + mp.atan(e) / mp.pi, 1 / (mp.pi * (1 + e**2))),
    "log": lambda e: (mp.exp(e), mp.exp(e)),
    "identity": lambda e: (e, mp.mpf(1)),
    "inverse": lambda e: (1 / e, -1 / e**2),
    "sqrt": lambda e: (e**2, 2 * e),
    "1/mu^2": lambda e: (1 / mp.sqrt(e), -1 / (2 * e * mp.sqrt(e))),
}
VARIANCES: dict[str, Callable[[Number], Number]] = {
    "binomial": lambda m: m * (1 - m),
    "gaussian": lambda m: mp.mpf(1),
    "poisson": lambda m: m,
    "gamma": lambda m: m**2,
    "inverse_gaussian": lambda m: m**3,
}


def density(family: str, y: Number, mean: Number, dispersion: Number) -> Number:
    """Log-density of one response."""
    if family == "binomial":
        return y * mp.log(mean) + (1 - y) * mp.log(1 - mean)
    if family == "poisson":
        return y * mp.log(mean) - mean - mp.loggamma(y + 1)
    if family == "gaussian":
        return -((y - mean) ** 2) / (2 * dispersion) - mp.log(2 * mp.pi * dispersion) / 2
    if family == "gamma":
        shape = 1 / dispersion
        return shape * mp.log(shape * y / mean) - shape * y / mean - mp.log(y) - mp.loggamma(shape)
    return -((y - mean) ** 2) / (2 * dispersion * y * mean**2) - mp.log(2 * mp.pi * dispersion * y**3) / 2


@dataclass(frozen=True)
class Exact:
    """Coefficients, standard errors (Pearson dispersion) and log-likelihood (R's dispersion)."""

    coef: list[Number]
    se: list[Number]
    loglik: Number


def fit(X: np.ndarray, y: np.ndarray, family: str, link: str, start: np.ndarray, w: np.ndarray | None = None) -> Exact:
    """Fisher scoring from `start` until the step vanishes in 45 digits."""
    n, p = X.shape
    rows = [[mp.mpf(float(v)) for v in row] for row in X]
    ys = [mp.mpf(float(v)) for v in y]
    ws = [mp.mpf(1)] * n if w is None else [mp.mpf(float(v)) for v in w]
    beta = mp.matrix([mp.mpf(float(b)) for b in start])
    mean_of, variance = LINKS[link], VARIANCES[family]
    for _ in range(400):
        means = [mean_of(mp.fsum(x * b for x, b in zip(row, beta, strict=True))) for row in rows]
        score, info = mp.matrix(p, 1), mp.matrix(p, p)
        for row, yi, wi, (m, d) in zip(rows, ys, ws, means, strict=True):
            u, v = wi * (yi - m) * d / variance(m), wi * d * d / variance(m)
            for j in range(p):
                score[j] += row[j] * u
                for k in range(j + 1):
                    info[j, k] += row[j] * row[k] * v
        for j in range(p):
            for k in range(j):
                info[k, j] = info[j, k]
        step = mp.lu_solve(info, score)
        beta += step
        if (step.T * info * step)[0] < mp.mpf(10) ** -88:
            break
    else:
        raise AssertionError("the exact fit did not converge")
    return _finish(rows, ys, ws, beta, family, link)


def _finish(rows: list, ys: list, ws: list, beta: mp.matrix, family: str, link: str) -> Exact:
    p, n = len(beta), len(ys)
    mean_of, variance = LINKS[link], VARIANCES[family]
    means = [mean_of(mp.fsum(x * b for x, b in zip(row, beta, strict=True))) for row in rows]
    info = mp.matrix(p, p)
    for row, wi, (m, d) in zip(rows, ws, means, strict=True):
        v = wi * d * d / variance(m)
        for j in range(p):
            for k in range(p):
                info[j, k] += row[j] * row[k] * v
    free = family not in ("binomial", "poisson")
    chi2 = mp.fsum(wi * (yi - m) ** 2 / variance(m) for yi, wi, (m, _) in zip(ys, ws, means, strict=True))
    pearson = chi2 / (n - p) if free else mp.mpf(1)
    inverse = info**-1
    se = [mp.sqrt(inverse[j, j] * pearson) for j in range(p)]
    scale = mp.mpf(1)
    if free:
        deviance = 2 * mp.fsum(
            wi * (_saturated(family, yi) - _unit(family, yi, m)) for yi, wi, (m, _) in zip(ys, ws, means, strict=True)
        )
        scale = deviance / (n if family == "gaussian" else mp.fsum(ws))
    if family == "gaussian":
        terms = [density(family, yi, m, scale / wi) for yi, wi, (m, _) in zip(ys, ws, means, strict=True)]
    else:
        terms = [wi * density(family, yi, m, scale) for yi, wi, (m, _) in zip(ys, ws, means, strict=True)]
    return Exact(list(beta), se, mp.fsum(terms))


def _unit(family: str, y: Number, m: Number) -> Number:
    """Log-likelihood of one row at dispersion 1, up to terms of y."""
    if family == "gaussian":
        return -((y - m) ** 2) / 2
    if family == "gamma":
        return -mp.log(m) - y / m
    return -((y - m) ** 2) / (2 * y * m**2)


def _saturated(family: str, y: Number) -> Number:
    return _unit(family, y, y)


def digits(ours: object, exact: object) -> float:
    """Correct significant digits of the worst entry."""
    worst = max(
        (abs(mp.mpf(float(a)) - b) / abs(b) for a, b in zip(ours, exact, strict=True)),  # type: ignore[call-overload]
        default=mp.mpf(0),
    )
    return 17.0 if worst == 0 else float(-mp.log10(worst))
