"""Discriminations: how well scores tell events from the rest.

    AUC = P(score of an event > score of a non-event) + P(equal) / 2

Its variance is that of DeLong, DeLong and Clarke-Pearson (1988), from each row's own share of the pairs; rows of
equal score are taken together, so that ties count half and a row of m trials counts m times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray
# two linear predictors that differ by their rounding alone are one
SAME = 1e-12


@dataclass(frozen=True, slots=True)
class Scored:
    """Rows of a yes or no (or so many of so many), with what a model says of them.

    Attributes
    ----------
    y : (n,) share of events, 0 or 1 for single rows
    eta : (n,) linear predictor, by which rows are ordered
    mean : (n,) probability
    counts : (n,) how many trials a row stands for
    offset : None, or (n,) array: the part of eta that is no estimate
    """

    y: Array
    eta: Array
    mean: Array
    counts: Array
    offset: Array | None = None


@dataclass(frozen=True, slots=True)
class Steps:
    """Scores in rising order, each once.

    Attributes
    ----------
    mean : (g,) probability at each score
    events, others : (g,) counts of both kinds
    """

    mean: Array
    events: Array
    others: Array


def steps(rows: Scored) -> Steps:
    """Events and others at each score."""
    order = np.argsort(rows.eta, kind="stable")
    eta, n = rows.eta[order], rows.counts[order]
    with np.errstate(invalid="ignore"):
        gap = np.diff(eta) > SAME * np.maximum(np.abs(eta[1:]), 1.0)
        gap |= np.isinf(eta[1:]) & (eta[1:] != eta[:-1])
    starts = np.flatnonzero(np.r_[True, gap]) if len(eta) else np.zeros(0, dtype=int)
    events = n * rows.y[order]
    return Steps(rows.mean[order][starts], np.add.reduceat(events, starts), np.add.reduceat(n - events, starts))


def curve(rows: Scored) -> tuple[Array, Array, Array]:
    """Threshold, false and true positive rate `(g + 1,)` of `mean >= threshold`, from none called to all."""
    at = steps(rows)
    with np.errstate(invalid="ignore", divide="ignore"):
        true = np.r_[0.0, np.cumsum(at.events[::-1]) / at.events.sum()]
        false = np.r_[0.0, np.cumsum(at.others[::-1]) / at.others.sum()]
    return np.r_[np.inf, at.mean[::-1]], false, true


def area(rows: Scored) -> tuple[float, float]:
    """AUC and DeLong's standard error; nan where all rows are of one kind, the error where one kind has one row."""
    at = steps(rows)
    events, others = at.events.sum(), at.others.sum()
    if not (events > 0 and others > 0):
        return np.nan, np.nan
    above_others = (np.cumsum(at.others) - 0.5 * at.others) / others  # of an event: the share of others below it
    below_events = 1.0 - (np.cumsum(at.events) - 0.5 * at.events) / events
    found = float(at.events @ above_others / events)
    if not (events > 1 and others > 1):
        return found, np.nan
    spread = at.events @ (above_others - found) ** 2 / (events - 1.0) / events
    spread += at.others @ (below_events - found) ** 2 / (others - 1.0) / others
    return found, float(np.sqrt(spread))


def brier(rows: Scored) -> float:
    """Mean squared distance between probability and outcome, over single trials."""
    square = rows.y * (1.0 - rows.mean) ** 2 + (1.0 - rows.y) * rows.mean**2
    return float(rows.counts @ square / rows.counts.sum())


def tjur(rows: Scored) -> float:
    """Mean probability of the events less that of the others (Tjur 2009)."""
    events, others = rows.counts * rows.y, rows.counts * (1.0 - rows.y)
    if not (events.sum() > 0 and others.sum() > 0):
        return np.nan
    return float(events @ rows.mean / events.sum() - others @ rows.mean / others.sum())
