"""Effects: against statsmodels, against 50-digit arithmetic, and against predictions of changed rows.

The oracle knows the design matrix and the inverse link only: averages of the mean over changed frames,
with gradients by differences in the coefficients.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy.interpolate import BSpline

import glmnet_bridge as gb
from glmnet_bridge.data.rows import Rows
from glmnet_bridge.errors import ArgumentError, DataError, DataWarning, SeparationWarning
from glmnet_bridge.inference.derivatives import derivative
from glmnet_bridge.inference.margins import Margin
from glmnet_bridge.model import families
from glmnet_bridge.model.families import KERNELS

TABLE = ["estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]


def rough(n: int = 240, seed: int = 1) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x": random.uniform(0.5, 4.0, n),
            "z": random.normal(size=n),
            "b": random.random(n) < 0.4,
            "d": random.integers(0, 2, n),
            "g": random.choice(list("abc"), n),
            "t": random.uniform(1.0, 3.0, n),
            "w": random.integers(1, 4, n),
        }
    )
    eta = -0.4 + 0.5 * np.log(frame["x"]) + 0.3 * frame["z"] * (frame["g"] == "b") + 0.4 * frame["d"]
    frame["y"] = (random.random(n) < 1 / (1 + np.exp(-eta))).astype(int)
    frame["k"] = random.poisson(frame["t"] * np.exp(0.3 * eta))
    frame["c"] = (np.column_stack([np.zeros(n), eta, 0.5 * frame["z"]]) + random.gumbel(size=(n, 3))).argmax(axis=1)
    frame["r"] = eta + random.normal(size=n) + 6.0
    return frame


# --- the oracle -----------------------------------------------------------------------------------


def matrix(fit, frame):
    values = {name: frame[name].to_numpy() for name in fit.recipe.design.variables}
    return fit.recipe.design.matrix({name: pd.Categorical(v) if v.dtype == object else v for name, v in values.items()})


def means(fit, frame, beta, offset=0.0):
    """`(n, C)` of the rows of a frame at other coefficients."""
    X = matrix(fit, frame)
    eta = X @ beta.reshape(-1, X.shape[1]).T + np.asarray(offset).reshape(-1, 1)
    if not fit.family.joint:
        return fit.family.mean(eta)
    full = np.exp(np.column_stack([np.zeros(len(eta)), eta]))
    return full / full.sum(axis=1, keepdims=True)


def error(fit, f, vcov=None):
    """Standard error of f(beta) by differences of sixth order."""
    beta, slopes = fit.params.to_numpy(), []
    for j in range(len(beta)):
        step = np.zeros_like(beta)
        step[j] = 0.02 * fit.bse.iloc[j]
        parts = [(f(beta + i * step) - f(beta - i * step)) / (2 * i * step[j]) for i in (1, 2, 3)]
        slopes.append(1.5 * parts[0] - 0.6 * parts[1] + 0.1 * parts[2])
    return np.sqrt(np.array(slopes) @ fit.cov_params(vcov).to_numpy() @ np.array(slopes))


def slope_of(fit, frame, name, beta, output=0, offset=None, weights=None):
    """Average derivative by sixth-order differences of the mean itself."""
    h, total = 1e-3, 0.0
    for i, part in ((1, 1.5), (2, -0.6), (3, 0.1)):
        ends = []
        for sign in (1, -1):
            moved = frame.assign(**{name: frame[name] + sign * i * h})
            ends.append(means(fit, moved, beta, 0.0 if offset is None else offset(moved))[:, output])
        total = total + part * (ends[0] - ends[1]) / (2 * i * h)
    return np.average(total, weights=weights)


def close(found, estimate, std_error, rtol=1e-8):
    assert found["estimate"] == pytest.approx(estimate, rel=rtol)
    assert found["std_error"] == pytest.approx(std_error, rel=rtol)


# --- statsmodels ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at", "dummy"), [("overall", False), ("overall", True), ("mean", False), ("mean", True),
                                           ("zero", False)])  # fmt: skip
@pytest.mark.parametrize("peer", ["logit", "probit"])
def test_margins_of_statsmodels(reference_frame, at, dummy, peer):
    births, names = reference_frame("birthwt"), ["age", "lwt", "smoke", "ht"]
    formula = "low ~ " + " + ".join(names)
    theirs = getattr(smf, peer)(formula, births).fit(disp=0, method="newton", tol=1e-14, maxiter=100)
    fit = gb.glm(formula, births, "binomial", peer)
    given = {"overall": None, "mean": "mean", "zero": dict.fromkeys(names, 0)}[at]
    kinds = [("slope", names[:2]), ("difference" if dummy else "slope", names[2:])]
    # statsmodels inverts the observed information, of probit another one than the expected
    ours = pd.concat([gb.effects(fit, part, at=given, kind=kind, vcov="observed") for kind, part in kinds])
    np.testing.assert_allclose(ours[TABLE], theirs.get_margeff(at=at, dummy=dummy).summary_frame(), rtol=1e-8)
    assert list(ours["term"]) == names


def test_margins_of_a_count(reference_frame):
    births = reference_frame("birthwt")
    theirs = smf.poisson("ftv ~ age + lwt + smoke", births).fit(disp=0, method="newton", tol=1e-14)
    fit = gb.glm("ftv ~ age + lwt + smoke", births, "poisson")
    np.testing.assert_allclose(gb.effects(fit)[TABLE], theirs.get_margeff().summary_frame(), rtol=1e-8)


def test_margins_of_several_classes(reference_frame):
    births = reference_frame("birthwt")
    births["n"] = births["ftv"].clip(upper=2)
    theirs = smf.mnlogit("n ~ age + lwt + smoke", births).fit(disp=0, method="newton", tol=1e-14)
    fit = gb.glm("n ~ age + lwt + smoke", births, "multinomial")
    ours, margins = gb.effects(fit), theirs.get_margeff()
    for at, level in enumerate([0, 1, 2]):
        part = ours[ours["response_level"] == level]
        np.testing.assert_allclose(part["estimate"], margins.margeff[:, at], rtol=1e-8)
        np.testing.assert_allclose(part["std_error"], margins.margeff_se[:, at], rtol=1e-8)


# --- derivatives ------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", sorted({link for _, link in KERNELS}))
def test_curvature_is_the_slope_of_the_slope(link):
    family = next(families.named(name, other) for name, other in KERNELS if other == link)
    if family.joint:
        return
    eta = np.linspace(0.2, 1.4, 7)[:, None]
    h = 1e-3
    parts = [(family.slope(eta + i * h) - family.slope(eta - i * h)) / (2 * i * h) for i in (1, 2, 3)]
    np.testing.assert_allclose(
        Margin(family).curvature(eta), 1.5 * parts[0] - 0.6 * parts[1] + 0.1 * parts[2], rtol=1e-9, atol=1e-10
    )


def test_curvature_of_a_link_that_is_not_known():
    family = families.binomial()
    other = replace(family, link=replace(family.link, name="another"))
    eta = np.linspace(-8, 8, 41)[:, None]
    np.testing.assert_allclose(Margin(other).curvature(eta), Margin(family).curvature(eta), rtol=1e-8, atol=1e-13)


FUNCTIONS = {
    "log": (np.log, lambda x: 1 / x, (1e-6, 50.0)),
    "power": (lambda x: x**7, lambda x: 7 * x**6, (-2.0, 2.0)),
    "sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x), (1e-6, 9.0)),
    "wave": (lambda x: np.sin(5 * x), lambda x: 5 * np.cos(5 * x), (-3.0, 3.0)),
    "year": (lambda x: (x - 2000.0) ** 2 / 7, lambda x: 2 * (x - 2000.0) / 7, (1980.0, 2020.0)),
    "exp": (np.exp, np.exp, (-20.0, 20.0)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_of_functions(name):
    f, slope, (low, high) = FUNCTIONS[name]
    x = np.concatenate([np.linspace(low, high, 97), [low, high]])
    found = derivative(lambda moved, rows: f(moved)[:, None], x, float(np.std(x)), "x")[:, 0]
    expected = slope(x)
    # what has the size of the column's rounding is 0
    assert np.abs(found - expected).max() <= 1e-8 * np.abs(expected).max()
    near = np.abs(expected) > 1e-3 * np.abs(expected).max()
    np.testing.assert_allclose(found[near], expected[near], rtol=1e-8)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_derivatives_of_splines_also_at_knots_and_ends(degree):
    knots = np.r_[[0.0] * (degree + 1), 1.0, 2.5, [4.0] * (degree + 1)]
    columns = len(knots) - degree - 1

    def f(x, rows):
        inside = (x >= 0) & (x <= 4)
        found = BSpline(knots, np.eye(columns), degree)(np.clip(x, 0, 4))
        return np.where(inside[:, None], found, np.nan)

    x = np.r_[0.0, 4.0, np.linspace(0.013, 3.987, 50)]
    at = np.r_[x, 1.0, 2.5] if degree == 3 else x  # a second derivative exists everywhere from degree 3 on
    expected = BSpline(knots, np.eye(columns), degree).derivative()(at)
    np.testing.assert_allclose(derivative(f, at, 1.2, "x"), expected, rtol=1e-8, atol=1e-9)


def test_no_derivative_is_said():
    with pytest.raises(DataError, match="no derivative at 0"):
        derivative(lambda x, rows: np.cbrt(x)[:, None], np.array([2.5, 0.0]), 1.0, "x")
    fit = gb.glm("y ~ np.floor(x) + z", rough())
    with pytest.raises(ArgumentError, match="makes steps of 'x'"):
        gb.effects(fit)
    assert gb.effects(fit, {"x": (1, 2)}, kind="difference")["estimate"].iloc[0] != 0


def test_slopes_to_fifty_digits():
    """An interaction and a logarithm: the formula of the textbook at 50 digits."""
    frame = rough(60)
    fit = gb.glm("y ~ np.log(x) * z", frame)
    with mp.workdps(50):
        beta = [mp.mpf(float(each)) for each in fit.params]
        V = mp.matrix(fit.cov_params().to_numpy().tolist())
        total, slopes = mp.mpf(0), [mp.mpf(0)] * 4
        for x, z in zip(frame["x"], frame["z"], strict=True):
            x, z = mp.mpf(float(x)), mp.mpf(float(z))
            row, move = [1, mp.log(x), z, mp.log(x) * z], [0, 1 / x, 0, z / x]
            p = 1 / (1 + mp.exp(-sum(b * each for b, each in zip(beta, row, strict=True))))
            d = sum(b * each for b, each in zip(beta, move, strict=True))
            total += p * (1 - p) * d
            for j in range(4):
                slopes[j] += p * (1 - p) * (1 - 2 * p) * d * row[j] + p * (1 - p) * move[j]
        n, g = len(frame), mp.matrix(slopes)
        estimate, std_error = total / n, mp.sqrt((g.T * V * g)[0]) / n
    close(gb.effects(fit, "x").iloc[0], float(estimate), float(std_error), 1e-10)


# --- against changed rows ---------------------------------------------------------------------------

MODELS = {
    "logit": ("y ~ np.log(x) * g + bs(z, df=5) + d", "binomial", None),
    "cauchit": ("y ~ x * z + I(x**2) + C(g, Sum)", "binomial", "cauchit"),
    "cloglog": ("y ~ x + center(z):g + b", "binomial", "cloglog"),
    "poisson": ("k ~ 0 + cr(x, df=4) + z * d", "poisson", None),
    "sqrt": ("k ~ x + standardize(z) * d", "poisson", "sqrt"),
    "gamma": ("r ~ x * d + z", "gamma", "inverse"),
    "gaussian": ("r ~ x * g + np.exp(z / 3)", "gaussian", "identity"),
    "inverse": ("r ~ x + z * b", "inverse_gaussian", "log"),
    "classes": ("c ~ np.log(x) + z * d + g", "multinomial", None),
}


def fitted(name):
    formula, family, link = MODELS[name]
    frame = rough(400)
    return gb.glm(formula, frame, family, link), frame


@pytest.mark.parametrize("model", MODELS)
def test_slopes_are_those_of_the_mean(model):
    fit, frame = fitted(model)
    # inside the range of the splines, so that the oracle's steps stay there
    frame = frame[frame["z"].between(*frame["z"].quantile([0.1, 0.9])) & frame["x"].between(0.6, 3.9)]
    found = gb.effects(fit, ["x", "z"], data=frame)
    for _, row in found.iterrows():
        output = 0 if not fit.family.joint else int(row["response_level"])
        f = lambda beta, row=row, output=output: slope_of(fit, frame, row["term"], beta, output)  # noqa: E731
        close(row, f(fit.params.to_numpy()), error(fit, f), 1e-7)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", ["difference", "ratio", "lift"])
def test_contrasts_are_those_of_predictions(model, kind):
    fit, frame = fitted(model)
    # a step that stays inside the splines
    wishes = {name: (-1, 1) if name == "z" else (1, 2) if name == "x" else None for name in fit.recipe.design.variables}
    found = gb.effects(fit, wishes, kind=kind, vcov="observed")
    assert set(found["term"]) == fit.recipe.design.variables
    for _, row in found.iterrows():
        output = 0 if not fit.family.joint else int(row["response_level"])
        low, high = changed(frame, row)

        def f(beta, low=low, high=high, output=output):
            a, b = (means(fit, part, beta)[:, output].mean() for part in (low, high))
            return {"difference": b - a, "ratio": b / a, "lift": b / a - 1}[kind]

        close(row, f(fit.params.to_numpy()), error(fit, f, "observed"), 1e-7)
        if kind != "difference":
            ratio = row["estimate"] + (kind == "lift")
            limits = row[["conf_low", "conf_high"]].to_numpy(dtype=float) + (kind == "lift")
            assert np.prod(limits) == pytest.approx(ratio**2, rel=1e-10)
            assert row["statistic"] == pytest.approx(np.log(ratio) / (row["std_error"] / ratio), rel=1e-10)


def changed(frame, row):
    """The frames that a row of the table compares."""
    name, words = row["term"], row["contrast"].removesuffix(" - 1") if "/" in row["contrast"] else row["contrast"]
    high, low = words.split(" / " if "/" in words else " - ")
    values = {"True": True, "False": False, "1": 1, "0": 0}
    if name in ("x", "z"):
        return tuple(frame.assign(**{name: float(each)}) for each in (low, high))
    return tuple(frame.assign(**{name: values.get(each, each)}) for each in (low, high))


def test_a_step_and_where_it_cannot_go():
    fit, frame = fitted("gaussian")
    row = gb.effects(fit, "z", kind="difference").iloc[0]
    f = lambda beta: (means(fit, frame.assign(z=frame["z"] + 1), beta) - means(fit, frame, beta)).mean()  # noqa: E731
    assert row["contrast"] == "+1"
    close(row, f(fit.params.to_numpy()), error(fit, f))
    fit, frame = fitted("logit")
    frame.index = [f"row {at}" for at in range(len(frame))]
    fit = gb.glm(fit.formula, frame)
    with pytest.raises(DataError, match="outside the range.*row [0-9]+.*moves 'z' to"):
        gb.effects(fit, "z", kind="difference")


@pytest.mark.parametrize("model", ["logit", "classes", "gamma"])
def test_predictions_by_group_and_place(model):
    fit, frame = fitted(model)
    found = gb.effects(fit, kind="prediction", at={"x": [1, 2.5], "d": 1}, by=["g", "b"])
    assert len(found) == 2 * 6 * (3 if fit.family.joint else 1)
    for _, row in found.iterrows():
        part = frame[(frame["g"] == row["g"]) & (frame["b"] == row["b"])].assign(x=row["x"], d=1)
        output = 0 if not fit.family.joint else int(row["response_level"])
        f = lambda beta, part=part, output=output: means(fit, part, beta)[:, output].mean()  # noqa: E731
        close(row, f(fit.params.to_numpy()), error(fit, f), 1e-7)


def test_slopes_at_values_by_group():
    fit, frame = fitted("logit")
    found = gb.effects(fit, "x", at={"x": [1.0, 2.0], "g": ["a", "c"]}, by="d")
    for _, row in found.iterrows():
        part = frame[frame["d"] == row["d"]].assign(x=row["x"], g=row["g"])
        f = lambda beta, part=part: slope_of(fit, part, "x", beta)  # noqa: E731
        close(row, f(fit.params.to_numpy()), error(fit, f), 1e-7)


def test_at_the_mean_is_one_row():
    fit, frame = fitted("logit")
    row = pd.DataFrame(
        {"x": [frame["x"].mean()], "z": frame["z"].mean(), "d": frame["d"].mean(), "g": frame["g"].mode()}
    )
    found = gb.effects(fit, at="mean").set_index("term")
    for name in ("x", "z"):
        f = lambda beta, name=name: slope_of(fit, row, name, beta)  # noqa: E731
        close(found.loc[name], f(fit.params.to_numpy()), error(fit, f), 1e-7)
    assert found.loc["x", "g"] == frame["g"].mode()[0]
    prediction = gb.effects(fit, kind="prediction", at="mean")["estimate"].iloc[0]
    assert prediction == pytest.approx(fit.predict(row).iloc[0], rel=1e-12)
    median = gb.effects(fit, kind="prediction", at="median")["x"].iloc[0]
    assert median == np.median(frame["x"])


def test_scale_of_the_linear_predictor():
    fit, frame = fitted("logit")
    found = gb.effects(fit, ["d", "x"], scale="link", kind="slope").set_index("term")
    close(found.loc["d"], fit.params["d"], fit.bse["d"], 1e-12)
    slope = fit.params["np.log(x)"] + sum(fit.params[f"np.log(x):g[T.{g}]"] * (frame["g"] == g) for g in "bc")
    assert found.loc["x", "estimate"] == pytest.approx((slope / frame["x"]).mean(), rel=1e-9)


def test_what_is_compared():
    fit, frame = fitted("classes")
    pairs = gb.effects(fit, {"g": "pairwise"})
    assert list(dict.fromkeys(pairs["contrast"])) == ["b - a", "c - a", "c - b"]
    assert list(dict.fromkeys(gb.effects(fit, {"g": "sequential"})["contrast"])) == ["b - a", "c - b"]
    two = gb.effects(fit, {"g": ("c", "b")})
    assert two["contrast"].unique().tolist() == ["b - c"]
    np.testing.assert_allclose(two["estimate"], -pairs[pairs["contrast"] == "c - b"]["estimate"], rtol=1e-10)
    step = gb.effects(fit, {"z": (0, 2), "d": 0.5}, kind="difference")
    assert step["contrast"].unique().tolist() == ["2 - 0", "+0.5"]
    assert np.abs(step.groupby("term")["estimate"].sum()).max() < 1e-15  # probabilities add up to 1
    other = gb.glm("y ~ C(g, Treatment('c')) + x", frame)
    assert gb.effects(other, "g")["contrast"].tolist() == ["a - c", "b - c"]
    numbers = gb.glm("y ~ C(w)", frame)
    assert gb.effects(numbers)["contrast"].tolist() == ["2 - 1", "3 - 1"]


# --- offsets and weights ----------------------------------------------------------------------------


def test_an_exposure_counts_and_moves():
    frame = rough()
    fit = gb.glm("k ~ x + z + offset(0.1 * x)", frame, "poisson", exposure="t")
    offset = lambda part: np.log(part["t"]) + 0.1 * part["x"]  # noqa: E731
    found = gb.effects(fit, ["x", "z", "t"]).set_index("term")
    for name in ("x", "z", "t"):
        f = lambda beta, name=name: slope_of(fit, frame, name, beta, offset=offset)  # noqa: E731
        close(found.loc[name], f(fit.params.to_numpy()), error(fit, f), 1e-8)
    assert list(gb.effects(fit)["term"]) == ["x", "z"]
    rate = gb.effects(fit, kind="prediction", at={"t": 1, "x": 2})
    f = lambda beta: means(fit, frame.assign(x=2), beta, np.full(len(frame), 0.2)).mean()  # noqa: E731
    close(rate.iloc[0], f(fit.params.to_numpy()), error(fit, f), 1e-8)


def test_an_offset_given_as_array():
    frame = rough()
    given = frame["z"].to_numpy() / 3
    fit = gb.glm("y ~ x", frame, offset=given)
    f = lambda beta: slope_of(fit, frame, "x", beta, offset=lambda part: given)  # noqa: E731
    close(gb.effects(fit).iloc[0], f(fit.params.to_numpy()), error(fit, f))
    again = gb.effects(fit, data=frame, offset=given)
    np.testing.assert_array_equal(again[TABLE], gb.effects(fit)[TABLE])
    with pytest.raises(DataError, match="offset= given as an array"):
        gb.effects(fit, data=frame)
    typical = gb.effects(fit, kind="prediction", at="mean")["estimate"].iloc[0]
    eta = fit.params["Intercept"] + fit.params["x"] * frame["x"].mean() + given.mean()
    assert typical == pytest.approx(1 / (1 + np.exp(-eta)), rel=1e-12)


def test_frequencies_are_repeated_rows():
    frame = rough()
    longer = frame.loc[frame.index.repeat(frame["w"])].reset_index(drop=True)
    short, long = gb.glm("y ~ x * g + d", frame, freq_weights="w"), gb.glm("y ~ x * g + d", longer)
    for words in ({}, {"kind": "ratio"}, {"at": "mean"}, {"at": "median"}, {"by": "g"}):
        one, other = gb.effects(short, **words), gb.effects(long, **words)
        np.testing.assert_allclose(one[TABLE], other[TABLE], rtol=1e-7)


def test_weights_by_name_and_array():
    frame = rough()
    fit = gb.glm("y ~ x + d", frame, prior_weights="w")
    plain, own = gb.effects(fit), gb.effects(fit, weights="prior_weights")
    f = lambda beta: slope_of(fit, frame, "x", beta, weights=frame["w"])  # noqa: E731
    close(own.iloc[0], f(fit.params.to_numpy()), error(fit, f))
    f = lambda beta: slope_of(fit, frame, "x", beta)  # noqa: E731
    close(plain.iloc[0], f(fit.params.to_numpy()), error(fit, f))
    for given in ("w", frame["w"], frame["w"].to_numpy()):
        np.testing.assert_allclose(gb.effects(fit, weights=given)[TABLE], own[TABLE], rtol=1e-12)
    grouped = gb.glm("share ~ x", frame.assign(share=frame["k"] / (frame["k"] + frame["w"]), m=frame["k"] + frame["w"]),
                     trials="m")  # fmt: skip
    assert gb.effects(grouped, weights="trials")["estimate"].iloc[0] != gb.effects(grouped)["estimate"].iloc[0]


def test_rows_without_weight_and_with_gaps_stay_out():
    frame = rough()
    frame.loc[:19, "x"] = np.nan
    zero = (np.arange(len(frame)) >= 50).astype(int)
    fit = gb.glm("y ~ np.log(x) + g", frame, freq_weights=zero)
    same = gb.glm("y ~ np.log(x) + g", frame.iloc[50:])
    np.testing.assert_allclose(gb.effects(fit, by="d")[TABLE], gb.effects(same, by="d")[TABLE], rtol=1e-9)


def test_blocks_do_not_matter(monkeypatch):
    frame = rough(900)
    fit = gb.glm("y ~ np.log(x) * g + bs(z, df=4) + d", frame)
    asked = [(None, "slope"), (None, "prediction"), ({"g": None, "z": (0, 1)}, "ratio")]
    whole = [gb.effects(fit, names, kind=kind, by="b") for names, kind in asked]
    monkeypatch.setattr(Rows, "spans", lambda self: [(at, min(at + 64, self.n)) for at in range(0, self.n, 64)])
    parts = [gb.effects(fit, names, kind=kind, by="b") for names, kind in asked]
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one[TABLE], other[TABLE], rtol=1e-9)


# --- other fits, and what does not hold -------------------------------------------------------------


def test_arrays_and_networks_and_bridges():
    frame = rough()
    by_formula = gb.glm("y ~ x + z", frame)
    by_array = gb.fit(frame[["x", "z"]], frame["y"])
    by_network = gb.network("y ~ x + z", frame)
    for words in ({}, {"kind": "difference"}, {"at": {"x": [1, 2]}}, {"at": "mean"}, {"kind": "prediction"}):
        expected = gb.effects(by_formula, **words)
        for fit in (by_array, by_network):
            found = gb.effects(fit, **words)
            np.testing.assert_allclose(found[TABLE], expected[TABLE], rtol=1e-6)
            assert list(found["term"]) == list(expected["term"])
    bridge = gb.bridge("y ~ x + z", frame)
    np.testing.assert_array_equal(gb.effects(bridge.network)[TABLE], gb.effects(bridge.glm)[TABLE])
    with pytest.raises(ArgumentError, match=r"one of its views, .glm"):
        gb.effects(bridge)


def test_a_hidden_network_is_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bridge = gb.bridge("y ~ x + z", rough(100), activation="relu", random_state=1)
    with pytest.raises(ArgumentError, match="hidden activations"):
        gb.effects(bridge.network)


def test_aliased_columns():
    frame = rough().assign(twice=lambda part: 2 * part["x"], same=lambda part: part["g"].str.upper())
    with pytest.warns():
        fit = gb.glm("y ~ x + twice + z + g + same", frame)
    clean = gb.glm("y ~ x + z + g", frame)
    with pytest.warns(DataWarning, match="twice = 2"):
        found = gb.effects(fit).set_index("term")
    assert found.loc[["x", "twice", "g", "same"], "estimate"].isna().all()
    close(found.loc["z"], *gb.effects(clean, "z")[["estimate", "std_error"]].iloc[0], 1e-8)


def test_separated_rows():
    frame = rough()
    frame["rare"] = (np.arange(len(frame)) % 12 == 0).astype(int)
    frame.loc[frame["rare"] == 1, "y"] = 1
    with pytest.warns(SeparationWarning):
        fit = gb.glm("y ~ x + rare", frame)
    rest = gb.glm("y ~ x", frame[frame["rare"] == 0])
    with pytest.warns(SeparationWarning, match="limits"):
        found = gb.effects(fit, "rare", kind="difference").iloc[0]
    assert found["estimate"] == pytest.approx(1 - rest.predict(frame).mean(), rel=1e-7)
    assert np.isnan(found["std_error"]) and np.isnan(found["conf_low"])
    with pytest.warns(SeparationWarning):
        slope = gb.effects(fit, "x").iloc[0]
    known = gb.effects(rest, "x").iloc[0]
    assert slope["estimate"] == pytest.approx(known["estimate"] * (frame["rare"] == 0).mean(), rel=1e-7)
    with pytest.warns((DataWarning, SeparationWarning)):
        assert np.isnan(gb.effects(fit, "rare")["estimate"].iloc[0])  # infinite on the rows that are finite
    with pytest.warns(SeparationWarning):
        held = gb.effects(fit, "x", by="rare").set_index("rare")
    close(held.loc[0], known["estimate"], known["std_error"], 1e-6)  # no row of this group is at infinity


def test_separated_classes():
    frame = rough()
    frame["rare"] = (np.arange(len(frame)) % 12 == 0).astype(int)
    frame.loc[frame["rare"] == 1, "c"] = 2
    with pytest.warns(SeparationWarning):
        fit = gb.glm("c ~ x + rare", frame, "multinomial")
    rest = gb.glm("c ~ x", frame[frame["rare"] == 0], "multinomial")
    with pytest.warns(SeparationWarning):
        found = gb.effects(fit, "rare", kind="difference")
    limit = [0.0, 0.0, 1.0] - rest.predict(frame).mean().to_numpy()
    np.testing.assert_allclose(found["estimate"], limit, atol=1e-6)
    assert found["std_error"].isna().all()
    with pytest.warns((DataWarning, SeparationWarning)):
        assert gb.effects(fit, "rare")["estimate"].isna().all()


def test_frames_of_other_kinds_and_odd_names():
    polars = pytest.importorskip("polars")
    frame = rough().rename(columns={"x": "my x", "g": "the group"})
    fit = gb.glm('y ~ Q("my x") * Q("the group")', frame)
    other = gb.glm('y ~ Q("my x") * Q("the group")', polars.from_pandas(frame))
    for words in ({}, {"by": "the group"}, {"at": {"my x": 2}, "kind": "ratio"}):
        one, two = gb.effects(fit, **words), gb.effects(other, **words)
        np.testing.assert_array_equal(one[TABLE], two[TABLE])
    assert list(gb.effects(fit)["term"]) == ["my x", "the group", "the group"]


def test_penalised_fits_have_their_own_covariance():
    frame = rough()
    fit = gb.glm("y ~ x + d", frame, penalty=gb.penalties.ridge(2.0))
    for vcov in (None, "bayesian"):
        f = lambda beta: slope_of(fit, frame, "x", beta)  # noqa: E731
        close(gb.effects(fit, "x", vcov=vcov).iloc[0], f(fit.params.to_numpy()), error(fit, f, vcov))


def test_without_data():
    frame = rough()
    fit = gb.glm("y ~ x + d", frame, keep_data=False)
    kept = gb.glm("y ~ x + d", frame)
    np.testing.assert_array_equal(gb.effects(fit)[TABLE], gb.effects(kept)[TABLE])  # columns of the design are there
    with pytest.raises(DataError, match="give data="):
        gb.effects(fit, kind="difference")
    np.testing.assert_array_equal(
        gb.effects(fit, kind="difference", data=frame)[TABLE], gb.effects(kept, kind="difference")[TABLE]
    )


def test_new_rows_need_no_response():
    frame = rough()
    fit = gb.glm("y ~ np.log(x) + g", frame)
    half = frame.iloc[:100].drop(columns="y")
    f = lambda beta: slope_of(fit, half, "x", beta)  # noqa: E731
    close(gb.effects(fit, "x", data=half).iloc[0], f(fit.params.to_numpy()), error(fit, f))


def test_columns_and_quantiles_of_the_table():
    frame = rough()
    fit = gb.glm("r ~ x + g", frame, "gaussian")
    found = gb.effects(fit, at={"x": [1, 2]}, by="d", level=0.9)
    assert list(found.columns) == ["term", "contrast", "x", "d", *TABLE]
    from scipy import stats

    half = stats.t(fit.df_resid).ppf(0.95)
    np.testing.assert_allclose(found["conf_high"] - found["estimate"], half * found["std_error"], rtol=1e-9)
    slope = gb.effects(fit, "x").iloc[0]
    assert slope["p_value"] == pytest.approx(fit.pvalues["x"], rel=1e-9)
    taken = gb.glm("y ~ term", frame.rename(columns={"x": "term"}))
    assert "at_term" in gb.effects(taken, at={"term": [1, 2]}).columns
    both = gb.effects(fit, "x", at={"g": ["a", "b"]}, by="g")
    assert list(both["g"]) == list("aaabbb") and list(both["by_g"]) == list("abcabc")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"variables": "zz"}, "'zz' is no variable of this model"),
        ({"variables": "np.log(x)"}, "Did you mean|there are x"),
        ({"variables": "w"}, "'w' is no variable"),
        ({"variables": {"x": 2}}, "kind='difference'"),
        ({"variables": {"x": "all"}, "kind": "difference"}, "give a step"),
        ({"variables": {"x": 0}, "kind": "difference"}, "give a step"),
        ({"variables": {"g": "pair"}}, "Did you mean 'pairwise'"),
        ({"variables": {"g": ("a", "q")}}, "no level 'q'"),
        ({"kind": "contrast"}, "kind='contrast' is unknown"),
        ({"kind": "prediction", "variables": "x"}, "leave variables out"),
        ({"kind": "ratio", "scale": "link"}, "ratio of linear predictors"),
        ({"scale": "response"}, "'mean' or 'link'"),
        ({"at": "typical"}, "at='typical'"),
        ({"at": {"q": 1}}, "at: 'q' is no variable"),
        ({"at": {"x": "many"}}, "'x' is a number"),
        ({"at": {"x": []}}, "no value"),
        ({"at": {"g": "q"}}, "no level 'q'"),
        ({"at": "mean", "by": "g"}, "no groups"),
        ({"by": "nothing"}, "no column 'nothing'"),
        ({"weights": "g"}, "no numbers"),
        ({"weights": "trials"}, "no trials"),
        ({"weights": [1, 2]}, "2 values"),
        ({"level": 2}, "between 0 and 1"),
        ({"vcov": "HC9"}, "unknown"),
        ({"exposure": 1}, "belong to data="),
        ({"att": 1}, "no argument 'att'"),
    ],
)
def test_what_is_refused(words, message):
    fit = gb.glm("y ~ np.log(x) + g + d", rough())
    with pytest.raises((ArgumentError, DataError), match=message):
        gb.effects(fit, **words)


def test_numbers_that_the_formula_cuts():
    frame = rough()
    fit = gb.glm("y ~ (x > 2) + z", frame)
    with pytest.raises(ArgumentError, match="divides into levels"):
        gb.effects(fit)
    found = gb.effects(fit, kind="prediction", at={"x": [1, 3]})
    f = lambda beta: means(fit, frame.assign(x=3.0), beta).mean()  # noqa: E731
    close(found.iloc[1], f(fit.params.to_numpy()), error(fit, f))


# --- figures ----------------------------------------------------------------------------------------


def test_the_curve_is_the_effect():
    fit, frame = fitted("logit")
    data = fit.plot.effect_data("x", points=4, by="g")
    assert list(data.columns) == ["series", "x", "estimate", "conf_low", "conf_high"]
    expected = gb.effects(fit, kind="prediction", at={"x": np.linspace(frame["x"].min(), frame["x"].max(), 4)}, by="g")
    np.testing.assert_array_equal(data["estimate"], expected["estimate"])
    slopes = fit.plot.effect_data("x", kind="slope", points=3)
    assert slopes["estimate"].iloc[0] > slopes["estimate"].iloc[2]
    ax = fit.plot.effect("x", by="g")
    assert [line.get_label() for line in ax.get_lines()][:3] == ["a", "b", "c"]
    several, _ = fitted("classes")
    ax = several.plot.effect("z", kind="slope")
    assert len(ax.collections) == 3 and ax.get_title(loc="left") == "Slope of P(c) over z"
    with pytest.raises(ArgumentError, match="'prediction' or 'slope'"):
        fit.plot.effect_data("x", kind="ratio")
