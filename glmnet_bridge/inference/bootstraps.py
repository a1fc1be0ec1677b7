"""Bootstraps: draws of the coefficients from the rows themselves.

    multiplier   theta + C sum_i (e_i - 1) s_i      e_i exponential, one for each row (or each cluster)
    case         the fit of rows (or clusters) drawn with replacement, as counts of each

The multiplier is one Newton step of the fit with random weights (the Bayesian bootstrap, to first order): one
pass over the rows for all draws, and a covariance that tends to HC0 (clusters: without their factors). Draws
depend on the seed and on the rows, not on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from glmnet_bridge.data.rows import Block, Rows
from glmnet_bridge.errors import BridgeError
from glmnet_bridge.fitting import covariances
from glmnet_bridge.fitting.estimates import Estimate, estimate
from glmnet_bridge.inference.sandwiches import Scores, cluster_sums
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import single_unit

Array = np.ndarray

TOGETHER = 64  # draws whose multipliers are held at a time


def multiplier(of: Scores, times: int, codes: Array | None, seed: int) -> Array:
    """Draws `(times, p * k)` of the coefficients by one step.

    Parameters
    ----------
    of : the scores of a fit
    times : draws
    codes : (n,) cluster of each row, or None
    seed : of the multipliers
    """
    if codes is not None:
        total = sum(
            (_multiplied(sums, np.ones(len(sums)), times, [seed, low]) for low, sums in cluster_sums(of, codes)),
            start=np.zeros((times, of.rank)),
        )
    else:

        def part(block: Block) -> Array:
            found, _, counts = of.local(block)
            return _multiplied(found, counts, times, [seed, block.start])

        total = of.rows.sum(part)
    centre = covariances.coefficients(of.estimate)
    return centre + total @ of.root.T


def _multiplied(scores: Array, counts: Array, times: int, seed: list[int]) -> Array:
    """`(times, r)` sums of scores `(m, r)`, each times an exponential variable less 1; a count is so many of these."""
    random, out = np.random.default_rng(seed), np.empty((times, scores.shape[1]))
    single = bool((counts == 1.0).all())
    for start in range(0, times, TOGETHER):
        size = min(TOGETHER, times - start), len(counts)
        drawn = random.standard_exponential(size) if single else random.standard_gamma(counts, size)
        out[start : start + size[0]] = np.dot(drawn - counts, scores)
    return out


def cases(
    found: Estimate,
    rows: Rows,
    counts: Array | None,
    codes: Array | None,
    random: np.random.Generator,
    turns: Callable[[], Iterable[int]],
) -> Array:
    """Draws `(times, p * k)`: fits of rows or clusters drawn with replacement; nan where a fit has no maximum.

    Parameters
    ----------
    found, rows : the fit
    counts : (n,) frequency weights, or None
    codes : (n,) cluster of each row, or None
    random : the generator
    turns : the numbers of the draws, one after the other
    """
    model = found.model
    whole = Model(model.columns, single_unit(model.columns, model.outputs), model.family, outputs=model.outputs)
    start = covariances.representer(found)
    often = (rows.weights > 0) * (np.ones(rows.n) if counts is None else counts)
    each = np.divide(rows.weights, often, out=np.zeros(rows.n), where=often > 0)
    draws = []
    for _ in turns():
        drawn = _drawn(often, codes, random)
        try:
            again = estimate(whole, replace(rows, weights=each * drawn), start=start, nobs=float(drawn.sum()))
        except BridgeError:  # no row of some kind was drawn
            draws.append(np.full(len(start), np.nan))
            continue
        draws.append(covariances.coefficients(again) if again.converged else np.full(len(start), np.nan))
    return np.array(draws).reshape(-1, len(start))


def _drawn(often: Array, codes: Array | None, random: np.random.Generator) -> Array:
    """How often each row `(n,)` is among as many as there were, or its cluster among as many clusters."""
    if codes is None:
        total = int(often.sum())
        return random.multinomial(total, often / often.sum()).astype(float)
    present = np.bincount(codes[often > 0], minlength=int(codes.max()) + 1) > 0
    groups = int(present.sum())
    return random.multinomial(groups, present / groups)[codes] * often
