"""scikit-learn: what the reader says of names, penalties and training, and what it refuses."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
from adapters.kit import FRAME
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import (
    ElasticNet,
    GammaRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    LabelBinarizer,
    OneHotEncoder,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

import glmnet_bridge as gb
from glmnet_bridge.adapters import recognition
from glmnet_bridge.errors import ArgumentError, DataError, ReadError

X = FRAME[["age", "lwt"]]
Z = pd.DataFrame(StandardScaler().fit_transform(X), columns=["age", "lwt"])
SCALED = FRAME.assign(age=Z.age, lwt=Z.lwt)


def logistic(**options):
    return LogisticRegression(**{"max_iter": 5000, "tol": 1e-10} | options)


# --- names -------------------------------------------------------------------------------------


def test_weights_have_the_users_own_paths():
    model = Pipeline([("scale", StandardScaler()), ("logreg", logistic())]).fit(X, FRAME.low)
    found = recognition.read(model)
    assert found.network.entries == ("logreg.coef_[0, 0]", "logreg.coef_[0, 1]", "logreg.intercept_[0]")
    assert recognition.read(Ridge().fit(X, FRAME.weight)).network.entries == ("coef_[0]", "coef_[1]", "intercept_")
    network = MLPRegressor(hidden_layer_sizes=(2,), max_iter=5, solver="lbfgs", tol=1e9).fit(X, FRAME.weight)
    entries = recognition.read(network).network.entries
    assert entries[:4] == ("coefs_[0][0, 0]", "coefs_[0][0, 1]", "coefs_[0][1, 0]", "coefs_[0][1, 1]")
    assert entries[4:] == (
        "intercepts_[0][0]",
        "intercepts_[0][1]",
        "coefs_[1][0, 0]",
        "coefs_[1][1, 0]",
        "intercepts_[1][0]",
    )


def test_pipelines_within_pipelines():
    inner = Pipeline([("scale", StandardScaler()), ("logreg", logistic())])
    model = Pipeline([("nothing", "passthrough"), ("inner", inner)]).fit(X, FRAME.low)
    found = recognition.read(model)
    assert found.network.entries[0] == "inner.logreg.coef_[0, 0]"
    assert found.network.layers[0].name == "inner.scale"
    assert found.intake.names == ("age", "lwt")


def test_a_search_is_its_best_estimator():
    search = GridSearchCV(logistic(), {"C": [0.1, 1.0]}, cv=2).fit(X, FRAME.low)
    bridge = gb.bridge("low ~ age + lwt", FRAME, network=search)
    np.testing.assert_array_equal(bridge.network.estimate.theta[:2], search.best_estimator_.coef_[0])


def test_products_are_named_as_a_formula_names_them():
    parts = make_column_transformer((OneHotEncoder(sparse_output=False), ["arm"]), ("passthrough", ["age"]))
    model = make_pipeline(parts, PolynomialFeatures(2, include_bias=False), logistic(solver="liblinear"))
    found = recognition.read(model.fit(FRAME[["age", "arm"]], FRAME.low))
    names = found.network.inputs.names
    assert {"age", "I(age ** 2)", "age:arm[high]", "arm[low]"} == set(names) & {
        "age",
        "I(age ** 2)",
        "age:arm[high]",
        "arm[low]",
    }
    assert not any(name.count("arm") > 1 for name in names)  # no row has two arms


# --- what was folded, and what is left alone -----------------------------------------------------


def test_missing_values_are_left_to_the_formula():
    frame = FRAME.assign(age=FRAME.age.where(FRAME.index % 10 > 0))
    model = make_pipeline(SimpleImputer(add_indicator=True), logistic()).fit(frame[["age", "lwt"]], frame.low)
    bridge = gb.bridge("low ~ lwt", frame, network=model)
    assert bridge.network.nobs == 360
    sentence = "SimpleImputer 'simpleimputer' is the identity: rows with missing values are left out by the formula."
    assert sentence in bridge.foreign.folded
    assert sentence in bridge.notes


def test_an_imputer_of_zeros_is_refused():
    model = make_pipeline(SimpleImputer(missing_values=0), logistic()).fit(X, FRAME.low)
    with pytest.raises(ReadError, match=r"Step 'simpleimputer' replaces 0, which is a value like any other"):
        recognition.read(model)


def test_the_model_stays_as_it_was():
    model = make_pipeline(StandardScaler(), logistic()).fit(X, FRAME.low)
    before = copy.deepcopy(model)
    gb.bridge("low ~ age + lwt", FRAME, network=model)
    np.testing.assert_array_equal(model[-1].coef_, before[-1].coef_)
    np.testing.assert_array_equal(model[0].mean_, before[0].mean_)
    assert vars(model[-1]).keys() == vars(before[-1]).keys()


def test_softmax_is_read_with_an_output_for_each_class():
    models = [logistic(C=1.0), MLPClassifier((3,), "tanh", max_iter=5, solver="lbfgs", tol=1e9, random_state=0)]
    for model in models:
        whole = make_pipeline(StandardScaler(), model).fit(X, FRAME.outcome)
        found = recognition.read(whole)
        assert (found.activation, found.network.outputs, found.classes) == ("softmax", 3, ("home", "icu", "ward"))
        agreement = gb.bridge("outcome ~ age + lwt", FRAME, network=whole).agreement
        assert max(agreement.rows, agreement.random) < 1e-13


def test_levels_that_the_model_never_met():
    """handle_unknown="ignore" gives them zeros; our reading does so too."""
    frame = FRAME.assign(site=np.where(FRAME.index < 5, "abroad", FRAME.site))
    parts = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["site"]))
    model = make_pipeline(parts, logistic()).fit(FRAME[["site"]], FRAME.low)
    bridge = gb.bridge("low ~ age", frame, network=model)
    assert bridge.agreement.rows < 1e-13


# --- inputs ---------------------------------------------------------------------------------------


def test_a_column_that_the_network_knows_and_the_data_lack():
    model = logistic().fit(X, FRAME.low)
    with pytest.raises(DataError, match=r"There is no column 'lwt' \(the network was trained on it\)"):
        gb.bridge("low ~ age", FRAME.drop(columns="lwt"), network=model)


def test_inputs_in_the_wrong_order_or_number():
    model = logistic().fit(X, FRAME.low)
    with pytest.raises(ArgumentError, match=r"Input 1 of the network is 'age', but inputs= has 'lwt' there"):
        gb.bridge("low ~ age + lwt", FRAME, network=model, inputs=["lwt", "age"])
    with pytest.raises(ArgumentError, match="The network takes 2 inputs"):
        gb.bridge("low ~ age + lwt", FRAME, network=model, inputs=["age", "lwt", "dose"])
    bare = logistic().fit(X.to_numpy(), FRAME.low)
    with pytest.raises(ArgumentError, match="The network takes 2 inputs"):
        gb.bridge("low ~ age + lwt + dose", FRAME, network=bare)


def test_columns_of_a_design_are_those_of_the_formula():
    """A model that was fitted on design columns knows them by the formula's own names."""
    design = pd.DataFrame({"age": FRAME.age, "C(site)[T.north]": FRAME.site == "north"}).astype(float)
    model = logistic().fit(design, FRAME.low)
    table = gb.bridge("low ~ age + C(site)", FRAME, network=model).table.set_index("glm_term")
    assert table.relation[["C(site)[T.north]", "C(site)[T.south]"]].tolist() == ["same", "glm only"]


