"""Settings of other packages on our scale: each package is trained to its end at its setting, and its weights
are the optimum of our penalised objective at the translated strengths.

The tolerance of a row is what the package's own solver and precision leave; it is said beside it.
"""

from __future__ import annotations

import functools
import os
import warnings
from dataclasses import replace

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import pytest
from references import cases

import glmnet_bridge as gb
from glmnet_bridge.data.rows import ArraySource, Rows
from glmnet_bridge.inference.optima import Aim, optimum, short
from glmnet_bridge.model import families
from glmnet_bridge.model.layers import Activation, Affine
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import Inputs, Network, dense_entries, is_bias, single_unit

translate = gb.penalties.translate

RNG = np.random.default_rng(7)
N, P = 120, 3
X = RNG.normal(size=(N, P)) @ np.array([[1.0, 0.3, 0.0], [0.0, 1.0, -0.2], [0.0, 0.0, 0.8]])
ETA = 0.3 + X @ np.array([0.9, -0.6, 0.1])
LOW = (RNG.random(N) < 1 / (1 + np.exp(-ETA))).astype(float)
VISITS = RNG.poisson(np.exp(0.2 + 0.5 * ETA)).astype(float)
WEIGHT = ETA + RNG.normal(size=N)
COST = RNG.gamma(2.0, np.exp(0.3 * ETA) / 2.0)


def ours(found, family="binomial", y=LOW, x=X, *, intercept=True, columns=None, weights=None):
    """The optimum of our objective at a translation: the slopes, then the constant."""
    l1, l2 = (found.l1, found.l2) if columns is None else found.standardised(columns)
    every = (
        [np.append(np.broadcast_to(part, x.shape[1]), part * found.intercept) for part in (l1, l2)]
        if (columns is None)
        else [np.append(part, 0.0) for part in (l1, l2)]
    )
    names = tuple(f"x{j}" for j in range(x.shape[1])) + (("Intercept",) if intercept else ())
    every = [part[: len(names)] for part in every]
    matrix = np.column_stack([x, np.ones(len(x))]) if intercept else x
    model = Model(names, single_unit(names), families.named(*family) if isinstance(family, tuple) else
                  families.named(family))  # fmt: skip
    rows = Rows(ArraySource(matrix, False), y[:, None], np.ones(len(y)) if weights is None else weights)
    ended = optimum(Aim(model, rows, *every), np.zeros(len(names)))
    assert ended.reached
    return ended.theta


def flat(model):
    return np.append(np.ravel(model.coef_), np.ravel(model.intercept_))


# --- scikit-learn, glum ---------------------------------------------------------------------------


@pytest.mark.parametrize("c", [0.05, 1.0, 30.0])
def test_logistic_regression_c(c):
    """Error 1e-9: its Newton solver stops on the gradient."""
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LogisticRegression

    there = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-12).fit(X, LOW)
    np.testing.assert_allclose(flat(there), ours(translate("sklearn C", c)), atol=1e-9)


@pytest.mark.parametrize("ratio", [1.0, 0.4])
def test_logistic_regression_elastic_net(ratio):
    """Error 1e-7: saga is a stochastic solver. With weights of the rows too."""
    pytest.importorskip("sklearn", minversion="1.8")  # l1_ratio alone is an elastic net since then
    from sklearn.linear_model import LogisticRegression

    weights = np.linspace(0.5, 1.5, N)
    model = LogisticRegression(C=0.08, l1_ratio=ratio, solver="saga", tol=1e-10, max_iter=20_000, random_state=0)
    there = flat(model.fit(X, LOW, sample_weight=weights))
    found = ours(translate("sklearn C", 0.08, l1_ratio=ratio), weights=weights)
    np.testing.assert_allclose(there, found, atol=1e-7)
    assert (there == 0).sum() == (found == 0).sum() == (1 if ratio == 1.0 else 0)


