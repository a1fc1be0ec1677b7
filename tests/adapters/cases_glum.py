"""Cases of glum: by formula, by frame with categories, by array."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from adapters.kit import FRAME, Case
from glum import GeneralizedLinearRegressor
from scipy.linalg import LinAlgWarning

CODED = FRAME.assign(site=FRAME.site.astype("category"))


def regressor(family: str, **options: Any) -> GeneralizedLinearRegressor:
    """Unpenalised, trained to the end."""
    return GeneralizedLinearRegressor(**{"family": family, "alpha": 0, "gradient_tol": 1e-9, "max_iter": 200} | options)


def framed(family: str, response: str, drop: bool, **options: Any) -> Callable[[], Case]:
    """Numbers and categories of a frame."""

    def build() -> Case:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LinAlgWarning)  # all levels beside a constant: singular, or nearly so
            model = regressor(family, drop_first=drop, **options)
            model.fit(CODED[["age", "site", "lwt", "arm"]], CODED[response])
        text = f"{response} ~ age + lwt + C(site) + C(arm)"
        return Case(model, text, frame=CODED, optimal=True, relations={"age": "same"})

    return build


def by_formula(text: str, family: str, **relations: str) -> Callable[[], Case]:
    def build() -> Case:
        model = regressor(family, formula=text, drop_first=True).fit(CODED)
        return Case(model, text, frame=CODED, optimal=True, relations=relations)

    return build


def array() -> Case:
    model = regressor("normal").fit(FRAME[["age", "lwt"]].to_numpy(), FRAME.weight)
    return Case(model, "weight ~ age + lwt", optimal=True, relations={"age": "same", "Intercept": "same"})


def array_with_inputs() -> Case:
    x = np.column_stack([FRAME.age, FRAME.arm.cat.codes]).astype(float)
    model = regressor("poisson").fit(x, FRAME.visits)
    return Case(model, "visits ~ age + I((arm == 'low') + 2 * (arm == 'high'))", ["age", "arm"], optimal=True)


def penalised() -> Case:
    model = regressor("binomial", alpha=0.05, l1_ratio=0.5).fit(CODED[["age", "site"]], CODED.low)
    return Case(model, "low ~ age + C(site)", frame=CODED, relations={"age": "same"})


CASES = {
    "logit": framed("binomial", "low", True),
    "cloglog": framed("binomial", "low", True, link="cloglog"),
    "poisson": framed("poisson", "visits", True),
    "gamma": framed("gamma", "cost", True),
    "inverse Gaussian": framed("inverse.gaussian", "cost", True),
    "normal": framed("normal", "weight", False),
    "no intercept": lambda: Case(
        regressor("normal", fit_intercept=False).fit(FRAME[["age", "lwt"]], FRAME.weight),
        "weight ~ 0 + age + lwt",
        optimal=True,
    ),
    "formula": by_formula("low ~ age + C(site) + np.log(lwt)", "binomial", age="same"),
    "formula with products": by_formula("visits ~ age * C(arm) + dose", "poisson"),
    "array": array,
    "array with inputs": array_with_inputs,
    "penalised": penalised,
}
