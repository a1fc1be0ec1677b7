"""Cases of scikit-learn: estimators, transformers and pipelines, most of them at the maximum of the likelihood."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from adapters.kit import FRAME, Case
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    GammaRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)

from glmnet_bridge.model import families
from glmnet_bridge.model.families import Family

NUMBERS = ["age", "lwt", "dose"]
TEN = "low ~ age + lwt + dose + C(site) + C(arm)"
LOGIT = families.binomial()


def logistic(**options: Any) -> LogisticRegression:
    """Unpenalised, and quick: `trained` takes it to the end."""
    return LogisticRegression(**{"C": np.inf, "tol": 1e-3, "max_iter": 2000} | options)


def maximum(family: Family, z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Weights of the columns z and of a constant, at the maximum of the likelihood, by least squares."""
    table = np.column_stack([z, np.ones(len(z))])
    beta = np.zeros(table.shape[1])
    beta[-1] = family.link.function(np.array([y.mean()]))[0]
    for _ in range(60):
        local = family.local(y[:, None], (table @ beta)[:, None])
        root = np.sqrt(local.expected[:, 0])
        beta = beta + np.linalg.lstsq(table * root[:, None], local.score[:, 0] / root, rcond=1e-12)[0]
    return beta


def trained(model: Any, x: Any, y: Any, family: Family = LOGIT) -> Any:
    """The model fitted, then its last layer moved on to the maximum of the likelihood."""
    model.fit(x, y)
    last = model[-1] if isinstance(model, Pipeline) else model
    z = model[:-1].transform(x) if isinstance(model, Pipeline) else x
    z = np.asarray(z.toarray() if hasattr(z, "toarray") else z, dtype=float)
    if hasattr(last, "coefs_"):
        for kernel, bias in zip(last.coefs_[:-1], last.intercepts_[:-1], strict=True):
            z = z @ kernel + bias  # the activation is the identity
        beta = maximum(family, z, np.asarray(y, dtype=float))
        last.coefs_[-1][:, 0], last.intercepts_[-1][:] = beta[:-1], beta[-1]
        return model
    beta = maximum(family, z, np.asarray(y, dtype=float))
    last.coef_ = beta[:-1].reshape(np.shape(last.coef_))
    last.intercept_ = np.reshape(beta[-1], np.shape(last.intercept_)) if np.ndim(last.intercept_) else float(beta[-1])
    return model


def classified(steps: list[Any], columns: list[str], formula: str, **relations: str) -> Case:
    """A pipeline of these steps with a logistic regression, at the maximum."""
    model = trained(make_pipeline(*steps, logistic()), FRAME[columns], FRAME.low)
    return Case(model, formula, optimal=True, relations=relations)


def plain() -> Case:
    """Columns by name, trained to the end by scikit-learn alone."""
    columns = ["age", "lwt", "smoke"]
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12).fit(FRAME[columns], FRAME.low)
    return Case(model, "low ~ age + lwt + smoke", optimal=True, relations={"Intercept": "same", "age": "same"})


def arrays() -> Case:
    """Fitted on an array, which has no names: places."""
    model = trained(logistic(), FRAME[["age", "lwt"]].to_numpy(), FRAME.low)
    return Case(model, "low ~ age + lwt", optimal=True, relations={"age": "same", "lwt": "same"})


def arrays_with_inputs() -> Case:
    """Fitted on an array of numbers and of 0/1 for a level; inputs= says which."""
    x = np.column_stack([FRAME.age, FRAME.site == "north"]).astype(float)
    model = trained(make_pipeline(StandardScaler(), logistic()), x, FRAME.low)
    return Case(model, "low ~ age + I(site == 'north')", ["age", "site[north]"], optimal=True)


def array_products() -> Case:
    """Products within a model that was fitted on an array with a yes/no input."""
    x = np.column_stack([FRAME.age, FRAME.site == "north"]).astype(float)
    steps = (StandardScaler(), PolynomialFeatures(interaction_only=True, include_bias=False))
    model = trained(make_pipeline(*steps, logistic()), x, FRAME.low)
    return Case(model, "low ~ age * I(site == 'north')", ["age", "site[north]"], optimal=True)


