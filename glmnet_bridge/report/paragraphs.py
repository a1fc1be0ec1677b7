"""Paragraphs: numbers of a fit as one would write them in a paper, from plain values.

`phrase` is one coefficient ("OR 0.97, 95 % CI 0.91 to 1.04, p = 0.42"); `paragraph` joins the sentences of
a `Story`. What does not hold is not written: an infinite, aliased or shrunken estimate has its own words
in the place of a test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from glmnet_bridge.errors import listed
from glmnet_bridge.report import numbers
from glmnet_bridge.report.sentences import percent


@dataclass(frozen=True, slots=True)
class Measure:
    """What a coefficient is called: `short` beside a number, `long` in a sentence, and the value of no effect."""

    short: str
    long: str
    null: float


PLAIN = Measure("b", "coefficient", 0.0)
_RATIOS = {
    ("binomial", "logit"): Measure("OR", "odds ratio", 1.0),
    ("binomial", "log"): Measure("RR", "risk ratio", 1.0),
    ("count", "log"): Measure("RR", "rate ratio", 1.0),
    ("positive", "log"): Measure("ratio", "ratio of means", 1.0),
    ("real", "log"): Measure("ratio", "ratio of means", 1.0),
    ("classes", "logit"): Measure("RRR", "relative-risk ratio", 1.0),
}
_MODELS = {
    ("binomial", "logit"): "logistic regression",
    ("binomial", "probit"): "probit regression",
    ("binomial", "log"): "log-binomial regression",
    ("poisson", "log"): "Poisson regression",
    ("gaussian", "identity"): "linear regression",
    ("multinomial", "logit"): "multinomial logistic regression",
}


@dataclass(frozen=True, slots=True)
class Effect:
    """One coefficient on the scale of its measure, with its limits; nan for what it does not have.

    Attributes
    ----------
    name : as it is to be called
    state : "finite", "+inf", "-inf", "either" or "aliased"
    estimate, low, high : on the scale of the measure
    p : of the test that there is no effect
    """

    name: str
    state: str
    estimate: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class Story:
    """What a results paragraph is made of.

    Attributes
    ----------
    model : "A logistic regression of low on age and smoke" and the like, with how it was estimated
    rows : sentences about rows and what came with them
    warnings : what must be known before any number
    effects : the coefficients but the intercept
    statistics : "deviance 201.4 on 183 degrees of freedom" and the like
    conditions : sentences after the numbers
    measure, level : of the effects
    tested : whether tests and limits hold
    """

    model: str
    rows: tuple[str, ...]
    warnings: tuple[str, ...]
    effects: tuple[Effect, ...]
    statistics: tuple[str, ...]
    conditions: tuple[str, ...]
    measure: Measure
    level: float
    tested: bool


def measure(support: str, link: str) -> Measure:
    """The name of an exponentiated coefficient; of a link whose coefficients are no ratios the plain one."""
    return _RATIOS.get((support, link), PLAIN)


def model_name(family: str, link: str, title: str) -> str:
    """`logistic regression`, or `Gamma GLM with log link`."""
    return _MODELS.get((family, link), f"{title.split(',')[0]} GLM with {link} link")


def p_value(value: float) -> str:
    """`p = 0.42`, `p = 0.013`, `p < 0.001`; nothing where there is none."""
    if math.isnan(value):
        return ""
    if value < 0.001:
        return "p < 0.001"
    if value > 0.99:
        return "p > 0.99"
    if 0.0495 <= value < 0.0505:
        return f"p = {value:.4f}"  # on which side of the usual level it lies
    return f"p = {value:.2f}" if value >= 0.1 else f"p = {value:.3f}"


def phrase(effect: Effect, what: Measure, level: float, tested: bool = True) -> str:
    """One coefficient in words: `OR 0.97, 95 % CI 0.91 to 1.04, p = 0.42`."""
    if effect.state == "aliased":
        return "aliased, no coefficient of its own"
    if effect.state == "either":
        return f"{what.short} infinite, of open sign: the data are separated"
    if effect.state != "finite":
        end = "infinity" if effect.state == "+inf" else "minus infinity" if what.null == 0.0 else "0"
        return f"{what.short} tends to {end}: the data are separated"
    values = (effect.estimate, effect.low, effect.high)
    if not tested or math.isnan(effect.low) or math.isnan(effect.high):
        return f"{what.short} {_shown(effect.estimate, _decimals(values, what))}"
    decimals = _decimals(values, what)
    estimate, low, high = (_shown(value, decimals) for value in values)
    parts = [f"{what.short} {estimate}", f"{percent(level)} % CI {low} to {high}", p_value(effect.p)]
    return ", ".join(part for part in parts if part)


def paragraph(story: Story) -> str:
    """The results in a few sentences."""
    sentences = [f"{story.model}.", *story.rows, *story.warnings, *_effects(story)]
    if story.statistics:
        joined = listed(list(story.statistics), len(story.statistics))
        sentences.append(f"The model had {joined}.")
    return " ".join(text for text in (*sentences, *story.conditions) if text)


def _effects(story: Story) -> list[str]:
    if not story.effects:
        return []
    said = {effect.name: phrase(effect, story.measure, story.level, story.tested) for effect in story.effects}
    if not story.tested:
        return [f"Estimates: {_several(said, list(said))}."]
    alpha = 1.0 - story.level
    odd = [effect.name for effect in story.effects if effect.state != "finite" or math.isnan(effect.p)]
    clear = [effect.name for effect in story.effects if effect.name not in odd and effect.p < alpha]
    rest = [name for name in said if name not in odd and name not in clear]
    out = []
    if clear:
        out.append(f"Significant at the {percent(alpha)} % level: {_several(said, clear)}.")
    if rest:
        out.append(f"{'Not significant' if clear else f'Nothing was significant at the {percent(alpha)} % level'}: "
                   f"{_several(said, rest)}.")  # fmt: skip
    if odd:
        out.append(f"Without a test: {_several(said, odd)}.")
    return out


def _several(said: dict[str, str], names: list[str]) -> str:
    return "; ".join(f"{name} ({said[name]})" for name in names)


def _decimals(values: tuple[float, float, float], what: Measure) -> int:
    """As many as the width of the interval deserves; of a ratio two, as is usual, or more where it is narrow."""
    estimate, low, high = values
    spread = (high - low) / 4.0
    if not (math.isfinite(spread) and spread > 0):
        spread = abs(estimate) / 10.0 if math.isfinite(estimate) and estimate else 0.01
    wanted = -math.floor(math.log10(spread))
    least = 2 if what.null == 1.0 and abs(estimate) < 10 else 0
    decimals = min(max(wanted, least), 6)
    # a limit beside the value of no effect must not be rounded to it
    while decimals < 6 and any(value != what.null and round(value, decimals) == what.null for value in (low, high)):
        decimals += 1
    return decimals


def _shown(value: float, decimals: int) -> str:
    """A number with these decimals; a small or huge one with two or three digits, so that it is never 0 by rounding."""
    if not math.isfinite(value) or abs(value) >= 1e5:
        return f"{value:.2e}".replace("e+0", "e+") if math.isfinite(value) else f"{value:g}"
    text = numbers.fixed(value, decimals)
    return numbers.significant(value, 2) if value and not text.strip("-0.") else text
