"""Checkups: one look at all that can be wrong with a fit, with what to do.

Each check is a function from a fit to a `Finding`; what cannot be asked of a fit is a note that says why. The
limits are the usual ones and stand here in sight.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from glmnet_bridge import diagnostics
from glmnet_bridge.errors import BridgeError, BridgeWarning, listed
from glmnet_bridge.report.findings import Finding, Findings

UNLIKELY, RARE = 0.05, 0.01  # p-values of a note and of a problem
RATIO = 1.2  # a dispersion that is worth a correction of the standard errors
ROOT5, ROOT10 = 5**0.5, 10**0.5  # how many times wider intervals are: variance inflation 5 and 10
COOK, FAR_COOK = 0.5, 1.0
EVENTS, ROWS = 10, 5  # per coefficient
MANY = 20_000  # rows beyond which a test finds what does not matter


def check(fit: Any) -> Findings:
    """All findings about a fit."""
    events = fit.family.joint or fit.family.distribution.support == "binomial"
    found = tuple(_asked(name, look, fit) for name, look in CHECKS.items() if events or look is not _calibration)
    return Findings(fit.modelled, found)


def _asked(name: str, look: Callable[[str, Any], Finding], fit: Any) -> Finding:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BridgeWarning)  # what they say is a finding of its own here
            return look(name, fit)
    except BridgeError as error:
        return Finding(name, "note", f"Not checked. {error}")


def _optimum(name: str, fit: Any) -> Finding:
    if fit.estimate.separation is not None:
        return Finding(name, "note", "There is no finite maximum of the likelihood: see separation.")
    if fit.converged:
        return Finding(name, "ok", f"At the maximum, {fit.distance_to_mle:.1g} standard errors away.")
    return Finding(
        name, "problem", f"The fit ended as '{fit.outcome}', {fit.distance_to_mle:.3g} standard errors away.",
        "Standard errors and tests hold at the maximum only: raise max_steps, or use gb.glm.",
    )  # fmt: skip


def _separation(name: str, fit: Any) -> Finding:
    found = fit.estimate.separation
    if found is None:
        return Finding(name, "ok", "Every coefficient has a finite estimate.")
    status = fit.separation
    infinite = [f"{term} ({word})" for term, word in status.items() if word not in ("finite", "aliased")]
    return Finding(
        name, "problem", f"Infinite estimates: {listed(infinite)}.",
        "Wald limits and tests do not exist for them. Drop or merge these levels, or use a fit that keeps them finite "
        "(bias reduction, a penalty).",
    )  # fmt: skip


def _aliasing(name: str, fit: Any) -> Finding:
    if not fit.aliased:
        return Finding(name, "ok", "No column is a combination of others.")
    equations = [f"{column} = {text}" for column, text in fit.aliased.items()]
    return Finding(name, "note", f"Left out: {listed(equations, 3)}.", "Take these terms out of the formula.")


def _collinearity(name: str, fit: Any) -> Finding:
    found = diagnostics.vif(fit).dropna()
    if len(found) < 2:
        return Finding(name, "ok", "There are fewer than two terms.")
    worst = found.loc[found["gvif_root"].idxmax()]
    text = f"Intervals are at most {worst['gvif_root']:.3g} times wider for the other terms ({worst['term']})."
    if worst["gvif_root"] < ROOT5:
        return Finding(name, "ok", text)
    status = "problem" if worst["gvif_root"] >= ROOT10 else "note"
    return Finding(
        name, status, text, "Its coefficient is known poorly; predictions are not hurt. Test such terms jointly."
    )


def _size(name: str, fit: Any) -> Finding:
    coefficients = max(sum(state != "aliased" for state in fit.separation) - ("Intercept" in fit.names), 1)
    if fit.family.distribution.support != "binomial":
        each = fit.nobs / coefficients
        text = f"{each:.3g} observations per coefficient."
        return Finding(
            name, "ok" if each >= ROWS else "note", text, "" if each >= ROWS else "Limits and tests are rough."
        )
    y, weights = fit.rows.response[:, 0], fit.rows.weights
    each = float(min(weights @ y, weights @ (1.0 - y))) / coefficients
    text = f"{each:.3g} of the rarer outcome per coefficient."
    if each >= EVENTS:
        return Finding(name, "ok", text)
    return Finding(
        name, "note", text, f"With fewer than {EVENTS} estimates are biased away from 0, and Wald limits are rough."
    )


def _dispersion(name: str, fit: Any) -> Finding:
    if not fit.family.joint and fit.family.distribution.free_dispersion:
        return Finding(name, "ok", f"Estimated: {fit.dispersion:.4g}.")
    if diagnostics.of_single_events(fit):
        return Finding(name, "ok", "A single yes or no cannot vary more than its mean says.")
    found = diagnostics.overdispersion(fit).iloc[0]
    text = f"Pearson's chi2 / df = {found['dispersion']:.3g} (p = {found['p_value']:.2g})."
    if found["p_value"] < RARE and found["dispersion"] > RATIO:
        return Finding(
            name, "problem", text,
            "Standard errors are too small by its root: use a quasi or negative binomial family, or robust errors.",
        )  # fmt: skip
    if found["dispersion"] < 1 / RATIO and fit.df_resid > 30:
        return Finding(name, "note", text, "Less variation than the family says: standard errors are too large.")
    return Finding(name, "note" if found["p_value"] < UNLIKELY else "ok", text)


def _influence(name: str, fit: Any) -> Finding:
    found = diagnostics.influence(fit, None, False)
    cooks = found["cooks"].dropna()
    whole = found.index[found["hat"] == 1.0]
    if len(whole):
        return Finding(
            name, "note", f"Rows with leverage 1, fitted exactly by a coefficient of their own: {listed(list(whole))}.",
            "Merge the level or leave out the term that only this row has.",
        )  # fmt: skip
    if not len(cooks):
        return Finding(name, "note", "No row has a Cook's distance.")
    largest = cooks.nlargest(5)
    text = f"The largest Cook's distance is {largest.iloc[0]:.3g} (row {largest.index[0]})."
    if largest.iloc[0] <= COOK:
        return Finding(name, "ok", text)
    status = "problem" if largest.iloc[0] > FAR_COOK else "note"
    rows = listed(list(largest.index[largest > COOK]))
    return Finding(name, status, text, f"Look at these rows, and fit without them to see what changes: {rows}.")


def _calibration(name: str, fit: Any) -> Finding:
    found = diagnostics.hosmer_lemeshow(fit, None, 10, None, None).iloc[0]
    if not found["df"] > 0:
        return Finding(name, "ok", "There are too few different probabilities to compare.")
    text = f"Hosmer-Lemeshow chi2 = {found['chi2']:.3g} on {found['df']:.0f} df (p = {found['p_value']:.2g})."
    return Finding(
        name, *_judged(fit, found["p_value"], text, "See fit.plot.calibration() and add curves or interactions.")
    )


def _link(name: str, fit: Any) -> Finding:
    p_value = float(diagnostics.link_test(fit)["p_value"].iloc[-1])
    text = f"The square of the linear predictor: p = {p_value:.2g} (link {fit.family.link.name})."
    return Finding(name, *_judged(fit, p_value, text, "Try another link, a curve (bs, poly) or a missing interaction."))


def _judged(fit: Any, p_value: float, text: str, action: str) -> tuple[str, str, str]:
    """With very many rows a small p-value may mean nothing of weight: then it is a note."""
    if not p_value < UNLIKELY:
        return "ok", text, ""
    if p_value < RARE and fit.nobs <= MANY:
        return "problem", text, action
    return "note", text, action


CHECKS: dict[str, Callable[[str, Any], Finding]] = {
    "optimum": _optimum,
    "separation": _separation,
    "aliasing": _aliasing,
    "collinearity": _collinearity,
    "sample size": _size,
    "dispersion": _dispersion,
    "influence": _influence,
    "calibration": _calibration,
    "link": _link,
}