def scaled(scaler: Any) -> Callable[[], Case]:
    return lambda: classified([scaler], NUMBERS, "low ~ age + lwt + dose", age="scaled", Intercept="combined")


def encoded(encoder: Any) -> Callable[[], Case]:
    """Numbers scaled beside coded factors."""

    def build() -> Case:
        parts = make_column_transformer((StandardScaler(), NUMBERS), (encoder, ["site", "arm"]))
        return classified([parts], [*NUMBERS, "site", "arm"], TEN, age="scaled")

    return build


def remainder() -> Case:
    """Columns that no transformer names are handed on; the arms come first."""
    parts = ColumnTransformer([("arm", OneHotEncoder(drop="first"), ["arm"])], remainder="passthrough")
    parts.set_output(transform="default")
    return classified([parts], ["age", "arm", "smoke"], "low ~ age + C(arm) + smoke", age="same")


def nested() -> Case:
    """Pipelines within a ColumnTransformer within a pipeline, with dropped columns, as frames."""
    numbers = Pipeline([("fill", SimpleImputer(strategy="median")), ("scale", RobustScaler())])
    levels = Pipeline([("fill", SimpleImputer(strategy="most_frequent")), ("code", OneHotEncoder(sparse_output=False))])
    parts = ColumnTransformer(
        [("numbers", numbers, ["lwt", "age"]), ("none", "drop", ["dose"]), ("levels", levels, ["site"])]
    )
    model = Pipeline([("columns", parts), ("again", StandardScaler()), ("logreg", logistic())])
    model.set_output(transform="pandas")
    model = trained(model, FRAME[["age", "lwt", "dose", "site"]], FRAME.low)
    return Case(model, "low ~ age + lwt + C(site)", optimal=True)


def numeric_levels() -> Case:
    """A column of 0 and 1 in one-hot coding."""
    parts = make_column_transformer((OneHotEncoder(), ["smoke"]), ("passthrough", ["age"]))
    return classified([parts], ["age", "smoke"], "low ~ age + smoke", age="same", smoke="combined")


def polynomial() -> Case:
    """Scale, then all products of two."""
    steps = [StandardScaler(), PolynomialFeatures(2, include_bias=False)]
    return classified(steps, ["age", "dose"], "low ~ age * dose + I(age ** 2) + I(dose ** 2)")


def interactions() -> Case:
    """Products of numbers and levels, after one-hot coding; the constant is a column too."""
    parts = make_column_transformer((OneHotEncoder(sparse_output=False), ["arm"]), ("passthrough", ["age"]))
    steps = [parts, PolynomialFeatures(2, interaction_only=True)]
    return classified(steps, ["age", "arm"], "low ~ age * C(arm)")


def spline() -> Case:
    """B-splines of one column: the span of the formula's own."""
    knots = np.array([[10.0], [40.0], [50.0], [90.0]])
    parts = make_column_transformer(
        (SplineTransformer(degree=3, knots=knots), ["age"]), (MinMaxScaler(), ["lwt"]), verbose_feature_names_out=False
    )
    formula = "low ~ bs(age, knots=(40, 50), degree=3, lower_bound=10, upper_bound=90) + lwt"
    return classified([parts], ["age", "lwt"], formula, lwt="scaled")


def functions() -> Case:
    """Logarithms and thousandths: computed columns."""
    parts = make_column_transformer(
        (FunctionTransformer(np.log), ["lwt"]),
        (FunctionTransformer(lambda frame: frame / 1000), ["age"]),
        (FunctionTransformer(), ["dose"]),
    )
    formula = "low ~ age + np.log(lwt) + dose"
    return classified([parts], NUMBERS, formula, dose="same", age="scaled", **{"np.log(lwt)": "same"})


def functions_of_scaled() -> Case:
    """A function behind a scaler; the network has a column that the formula lacks."""
    steps = [StandardScaler(), FunctionTransformer(np.tanh, feature_names_out="one-to-one")]
    return classified(steps, ["age", "lwt"], "low ~ 1")


