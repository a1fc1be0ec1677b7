"""Fits of several classes: separation between pairs of classes, aliased columns, columns in any unit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

import glmnet_bridge as gb
from glmnet_bridge.data.rows import ArraySource, Columns, Rows
from glmnet_bridge.errors import AliasWarning, ConvergenceWarning, SeparationWarning
from glmnet_bridge.fitting import rivals
from glmnet_bridge.fitting.rivals import Rivals


def made(n: int = 240, seed: int = 3) -> pd.DataFrame:
    """Two numbers, a factor, and three classes that depend on them; no class is apart from the others."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": random.normal(size=n), "z": random.normal(size=n), "g": random.choice(list("abc"), n)})
    eta = np.column_stack([np.zeros(n), 0.4 + frame.x, -0.2 + 0.7 * frame.z - 0.5 * (frame.g == "b")])
    return frame.assign(y=np.array(["home", "ward", "icu"])[(eta + random.gumbel(size=eta.shape)).argmax(axis=1)])


FRAME = made()


def glm(formula: str, frame: pd.DataFrame = FRAME, **arguments) -> gb.fits.Fit:
    return gb.glm(formula, frame, "multinomial", base="home", **arguments)


# --- pairs of classes --------------------------------------------------------------------------------


def against(matrix: np.ndarray, chosen: np.ndarray, k: int) -> np.ndarray:
    """Each row for its own class less the same for each other one; class by class, none for class 0."""
    out = []
    for row, own in zip(matrix, chosen, strict=True):
        for other in (c for c in range(k + 1) if c != own):
            signs = (np.arange(k + 1) == own).astype(float) - (np.arange(k + 1) == other)
            out.append(np.kron(signs[1:], row))
    return np.array(out)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_rivals_are_all_other_classes(k):
    random = np.random.default_rng(k)
    matrix, chosen = random.normal(size=(37, 3)), random.integers(0, k + 1, 37)
    source = Rivals(ArraySource(matrix[:, 1:], intercept=True), chosen, k)
    whole = against(np.column_stack([np.ones(37), matrix[:, 1:]]), chosen, k)
    assert source.n == 37 * k and source.layout.width == 3 * k
    for start, stop in [(0, 37 * k), (1, 2), (k, 3 * k + 1), (37 * k - 1, 37 * k)]:
        dense, cell = source.read(start, stop)
        np.testing.assert_array_equal(Columns(dense, cell, source.layout).matrix(), whole[start:stop])


def infinite(matrix: np.ndarray, chosen: np.ndarray, k: int) -> list[set[str]]:
    """Which signs each coefficient can have along a direction in which no row loses: by linear programmes."""
    pairs = against(matrix, chosen, k)
    found = []
    for j in range(pairs.shape[1]):
        signs = set()
        for sign, word in ((1.0, "+inf"), (-1.0, "-inf")):
            cost = np.zeros(pairs.shape[1])
            cost[j] = -sign
            # beside every direction that moves nothing there is none here: the columns are independent
            best = linprog(cost, A_ub=-pairs, b_ub=np.zeros(len(pairs)), bounds=[(-1, 1)] * pairs.shape[1])
            signs |= {word} if -best.fun > 1e-7 else set()
        found.append(signs)
    return found


def separated_cases() -> dict[str, tuple[np.ndarray, np.ndarray, int]]:
    random = np.random.default_rng(11)
    x = random.normal(size=(80, 2))
    level = (random.random(80) < 0.3).astype(float)
    own = random.integers(0, 3, 80)
    one = np.ones(80)
    return {
        "overlap": (np.column_stack([one, x]), own, 2),
        "a class that a level lacks": (
            np.column_stack([one, x[:, 0], level]), np.where((level == 1) & (own == 2), 1, own), 2,
        ),
        "a base that a level lacks": (
            np.column_stack([one, x[:, 0], level]), np.where((level == 1) & (own == 0), 2, own), 2,
        ),
        "one class apart": (np.column_stack([one, x]), np.where(x[:, 0] > 0.5, 2, own % 2), 2),
        "all apart": (np.column_stack([one, x]), np.digitize(x[:, 0], [-0.5, 0.5]), 2),
        "four classes": (np.column_stack([one, x[:, 0]]), np.where(x[:, 0] > 1, 3, own), 3),
        "no intercept": (x, np.where(x[:, 1] > 0.0, 1, 2 * (own > 0)), 2),
    }  # fmt: skip


