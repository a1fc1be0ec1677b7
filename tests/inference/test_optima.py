"""Where a training would end: against scipy's optimisers and the conditions of an optimum."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize

from glmnet_bridge.data.rows import ArraySource, Rows
from glmnet_bridge.inference import lassos
from glmnet_bridge.inference.optima import Aim, optimum, short
from glmnet_bridge.model import families
from glmnet_bridge.model.layers import Affine, Contrast, Normalise
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import Inputs, Network, dense_entries, fold, is_bias, single_unit

RNG = np.random.default_rng(5)
N = 150
X = RNG.normal(size=(N, 3)) @ np.array([[1.0, 0.6, 0.0], [0.0, 1.0, 0.4], [0.0, 0.0, 1.0]])
ETA = 0.2 + X @ np.array([0.9, -0.6, 0.05])
Y = {
    "binomial": (RNG.random(N) < 1 / (1 + np.exp(-ETA))).astype(float),
    "poisson": RNG.poisson(np.exp(0.4 * ETA)).astype(float),
    "gaussian": 30.0 * (ETA + RNG.normal(size=N)),
}
NAMES = ("a", "b", "c")


def aim(family="binomial", network=None, *, l1=0.0, l2=0.0, x=X, link=None, biases=False):
    """A network on x and a constant, with strengths for its kernels (and biases)."""
    columns = (*NAMES, "Intercept")
    network = single_unit(columns) if network is None else network
    kernels = np.array([biases or not is_bias(entry) for entry in network.entries], dtype=float)
    rows = Rows(ArraySource(np.column_stack([x, np.ones(len(x))]), False), Y[family][:, None], np.ones(len(x)))
    return Aim(Model(columns, network, families.named(family, link)), rows, l1 * kernels, l2 * kernels)


def stacked(*layers, names=NAMES, matrix=None):
    d = len(names)
    matrix = np.eye(4)[:, :d] if matrix is None else matrix
    return Network(Inputs(names, matrix, np.eye(4)[3]), layers, dense_entries(layers, names))


def gradient(found, theta):
    """Of the smooth part: score less l2 theta."""
    return found.model.sums(found.rows, theta, "score").score - found.l2 * theta


def broken(found, theta):
    """By how much the conditions of an optimum do not hold, relative to the largest score at 0."""
    slope = gradient(found, theta)
    active = np.abs(slope - found.l1 * np.sign(theta))
    idle = np.maximum(np.abs(slope) - found.l1, 0.0)
    size = np.abs(gradient(found, 0.0 * theta)).max()
    return np.where(theta != 0, active, idle).max() / size


@pytest.mark.parametrize("family", ["binomial", "poisson", "gaussian"])
@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.0, 7.0), (9.0, 0.0), (5.0, 3.0), (1e6, 0.0)])
def test_conditions_hold(family, l1, l2):
    found = aim(family, l1=l1, l2=l2)
    ended = optimum(found, np.zeros(4))
    assert ended.reached and broken(found, ended.theta) < 1e-10
    if l1 == 1e6:
        assert (ended.theta[:3] == 0).all()
    assert short(found, ended.theta, 1.0) < 1e-8


@pytest.mark.parametrize(("l1", "l2"), [(0.0, 7.0), (9.0, 0.0), (5.0, 3.0)])
@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_scipy_finds_the_same(link, l1, l2):
    """L1 as a smooth problem in twice as many variables, theta = plus - minus, both zero or more."""
    found = aim(l1=l1, l2=l2, link=link)
    kernels = np.array([1.0, 1.0, 1.0, 0.0])

    def value(both):
        theta = both[:4] - both[4:]
        sums = found.model.sums(found.rows, theta, "expected")
        slope = sums.score - found.l2 * theta
        total = -sums.loglik + 0.5 * float(found.l2 @ theta**2) + l1 * float(kernels @ (both[:4] + both[4:]))
        return total, np.concatenate([-slope + l1 * kernels, slope + l1 * kernels])

    there = scipy.optimize.minimize(value, np.zeros(8), jac=True, method="L-BFGS-B", bounds=[(0, None)] * 8,
                                    options={"ftol": 1e-16, "gtol": 1e-10, "maxiter": 5000})  # fmt: skip
    np.testing.assert_allclose(optimum(found, np.zeros(4)).theta, there.x[:4] - there.x[4:], atol=2e-6)


def test_an_l1_weight_is_active_just_below_its_threshold():
    """The weight of c leaves 0 where its score at the optimum without it equals l1."""

    def without(l1):
        held = aim(l1=l1)
        return optimum(Aim(held.model, held.rows, np.array([l1, l1, 1e9, 0.0]), held.l2), np.zeros(4)).theta

    low, high = 0.0, 1e3
    for _ in range(60):
        middle = 0.5 * (low + high)
        excess = abs(gradient(aim(), without(middle))[2]) - middle
        low, high = (middle, high) if excess > 0 else (low, middle)
    for factor, active in ((0.999, True), (1.001, False)):
        ended = optimum(aim(l1=factor * low), np.zeros(4))
        assert ended.reached and bool(ended.theta[2] != 0) == active


def test_where_it_starts_does_not_matter():
    found = aim(l1=4.0, l2=2.0)
    first = optimum(found, np.zeros(4)).theta
    for start in (np.full(4, 3.0), np.array([-5.0, 5.0, 0.0, 1.0]), np.array([0.0, 200.0, -300.0, 50.0])):
        ended = optimum(found, start)
        assert ended.reached
        np.testing.assert_allclose(ended.theta, first, atol=1e-9)


def test_the_optimum_stays_where_it_is():
    found = aim(l2=3.0)
    at = optimum(found, np.zeros(4)).theta
    np.testing.assert_allclose(optimum(found, at).theta, at, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
@pytest.mark.parametrize("dispersion", [1.0, 900.0])
def test_gaussian_is_solved_in_closed_form(scale, dispersion):
    """In any unit, and with any dispersion: that says when to stop, not where."""
    found = aim("gaussian", l2=7.0 * scale**2, x=X * scale)
    matrix = np.column_stack([X * scale, np.ones(N)])
    exact = np.linalg.solve(matrix.T @ matrix + np.diag([7.0 * scale**2] * 3 + [0.0]), matrix.T @ Y["gaussian"])
    np.testing.assert_allclose(optimum(found, np.zeros(4), dispersion).theta, exact, rtol=1e-10)


@pytest.mark.parametrize("l2", [0.0, 2.0])
def test_columns_far_from_0(l2):
    """A year beside a constant: the slopes are those of the centred columns."""
    ended = optimum(aim(l2=l2, x=X + np.array([0.0, 2000.0, -40.0])), np.zeros(4))
    assert ended.reached
    np.testing.assert_allclose(ended.theta[:3], optimum(aim(l2=l2), np.zeros(4)).theta[:3], rtol=1e-7, atol=1e-9)


def test_l1_beside_a_constant_far_off():
    """Coordinate descent would need thousands of sweeps for this."""
    shifted = X + np.array([0.0, 2000.0, -40.0])
    ended, plain = optimum(aim(l1=6.0, x=shifted), np.zeros(4)), optimum(aim(l1=6.0), np.zeros(4))
    assert ended.reached
    np.testing.assert_allclose(ended.theta[:3], plain.theta[:3], atol=1e-8)


# --- redundant weights and stacks -----------------------------------------------------------------

ONE_HOT = np.eye(3)[RNG.integers(0, 3, N)]


@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.0, 2.0), (3.0, 0.0), (3.0, 2.0)])
def test_one_hot_beside_a_bias(l1, l2):
    """Without penalty the weights are redundant, what they fold into is not; with one there is one optimum."""
    found = aim(l1=l1, l2=l2, x=ONE_HOT)
    starts = (np.zeros(4), np.array([1.0, -2.0, 3.0, 0.5]))
    first, second = (optimum(found, start) for start in starts)
    for ended in (first, second):
        assert ended.reached and broken(found, ended.theta) < 1e-9
    eta = [ONE_HOT @ ended.theta[:3] + ended.theta[3] for ended in (first, second)]
    np.testing.assert_allclose(eta[0], eta[1], atol=1e-8)
    if not (l1 or l2):
        share = np.array([Y["binomial"][ONE_HOT[:, j] == 1].mean() for j in range(3)])
        np.testing.assert_allclose(eta[0], ONE_HOT @ np.log(share / (1 - share)), atol=1e-8)


def test_two_logits_share_a_ridge():
    """Equal ridges on two logits are half of one on their difference (Zhu and Hastie 2004)."""
    network = stacked(Affine(3, 2), Contrast(2))
    both = aim(network=network, l2=6.0)
    ended = optimum(both, np.zeros(network.parameters))
    assert ended.reached
    np.testing.assert_allclose(fold(network, ended.theta)[:, 0], optimum(aim(l2=3.0), np.zeros(4)).theta, atol=1e-9)


def test_a_ridge_behind_a_scaler():
    scale = np.array([3.0, 0.2, 10.0])
    network = stacked(Normalise(np.array([1.0, -2.0, 0.5]), scale), Affine(3, 1))
    found = aim(network=network, l2=4.0)
    ended = optimum(found, np.zeros(4))
    plain = aim()
    ours = optimum(Aim(plain.model, plain.rows, plain.l1, np.append(4.0 * scale**2, 0.0)), np.zeros(4))
    np.testing.assert_allclose(fold(network, ended.theta)[:3, 0], ours.theta[:3], atol=1e-9)


def test_stacked_layers_without_penalty_end_at_the_maximum():
    network = stacked(Affine(3, 2, name="h"), Affine(2, 1, name="o"))
    ended = optimum(aim(network=network), RNG.normal(size=network.parameters))
    assert ended.reached
    np.testing.assert_allclose(fold(network, ended.theta)[:, 0], optimum(aim(), np.zeros(4)).theta, atol=1e-8)


@pytest.mark.parametrize("family", ["binomial", "gaussian"])
def test_ridges_on_two_layers_are_one_norm(family):
    """min over V w = b of (|V|^2 + |w|^2) l/2 is l |b|: not a ridge of b, and its gradient says so."""
    network = stacked(Affine(3, 2, name="h"), Affine(2, 1, name="o"))
    found = aim(family, network=network, l2=2.0)
    start = np.random.default_rng(2).normal(size=network.parameters)
    ended = optimum(found, start)
    assert ended.reached and broken(found, ended.theta) < 1e-8
    beta = fold(network, ended.theta)[:, 0]
    plain = aim(family)
    slope = plain.model.sums(plain.rows, beta, "score").score
    np.testing.assert_allclose(slope[:3], 2.0 * beta[:3] / np.linalg.norm(beta[:3]), rtol=1e-6)


def test_what_is_not_reached_is_said():
    """From outside the link's domain there is no way: a Poisson mean of 0 where something was counted."""
    ended = optimum(aim("poisson", link="identity"), np.zeros(4))
    assert not ended.reached and (ended.theta == 0).all()
    assert np.isnan(short(aim("poisson", link="identity"), np.zeros(4), 1.0))


# --- the lasso's own quadratic --------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(200))
def test_the_minimum_of_a_quadratic_with_l1(seed):
    """Conditions of the minimum, with collinear and with redundant columns, from any start."""
    rng = np.random.default_rng(seed)
    p, n = rng.integers(1, 9), rng.integers(2, 30)
    x = rng.normal(size=(n, p)) + (rng.random() < 0.5) * 30 * rng.normal(size=p)
    if p > 2 and rng.random() < 0.4:
        x[:, 0] = x[:, 1] + x[:, 2]
    curve, slope = x.T @ x, x.T @ rng.normal(size=n) * 10
    l1 = np.abs(rng.normal(size=p)) * rng.choice([0.1, 1, 10]) * (rng.random(p) < 0.7)
    theta = rng.normal(size=p) * (rng.random(p) < 0.6)
    end = theta + (step := lassos.step(slope, curve, l1, theta))
    left = slope - curve @ step
    off = np.where(end != 0, np.abs(left - l1 * np.sign(end)), np.maximum(np.abs(left) - l1, 0.0))
    assert off.max() <= 1e-10 * np.abs(curve).max()