def bins_and_selection() -> Case:
    """Bins in one-hot coding, a constant column that a selector removes, and another that nobody reads."""
    parts = ColumnTransformer(
        [
            ("bins", KBinsDiscretizer(3, encode="onehot-dense", quantile_method="averaged_inverted_cdf"), ["age"]),
            ("zero", FunctionTransformer(lambda frame: frame * 0.0), ["dose"]),
            ("rest", "passthrough", ["lwt"]),
        ]
    )
    return classified([parts, VarianceThreshold()], NUMBERS, "low ~ lwt", lwt="same")


def union_of_features() -> Case:
    """Principal components beside the columns, with weights."""
    union = FeatureUnion([("axes", PCA(2, whiten=True)), ("same", "passthrough")], transformer_weights={"axes": 0.5})
    return classified([StandardScaler(), union], NUMBERS, "low ~ age + lwt + dose")


def rare_levels() -> Case:
    """Rare levels share a column."""
    frame = FRAME.assign(town=np.r_[["a"] * 200, ["b"] * 150, ["c"] * 30, ["d"] * 20])
    encoder = OneHotEncoder(min_frequency=50, handle_unknown="infrequent_if_exist")
    model = trained(make_pipeline(make_column_transformer((encoder, ["town"])), logistic()), frame[["town"]], frame.low)
    return Case(model, "low ~ C(town)", frame=frame)


def ordinal() -> Case:
    """Codes of ordered levels as numbers."""
    levels = [["control", "low", "high"]]
    encoder = OrdinalEncoder(categories=levels, handle_unknown="use_encoded_value", unknown_value=-1)
    parts = make_column_transformer((encoder, ["arm"]), ("passthrough", ["age"]))
    model = trained(make_pipeline(parts, logistic()), FRAME[["age", "arm"]], FRAME.low)
    return Case(model, "low ~ age + C(arm)")


def regression(estimator: Any, formula: str, family: Family) -> Callable[[], Case]:
    """A regression of another family behind a scaler and levels."""

    def build() -> Case:
        parts = make_column_transformer((StandardScaler(), ["age", "lwt"]), (OneHotEncoder(drop="first"), ["arm"]))
        y = FRAME[formula.split(" ~ ")[0]]
        model = trained(make_pipeline(parts, estimator), FRAME[["age", "lwt", "arm"]], y, family)
        return Case(model, formula, optimal=True, relations={"age": "scaled"})

    return build


def deep() -> Case:
    """Linear hidden layers: products of weights, a GLM all the same."""
    network = MLPClassifier((5, 4), "identity", max_iter=3, solver="lbfgs", random_state=0)
    network.set_params(tol=1e9)
    model = trained(make_pipeline(StandardScaler(), network), FRAME[NUMBERS], FRAME.low)
    return Case(model, "low ~ age + lwt + dose", optimal=True)


def deep_regression() -> Case:
    network = MLPRegressor(
        hidden_layer_sizes=(4,), activation="identity", max_iter=3, solver="lbfgs", random_state=0, tol=1e9
    )
    model = trained(make_pipeline(StandardScaler(), network), FRAME[["age", "lwt"]], FRAME.weight, families.gaussian())
    return Case(model, "weight ~ age + lwt", optimal=True)


def hidden(activation: str) -> Callable[[], Case]:
    """A network that is no GLM."""

    def build() -> Case:
        network = MLPClassifier((3,), activation, max_iter=5, solver="lbfgs", random_state=0, tol=1e9)
        model = make_pipeline(StandardScaler(), network).fit(FRAME[["age", "lwt"]], FRAME.low)
        return Case(model, "low ~ age + lwt")

    return build


def single() -> Case:
    """Single precision throughout."""
    network = MLPClassifier((2,), "identity", max_iter=5, solver="lbfgs", random_state=0, tol=1e9)
    x = (FRAME[["age", "lwt"]].to_numpy() / 50).astype(np.float32)
    return Case(network.fit(x, FRAME.low), "low ~ I(age / 50) + I(lwt / 50)", single=True)


def planted() -> Case:
    """Weights that no training gave, and classes in words."""
    y = np.where(FRAME.low == 1, "yes", "no")
    model = SGDClassifier(loss="log_loss", max_iter=5, tol=None, random_state=0).fit(FRAME[["age", "lwt"]], y)
    model.coef_[:] = [[0.01, -0.02]]
    return Case(model, "answer ~ age + lwt", frame=FRAME.assign(answer=y), relations={"age": "same"})