@pytest.mark.parametrize("name", separated_cases())
def test_separation_is_that_of_the_linear_programmes(name):
    matrix, chosen, k = separated_cases()[name]
    y = np.eye(k + 1)[chosen][:, 1:]
    rows = Rows(ArraySource(matrix), y, np.ones(len(y)))
    found = rivals.prove(rows, np.arange(matrix.shape[1] * k))
    truth = infinite(matrix, chosen, k)
    if not any(truth):
        assert found is None
        return
    expected = ["finite" if not signs else signs.pop() if len(signs) == 1 else "either" for signs in truth]
    assert list(found.status) == expected
    # nobody loses along the direction that is shown, and those who win are counted
    moved = (against(matrix, chosen, k) @ found.direction).reshape(len(y), k)
    assert moved.min() > -1e-9
    won = moved > 1e-9
    np.testing.assert_array_equal(found.goes_off, won.all(axis=1))
    assert found.counts == (won.all(1).sum(), (won.any(1) & ~won.all(1)).sum(), (~won.any(1)).sum())


@pytest.mark.filterwarnings(f"ignore::{SeparationWarning.__module__}.SeparationWarning")
@pytest.mark.parametrize("seed", range(30))
def test_small_data_are_separated_where_the_linear_programmes_say_so(seed):
    """Some of these are, some are not; "converged" and "separated" never stand for each other."""
    random = np.random.default_rng(seed)
    n, p, k = int(random.integers(8, 40)), int(random.integers(1, 4)), int(random.integers(1, 4))
    X = random.normal(size=(n, p))
    eta = np.column_stack([np.zeros(n), X @ random.normal(size=(p, k)) * random.choice([0.3, 1.0, 3.0])])
    own = np.unique((eta + random.gumbel(size=eta.shape)).argmax(axis=1), return_inverse=True)[1]
    truth = infinite(np.column_stack([np.ones(n), X]), own, own.max())
    fit = gb.fit(X, own, "multinomial")
    assert fit.outcome == ("separated" if any(truth) else "converged")
    words = [signs.pop() if len(signs) == 1 else "either" if signs else "finite" for signs in truth]
    assert fit.separation.tolist() == words


@pytest.mark.filterwarnings(f"ignore::{SeparationWarning.__module__}.SeparationWarning")
@pytest.mark.parametrize("name", separated_cases())
def test_separated_fits_say_so(name):
    """Never "converged"; finite coefficients are at rest, infinite ones are infinite and without errors."""
    matrix, chosen, k = separated_cases()[name]
    fit = gb.fit(matrix, chosen, "multinomial", intercept=False)
    if name == "overlap":
        assert fit.outcome == "converged"
        return
    assert fit.outcome == "separated" and not fit.converged
    words = dict(zip(fit.names, fit.separation, strict=True))
    for label, state in words.items():
        value = fit.params[label]
        assert {"finite": np.isfinite(value), "either": np.isnan(value)}.get(state, np.isinf(value))
        assert np.isnan(fit.bse[label]) == (state != "finite")
    # the likelihood cannot rise by more than this: a point ten steps further out is no better
    assert fit.distance_to_mle < 1e-5
    assert fit.fittedvalues.notna().all(axis=None)


