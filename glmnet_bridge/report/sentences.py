"""Sentences: plain values in words, one sentence or two each, an empty text where there is nothing to say.

They are the conditions under which the numbers of a document hold, and all documents say them
in the same words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from glmnet_bridge.errors import listed
from glmnet_bridge.report import numbers

_SOLVERS = {"newton": "Newton's method (IRLS)", "lbfgs": "L-BFGS", "sgd": "SGD", "adam": "Adam"}
_ENDS = {
    "converged": "converged",
    "rank deficient": "converged, with aliased columns left out (rank deficient)",
    "separated": "separated: there is no maximum; the finite part {}converged",
    "boundary": "ended on the edge of the link's domain",
    "step limit": "stopped at the step limit",
    "early stop": "stopped early",
    "diverged": "diverged",
    "interrupted": "interrupted",
    "as given": "weights as given, not fitted",
}
SETTLED = 1e-6  # standard errors from its optimum, up to which the finite part of separated data has converged
_REACHED = ("converged", "rank deficient")
_DISTANCE = re.compile(r", \S+ SE from the optimum(?: of the rows trained on)?(?: \(.* alone is \S+ SE away\))?\.")


def outcome(word: str, steps: int, method: str, distance: float, optimum: str) -> str:
    """`converged after 5 steps of Newton's method (IRLS), 3e-15 SE from the maximum of the likelihood`.

    A distance of nan stays unsaid. Away from the optimum it is called what it is, the Newton decrement.
    """
    if word == "separated" and steps < 0:
        return "separated: there is no maximum, and no coefficient is finite"
    ended = _ENDS.get(word, word)
    if word == "separated":
        ended = ended.format("has not " if distance > SETTLED else "")
    size = "" if numbers.is_missing(distance) else f"{_size(distance)} SE"
    if word in _REACHED and steps == 0:
        there = "the weights given are" if method == "none" else "the start was already"
        return f"{ended} ({there} {optimum}{f', to {size}' if size else ''})"
    if method != "none":
        ended = f"{ended} after {numbers.counted(steps, unit(method))} of {solver(method)}"
    if not size:
        return ended
    return (
        f"{ended}, {size} from {optimum}" if word in (*_REACHED, "separated") else f"{ended}, Newton decrement {size}"
    )


def _size(distance: float) -> str:
    """Three digits; none of what is rounding."""
    if distance < numbers.NOISE:
        return "less than 1e-8"
    return numbers.distance(distance) if distance < 0.001 else numbers.significant(distance, 3)


def optimum(affine: bool, penalised: bool, reduced: bool = False) -> str:
    """What a fit goes for; only where eta is affine in the weights is a maximum known to be the only one."""
    if reduced:
        return "the root of the adjusted score"
    if affine:
        return "the penalised maximum" if penalised else "the maximum of the likelihood"
    return "a local maximum of the penalised likelihood" if penalised else "a local maximum of the likelihood"


def as_given() -> str:
    """Weights that were evaluated, as asked."""
    return (
        "The weights are as given, not fitted: likelihood, standard errors and tests are those at these weights, "
        "not at the maximum of the likelihood."
    )


def without_distance(note: str) -> str:
    """A training's sentence without its distance, for a page that says another one."""
    return _DISTANCE.sub(".", note, count=1)


def unit(method: str) -> str:
    """What the steps of a solver are called."""
    return "step" if method.startswith("newton") or method == "lbfgs" else "epoch"


def solver(method: str) -> str:
    """The name that people know a solver by."""
    if method.startswith("newton on"):
        return f"Newton's method (IRLS){method.removeprefix('newton')}"
    return _SOLVERS.get(method, method)


def rows(dropped: Mapping[str, int], used: int) -> str:
    """Which rows were left out, and which columns are to blame."""
    lost = dropped.get("total", 0)
    if not lost:
        return ""
    blamed = listed([f"{name}: {numbers.count(n)}" for name, n in dropped.items() if name != "total"], 6)
    return (
        f"{numbers.count(lost)} of {numbers.counted(used + lost, 'row')} left out for missing values "
        f"({blamed}{'; a row can count twice' if sum(dropped.values()) > 2 * lost else ''})."
    )