def other_event() -> Case:
    """The formula models the other class: all signs turn."""
    y = np.where(FRAME.low == 1, "yes", "no")
    model = trained(logistic(), FRAME[["age", "lwt"]], FRAME.low)
    model.classes_ = np.array(["no", "yes"])
    return Case(model, "answer ~ age + lwt", frame=FRAME.assign(answer=y), arguments={"event": "no"}, optimal=True)


def without_intercept() -> Case:
    model = Ridge(alpha=0.0, fit_intercept=False, solver="svd").fit(FRAME[["age", "lwt"]], FRAME.weight)
    return Case(model, "weight ~ 0 + age + lwt", optimal=True, relations={"age": "same"})


def softmax() -> Case:
    """Three classes, trained to the end; the labels say which output is which."""
    columns = ["age", "lwt", "smoke"]
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=500)
    model.fit(FRAME[columns], FRAME.outcome)
    relations = {"icu: Intercept": "combined", "ward: age": "combined"}
    return Case(model, "outcome ~ age + lwt + smoke", optimal=True, relations=relations)


def softmax_in_another_order() -> Case:
    """The response's classes in an order of their own, another base, and inputs that the formula lacks."""
    frame = FRAME.assign(outcome=pd.Categorical(FRAME.outcome, ["ward", "home", "icu"]))
    columns = ["age", "lwt", "smoke"]
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=500)
    model.fit(frame[columns], frame.outcome)
    relations = {"home: age": "combined", "icu: lwt": "network only"}
    arguments = {"base": "ward", "family": "multinomial"}
    return Case(model, "outcome ~ age", frame=frame, arguments=arguments, optimal=True, relations=relations)


def softmax_of_numbers() -> Case:
    """Classes as the numbers 0, 1, 2 of the model, where the frame has their names in this order."""
    frame = FRAME.assign(outcome=pd.Categorical(FRAME.outcome, ["home", "ward", "icu"]))
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=500)
    model.fit(frame[["age"]], frame.outcome.cat.codes.to_numpy())
    return Case(model, "outcome ~ age", frame=frame, optimal=True, relations={"ward: age": "combined"})


CASES = {
    "plain": plain,
    "arrays": arrays,
    "arrays with inputs": arrays_with_inputs,
    "array products": array_products,
    "standard": scaled(StandardScaler()),
    "min-max": scaled(MinMaxScaler((-1, 1))),
    "robust": scaled(RobustScaler()),
    "max-abs": scaled(make_pipeline(StandardScaler(with_std=False), MaxAbsScaler())),
    "one-hot": encoded(OneHotEncoder()),
    "one-hot, first dropped": encoded(OneHotEncoder(drop="first", handle_unknown="ignore", sparse_output=False)),
    "one-hot, one dropped": encoded(OneHotEncoder(drop=["north", "high"])),
    "remainder": remainder,
    "nested": nested,
    "numeric levels": numeric_levels,
    "polynomial": polynomial,
    "interactions": interactions,
    "spline": spline,
    "functions": functions,
    "functions of scaled": functions_of_scaled,
    "bins and selection": bins_and_selection,
    "union of features": union_of_features,
    "rare levels": rare_levels,
    "ordinal": ordinal,
    "poisson": regression(PoissonRegressor(alpha=0), "visits ~ age + lwt + C(arm)", families.poisson()),
    "gamma": regression(GammaRegressor(alpha=0), "cost ~ age + lwt + C(arm)", families.gamma("log")),
    "tweedie": regression(
        TweedieRegressor(power=3, alpha=0), "cost ~ age + lwt + C(arm)", families.inverse_gaussian("log")
    ),
    "linear": regression(LinearRegression(), "weight ~ age + lwt + C(arm)", families.gaussian()),
    "deep": deep,
    "deep regression": deep_regression,
    "tanh": hidden("tanh"),
    "logistic units": hidden("logistic"),
    "relu": hidden("relu"),
    "single precision": single,
    "planted": planted,
    "other event": other_event,
    "without intercept": without_intercept,
    "softmax": softmax,
    "softmax in another order": softmax_in_another_order,
    "softmax of numbers": softmax_of_numbers,
}