# --- schooling ------------------------------------------------------------------------------------

N = len(FRAME)
BLOCK = 100
REPEATED = SCALED.iloc[np.tile(np.arange(BLOCK), 4)].reset_index(drop=True)
SGD = {"max_iter": 3000, "tol": None, "random_state": 0, "alpha": 0.05}
PENALISED = {
    "C": (logistic(C=0.01), "low ~ age + lwt"),
    "liblinear": (logistic(C=0.01, solver="liblinear", intercept_scaling=3.0), "low ~ age + lwt"),
    "elastic net of classes": (logistic(C=0.05, solver="saga", l1_ratio=0.3), "low ~ age + lwt"),
    "cross-validated": (
        LogisticRegressionCV(
            Cs=[0.02], cv=2, tol=1e-10, l1_ratios=(0,), use_legacy_attributes=False, scoring="accuracy"
        ),
        "low ~ age + lwt",
    ),
    "ridge": (Ridge(alpha=40.0), "weight ~ age + lwt"),
    "ridge, cross-validated": (RidgeCV(alphas=[40.0]), "weight ~ age + lwt"),
    "lasso": (Lasso(alpha=0.05, tol=1e-10), "weight ~ age + lwt"),
    "elastic net": (ElasticNet(alpha=0.1, l1_ratio=0.4, tol=1e-10), "weight ~ age + lwt"),
    "poisson": (PoissonRegressor(alpha=0.2, tol=1e-10, max_iter=1000), "visits ~ age + lwt"),
    "gamma": (GammaRegressor(alpha=0.2, tol=1e-10, max_iter=1000), "cost ~ age + lwt"),
    "inverse Gaussian": (TweedieRegressor(power=3, alpha=0.2, tol=1e-10, max_iter=1000), "cost ~ age + lwt"),
    "mlp": (
        MLPClassifier((), alpha=20.0, solver="lbfgs", tol=1e-12, max_iter=1000, random_state=0),
        "low ~ age + lwt",
    ),
    "mlp of numbers": (
        MLPRegressor(hidden_layer_sizes=(), alpha=20.0, solver="lbfgs", tol=1e-12, max_iter=1000, random_state=0),
        "weight ~ age + lwt",
    ),
}


