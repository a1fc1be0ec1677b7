"""Kernels against the log-density: values in 100-digit arithmetic, derivatives, expectations, the edges."""

from __future__ import annotations

import functools

import mpmath as mp
import numpy as np
import pytest
from laws import truths
from laws.truths import DENSITIES, Truth

from glmnet_bridge.model.families import KERNELS, Family, named

QUANTITIES = ("loglik", "score", "expected", "observed")
TOLERANCE = 1e-12
# Where terms cancel, no algorithm can know more than the rounded y and eta do: a value is right if it is
# that of inputs this far away. Sixteen roundings, because erfcx and log_ndtr are good to a few themselves.
ROUNDINGS = mp.mpf(16) / 2**53
SMALLEST, LARGEST = float(np.finfo(float).tiny), float(np.finfo(float).max)

every_kernel = pytest.mark.parametrize("key", KERNELS, ids="-".join)


def family(key) -> Family:
    return named(key[0], key[1])


@functools.cache
def tried(key):
    """Points `(y, eta)` and the kernel's four columns at them, as one block of rows."""
    points = truths.points(*key)
    y, eta = np.array(points).T
    local = family(key).local(y[:, None], eta[:, None])
    return points, {quantity: getattr(local, quantity).reshape(-1) for quantity in QUANTITIES}


def moved(true, y, eta, support):
    """How far the true value moves with the last digits of y and eta; y keeps its complement's digits too."""
    step = ROUNDINGS * (y * (1 - y) if support in ("binomial", "classes") else y)
    here = true(y, eta)
    by_y = max(abs(true(y + side * step, eta) - here) for side in (-1, 1))
    return by_y + max(abs(true(y, eta * (1 + side * ROUNDINGS)) - here) for side in (-1, 1))


def right(value, true, y, eta, support) -> bool:
    exact = true(y, eta)
    if abs(exact) > LARGEST:
        return bool(np.isinf(value)) and (value > 0) == (exact > 0)
    if abs(exact) < SMALLEST and abs(value) <= SMALLEST:
        return True
    if not np.isfinite(value):
        return False
    error = abs(mp.mpf(value) - exact)
    return error <= TOLERANCE * abs(exact) or error <= moved(true, y, eta, support)


@every_kernel
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_every_quantity_is_that_of_the_density(key, quantity):
    """Score and observed information are derivatives of the log-density, taken by mpmath."""
    points, values = tried(key)
    true, support = getattr(Truth(*key), quantity), DENSITIES[key[0]].support
    wrong = [
        f"y={y!r}, eta={eta!r}: {value!r}, not {mp.nstr(true(mp.mpf(y), mp.mpf(eta)), 17)}"
        for (y, eta), value in zip(points, values[quantity].tolist(), strict=True)
        if not right(value, true, mp.mpf(y), mp.mpf(eta), support)
    ]
    assert not wrong, "\n".join(wrong)


@every_kernel
def test_the_short_score_is_good_to_absolute_rounding(key):
    """What passes over many rows use: right to the last digit of y and the mean, not of their difference."""
    points, values = tried(key)
    y, eta = np.array(points).T[:, :, None]
    short, scores = family(key).score(y, eta)[:, 0], values["score"]
    if hasattr(KERNELS[key], "quick_score"):
        assert np.abs(short - scores).max() <= 4e-16
    else:
        np.testing.assert_array_equal(short, scores)


# --- expectations -----------------------------------------------------------------------------------


def support_points(key, eta):
    """Responses and their probabilities; densities by the trapezoidal rule, which is exact for such tails."""
    truth, log_density = Truth(*key), DENSITIES[key[0]].log
    mean = truth.mean(mp.mpf(eta))
    kind, centre = DENSITIES[key[0]].support, float(mean.value)
    if kind in ("binomial", "classes"):
        return np.array([0.0, 1.0]), np.array([float(mean.complement), float(mean.value)])
    if kind == "count":
        y, measure = np.arange(0.0, 60.0 + 12.0 * centre), 1.0
    elif kind == "real":
        y, measure = centre + np.linspace(-12.0, 12.0, 400), 24.0 / 399.0
    else:
        logs = np.linspace(-42.0, 8.0, 2001)
        y = centre * np.exp(logs)
        measure = y * 50.0 / 2000.0
    with mp.workdps(25):
        density = np.array([float(mp.exp(log_density(mp.mpf(each), mean))) for each in y])
    return y, density * measure