def aliased(equations: Mapping[str, str]) -> str:
    """Columns without a coefficient of their own."""
    if not equations:
        return ""
    shown = listed([f"{name} = {equation}" for name, equation in equations.items()], 6)
    return f"Aliased columns were left out: {shown}."


def unused(levels: Mapping[str, Sequence[Any]]) -> str:
    """Declared levels that no row has."""
    if not levels:
        return ""
    shown = "; ".join(f"{factor}: {listed([str(level) for level in gone], 6)}" for factor, gone in levels.items())
    return f"Levels without a row were dropped ({shown})."


def references(levels: Mapping[str, Any]) -> str:
    """What the levels of each factor are compared with."""
    if not levels:
        return ""
    shown = "; ".join(f"{factor}: {level}" for factor, level in levels.items())
    return f"Reference level{'s' if len(levels) > 1 else ''} ({shown})."


def dispersion(value: float, free: bool, reduced: bool = False) -> str:
    """The dispersion and where it comes from, for the table of facts."""
    if not free:
        return "1 (known)"
    source = "the root of its own adjusted score" if reduced else "Pearson's chi2 / df"
    return f"{numbers.significant(value, 5)} ({source})"


def reduction(kind: str, profiled: bool) -> str:
    """A bias-reduced fit, and what that does to everything else; `profiled` says whether it maximises something."""
    what = {
        "mean": "the first-order bias of their means is removed (Firth 1993; Kosmidis and Firth 2009)",
        "median": "each is about equally often above and below the truth (Kenne Pagui, Salvan and Sartori 2017)",
        "jeffreys": "they maximise the likelihood times Jeffreys' prior (Firth 1993)",
    }[kind]
    tests = (
        'For small samples penalised_tests() and conf_int(method="profile") are better than Wald tests and limits.'
        if profiled
        else "Tests and limits are Wald's."
    )
    return (
        f"The estimates solve an adjusted score: {what}. They are finite also where the data are separated. They do "
        "not maximise the likelihood: log-likelihood, deviance, AIC and BIC are those at the estimates, and their "
        f"differences between such fits are no likelihood-ratio tests. {tests}"
    )


INFORMATION = ("expected", "observed", "bayesian")


def conditions(statistic: str, free: bool, vcov: str, level: float) -> str:
    """What standard errors, tests and limits rest on."""
    test = "Student's t tests" if statistic == "t" else "normal (z) tests"
    scale = "the estimated dispersion" if free else "dispersion 1"
    tests = f"{test} and {percent(level)} % Wald limits"
    if vcov in INFORMATION:
        information = "expected" if vcov == "bayesian" else vcov
        return (
            f"Standard errors come from the {information} information at the estimate and {scale}; {tests}. They "
            "presume independent rows and the right mean and variance."
        )
    if vcov.startswith("HC"):
        return (
            f"Standard errors are robust ({vcov}, a sandwich with the expected information as bread); {tests}. They "
            "presume independent rows and the right mean, whatever the variance."
        )
    if vcov.startswith("clustered"):
        return (
            f"Standard errors are robust, {vcov} (a sandwich with the expected information as bread); {tests}. They "
            "presume independent clusters, of which there are many, and the right mean."
        )
    return f"Standard errors come from the covariance that was given ({vcov}); {tests}."


def no_errors() -> str:
    """Why the weights of a hidden network stand alone."""
    return "The weights have no standard errors: what comes out does not depend on them one by one."


def edge(link: str, where: str = "") -> str:
    """A maximum that is no stationary point; `where` names rows, in brackets."""
    return (
        f"The maximum of the likelihood lies on the edge of what the {link} link allows{where}: standard errors do "
        "not apply there, nor do tests and limits: all are nan. Use another link, or report the fitted values only."
    )


def exact(response: str) -> str:
    """A dispersion of zero, or none that could be estimated."""
    return (
        "The model fits every row exactly: there is no dispersion to estimate, standard errors are 0 or nan, and tests "
        f"and criteria mean nothing. Is the response {response!r} a constant, or computed from the predictors, or are "
        "there as many columns as rows?"
    )