def test_liblinear_penalises_the_constant():
    """Error 1e-7: its tolerance."""
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LogisticRegression

    there = LogisticRegression(C=0.3, solver="liblinear", tol=1e-12, max_iter=10_000).fit(X, LOW)
    np.testing.assert_allclose(flat(there), ours(translate("sklearn liblinear C", 0.3)), atol=1e-7)


def test_mlp_alpha_is_the_strength_for_lbfgs():
    """Error 5e-5: L-BFGS stops when the loss no longer falls by 2e-9 of itself, its root in the weights."""
    pytest.importorskip("sklearn")
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    options = {"hidden_layer_sizes": (), "solver": "lbfgs", "alpha": 6.0, "tol": 1e-14, "random_state": 0}
    there = MLPClassifier(**options).fit(X, LOW)
    weights = np.append(there.coefs_[0].ravel(), there.intercepts_[0])
    np.testing.assert_allclose(weights, ours(translate("sklearn MLP alpha", 6.0)), atol=5e-5)
    there = MLPRegressor(**options).fit(X, WEIGHT)
    weights = np.append(there.coefs_[0].ravel(), there.intercepts_[0])
    np.testing.assert_allclose(weights, ours(translate("sklearn MLP alpha", 6.0), "gaussian", WEIGHT), atol=5e-5)


@pytest.mark.parametrize(("solver", "rate", "error"), [("sgd", 0.8, 1e-9), ("adam", 0.01, 1e-5)])
def test_mlp_alpha_depends_on_the_batch(solver, rate, error):
    """Four batches with the same rows each, so that the end has no noise; adam's steps never become quite 0."""
    pytest.importorskip("sklearn")
    from sklearn.neural_network import MLPClassifier

    part, batch = slice(0, 40), 40
    x, y = np.tile(X[part], (4, 1)), np.tile(LOW[part], 4)
    model = MLPClassifier((), solver=solver, alpha=2.0, batch_size=batch, shuffle=False, learning_rate_init=rate,
                          momentum=0.0, max_iter=600, tol=0.0, n_iter_no_change=600)  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(x, y)
    found = translate("sklearn MLP alpha", 2.0, n=160, batch_size=batch)
    assert found.l2 == 8.0
    weights = np.append(model.coefs_[0].ravel(), model.intercepts_[0])
    np.testing.assert_allclose(weights, ours(found, x=x, y=y), atol=error)


@pytest.mark.parametrize("ratio", [0.0, 0.5])
def test_sgd_classifier_alpha(ratio):
    """Error 1e-2: steps of single rows, whose noise averages out slowly; half the strength is 0.1 away."""
    pytest.importorskip("sklearn")
    from sklearn.linear_model import SGDClassifier

    model = SGDClassifier(loss="log_loss", alpha=0.05, penalty="elasticnet", l1_ratio=ratio, max_iter=2000, tol=None,
                          learning_rate="invscaling", eta0=0.3, power_t=0.75, random_state=1)  # fmt: skip
    there = flat(model.fit(X, LOW))
    found, half = (ours(translate("sklearn SGD alpha", at, n=N, l1_ratio=ratio)) for at in (0.05, 0.025))
    np.testing.assert_allclose(there, found, atol=1e-2)
    assert np.abs(there - half).max() > 0.05


def test_ridge_lasso_and_elastic_net_of_least_squares():
    pytest.importorskip("sklearn")
    from sklearn.linear_model import ElasticNet, Lasso, Ridge

    found = translate("sklearn Ridge alpha", 9.0)
    np.testing.assert_allclose(flat(Ridge(9.0).fit(X, WEIGHT)), ours(found, "gaussian", WEIGHT), atol=1e-12)
    options = {"tol": 1e-14, "max_iter": 10_000}  # coordinate descent to the last digits
    found = translate("sklearn ElasticNet alpha", 0.2, n=N)
    np.testing.assert_allclose(
        flat(ElasticNet(0.2, **options).fit(X, WEIGHT)), ours(found, "gaussian", WEIGHT), atol=1e-9
    )
    found = translate("sklearn ElasticNet alpha", 0.2, n=N, l1_ratio=1.0)
    np.testing.assert_allclose(flat(Lasso(0.2, **options).fit(X, WEIGHT)), ours(found, "gaussian", WEIGHT), atol=1e-9)


