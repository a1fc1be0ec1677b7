"""The estimators obey scikit-learn's own checks, and are the fits that they hold."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.special

pytest.importorskip("sklearn")
from sklearn.base import clone  # noqa: E402
from sklearn.compose import TransformedTargetRegressor  # noqa: E402
from sklearn.ensemble import StackingClassifier, VotingClassifier  # noqa: E402
from sklearn.feature_selection import RFE, SelectFromModel  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.metrics import roc_auc_score  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

import glmnet_bridge as gb  # noqa: E402
from glmnet_bridge.errors import AliasWarning, DataError, DataWarning, SeparationWarning  # noqa: E402
from glmnet_bridge.sklearn import FormulaClassifier, FormulaRegressor, GLMClassifier, GLMRegressor  # noqa: E402


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([GLMClassifier(), GLMRegressor(), FormulaClassifier(), FormulaRegressor()])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


# --- data --------------------------------------------------------------------------------------------------


def made(n: int = 240) -> pd.DataFrame:
    random = np.random.default_rng(4)
    frame = pd.DataFrame(
        {"x": random.normal(size=n), "z": random.gamma(2.0, size=n), "g": random.choice(list("ab"), n)}
    )
    eta = np.column_stack([np.zeros(n), 0.9 * frame.x - 0.4, -0.6 * frame.z + (frame.g == "b")])
    frame["c"] = np.array(["hi", "lo", "mid"])[(eta + random.gumbel(size=eta.shape)).argmax(axis=1)]
    frame["y"] = np.where(random.random(n) < 1.0 / (1.0 + np.exp(0.3 - frame.x)), "yes", "no")
    frame["count"] = random.poisson(np.exp(0.3 + 0.4 * frame.x))
    return frame


FRAME = made()
X = FRAME[["x", "z"]]


def same(one: Any, other: Any) -> None:
    """The same answers for the same rows."""
    method = "predict_proba" if hasattr(one, "predict_proba") else "predict"
    np.testing.assert_array_equal(getattr(one, method)(FRAME), getattr(other, method)(FRAME))


# --- formulas: where the response is -----------------------------------------------------------------------


def test_a_response_in_the_frame_is_no_feature():
    model = FormulaClassifier("y ~ x + z").fit(FRAME[["y", "x", "z"]])
    assert model.feature_names_in_.tolist() == ["x", "z"] and model.n_features_in_ == 2
    assert model.classes_.tolist() == ["no", "yes"] and "P(y = 'yes')" in model.fit_.modelled
    wanted = gb.glm("y ~ x + z", FRAME)
    np.testing.assert_array_equal(model.predict_proba(X)[:, 1], wanted.predict(X))
    np.testing.assert_array_equal(model.fit_.params, wanted.params)
    # rows by name: in another order, with columns that the formula does not read
    same(model, FormulaClassifier("y ~ x + z").fit(X[["z", "x"]], FRAME.y))


@pytest.mark.parametrize("formula", ["y ~ x + z", "x + z", "~ x + z", " ~x+z", None])
def test_a_response_beside_the_frame_is_the_same(formula):
    model = FormulaClassifier(formula).fit(X, FRAME.y)
    wanted = FormulaClassifier("y ~ x + z").fit(FRAME)
    np.testing.assert_array_equal(model.predict_proba(X), wanted.predict_proba(X))
    assert model.score(X, FRAME.y) == wanted.score(FRAME) == wanted.score(FRAME, FRAME.y)
    assert model.feature_names_in_.tolist() == ["x", "z"] and "P(y = 'yes')" in model.fit_.modelled
    codes = clone(model).fit(X, (FRAME.y == "yes").to_numpy())
    np.testing.assert_array_equal(codes.decision_function(X), model.decision_function(X))
    assert codes.classes_.tolist() == [False, True]


def test_a_given_response_counts_more_than_the_column():
    """Meta-estimators give codes, logarithms or permutations beside a frame that still has the column."""
    codes = FRAME.y.map({"no": 7, "yes": 3}).to_numpy()
    model = FormulaClassifier("y ~ x").fit(FRAME, codes)
    assert model.classes_.tolist() == [3, 7]
    np.testing.assert_allclose(
        model.decision_function(X), -FormulaClassifier("y ~ x").fit(FRAME).decision_function(X), rtol=1e-12, atol=1e-13
    )
    twice = FormulaRegressor("count ~ x").fit(FRAME, 2.0 * FRAME["count"].to_numpy())
    np.testing.assert_allclose(twice.predict(X), 2.0 * FormulaRegressor("count ~ x").fit(FRAME).predict(X), rtol=1e-12)


def test_left_sides_that_are_computed():
    model = FormulaClassifier("I(count > 1) ~ x").fit(FRAME)
    assert model.classes_.tolist() == [False, True]
    assert model.score(FRAME) == np.mean(model.predict(X) == (FRAME["count"] > 1))
    logs = FormulaRegressor("np.log(z) ~ x").fit(FRAME)
    np.testing.assert_allclose(logs.predict(X).mean(), np.log(FRAME.z).mean())
    assert logs.score(FRAME) == pytest.approx(np.corrcoef(FRAME.x, np.log(FRAME.z))[0, 1] ** 2)
    events = FRAME.assign(k=FRAME["count"].clip(upper=9), m=9)
    shares = FormulaRegressor("successes(k, m) ~ x", "binomial").fit(events)
    np.testing.assert_array_equal(shares.predict(X), gb.glm("successes(k, m) ~ x", events).predict(X))


NO_RESPONSE = "requires y to be passed, but the target y is None"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FormulaClassifier("~ x").fit(FRAME), NO_RESPONSE),
        (lambda: FormulaRegressor("x").fit(FRAME), NO_RESPONSE),
        (lambda: FormulaClassifier("y ~ x").fit(X), r"no column 'y' \(the response, where y= is not given\)"),
        (lambda: FormulaClassifier("y ~ x").fit(FRAME, FRAME.c), "response 'y', a column of X, and y= is 'c'"),
        (lambda: FormulaClassifier("y ~ x").fit(FRAME, FRAME.y[:9]), "inconsistent numbers of samples"),
        (lambda: FormulaClassifier("y ~ x").fit(FRAME.assign(y="no")), "only one class is present"),
        (lambda: FormulaClassifier("z ~ x").fit(FRAME), "Unknown label type: continuous"),
        (lambda: FormulaClassifier("np.log(z) ~ x").fit(FRAME), "has no classes: it is a column, or a condition"),
        (lambda: FormulaClassifier("successes(x, z) ~ g").fit(FRAME), "has no classes"),
        (lambda: FormulaClassifier("y ~ x").fit(FRAME.assign(y=FRAME.y.where(X.index > 1))), "missing in rows 0, 1;"),
        (lambda: FormulaRegressor("np.log(z) ~ x").fit(FRAME, FRAME.z), "computes its response, so that y= cannot"),
        (lambda: FormulaRegressor("x + z ~ g", "binomial").fit(FRAME).score(FRAME), "are counts"),
        (lambda: FormulaRegressor("z ~ x").fit(FRAME).score(X.to_numpy()), "no response of X to score with"),
        (lambda: FormulaClassifier("y ~").fit(FRAME), "Nothing stands right of the tilde"),
        (lambda: FormulaClassifier(5).fit(FRAME, FRAME.y), "must be text such as"),
        (lambda: FormulaClassifier("x + z").fit(X.to_numpy(), FRAME.y), r"are x0, x1: .*set_output\(transform="),
        (lambda: FormulaClassifier("y ~ x").fit(FRAME).predict(FRAME[["z"]]), "no column 'x' in the data"),
        (lambda: FormulaClassifier().fit(X, FRAME.y).predict(X[["z", "x"]]), "must be in the same order"),
    ],
)  # fmt: skip
def test_what_a_formula_cannot_fit_or_predict_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- formulas: in scikit-learn's tools ---------------------------------------------------------------------


def test_cross_validation_and_searches():
    model = FormulaClassifier("y ~ x + z")
    scores = cross_val_score(model, FRAME, FRAME.y)
    np.testing.assert_array_equal(scores, cross_val_score(GLMClassifier(), X, FRAME.y))
    assert np.isfinite(cross_val_score(model, FRAME)).all()  # the formula's own column scores
    assert cross_val_score(model, FRAME, FRAME.y, scoring="roc_auc").mean() > 0.6
    assert cross_val_score(FormulaClassifier("c ~ x + z"), FRAME, FRAME.c, scoring="roc_auc_ovr").mean() > 0.6
    search = GridSearchCV(model, {"formula": ["y ~ z", "~ x + z"], "penalty": [None, np.int64(1)]}).fit(FRAME, FRAME.y)
    assert search.best_params_["formula"] == "~ x + z" and search.best_score_ >= scores.mean()
    assert np.isfinite(GridSearchCV(model, {"penalty": [1]}).fit(FRAME).best_score_)
    held = cross_val_predict(FormulaClassifier("c ~ x"), FRAME, FRAME.c, method="predict_proba")
    np.testing.assert_allclose(held.sum(axis=1), 1.0)
    np.testing.assert_array_equal(
        cross_val_score(FormulaRegressor("count ~ x"), FRAME), cross_val_score(GLMRegressor(), X[["x"]], FRAME["count"])
    )


def test_tools_that_change_the_response():
    parts = [("one", FormulaClassifier("c ~ x + z")), ("other", FormulaClassifier("c ~ g"))]
    for model in (VotingClassifier(parts), StackingClassifier(parts)):
        assert set(model.fit(FRAME, FRAME.c).predict(FRAME)) <= {"hi", "lo", "mid"}
    logs = TransformedTargetRegressor(FormulaRegressor("z ~ x"), func=np.log, inverse_func=np.exp).fit(FRAME, FRAME.z)
    np.testing.assert_allclose(np.log(logs.predict(X)), FormulaRegressor("np.log(z) ~ x").fit(FRAME).predict(X))


def test_pipelines_frames_and_arrays():
    names = make_pipeline(StandardScaler(), FormulaClassifier("x + z")).set_output(transform="pandas").fit(X, FRAME.y)
    places = make_pipeline(StandardScaler(), FormulaClassifier("x0 + x1")).fit(X, FRAME.y)
    np.testing.assert_array_equal(names.predict_proba(X), places.predict_proba(X))
    np.testing.assert_allclose(
        names.decision_function(X), GLMClassifier().fit(X, FRAME.y).decision_function(X), rtol=1e-9, atol=1e-11
    )
    model = FormulaClassifier("x + z").fit(X, FRAME.y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        by_place = model.predict_proba(X.to_numpy())
    np.testing.assert_array_equal(by_place, model.predict_proba(X))
    same(pickle.loads(pickle.dumps(model)), model)


def test_frames_of_other_packages():
    polars = pytest.importorskip("polars")
    model = FormulaClassifier("y ~ x + g").fit(polars.from_pandas(FRAME))
    wanted = FormulaClassifier("y ~ x + g").fit(FRAME)
    np.testing.assert_allclose(
        model.predict_proba(polars.from_pandas(FRAME.drop(columns="y"))), wanted.predict_proba(FRAME)
    )
    assert model.feature_names_in_.tolist() == wanted.feature_names_in_.tolist() == ["x", "z", "g", "c", "count"]
    assert FormulaClassifier("count ~ x").fit(polars.from_pandas(FRAME)).classes_.dtype.kind == "i"


# --- rows without an answer --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "decision_function", "score"])
@pytest.mark.parametrize("response", ["y", "c"])
def test_rows_with_gaps_have_no_class(method, response):
    model = FormulaClassifier("x + g").fit(FRAME, FRAME[response])
    rows = FRAME.assign(x=FRAME.x.where(~FRAME.index.isin([3, 17])))
    given = (FRAME[response],) if method == "score" else ()
    with pytest.raises(DataError, match=r"missing values \(x: 2\) in rows 3, 17"):
        getattr(model, method)(rows, *given)
    assert model.fit_.predict(rows, kind="class").isna().sum() == 2


def test_a_mean_of_a_row_with_gaps_is_refused_too():
    model = FormulaRegressor("count ~ x + g", "poisson").fit(FRAME)
    with pytest.raises(DataError, match=r"missing values \(g: 1, x: 1\) in rows 0, 2"):
        model.predict(FRAME.assign(x=FRAME.x.where(FRAME.index != 0), g=FRAME.g.where(FRAME.index != 2)))


def test_an_aliased_column_counts_nothing():
    wide = X.assign(both=X.x + X.z)
    with pytest.warns(AliasWarning, match="both = x"):
        model = GLMClassifier().fit(wide, FRAME.y)
    np.testing.assert_array_equal(model.coef_[0, 2], 0.0)
    broken = wide.assign(both=5.0)
    with pytest.warns(DataWarning, match="made without the column on the left"):
        found = model.decision_function(broken)
    np.testing.assert_allclose(found, broken.to_numpy() @ model.coef_[0] + model.intercept_[0], rtol=1e-12)


def test_separated_classes_can_be_scored():
    """Decisions are infinite in the fit, which no scorer takes."""
    rows = pd.DataFrame({"x": np.arange(20.0)})
    with pytest.warns(SeparationWarning):
        model = GLMClassifier().fit(rows, rows.x > 9)
    assert roc_auc_score(rows.x > 9, model.decision_function(rows)) == 1.0
    assert np.isinf(model.fit_.predict(rows, kind="link")).all() and model.predict(rows).tolist() == list(rows.x > 9)
    assert (model.predict_log_proba(rows).max(axis=1) == 0.0).all()


# --- classes and coefficients ------------------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [True, False])
def test_coefficients_of_several_classes(intercept):
    model = GLMClassifier(fit_intercept=intercept).fit(X, FRAME.c)
    assert model.coef_.shape == (3, 2) and model.intercept_.shape == (3,)
    eta = X.to_numpy() @ model.coef_.T + model.intercept_
    np.testing.assert_allclose(eta, model.decision_function(X), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(scipy.special.softmax(eta, axis=1), model.predict_proba(X), rtol=1e-12)
    np.testing.assert_allclose(scipy.special.log_softmax(eta, axis=1), model.predict_log_proba(X), rtol=1e-12)
    assert (model.coef_[0] == 0).all() and model.intercept_[0] == 0.0 and model.intercept_.any() == intercept
    params = model.fit_.params
    assert params.index.tolist() == [
        f"{each}: {name}" for each in ("lo", "mid") for name in (["Intercept"] if intercept else []) + ["x", "z"]
    ]
    assert model.coef_[2, 1] == params["mid: z"] and model.score(X, FRAME.c) == np.mean(model.predict(X) == FRAME.c)


def test_several_classes_are_those_of_scikit_learn():
    ours = GLMClassifier(penalty=None).fit(X, FRAME.c)
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(X, FRAME.c)
    np.testing.assert_allclose(ours.coef_, theirs.coef_ - theirs.coef_[0], atol=1e-6)
    np.testing.assert_allclose(ours.predict_log_proba(X), theirs.predict_log_proba(X), atol=1e-6)
    assert ours.score(X, FRAME.c) == theirs.score(X, FRAME.c) and (ours.classes_ == theirs.classes_).all()


def test_coefficients_of_two_classes_and_of_a_mean():
    model = GLMClassifier().fit(X, FRAME.y)
    assert model.coef_.shape == (1, 2) and model.intercept_.shape == (1,)
    np.testing.assert_array_equal(np.append(model.intercept_, model.coef_), model.fit_.params)
    np.testing.assert_allclose(
        X.to_numpy() @ model.coef_[0] + model.intercept_[0], model.decision_function(X), rtol=1e-12, atol=1e-13
    )
    mean = GLMRegressor("poisson").fit(X, FRAME["count"])
    assert mean.coef_.shape == (2,) and isinstance(mean.intercept_, float)
    assert GLMRegressor(fit_intercept=False).fit(X, FRAME["count"]).intercept_ == 0.0


@pytest.mark.parametrize(
    ("model", "response"), [(GLMClassifier(), "y"), (GLMClassifier(), "c"), (GLMRegressor("poisson"), "count")]
)
def test_features_are_selected_by_coefficients(model, response):
    table = X.assign(none=np.sin(np.arange(len(X))))
    chosen = RFE(model, n_features_to_select=2).fit(table, FRAME[response])
    size = np.abs(clone(model).fit(table, FRAME[response]).coef_.reshape(-1, 3)).sum(axis=0)
    assert not chosen.support_[size.argmin()]
    best = SelectFromModel(model, max_features=1, threshold=-np.inf).fit(table, FRAME[response])
    assert best.get_support().tolist() == (np.arange(3) == size.argmax()).tolist()


@pytest.mark.parametrize("values", [("no", "yes"), ("0", "1"), (-1, 1), (False, True), (2.0, 5.0)])
def test_the_fit_names_the_classes(values):
    fit = GLMClassifier().fit(X, np.where(FRAME.y == "yes", values[1], values[0])).fit_
    assert f"P(y = {values[1]!r})".replace(".0", "") in fit.modelled
    assert set(fit.predict(kind="class")) == set(values)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_logarithms_of_small_probabilities(link):
    model = GLMClassifier(link).fit(X, FRAME.y)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X), rtol=1e-10)
    far = pd.DataFrame({"x": [30.0, -30.0], "z": [0.0, 0.0]}) * 20
    with np.errstate(divide="ignore"):
        assert np.isneginf(np.log(model.predict_proba(far)[0, 0]))
    assert np.isfinite(model.predict_log_proba(far)[0]).all()