@pytest.mark.parametrize("name", PENALISED)
def test_the_penalty_is_the_one_that_it_was_trained_with(name):
    """At the penalised optimum the score of the likelihood is the slope of the penalty, weight by weight."""
    model, formula = PENALISED[name]
    bridge = gb.bridge(formula, SCALED, network=model.fit(Z, SCALED[formula.split(" ~ ")[0]]))
    assert_balanced(bridge, 1e-4)


@pytest.mark.parametrize("penalty", ["l2", "l1", "elasticnet"])
@pytest.mark.parametrize("maker", [SGDClassifier, SGDRegressor])
def test_the_penalty_of_stochastic_descent(maker, penalty):
    response = "low" if maker is SGDClassifier else "weight"
    loss = "log_loss" if maker is SGDClassifier else "squared_error"
    model = maker(loss=loss, penalty=penalty, average=penalty == "l2", **SGD).fit(Z, SCALED[response])
    assert_balanced(gb.bridge(f"{response} ~ age + lwt", SCALED, network=model), 0.1)


def test_the_batch_size_changes_the_penalty_of_a_perceptron():
    """Four equal batches: descent is deterministic. alpha is divided by the batch's rows, not by all."""
    options = {"alpha": 5.0, "shuffle": False, "max_iter": 800, "tol": 1e-14, "n_iter_no_change": 900}
    model = MLPClassifier((), solver="sgd", batch_size=BLOCK, learning_rate_init=0.1, random_state=0, **options)
    with pytest.warns(Warning, match="Maximum iterations"):
        model.fit(REPEATED[["age", "lwt"]], REPEATED.low)
    bridge = gb.bridge("low ~ age + lwt", REPEATED, network=model)
    assert_balanced(bridge, 1e-4)
    schooling = bridge.foreign.schooling
    assert schooling.decay.per_row
    assert schooling.decay.l2[0] == pytest.approx(5.0 / BLOCK)
    assert "in batches of 100 rows: scikit-learn divides alpha by the rows of a batch" in " ".join(schooling.notes)
    assert "It stopped at max_iter=800" in " ".join(schooling.notes)