@pytest.mark.parametrize(
    ("name", "family", "y"), [("PoissonRegressor", "poisson", VISITS), ("GammaRegressor", ("gamma", "log"), COST)]
)
def test_glms_of_scikit_learn(name, family, y):
    """Error 1e-8: its Newton solver stops on the gradient."""
    pytest.importorskip("sklearn")
    import sklearn.linear_model

    model = getattr(sklearn.linear_model, name)(alpha=0.7, solver="newton-cholesky", tol=1e-11)
    found = translate("sklearn GLM alpha", 0.7, n=N)
    np.testing.assert_allclose(flat(model.fit(X, y)), ours(found, family, y), atol=1e-8)


@pytest.mark.parametrize("ratio", [0.0, 0.6])
def test_glum_alpha(ratio):
    """Error 1e-8: its own tolerance, on the gradient."""
    glum = pytest.importorskip("glum")
    model = glum.GeneralizedLinearRegressor(
        family="binomial", alpha=0.06, l1_ratio=ratio, gradient_tol=1e-11, max_iter=1000
    )
    found = translate("glum alpha", 0.06, n=N, l1_ratio=ratio)
    np.testing.assert_allclose(flat(model.fit(X, LOW)), ours(found), atol=1e-8)


# --- statsmodels ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [0.0, 0.5])
@pytest.mark.parametrize("free", [True, False])
def test_statsmodels_glm_alpha(ratio, free):
    """Error 1e-4: its coordinate descent stops early and its own tolerance cannot be tightened everywhere."""
    pytest.importorskip("statsmodels")
    import statsmodels.api as sm

    matrix = np.column_stack([X, np.ones(N)])
    alpha = np.array([0.05, 0.05, 0.05, 0.0 if free else 0.05])
    model = sm.GLM(LOW, matrix, family=sm.families.Binomial())
    there = model.fit_regularized(alpha=alpha, L1_wt=ratio, maxiter=1000, cnvrg_tol=1e-13)
    found = translate("statsmodels GLM alpha", 0.05, n=N, l1_ratio=ratio, intercept=not free)
    np.testing.assert_allclose(there.params, ours(found), atol=1e-4)


@pytest.mark.parametrize("free", [True, False])
def test_statsmodels_logit_alpha_is_l1_on_the_total(free):
    """Error 1e-5: sequential quadratic programming."""
    pytest.importorskip("statsmodels")
    import statsmodels.api as sm

    matrix = np.column_stack([X, np.ones(N)])
    alpha = np.array([6.0, 6.0, 6.0, 0.0 if free else 6.0])
    there = sm.Logit(LOW, matrix).fit_regularized(alpha=alpha, acc=1e-13, maxiter=2000, disp=0)
    found = translate("statsmodels Logit alpha", 6.0, intercept=not free)
    assert (found.l1, found.l2) == (6.0, 0.0)
    np.testing.assert_allclose(there.params, ours(found), atol=1e-5)


# --- torch ----------------------------------------------------------------------------------------


def torch_trained(optimiser, steps, *, loss="binary", reduction="mean", **options):
    pytest.importorskip("torch")
    import torch

    torch.set_num_threads(1)
    unit = torch.nn.Linear(P, 1, dtype=torch.float64)
    with torch.no_grad():
        unit.weight.zero_(), unit.bias.zero_()
    measure = {"binary": torch.nn.BCEWithLogitsLoss, "squared": torch.nn.MSELoss}[loss](reduction=reduction)
    x, y = torch.tensor(X), torch.tensor((LOW if loss == "binary" else WEIGHT)[:, None])
    learner = getattr(torch.optim, optimiser)(unit.parameters(), **options)
    fade = torch.optim.lr_scheduler.ExponentialLR(learner, 0.985 if optimiser.startswith("Adam") else 1.0)
    for _ in range(steps):
        learner.zero_grad()
        measure(unit(x), y).backward()
        learner.step()
        fade.step()
    return np.append(unit.weight.detach().numpy().ravel(), unit.bias.detach().numpy())