@every_kernel
@pytest.mark.parametrize("eta", [-1.3, 0.4, 1.2])
def test_expectations(key, eta):
    """The score has mean 0 and variance `expected`, which is the mean of `observed`."""
    where = {"line": eta, "nonzero": eta, "positive": abs(eta), "negative": -abs(eta), "unit": abs(eta) / 2}
    eta = where[truths.domain(*key)]
    y, probability = support_points(key, eta)
    assert probability.sum() == pytest.approx(1.0, abs=1e-12)
    local = family(key).local(y[:, None], np.full((len(y), 1), eta))
    expected = local.expected.flat[0]
    assert (local.expected == expected).all()
    assert probability @ local.score[:, 0] == pytest.approx(0.0, abs=1e-10 * (1.0 + expected))
    assert probability @ local.score[:, 0] ** 2 == pytest.approx(expected, rel=1e-10)
    assert probability @ local.observed.ravel() == pytest.approx(expected, rel=1e-10)


# --- edges ------------------------------------------------------------------------------------------

OUTSIDE = {
    "line": [],
    "positive": [0.0, -0.0, -1e-300, -1.0, -800.0],
    "negative": [1e-300, 1.0, 800.0],
    "unit": [-1e-300, -800.0, 1.0 + 2.0**-52, 800.0],
    "nonzero": [0.0, -0.0],
}


@every_kernel
def test_outside_the_domain_the_likelihood_is_zero(key):
    """And nothing warns, so that a step may be tried and taken back."""
    support = DENSITIES[key[0]].support
    for eta in OUTSIDE[truths.domain(*key)]:
        y = np.array(truths.RESPONSES[support])[:, None]
        local = family(key).local(y, np.full_like(y, eta))
        assert (local.loglik == -np.inf).all()
        assert all(getattr(local, quantity).size == y.size for quantity in QUANTITIES)


@pytest.mark.parametrize(
    ("link", "eta", "possible"), [("log", 0.0, 1), ("log", -0.0, 1), ("identity", 1.0, 1), ("identity", 0.0, 0)]
)
def test_a_probability_of_one_or_zero(link, eta, possible):
    """On the border the sure outcome has likelihood 1; away from the other one the score points inwards."""
    y = np.array([[0.0], [1.0]])
    local = named("binomial", link).local(y, np.full((2, 1), eta))
    impossible = 1 - possible
    assert local.loglik[possible, 0] == 0.0
    assert local.loglik[impossible, 0] == -np.inf
    assert local.score[impossible, 0] == (np.inf if possible == 0 else -np.inf)
    assert local.observed[impossible, 0] == np.inf
    assert np.isfinite(local.score[possible, 0])
    assert (local.expected == np.inf).all()


@pytest.mark.parametrize("key", [key for key in KERNELS if not family(key).joint], ids="-".join)
def test_blocks_of_several_outputs_are_their_columns(key):
    points, values = tried(key)
    y, eta = np.array(points[: len(points) // 2 * 2]).T
    before = y.copy(), eta.copy()
    local = family(key).local(y.reshape(-1, 2), eta.reshape(-1, 2))
    for quantity in QUANTITIES:
        np.testing.assert_array_equal(getattr(local, quantity).ravel(), values[quantity][: len(y)])
    np.testing.assert_array_equal(before, (y, eta))


@every_kernel
def test_canonical_means_that_observed_is_expected(key):
    _, values = tried(key)
    assert family(key).canonical == np.array_equal(values["observed"], values["expected"])
    assert family(key).canonical == (truths.CANONICAL[key[0]] == key[1])
