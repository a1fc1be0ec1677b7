"""Standard errors and degrees of freedom under a ridge: against exact algebra, and against the formulas in numpy."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from mapping.structures import FRAME

import glmnet_bridge as gb
from glmnet_bridge.errors import ArgumentError, BridgeError
from glmnet_bridge.inference.causes import Training
from glmnet_bridge.model.layers import Affine, Normalise
from glmnet_bridge.model.networks import Inputs, Network, dense_entries

RIDGE = gb.penalties.ridge
WHOLE = pd.DataFrame({
    "a": [3, 1, -2, 4, 0, 5, -1, 2, 7, -3, 6, 1],
    "b": [1, 0, 2, -1, 3, 1, -2, 0, 1, 4, -3, 2],
    "y": [5, 2, 1, 4, 3, 9, -2, 3, 8, 2, 3, 4],
})  # fmt: skip


def exact_inverse(matrix):
    """Gauss and Jordan with fractions."""
    p = len(matrix)
    rows = [[*map(Fraction, row), *(Fraction(int(i == j)) for j in range(p))] for i, row in enumerate(matrix)]
    for i in range(p):
        at = next(k for k in range(i, p) if rows[k][i])
        rows[i], rows[at] = rows[at], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for k in range(p):
            if k != i:
                rows[k] = [x - rows[k][i] * z for x, z in zip(rows[k], rows[i], strict=True)]
    return np.array([row[p:] for row in rows], dtype=object)


@pytest.mark.parametrize("constants", [False, True])
def test_gaussian_ridge_is_the_textbooks(constants):
    """Hoerl and Kennard 1970: all in fractions, rounded once at the end."""
    x = np.array([[Fraction(1), Fraction(int(a)), Fraction(int(b))] for a, b in zip(WHOLE.a, WHOLE.b, strict=True)])
    y = np.array([Fraction(int(value)) for value in WHOLE.y])
    penalty = np.diag([Fraction(7, 2) if constants else Fraction(0), Fraction(7, 2), Fraction(7, 2)])
    info = x.T @ x
    inverse = exact_inverse(info + penalty)
    beta = inverse @ (x.T @ y)
    edf = (inverse @ info).trace()
    rest = y - x @ beta
    dispersion = (rest @ rest) / (len(y) - edf)
    fit = gb.glm("y ~ a + b", WHOLE, family="gaussian", penalty=RIDGE(3.5, intercept=constants))
    np.testing.assert_allclose(fit.params, beta.astype(float), rtol=1e-13)
    assert fit.edf == pytest.approx(float(edf), rel=1e-14) and fit.df_resid == pytest.approx(float(12 - edf), rel=1e-14)
    assert fit.dispersion == pytest.approx(float(dispersion), rel=1e-13)
    bayesian, sandwich = inverse * dispersion, inverse @ info @ inverse * dispersion
    np.testing.assert_allclose(fit.cov_params("bayesian"), bayesian.astype(float), rtol=1e-12)
    np.testing.assert_allclose(fit.cov_params(), sandwich.astype(float), rtol=1e-12)
    np.testing.assert_allclose(fit.bse**2, sandwich.diagonal().astype(float), rtol=1e-12)


def by_hand(fit, design, penalty, weights):
    """`(I+P)^-1`, `(I+P)^-1 I (I+P)^-1` and edf of a fit."""
    info = design.T @ (weights[:, None] * design)
    inverse = np.linalg.inv(info + np.diag(penalty))
    return inverse * fit.dispersion, inverse @ info @ inverse * fit.dispersion, np.trace(inverse @ info)


@pytest.mark.parametrize(("family", "link", "y"), [("binomial", None, "y"), ("binomial", "probit", "y"),
                                                   ("poisson", None, "count"), ("gamma", "log", "cost")])  # fmt: skip
def test_every_family_has_both(family, link, y):
    frame = FRAME.assign(count=FRAME.y + (FRAME.x1 > 0), cost=np.exp(FRAME.x1 / 2 + FRAME.x2 / 9))
    fit = gb.glm(f"{y} ~ x1 + x2", frame, family=family, link=link, penalty=RIDGE(4.0))
    design = np.column_stack([np.ones(len(frame)), frame.x1, frame.x2])
    eta = design @ fit.params.to_numpy()
    weights = np.asarray(fit.family.local(frame[y].to_numpy(float)[:, None], eta[:, None]).expected)[:, 0]
    bayesian, sandwich, edf = by_hand(fit, design, np.array([0.0, 4.0, 4.0]), weights * np.ones(len(eta)))
    np.testing.assert_allclose(fit.cov_params("bayesian"), bayesian, rtol=1e-9)
    np.testing.assert_allclose(fit.cov_params("expected"), sandwich, rtol=1e-9)
    assert fit.edf == pytest.approx(edf, rel=1e-11) and 1 < fit.edf < 3
    assert fit.df_model == fit.edf - 1
    free = int(family == "gamma")
    assert fit.aic == pytest.approx(-2 * fit.llf + 2 * (edf + free)) and fit.bic == pytest.approx(
        -2 * fit.llf + np.log(len(frame)) * (edf + free)
    )


def test_without_a_penalty_nothing_is_new():
    fit = gb.glm("y ~ x1 + x2", FRAME)
    assert fit.edf == 3 and isinstance(fit.edf, int) and fit.df_model == 2 and fit.df_resid == len(FRAME) - 3
    pd.testing.assert_frame_equal(fit.cov_params("bayesian"), fit.cov_params())


@pytest.mark.parametrize(("strength", "edf"), [(1e-9, 3.0), (1e12, 1.0)])
def test_effective_degrees_lie_between_the_constant_and_all(strength, edf):
    fit = gb.glm("y ~ x1 + x2", FRAME, penalty=RIDGE(strength))
    assert fit.edf == pytest.approx(edf, abs=1e-6)


def test_columns_far_from_0_keep_their_digits():
    near = gb.glm("y ~ x1 + x2", FRAME, penalty=RIDGE(4.0))
    far = gb.glm("y ~ x1 + x2", FRAME.assign(x1=FRAME.x1 + 2.0**20), penalty=RIDGE(4.0))
    assert far.edf == pytest.approx(near.edf, rel=1e-8)
    errors = [np.sqrt(np.diag(fit.cov_params("bayesian")))[1:] for fit in (near, far)]
    np.testing.assert_allclose(errors[1], errors[0], rtol=1e-8)


def test_a_penalised_copy_of_a_column_is_no_second_degree_of_freedom():
    once = gb.glm("y ~ x1", FRAME, penalty=RIDGE(2.0))
    twice = gb.glm("y ~ x1 + z", FRAME.assign(z=FRAME.x1), penalty=RIDGE(4.0))
    assert twice.edf == pytest.approx(once.edf, rel=1e-9)


def test_an_infinite_constant_counts():
    """All responses 0: only the constant goes off, the ridge holds the slope, and no row is left to speak of it."""
    with pytest.warns(gb.errors.SeparationWarning):
        fit = gb.glm("y ~ x1", FRAME.assign(y=0.0), penalty=RIDGE(2.0), family="poisson")
    assert fit.outcome == "separated" and fit.edf == pytest.approx(1.0)


def test_every_table_takes_the_kind():
    fit = gb.glm("y ~ x1 + x2", FRAME, penalty=RIDGE(20.0))
    error = np.sqrt(np.diag(fit.cov_params("bayesian")))
    assert (error > fit.bse).all()
    np.testing.assert_allclose(fit.tidy(vcov="bayesian")["std_error"], error, rtol=1e-14)
    limits = fit.conf_int(vcov="bayesian")
    np.testing.assert_allclose(limits.conf_high - fit.params, 1.959963984540054 * error, rtol=1e-12)
    with pytest.raises(ArgumentError, match="there are expected, observed, bayesian, HC0.* Did you mean 'bayesian'"):
        fit.cov_params("bayes")


def test_the_summary_says_which_errors_and_that_the_bias_is_not_in_them():
    fit = gb.glm("y ~ x1 + x2", FRAME, penalty=RIDGE(20.0))
    plain, bayesian = (" ".join(fit.summary(vcov=kind).as_text().split()) for kind in (None, "bayesian"))
    for text in (plain, bayesian):
        assert "Effective df" in text and f"to {fit.edf:.4f} effective degrees of freedom" in text
    assert "They do not include the bias" in plain and "around its own mean, (I + P)^-1 I (I + P)^-1" in plain
    assert "Standard errors Bayesian" in bayesian and "not the one of these data" in bayesian
    assert "Effective df" not in repr(gb.glm("y ~ x1 + x2", FRAME).summary())


# --- networks with a penalty of their own ---------------------------------------------------------


def one_hot(scaled=False):
    """All three levels of g with a bias (redundant), and x1, through a scaler or not."""
    frame = FRAME.assign(**{level: (FRAME.g == level).astype(float) for level in sorted(FRAME.g.unique())})
    names = (*sorted(FRAME.g.unique()), "x1")
    stack = (Affine(len(names), 1),)
    if scaled:
        stack = (Normalise(np.full(len(names), 0.3), np.full(len(names), 2.0)), *stack)
    entries = dense_entries(stack, names)
    return frame, Network(Inputs(names), stack, entries)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("constants", [False, True])
def test_terms_of_a_penalised_network(scaled, constants):
    frame, network = one_hot(scaled)
    d = len(network.inputs.names)
    theta = np.linspace(-0.4, 0.5, d + 1)
    penalty = RIDGE(3.0, intercept=constants)
    br = gb.bridge("y ~ g + x1", frame, network=network, start=theta, penalty=penalty)
    design = np.column_stack([frame[list(network.inputs.names)], np.ones(len(frame))]).astype(float)
    if scaled:
        design[:, :d] = (design[:, :d] - 0.3) / 2.0
    mean = 1 / (1 + np.exp(-design @ theta))
    info = design.T @ ((mean * (1 - mean))[:, None] * design)
    inverse = np.linalg.pinv(info + np.diag([3.0] * d + [3.0 * constants]), hermitian=True)
    a = br.correspondence.jacobian
    table = br.ridge
    assert table.columns.tolist() == ["term", "as_glm", "se_bayesian", "se_sandwich", "edf"]
    np.testing.assert_allclose(table.se_bayesian**2, (a @ inverse @ a.T).diagonal(), rtol=1e-9)
    np.testing.assert_allclose(table.se_sandwich**2, (a @ inverse @ info @ inverse @ a.T).diagonal(), rtol=1e-9)
    assert table.edf.sum() == pytest.approx(np.trace(inverse @ info), rel=1e-10)
    assert br.network.edf == pytest.approx(table.edf.sum(), rel=1e-9)
    np.testing.assert_allclose(table.as_glm, br.table.as_glm[: len(table)], rtol=1e-14)


def test_a_network_without_penalty_has_the_plain_errors():
    frame, network = one_hot()
    start = gb.network("y ~ g + x1", frame, network=network, train="lbfgs", start=np.zeros(len(network.entries)))
    br = gb.bridge("y ~ g + x1", frame, network=network, start=start.estimate.theta)
    np.testing.assert_allclose(br.ridge.se_bayesian, br.glm.bse, rtol=1e-5)
    np.testing.assert_allclose(br.ridge.se_sandwich, br.ridge.se_bayesian, rtol=1e-10)
    assert br.ridge.edf.sum() == pytest.approx(br.glm.edf)


def test_a_shared_estimate_has_its_own_penalty():
    br = gb.bridge("count ~ x1 + x2", FRAME.assign(count=FRAME.x1**2), family="gaussian", penalty=RIDGE(9.0))
    fit = br.network
    np.testing.assert_allclose(br.ridge.se_sandwich, fit.bse, rtol=1e-9)
    np.testing.assert_allclose(br.ridge.se_bayesian, np.sqrt(np.diag(fit.cov_params("bayesian"))), rtol=1e-9)
    assert br.ridge.edf.sum() == pytest.approx(fit.edf)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"l1": np.ones(2), "penalty": "L1(1)"}, r"L1 penalty \(L1\(1\)\), which selects terms"),
        ({"smoothing": 0.1}, "trained with label smoothing"),
        ({"class_weights": np.ones(2)}, "trained with class weights"),
        ({"loss": "hinge"}, "trained with hinge"),
    ],
)
def test_errors_that_would_mean_nothing_are_refused(training, message):
    br = gb.bridge("y ~ x1", FRAME, network=Network(Inputs(("x1",)), (Affine(1, 1),), ("k", "bias")), start=[0.1, 0.2])
    known = replace(Training(np.zeros(2), np.ones(2)), **training)
    with pytest.raises(BridgeError, match=message):
        _ = replace(br, training=known).ridge


def test_a_hidden_network_has_no_terms():
    br = gb.bridge("y ~ x1", FRAME, activation="tanh")
    with pytest.raises(BridgeError, match="hidden activation"):
        _ = br.ridge