def test_torch_sgd_weight_decay():
    """Plain gradient descent in double precision reaches the optimum to its rounding."""
    found = translate("torch SGD weight_decay", 0.05, n=N)
    assert found.l2 == 0.05 * N and found.intercept
    np.testing.assert_allclose(torch_trained("SGD", 400, lr=1.5, weight_decay=0.05), ours(found), atol=1e-12)
    there = torch_trained("SGD", 500, lr=0.5, momentum=0.7, weight_decay=0.05)
    np.testing.assert_allclose(there, ours(found), atol=1e-12)
    found = translate("torch SGD weight_decay", 5.0, loss="sum")
    there = torch_trained("SGD", 400, reduction="sum", lr=1.5 / N, weight_decay=5.0)
    np.testing.assert_allclose(there, ours(found), atol=1e-12)


def test_torch_weight_decay_beside_squared_errors():
    """They lack the half of the gaussian likelihood."""
    found = translate("torch SGD weight_decay", 0.2, n=N, loss="mean squared error")
    there = torch_trained("SGD", 400, loss="squared", lr=0.3, weight_decay=0.2)
    np.testing.assert_allclose(there, ours(found, "gaussian", WEIGHT), atol=1e-12)


def test_torch_adam_weight_decay():
    """Error 1e-8: the steps fade."""
    found = translate("torch Adam weight_decay", 0.05, n=N)
    there = torch_trained("Adam", 900, lr=0.1, weight_decay=0.05)
    np.testing.assert_allclose(there, ours(found), atol=1e-8)


def test_adamw_is_no_penalty():
    """It ends at the maximum-likelihood estimate, or at the wall of its box: error 1e-3, steps of constant size."""
    mle = ours(translate("ridge", 0.0))
    found = translate("torch AdamW weight_decay", 0.1)
    assert (found.l1, found.l2, found.box) == (0.0, 0.0, 10.0)
    pytest.importorskip("torch")
    import torch

    assert "no penalty" in found.words
    there = adamw(torch, 0.1)
    np.testing.assert_allclose(there, mle, atol=1e-3)
    ridge = ours(translate("torch Adam weight_decay", 0.1, n=N))
    assert np.abs(there - ridge).max() > 0.05
    tight = adamw(torch, 2.0)
    assert np.abs(mle).max() > 0.6 and np.abs(tight).max() == pytest.approx(0.5, abs=5e-3)


def adamw(torch, decay):
    torch.set_num_threads(1)
    theta = torch.zeros(P + 1, dtype=torch.float64, requires_grad=True)
    x, y = torch.tensor(np.column_stack([X, np.ones(N)])), torch.tensor(LOW)
    learner = torch.optim.AdamW([theta], lr=2e-2, betas=(0.9, 0.9), weight_decay=decay)
    for step in range(1500):
        learner.param_groups[0]["lr"] = 2e-2 / (1 + step / 100)
        learner.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(x @ theta, y).backward()
        learner.step()
    return theta.detach().numpy()


# --- Keras ----------------------------------------------------------------------------------------


# Keras reads a torch tensor into numpy in a way that numpy warns of
keras_test = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def keras_trained(optimiser, steps=250, regularizer=None, loss="binary_crossentropy"):
    keras = pytest.importorskip("keras")
    activation = "sigmoid" if loss == "binary_crossentropy" else None
    unit = keras.layers.Dense(
        1, activation, kernel_regularizer=regularizer, kernel_initializer="zeros", dtype="float64"
    )
    model = keras.Sequential([keras.Input((P,), dtype="float64"), unit])
    model.compile(optimiser, loss=loss)
    y = (LOW if activation else WEIGHT)[:, None]
    for _ in range(steps):
        model.train_on_batch(X, y)
    return np.append(unit.kernel.numpy().ravel(), unit.bias.numpy())