def assert_balanced(bridge, tolerance):
    decay, found = bridge.foreign.schooling.decay, bridge.network.estimate
    times = len(bridge.network.sample.index) if decay.per_row else 1
    slope = times * (decay.l1 * np.sign(found.theta) + decay.l2 * found.theta)
    assert np.abs(slope).max() > 1.0
    np.testing.assert_allclose(found.sums.score, slope, atol=tolerance * np.abs(slope).max())


def test_a_last_batch_that_is_smaller():
    """300 rows in batches of 200: alpha / 200, then alpha / 100."""
    model = MLPClassifier((), solver="adam", max_iter=9, tol=1e9, n_iter_no_change=1).fit(Z[:300], FRAME.low[:300])
    decay = recognition.read(model).schooling.decay
    assert decay.l2[0] == pytest.approx(1e-4 * (1 / 200 + 1 / 100) / 2)


def test_what_else_training_says():
    early = SGDClassifier(loss="log_loss", early_stopping=True, penalty=None, class_weight={0: 1, 1: 3}, random_state=0)
    found = recognition.read(early.fit(Z, FRAME.low)).schooling
    assert (found.loss, found.optimiser, found.decay, found.class_weights) == (
        "log_loss",
        "sgd",
        None,
        {0: 1.0, 1: 3.0},
    )
    assert found.notes == ("early_stopping=True: 10% of the rows were held out, and training stopped by them.",)
    free = recognition.read(logistic(C=np.inf, class_weight="balanced").fit(Z, FRAME.low)).schooling
    assert (free.decay, free.optimiser, free.class_weights) == (None, "lbfgs", "balanced")
    assert recognition.read(logistic(C=0.5).fit(Z, FRAME.low)).schooling.decay.words == "C=0.5"
    assert recognition.read(LinearRegression().fit(Z, FRAME.weight)).schooling.decay is None


# --- what is refused --------------------------------------------------------------------------------

TWO = np.column_stack([FRAME.low, FRAME.smoke])
REFUSED = {
    "hinge": (SVC(), FRAME.low, r"The SVC was trained with a hinge, which is no likelihood"),
    "linear hinge": (LinearSVC(), FRAME.low, "The LinearSVC was trained with a hinge"),
    "perceptron": (Perceptron(), FRAME.low, "The Perceptron was trained with the perceptron's loss"),
    "sgd hinge": (SGDClassifier(), FRAME.low, r"The SGDClassifier was trained with loss='hinge'.*loss=\"log_loss\""),
    "huber": (SGDRegressor(loss="huber"), FRAME.weight, "loss='huber', which is no likelihood"),
    "squared classes": (RidgeClassifier(), FRAME.low, "the squared error of classes"),
    "tree": (DecisionTreeClassifier(), FRAME.low, "The DecisionTreeClassifier is built of trees.*no linear predictor"),
    "forest": (RandomForestClassifier(2), FRAME.low, "RandomForestClassifier is built of trees"),
    "calibrated": (CalibratedClassifierCV(logistic(), cv=2), FRAME.low, "The CalibratedClassifierCV is not read. Read"),
    "one against the rest": (
        SGDClassifier(loss="log_loss"),
        FRAME.outcome,
        r"fits 3 classes one against the rest: as many models, not one likelihood",
    ),
    "several responses": (
        MLPClassifier((), max_iter=2, solver="lbfgs", tol=1e9),
        TWO,
        "several yes/no responses at once",
    ),
    "several numbers": (LinearRegression(), TWO, "The LinearRegression predicts 2 responses at once"),
    "compound Poisson": (TweedieRegressor(power=1.5), FRAME.cost, "The TweedieRegressor has power=1.5; read are 0"),
    "transformer at the end": (
        make_pipeline(StandardScaler()),
        None,
        r"Step 'standardscaler' \(StandardScaler\) is a transformer and predicts nothing",
    ),
    "unknown step": (
        make_pipeline(RBFSampler(n_components=3), logistic()),
        FRAME.low,
        "Step 'rbfsampler' is a RBFSampler, which is not read. Read are StandardScaler",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    model, y, words = REFUSED[name]
    with pytest.raises(ReadError, match=words):
        recognition.read(model.fit(Z, y))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (LogisticRegression(), "network= is a LogisticRegression that was not fitted"),
        (
            make_pipeline(StandardScaler(), LogisticRegression()),
            "'logisticregression' is a LogisticRegression that was",
        ),
        (
            make_pipeline(StandardScaler(), LogisticRegression().fit(Z, FRAME.low)),
            "Step 'standardscaler' is a StandardScaler that was not fitted",
        ),
        (GridSearchCV(LogisticRegression(), {"C": [1]}), "The GridSearchCV has no best_estimator_"),
        (MLPRegressor(), "network= is a MLPRegressor that was not fitted"),
    ],
)
def test_not_fitted(model, words):
    with pytest.raises(ReadError, match=words):
        recognition.read(model)