def unfinished(word: str, steps: int, distance: float) -> str:
    """A fit that ended before its maximum, and what may help it."""
    if word == "stalled":
        way = (
            "No step improves the likelihood any more: look for columns that nearly determine each other, weights or "
            "offsets that are very large or of very different size, or give another start=."
        )
    else:
        way = "Allow more steps with max_steps=, or give another start=."
    where = "" if numbers.is_missing(distance) else f": the estimate is {distance:.2g} standard errors from the optimum"
    return f"Not converged (outcome {word!r}) after {numbers.counted(steps, 'step')}{where}. {way}"


def unfinished_rest(distance: float) -> str:
    """Separated data whose finite part did not converge; an empty text where it did."""
    if distance <= SETTLED:
        return ""
    return (
        f"What stays finite is not at its optimum, but {distance:.2g} standard errors from it: look for weights or "
        "offsets of very different size."
    )


def likelihood(family: str, grouped: bool) -> str:
    """Which constants the log-likelihood has, where that is not obvious."""
    if family == "binomial" and grouped:
        return (
            "The log-likelihood includes the binomial constants of grouped data: one row per trial would "
            "give another value, and the same estimates and differences of deviance."
        )
    if family in ("gamma", "inverse_gaussian", "gaussian"):
        return (
            "The log-likelihood uses its own (maximum-likelihood) dispersion, which AIC and BIC count as a "
            "parameter, as in R."
        )
    return ""


def errors(vcov: str, penalised: bool) -> str:
    """Which standard errors they are, for the table of facts."""
    if vcov not in INFORMATION:
        robust = vcov.startswith(("HC", "clustered"))
        return f"robust, {vcov}" if robust else vcov
    if not penalised:
        return f"{'expected' if vcov == 'bayesian' else vcov} information"
    return "Bayesian" if vcov == "bayesian" else f"{vcov} information, shrunken"


def effective(edf: float) -> str:
    """Effective degrees of freedom, for the table of facts."""
    return numbers.significant(edf, 5)


def penalty(name: str, vcov: str, edf: float) -> str:
    """A penalty, and what it does to everything else."""
    kind = (
        "Bayesian, (I + P)^-1: the spread of the posterior where the penalty is a normal prior. They include the bias "
        "on average over that prior, not the one of these data"
        if vcov == "bayesian"
        else 'those of the penalised estimator around its own mean, (I + P)^-1 I (I + P)^-1 (vcov="bayesian" gives '
        "the posterior's). They do not include the bias, so that tests and limits do not cover it"
    )
    return (
        f"Penalised: {name}, on the sum of the log-likelihood. Estimates are shrunken, to {effective(edf)} effective "
        f"degrees of freedom, which residual df, AIC and BIC count. Standard errors are {kind}."
    )


def weights(prior: bool, freq: bool, trials: bool, offset: bool) -> str:
    """What goes along with each row."""
    given = [
        word
        for word, there in (
            ("prior weights (the variance is divided by them)", prior),
            ("frequency weights (a row stands for so many)", freq),
            ("trials", trials),
            ("an offset", offset),
        )
        if there
    ]
    return f"Each row comes with {' and '.join(given)}." if given else ""


def two_languages(activation: str, loss: str, mean_loss: float, units: int) -> str:
    """The one sentence of every report that joins both vocabularies."""
    said = "" if numbers.is_missing(mean_loss) else f" (here {numbers.significant(mean_loss, 5)})"
    number = "one unit" if units == 1 else f"{units} units (one for each class after the base)"
    start = f"As a network this is {number} on the same columns" if units else "In the words of networks"
    return (
        f"{start}: activation = inverse link ({activation}), bias = Intercept, mean loss = {loss} per "
        f"row{said}, and maximum likelihood is the minimum of that loss."
    )


def percent(level: float) -> str:
    """`95` for 0.95, `99.9` for 0.999."""
    return f"{100 * level:g}"