@keras_test
def test_keras_l2():
    """Error 1e-6: Keras clips probabilities, and computes its optimiser's settings in single precision."""
    keras = pytest.importorskip("keras")
    there = keras_trained(keras.optimizers.SGD(2.0), regularizer=keras.regularizers.L2(0.03))
    np.testing.assert_allclose(there, ours(translate("keras L2", 0.03, n=N)), atol=1e-6)
    there = keras_trained(keras.optimizers.SGD(0.3), regularizer=keras.regularizers.L2(0.3), loss="mse")
    found = translate("keras L2", 0.3, n=N, loss="mean squared error")
    np.testing.assert_allclose(there, ours(found, "gaussian", WEIGHT), atol=1e-6)


@keras_test
def test_keras_l1():
    """Error 1e-6, as for L2, where no weight ends at 0: around that gradient steps would swing."""
    keras = pytest.importorskip("keras")
    there = keras_trained(keras.optimizers.SGD(2.0), regularizer=keras.regularizers.L1(0.05))
    found = ours(translate("keras L1", 0.05, n=N))
    assert (found != 0).all()
    np.testing.assert_allclose(there, found, atol=1e-6)


@keras_test
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_keras_sgd_weight_decay(momentum):
    """Error 1e-6, as for L2. Momentum adds up the gradient, and not the decay."""
    keras = pytest.importorskip("keras")
    there = keras_trained(keras.optimizers.SGD(1.0, momentum=momentum, weight_decay=0.05))
    found = translate("keras SGD weight_decay", 0.05, n=N, momentum=momentum)
    np.testing.assert_allclose(there, ours(found), atol=1e-6)


@keras_test
@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_keras_adam_weight_decay_is_no_penalty(name):
    """It ends at the maximum-likelihood estimate: error 5e-3, steps of fading size."""
    keras = pytest.importorskip("keras")
    schedule = keras.optimizers.schedules.InverseTimeDecay(0.05, 60, 1.0)
    there = keras_trained(getattr(keras.optimizers, name)(schedule, beta_2=0.9, weight_decay=0.2), 500)
    mle, ridge = (ours(translate(*what, n=N)) for what in (("ridge", 0.0), ("torch Adam weight_decay", 0.2)))
    assert translate(f"keras {name} weight_decay", 0.2).box == 5.0
    np.testing.assert_allclose(there, mle, atol=5e-3)
    assert np.abs(there - ridge).max() > 0.1


# --- R: glmnet and nnet, computed beforehand ------------------------------------------------------

MODELS = {kind: {name: cases.load(name)["model"] for name in cases.names(kind)} for kind in ("glmnet", "nnet")}
GLMNET = [
    name
    for name, model in MODELS["glmnet"].items()
    if model["family"] != "multinomial" and not (model.get("offset") or model.get("penalty_factor"))
]
NNET = [name for name, model in MODELS["nnet"].items() if model["output"] != "softmax" and not model["skip"]]


@pytest.mark.parametrize("name", GLMNET)
def test_glmnet_lambda(name):
    """Error in the predictor 1e-5: coordinate descent stops on the loss, 1e-8 for the ridges, which are smooth."""
    case = cases.load(name)
    model, frame = case["model"], cases.frame(case)
    x, y = frame[model["features"]].to_numpy(float), frame[model["response"]].to_numpy(float)
    weights = np.ones(len(x)) if not model.get("weights") else 1.0 + (frame["am"] == 1).to_numpy(float)
    mean = weights @ x / weights.sum()
    scale = np.sqrt(weights @ (x - mean) ** 2 / weights.sum()) if model["standardize"] else np.ones(x.shape[1])
    spread = np.sqrt(weights @ (y - weights @ y / weights.sum()) ** 2 / weights.sum())
    size = spread if model["family"] == "gaussian" else 1.0
    for column, value in enumerate(case["ref"]["lambda"]):
        found = translate("glmnet lambda", value, n=weights.sum(), l1_ratio=float(model["alpha"]),
                          response_sd=spread if model["family"] == "gaussian" else None)  # fmt: skip
        here = ours(found, model["family"], y, x - mean * model["intercept"], columns=scale, weights=weights,
                    intercept=model["intercept"])  # fmt: skip
        there = np.array(case["ref"]["coef"], dtype=float)[:, column]
        slopes = here[: x.shape[1]]
        error = np.abs(slopes - there[1:]) * np.sqrt(np.mean(x**2, axis=0)) / size
        assert error.max() <= (1e-7 if model["alpha"] == 0 else 1e-5), (column, error)
        if model["intercept"]:
            assert here[-1] - mean @ slopes == pytest.approx(there[0], abs=1e-5 * size)


