"""Cases of statsmodels: results by formula and by array, at the maximum that statsmodels itself found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import patsy
import statsmodels.api as sm
import statsmodels.formula.api as smf
from adapters.kit import FRAME, Case

FAMILIES = sm.families
LINKS = sm.families.links
NAMED = FRAME.assign(answer=np.where(FRAME.low == 1, "yes", "no"), town=FRAME.site + " side")


def formula(text: str, family: Any = None, ours: str | None = None, **relations: str) -> Callable[[], Case]:
    """A GLM by formula, beside the same formula or `ours`."""

    def build() -> Case:
        model = smf.glm(text, NAMED, family=family or FAMILIES.Binomial()).fit(tol=1e-14, maxiter=200)
        return Case(model, ours or text, frame=NAMED, optimal=True, relations=relations)

    return build


def discrete(maker: Callable[..., Any], text: str) -> Callable[[], Case]:
    def build() -> Case:
        model = maker(text, FRAME).fit(disp=0, tol=1e-14)
        return Case(model, text, optimal=True, relations={"age": "same"})

    return build


def exog_frame() -> Case:
    """Columns of a frame, with a constant."""
    exog = sm.add_constant(FRAME[["age", "lwt"]])
    model = sm.Logit(FRAME.low, exog).fit(disp=0, tol=1e-14)
    return Case(model, "low ~ age + lwt", optimal=True, relations={"Intercept": "same", "lwt": "same"})


def exog_array() -> Case:
    """An array, whose columns have places only; the constant stands in the middle."""
    exog = np.column_stack([FRAME.age, np.ones(len(FRAME)), FRAME.lwt])
    model = sm.Poisson(FRAME.visits.to_numpy(), exog).fit(disp=0, tol=1e-14)
    return Case(model, "visits ~ age + lwt", optimal=True, relations={"age": "same"})


def design_columns() -> Case:
    """A frame of design columns, whose names are those of the formula's columns."""
    exog = patsy.dmatrix("age + C(site)", FRAME, return_type="dataframe")
    model = sm.GLM(FRAME.low, exog, family=FAMILIES.Binomial()).fit(tol=1e-14)
    return Case(model, "low ~ age + C(site)", optimal=True, relations={"C(site)[T.north]": "same"})


def no_constant() -> Case:
    model = sm.OLS(FRAME.weight, FRAME[["age", "lwt"]]).fit()
    return Case(model, "weight ~ 0 + age + lwt", optimal=True, relations={"age": "same"})


def planted() -> Case:
    """Estimates of other rows."""
    model = smf.logit("low ~ age + C(arm)", FRAME[:150]).fit(disp=0)
    return Case(model, "low ~ age + C(arm)", relations={"age": "same"})


CASES = {
    "logit": formula("low ~ age + C(site) + np.log(lwt)", age="same", Intercept="same", **{"C(site)[T.west]": "same"}),
    "interactions": formula("low ~ C(site) * age + dose:arm + smoke"),
    "sum contrasts": formula("low ~ C(site, Sum) + age", ours="low ~ C(site) + age", age="same", Intercept="combined"),
    "full coding": formula("low ~ 0 + arm + age", ours="low ~ arm + age", age="same"),
    "splines": formula("low ~ bs(age, df=4) + lwt", lwt="same"),
    "standardised": formula("low ~ standardize(age) + center(lwt)", ours="low ~ age + lwt", age="scaled"),
    "quoted": formula("low ~ Q('age') + C(town)", ours="low ~ age + C(town)", age="same"),
    "first level": formula("answer ~ age + lwt"),
    "probit": formula("low ~ age + C(arm)", FAMILIES.Binomial(LINKS.Probit())),
    "cloglog": formula("low ~ age + C(arm)", FAMILIES.Binomial(LINKS.CLogLog())),
    "cauchit": formula("low ~ age + lwt", FAMILIES.Binomial(LINKS.Cauchy())),
    "gamma": formula("cost ~ age + C(arm)", FAMILIES.Gamma(LINKS.Log())),
    "inverse Gaussian": formula("cost ~ age + lwt", FAMILIES.InverseGaussian(LINKS.Log())),
    "discrete logit": discrete(smf.logit, "low ~ age + C(arm)"),
    "discrete probit": discrete(smf.probit, "low ~ age + dose"),
    "discrete poisson": discrete(smf.poisson, "visits ~ age + C(site)"),
    "ols": lambda: Case(smf.ols("weight ~ age * dose", FRAME).fit(), "weight ~ age * dose", optimal=True),
    "frame": exog_frame,
    "array": exog_array,
    "design columns": design_columns,
    "no constant": no_constant,
    "planted": planted,
}
