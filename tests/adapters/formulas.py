"""Formulas and families that every writer is tried on, and the rows that they are fitted to."""

from __future__ import annotations

import functools

import numpy as np
from adapters.kit import FRAME

import glmnet_bridge as gb

DRAW = np.random.default_rng(3)
ROWS = FRAME.assign(
    flag=DRAW.random(len(FRAME)) < 0.4,
    grade=DRAW.integers(1, 4, len(FRAME)),
    half=DRAW.choice([0.5, 1.0, 1.5], len(FRAME)),
    time=DRAW.uniform(0.5, 2.0, len(FRAME)),
)
ROWS["body weight"] = ROWS.lwt + 1.0
ROWS["later"] = ROWS.age + ROWS.time

FORMULAS = {
    "numbers": "low ~ age + lwt + Q('body weight'):age",
    "factors": "low ~ age + site + arm + smoke + flag",
    "interactions": "low ~ age * site + arm:dose + C(grade, Sum)",
    "factors crossed": "low ~ C(grade, Helmert) * arm",
    "no intercept": "low ~ 0 + site + C(site, Helmert):age",
    "levels that are numbers": "low ~ C(half) + C(grade, Treatment(2)) + half:age",
    "order of levels": "low ~ C(site, levels=['west', 'south', 'north', 'east']) + C(flag)",
    "functions": "low ~ np.log(age) + I(dose**2) + log1p(dose) + np.sqrt(age) + sin(dose) + np.log10(lwt)",
    "more functions": "low ~ expm1(dose) + tan(dose / 3) + np.exp2(dose) + np.maximum(age, lwt) + np.tanh(dose)",
    "whole numbers": "low ~ age % 7 + grade // 2 + np.round(dose, 1) + np.fmod(lwt, 5) + floor(lwt / 10)",
    "conditions": "low ~ I(age > 45) + (site == 'north') + np.isin(arm, ['low', 'high']) + I(~flag & (30 < age))",
    "choices": "low ~ np.where(dose > 1, dose, 0) + np.clip(age, 30, 60) + C(np.digitize(age, [30, 40, 50]))",
    "centred": "low ~ center(lwt) + scale(age):flag + standardize(dose, rescale=False) + center(np.log(age))",
    "splines": "low ~ bs(age, df=5) + cr(lwt, df=4, constraints='center') + bs(dose, knots=[0.5, 1], degree=1)",
    "cyclic": "low ~ cc(dose, df=4, constraints='center', lower_bound=0.5, upper_bound=1.5) + age",
    "surface": "low ~ te(cr(age, df=3), cr(lwt, df=3), constraints='center')",
    "columns that go together": "low ~ np.log(later - age) + age",
    "spline by factor": "low ~ bs(age, df=4):arm",
}  # fmt: skip
FAMILIES = {
    "poisson": ("visits ~ age + site + offset(np.log(time))", {"family": "poisson"}),
    "poisson, exposure": ("visits ~ age + site", {"family": "poisson", "exposure": "time"}),
    "poisson, offset and no intercept": ("visits ~ 0 + site + offset(np.log(time))", {"family": "poisson"}),
    "poisson, sqrt": ("visits ~ age", {"family": "poisson", "link": "sqrt"}),
    "poisson, array": ("visits ~ age", {"family": "poisson", "offset": np.log(ROWS.time.to_numpy())}),
    "gamma": ("cost ~ age + site", {"family": "gamma"}),
    "gamma, log": ("cost ~ age + site", {"family": "gamma", "link": "log"}),
    "gaussian": ("weight ~ age * site", {"family": "gaussian"}),
    "inverse gaussian": ("cost ~ age", {"family": "inverse_gaussian"}),
} | {link: ("low ~ age + site", {"link": link}) for link in ("logit", "probit", "cloglog", "loglog", "cauchit")}
ALL = {name: (formula, {}) for name, formula in FORMULAS.items()} | FAMILIES


@functools.cache
def fitted(name):
    formula, arguments = ALL[name]
    return gb.glm(formula, ROWS, **arguments)