@functools.cache
def nnet(name):
    """Network, rows and weights of a case of nnet, in our order of the weights."""
    case = cases.load(name)
    model, frame = case["model"], cases.frame(case)
    features = tuple(model["features"])
    x = (frame[list(features)].to_numpy(float) - model["center"]) / np.asarray(model["scale"], dtype=float)
    y = frame[model["response"]].to_numpy(float)
    return model, features, x, y, np.array(case["ref"]["end"]["weights"], dtype=float)


@pytest.mark.parametrize("name", NNET)
def test_nnet_decay(name):
    """The weights are 1e-5 standard errors from the optimum, a strength 2 % off is seen."""
    model, features, x, y, weights = nnet(name)
    units, d = model["size"], len(features)
    stack = (Affine(d, units, name="hidden"), Activation(units, "sigmoid"), Affine(units, 1, name="out"))
    network = Network(Inputs((*features,), np.eye(d + 1)[:, :d], np.eye(d + 1)[d]), stack,
                      dense_entries(stack, features))  # fmt: skip
    hidden, out = weights[: units * (d + 1)].reshape(units, d + 1), weights[units * (d + 1) :]
    theta = np.concatenate([hidden[:, 1:].T.ravel(), hidden[:, 0], out[1:], out[:1]])
    linear = model["output"] == "linear"
    found = translate("nnet linout decay" if linear else "nnet decay", model["decay"])
    assert found.intercept and any(is_bias(entry) for entry in network.entries)
    family = families.named("gaussian" if linear else "binomial")
    rows = Rows(ArraySource(np.column_stack([x, np.ones(len(x))]), False), y[:, None], np.ones(len(y)))
    aim = Aim(Model((*features, "Intercept"), network, family), rows, 0 * theta, np.full(len(theta), found.l2))
    wrong = replace(aim, l2=1.02 * aim.l2)
    assert short(aim, theta, 1.0) < 1e-5 < 1e-3 < short(wrong, theta, 1.0)


# --- the records ----------------------------------------------------------------------------------


def test_every_source_has_both_directions():
    for name in gb.penalties.sources()["source"]:
        found = translate(name, 0.25, n=200)
        if np.isfinite(found.box):
            assert (found.l1, found.l2) == (0.0, 0.0)
            continue
        assert found.l1 > 0 or found.l2 > 0
        assert found.into(name, n=200) == pytest.approx(0.25, rel=1e-14), name


def test_a_mixture_takes_its_share_along():
    found = translate("sklearn C", 0.5, l1_ratio=0.25)
    assert (found.l1, found.l2) == (0.5, 1.5)
    assert found.into("glmnet lambda", n=100) == 0.02 and found.ratio_in("glmnet lambda", n=100) == 0.25
    there = found.into("glmnet lambda", n=100, response_sd=2.0), found.ratio_in("glmnet lambda", n=100, response_sd=2.0)
    back = translate("glmnet lambda", there[0], n=100, l1_ratio=there[1], response_sd=2.0)
    assert (back.l1, back.l2) == pytest.approx((0.5, 1.5))


def mixture():
    return translate("sklearn C", 0.5, l1_ratio=0.25, intercept=True)