def test_other_objects_of_scikit_learn():
    for model in (LabelBinarizer().fit([0, 1, 2]), IsotonicRegression().fit(Z.age, FRAME.weight)):
        with pytest.raises(ReadError, match=type(model).__name__):
            recognition.read(model)


def test_weights_that_are_not_finite():
    model = make_pipeline(StandardScaler(), logistic()).fit(X, FRAME.low)
    model[-1].coef_[0, 1] = np.nan
    with pytest.raises(ReadError, match=r"Weight logisticregression.coef_\[0, 1\] is nan.*smaller learning rate"):
        recognition.read(model)
    model[-1].coef_[0, 1], model[0].scale_[0] = 1.0, np.inf
    with pytest.raises(
        ReadError, match=r"Step 'standardscaler' \(StandardScaler\) has mean .* and scale inf for 'age'"
    ):
        recognition.read(model)


def test_shapes_that_do_not_fit():
    model = make_pipeline(StandardScaler(), logistic()).fit(X, FRAME.low)
    model.steps[0] = ("scale", StandardScaler().fit(FRAME[["age", "lwt", "dose"]]))
    with pytest.raises(ReadError, match=r"Step 'logisticregression' \(LogisticRegression\) takes 2 columns.* make 3"):
        recognition.read(model)


def test_a_function_of_other_rows_is_refused():
    centred = FunctionTransformer(lambda frame: frame - frame.mean())
    model = make_pipeline(centred, logistic()).fit(X, FRAME.low)
    with pytest.raises(
        ReadError, match=r"Step 'functiontransformer'.*gives a row other numbers alone than among other"
    ):
        gb.bridge("low ~ age + lwt", FRAME, network=model)


def test_an_estimator_that_does_more_than_its_attributes_say():
    class Shrunk(LogisticRegression):
        def predict_proba(self, x):
            return 0.9 * super().predict_proba(x) + 0.05

    with pytest.raises(ReadError, match=r"differ by 0\.0.* in the output"):
        gb.bridge("low ~ age + lwt", FRAME, network=Shrunk().fit(X, FRAME.low))


@pytest.mark.parametrize("weights", ["balanced", {"home": 3, "ward": 1, "icu": 2}])
def test_class_weights_of_several_classes_are_a_cause(weights):
    """Found by label, whatever the order of the classes; undone, nothing of the gap is left but the penalty."""
    model = LogisticRegression(C=0.2, class_weight=weights, tol=1e-10, max_iter=5000)
    model.fit(FRAME[["age", "smoke"]], FRAME.outcome)
    found = gb.bridge("outcome ~ age + smoke", FRAME, network=model)
    shares = found.causes.set_index("cause").share
    assert shares.sum() == pytest.approx(1.0) and abs(shares["training"]) < 1e-5
    assert shares["class weights"] > 0.9 and set(found.table.status[:6]) == {"penalised"}