def test_finite_coefficients_of_a_separated_fit_are_those_of_the_limit():
    """Where one level lacks a class, the limit leaves that class out of the choice in these rows."""
    frame = FRAME.assign(y=np.where((FRAME.g == "c") & (FRAME.y == "icu"), "ward", FRAME.y))
    with pytest.warns(SeparationWarning, match=r"icu: g\[T.c\] -> -inf: in \d+ rows the probability of one or more"):
        fit = glm("y ~ x + g", frame)
    assert fit.separation[fit.separation != "finite"].to_dict() == {"icu: g[T.c]": "-inf"}
    # log-likelihood of the limit, written out: in the rows of level c the choice is between home and ward
    g = np.column_stack([np.ones(len(frame)), frame.g == "b", frame.g == "c", frame.x]).astype(float)
    beta = fit.params.to_numpy().reshape(2, 4).copy()  # icu, then ward
    assert fit.names[:4] == ("icu: Intercept", "icu: g[T.b]", "icu: g[T.c]", "icu: x")
    beta[0, 2] = 0.0

    def loglik(theta):
        eta = g @ theta.reshape(2, 4).T
        eta[frame.g == "c", 0] = -np.inf
        logits = np.column_stack([np.zeros(len(frame)), eta])
        own = frame.y.map({"home": 0, "icu": 1, "ward": 2})
        return float((logits[np.arange(len(frame)), own] - np.log(np.exp(logits).sum(axis=1))).sum())

    assert fit.llf == pytest.approx(loglik(beta.ravel()), abs=1e-9)
    free = [j for j in range(8) if j != 2]
    h = 1e-4
    slope = [(loglik(beta.ravel() + h * e) - loglik(beta.ravel() - h * e)) / (2 * h) for e in np.eye(8)[free]]
    assert np.abs(np.array(slope) * fit.bse.to_numpy()[free]).max() < 1e-5


def test_a_penalty_ends_separation():
    frame = FRAME.assign(y=np.where((FRAME.g == "c") & (FRAME.y == "icu"), "ward", FRAME.y))
    fit = glm("y ~ x + g", frame, penalty=gb.penalties.ridge(0.5))
    assert fit.converged and np.isfinite(fit.params).all()


def test_strict_raises_where_classes_are_separated():
    with pytest.raises(gb.errors.FitError, match="probability of one or more classes tends to 0"):
        glm("y ~ x", FRAME.assign(y=np.where(FRAME.x > 0, "ward", "home")), strict=True)


def test_a_learner_on_separated_classes_does_not_say_converged():
    frame = FRAME.assign(y=np.where(FRAME.x > 0.5, "icu", np.where(FRAME.x > -0.5, "ward", "home")))
    with pytest.warns(ConvergenceWarning, match="There may be no finite optimum"):
        net = gb.network("y ~ x", frame, "multinomial", train="lbfgs")
    assert not net.converged


# --- columns -----------------------------------------------------------------------------------------


def test_an_aliased_column_is_left_out_for_every_class():
    frame = FRAME.assign(twice=2 * FRAME.x - 1)
    with pytest.warns(AliasWarning, match=r"twice = 2\*x - Intercept|twice = -Intercept \+ 2\*x"):
        fit = glm("y ~ x + twice + z", frame)
    plain = glm("y ~ x + z")
    gone = [name for name in fit.names if name.endswith("twice")]
    assert gone == ["icu: twice", "ward: twice"] and fit.params[gone].isna().all() and fit.bse[gone].isna().all()
    rest = [name for name in fit.names if name not in gone]
    np.testing.assert_allclose(fit.params[rest], plain.params[rest], rtol=1e-10)
    np.testing.assert_allclose(fit.bse[rest], plain.bse[rest], rtol=1e-10)
    assert (fit.df_resid, fit.df_model, fit.aic) == (
        plain.df_resid,
        plain.df_model,
        pytest.approx(plain.aic, rel=1e-13),
    )
    new = frame.head(3).assign(twice=[2 * frame.x[0] - 1, 0.0, 2 * frame.x[2] - 1])
    with pytest.warns(gb.errors.DataWarning, match="not determined"):
        assert fit.predict(new).isna().all(axis=1).tolist() == [False, True, False]


@pytest.mark.parametrize("unit", [1e-8, 1e-3, 1e8])
def test_units_of_columns_change_units_of_coefficients_only(unit):
    plain = glm("y ~ x + z")
    fit = glm("y ~ x + z", FRAME.assign(x=FRAME.x * unit))
    scale = np.array([1.0, 1.0 / unit, 1.0] * 2)
    np.testing.assert_allclose(fit.params, plain.params * scale, rtol=1e-11)
    np.testing.assert_allclose(fit.bse, plain.bse * scale, rtol=1e-11)
    assert fit.llf == pytest.approx(plain.llf, rel=1e-13)