@pytest.mark.parametrize("ratio", [0, 1])
def test_liblinear_takes_either_end(ratio):
    found = translate("sklearn liblinear C", 0.5, l1_ratio=ratio)
    assert (found.l1, found.l2) == (2.0 * ratio, 2.0 * (1 - ratio))
    assert (found.into("sklearn liblinear C"), found.ratio_in("sklearn liblinear C")) == (0.5, ratio)


def test_no_penalty_is_none_everywhere():
    none = translate("sklearn C", np.inf)
    assert none.l2 == 0.0 and none.penalty() == gb.penalties.none() and "no penalty" in none.words
    assert none.into("glmnet lambda", n=10) == 0.0 and none.into("nnet decay") == 0.0
    assert translate("ridge", 0.0).into("sklearn C") == np.inf


def test_a_fit_takes_it():
    found = translate("sklearn C", 0.5)
    assert found.penalty() == gb.penalties.ridge(2.0)
    assert translate("nnet decay", 0.5).penalty() == gb.penalties.ridge(1.0, intercept=True)
    fit = gb.fit(X, LOW, penalty=found.penalty())
    np.testing.assert_allclose(np.roll(fit.params, -1), ours(found), atol=1e-9)


def test_words_say_what_it_means():
    words = translate("sklearn MLP alpha", 0.001, n=1000, batch_size=200).words
    assert words.startswith("sklearn MLP alpha = 0.001 is a penalty L2 of 0.005 on the total log-likelihood, constants")
    assert "smaller batch penalises more" in words
    table = gb.penalties.sources()
    assert table.columns.tolist() == ["source", "setting", "formula", "penalised", "remark"]
    assert not table.isna().any().any() and (table.map(len) > 0).all().all() and table.source.is_unique


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: translate("skleran c", 1.0), "no source that is known. Did you mean 'sklearn C'"),
        (lambda: translate("keras L2", 1.0), "give n=, the number of rows"),
        (lambda: translate("sklearn C", -1.0), "finite number, zero or more"),
        (lambda: translate("glmnet lambda", np.inf, n=5), "finite number, zero or more"),
        (lambda: translate("sklearn C", 1.0, batch_size=10), "batch_size= has no meaning for 'sklearn C'"),
        (lambda: translate("sklearn C", 1.0, l1_ratio=1.5), "l1_ratio=1.5: give a number from 0 to 1"),
        (lambda: translate("sklearn liblinear C", 1.0, l1_ratio=0.5), "L1 or L2, not both. Give 1 or 0"),
        (lambda: mixture().into("sklearn liblinear C"), "L1 or L2, not both; this penalty has parts of both"),
        (lambda: translate("keras L2", 1.0, n=-3), "n=-3: give a number above 0"),
        (lambda: translate("keras L2", 1.0, n=3, loss="median"), "loss='median' is unknown"),
        (lambda: translate("keras SGD weight_decay", 1.0, n=3, momentum=1.0), "never end"),
        (lambda: translate("sklearn C", 0.0).penalty(), "all that it penalises is 0"),
        (lambda: translate("keras L1", 1.0, n=3).penalty(), "ridge penalties only"),
        (lambda: translate("torch AdamW weight_decay", 0.1).penalty(), "decoupled from the gradient"),
        (lambda: translate("sklearn C", 1.0).into("torch AdamW weight_decay"), "no value that is a penalty"),
        (lambda: translate("sklearn C", 1.0).into("statsmodels Logit alpha"), "L1 only; this penalty has an L2 part"),
        (lambda: translate("keras L1", 1.0, n=3).into("nnet decay"), "L2 only; this penalty has an L1 part"),
        (lambda: translate("sklearn C", 1.0).into("nnet decay"), "leaves the constants free, 'nnet decay' penalises"),
        (lambda: translate("nnet decay", 1.0).into("sklearn C"), "penalises the constants, 'sklearn C' leaves"),
    ],
)
def test_what_has_no_translation_is_refused_with_the_reason(call, message):
    with pytest.raises(gb.errors.ArgumentError) as caught:
        call()
    assert message in str(caught.value)
