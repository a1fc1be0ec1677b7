"""The workloads of the benchmarks: data made from fixed seeds, and the peers that fit them.

    dense     1e6 x 20 logit from arrays
    wide      1e5 x 200 logit from arrays
    classes   1e5 x 10 multinomial logit of four classes, from arrays
    small     500 rows, five numeric columns, by formula, warm
    formula   1e6 rows: five numeric columns, three factors, an interaction, a spline
    gaps      1e6 rows: twenty numeric columns by formula, a value missing in 1 % of the rows

An engine takes a workload and returns (coefficients, standard errors). Imports and a first
call on few rows stay out of the times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

NUMERIC = "x1 + x2 + x3 + x4 + x5"
FORMULAS = {
    "small": f"y ~ {NUMERIC}",
    "formula": f"y ~ {NUMERIC} + a + b + c + x1:x2 + bs(x6, df=5)",
    "gaps": "y ~ " + " + ".join(f"x{j}" for j in range(1, 21)),
}
SIZES = {
    "dense": (1_000_000, 20),
    "wide": (100_000, 200),
    "classes": (100_000, 10),
    "small": (500, 5),
    "formula": (1_000_000, 0),
    "gaps": (1_000_000, 20),
}
CLASSES = 4


@dataclass(frozen=True)
class Workload:
    """Arrays (X, y) or a frame with a formula."""

    name: str
    X: Any = None
    y: Any = None
    frame: Any = None
    formula: str | None = None


def make(name: str, share: float = 1.0) -> Workload:
    """The workload of this name, with a share of its rows."""
    rows, columns = SIZES[name]
    n = int(rows * share)
    random = np.random.default_rng([5, len(name), n])
    if name in FORMULAS:
        frame = _frame_with_gaps(random, n, columns) if name == "gaps" else _frame(random, n)
        return Workload(name, frame=frame, formula=FORMULAS[name])
    if name == "classes":
        X, slopes = random.standard_normal((n, columns)), random.normal(0, 0.3, (columns, CLASSES - 1))
        eta = np.column_stack([np.zeros(n), X @ slopes + random.normal(0, 0.5, CLASSES - 1)])
        return Workload(name, X=X, y=(eta + random.gumbel(size=eta.shape)).argmax(axis=1))
    beta = random.normal(0, 0.6 / np.sqrt(columns), columns)
    X = random.standard_normal((n, columns))
    y = (random.random(n) < 1 / (1 + np.exp(0.7 - X @ beta))).astype(float)
    return Workload(name, X=X, y=y)


def _frame_with_gaps(random: np.random.Generator, n: int, columns: int) -> pd.DataFrame:
    data = {f"x{j + 1}": random.standard_normal(n) for j in range(columns)}
    eta = -0.7 + sum(
        b * x for b, x in zip(random.normal(0, 0.6 / np.sqrt(columns), columns), data.values(), strict=True)
    )
    data["y"] = (random.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
    for name in ("x3", "x11"):
        data[name][random.choice(n, n // 200, replace=False)] = np.nan
    return pd.DataFrame(data, copy=False)


def _frame(random: np.random.Generator, n: int) -> pd.DataFrame:
    data: dict[str, Any] = {f"x{j}": random.standard_normal(n) for j in range(1, 6)}
    eta = -0.5 + sum(b * data[f"x{j}"] for j, b in enumerate((0.5, -0.4, 0.3, -0.2, 0.1), 1))
    for name, levels in (("a", 5), ("b", 8), ("c", 10)):
        codes = random.integers(0, levels, n)
        data[name] = pd.Categorical.from_codes(codes, [f"l{i:02d}" for i in range(levels)])
        eta = eta + random.normal(0, 0.4, levels)[codes]
    data["x6"] = random.random(n)
    eta = eta + 0.3 * data["x1"] * data["x2"] + np.sin(5 * data["x6"])
    data["y"] = (random.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
    return pd.DataFrame(data)


Engine = Callable[[Workload], tuple[Any, Any]]
ENGINES: dict[str, Engine] = {}


def engine(function: Engine) -> Engine:
    ENGINES[function.__name__] = function
    return function


@engine
def ours(work: Workload) -> tuple[Any, Any]:
    import glmnet_bridge as gb

    family = "multinomial" if work.name == "classes" else "binomial"
    fit = gb.glm(work.formula, work.frame) if work.formula else gb.fit(work.X, work.y, family)
    return fit.params.to_numpy(), fit.bse.to_numpy()


@engine
def glum(work: Workload) -> tuple[Any, Any]:
    from glum import GeneralizedLinearRegressor

    options: dict[str, Any] = {"family": "binomial", "alpha": 0, "drop_first": True, "robust": False}
    options["expected_information"] = True
    if work.formula:
        # glum refuses missing values: its users drop these rows first
        frame = work.frame.dropna() if work.name == "gaps" else work.frame
        fit = GeneralizedLinearRegressor(**options, formula=work.formula).fit(frame, store_covariance_matrix=True)
    else:
        fit = GeneralizedLinearRegressor(**options).fit(work.X, work.y, store_covariance_matrix=True)
    return np.r_[fit.intercept_, fit.coef_], fit.std_errors()


@engine
def statsmodels(work: Workload) -> tuple[Any, Any]:
    import statsmodels.api as sm
    import statsmodels.formula.api as smf

    family = sm.families.Binomial()
    if work.name == "classes":
        fit = sm.MNLogit(work.y, np.column_stack([np.ones(len(work.y)), work.X])).fit(disp=0)
    elif work.formula:
        fit = smf.glm(work.formula, work.frame, family=family).fit()
    else:
        fit = sm.GLM(work.y, np.column_stack([np.ones(len(work.y)), work.X]), family=family).fit()
    return np.asarray(fit.params), np.asarray(fit.bse)


@engine
def sklearn_newton(work: Workload) -> tuple[Any, Any]:
    """No standard errors; for scale only."""
    from sklearn.linear_model import LogisticRegression

    fit = LogisticRegression(C=np.inf, solver="newton-cholesky", max_iter=500).fit(work.X, work.y)
    return np.r_[fit.intercept_, fit.coef_.ravel()], None