def test_a_column_far_from_zero():
    plain, fit = glm("y ~ x + z"), glm("y ~ x + z", FRAME.assign(x=FRAME.x + 1e5))
    slopes = [name for name in fit.names if "Intercept" not in name]
    np.testing.assert_allclose(fit.params[slopes], plain.params[slopes], rtol=1e-9)
    moved = plain.params["ward: Intercept"] - 1e5 * plain.params["ward: x"]
    assert fit.params["ward: Intercept"] == pytest.approx(moved, rel=1e-9)
    assert fit.gradient().abs().max() < 1e-4  # of columns of the size 1e5


def test_frequency_two_is_the_row_twice_and_zero_is_no_row():
    freq = np.arange(len(FRAME)) % 3
    once = glm("y ~ x + g", freq_weights=freq)
    often = glm("y ~ x + g", FRAME.loc[FRAME.index.repeat(freq)].reset_index(drop=True))
    np.testing.assert_allclose(once.params, often.params, rtol=1e-11)
    np.testing.assert_allclose(once.bse, often.bse, rtol=1e-11)
    for name in ("llf", "deviance", "null_deviance", "nobs", "df_resid", "aic", "bic", "pearson_chi2"):
        assert getattr(once, name) == pytest.approx(getattr(often, name), rel=1e-11), name
    doubled = glm("y ~ x + g", prior_weights=np.full(len(FRAME), 2.0))
    np.testing.assert_allclose(doubled.params, glm("y ~ x + g").params, rtol=1e-12)


def test_two_classes_are_the_binomial_fit():
    frame = FRAME[FRAME.y != "icu"].reset_index(drop=True)
    ours, theirs = glm("y ~ x + g", frame), gb.glm("y ~ x + g", frame, event="ward")
    assert ours.names == tuple(f"ward: {name}" for name in theirs.names)
    for name in ("params", "bse", "tvalues", "pvalues"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-12, err_msg=name)
    for name in ("llf", "llnull", "deviance", "null_deviance", "aic", "bic", "df_resid", "df_model", "pearson_chi2"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-12), name
    np.testing.assert_allclose(ours.fittedvalues["ward"], theirs.fittedvalues, rtol=1e-12)


@pytest.mark.parametrize("base", ["home", "icu", "ward"])
def test_the_base_changes_the_words_not_the_model(base):
    home, other = glm("y ~ x + z"), gb.glm("y ~ x + z", FRAME, "multinomial", base=base)
    assert other.llf == pytest.approx(home.llf, rel=1e-13) and other.modelled.endswith(f"against {base}")
    np.testing.assert_allclose(other.fittedvalues, home.fittedvalues, rtol=1e-10)
    assert other.fittedvalues.columns.tolist() == ["home", "icu", "ward"]
    if base == "ward":
        difference = home.params["icu: x"] - home.params["ward: x"]
        assert other.params["icu: x"] == pytest.approx(difference, rel=1e-9)


def test_a_start_by_name_or_by_place():
    best = glm("y ~ x + z")
    for start in (best.params, best.params.to_numpy(), best.params.iloc[::-1].to_dict()):
        again = glm("y ~ x + z", start=start)
        assert again.estimate.trace.steps[0].distance < 1e-10
    with pytest.raises(gb.errors.ArgumentError, match="start= lacks 'ward: z'"):
        glm("y ~ x + z", start=best.params.drop("ward: z"))
    with pytest.raises(gb.errors.ArgumentError, match="takes 6 finite numbers, in the order icu: Intercept"):
        glm("y ~ x + z", start=[0.0, 1.0])


def test_ridge_shrinks_all_but_the_constants():
    fit = glm("y ~ x + z", penalty=gb.penalties.ridge(25.0))
    slopes = [name for name in fit.names if "Intercept" not in name]
    score = fit.gradient()
    for name in slopes:
        level, column = name.split(": ")
        assert score[f"kernel[{column}, {level}]"] == pytest.approx(25.0 * fit.params[name], rel=1e-8)
    np.testing.assert_allclose(score[["bias[icu]", "bias[ward]"]], 0.0, atol=1e-8)
