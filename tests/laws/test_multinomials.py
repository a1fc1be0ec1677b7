"""The multinomial kernel with several classes: against the log-density in 100-digit arithmetic, at every tail."""

from __future__ import annotations

import itertools

import mpmath as mp
import numpy as np
import pytest
import scipy.special

from glmnet_bridge.model import families, multinomials
from glmnet_bridge.model.families import named

mp.mp.dps = 100
FAMILY = families.multinomial()
ETAS = [
    *itertools.product((-800.0, -37.0, -0.5, 0.0, 1e-8, 0.7, 37.0, 800.0), repeat=2),
    *(tuple(side * size for side, size in zip(signs, sizes, strict=True))
      for signs in itertools.product((-1, 1), repeat=3) for sizes in ((0.3, 1.0, 2.0), (800.0, 799.0, 1.0))),
]  # fmt: skip


def truth(eta: tuple[float, ...]) -> list[mp.mpf]:
    """All probabilities, the base first."""
    powers = [mp.mpf(1), *(mp.exp(mp.mpf(each)) for each in eta)]
    return [each / mp.fsum(powers) for each in powers]


def near(value: float, exact: mp.mpf, slack: float = 1e-13) -> bool:
    if abs(exact) < np.finfo(float).tiny:
        return abs(value) <= np.finfo(float).tiny
    return abs(mp.mpf(float(value)) - exact) <= slack * abs(exact)


def responses(k: int) -> np.ndarray:
    """Every class on its own, as columns of the classes after the base."""
    return np.vstack([np.zeros(k), np.eye(k)])


@pytest.mark.parametrize("eta", ETAS, ids=str)
def test_every_quantity_is_that_of_the_density(eta):
    """l = log p of the class; its derivatives are e - p and -(diag p - p p'), each entry to 13 digits."""
    y, p = responses(len(eta)), truth(eta)
    local = FAMILY.local(y, np.tile(eta, (len(y), 1)))
    for own, (loglik, score, expected) in enumerate(zip(local.loglik, local.score, local.expected, strict=True)):
        assert near(loglik[0], mp.log(p[own])), loglik
        for c in range(1, len(p)):
            exact = (1 if c == own else 0) - p[c]
            if c == own:
                exact = mp.fsum(each for other, each in enumerate(p) if other != c)  # 1 - p without its rounding
            assert near(score[c - 1], exact), (own, c)
            for d in range(1, len(p)):
                rest = mp.fsum(each for other, each in enumerate(p) if other != c)
                assert near(expected[c - 1, d - 1], p[c] * rest if c == d else -p[c] * p[d]), (c, d)
    assert local.observed.tobytes() == local.expected.tobytes()


@pytest.mark.parametrize("eta", [(0.4, -1.2), (3.0, 2.0, -1.0), (-20.0, 5.0)], ids=str)
@pytest.mark.parametrize("shares", ["one class", "several"])
def test_score_and_information_are_derivatives(eta, shares):
    """Taken by mpmath, also where a row is divided among classes."""
    k = len(eta)
    y = np.eye(k)[-1] if shares == "one class" else np.full(k, 0.9 / k)
    parts = [mp.mpf(1) - mp.fsum(map(mp.mpf, y)), *map(mp.mpf, y)]

    def loglik(*at):
        p = truth(at)
        return mp.fsum(each * (mp.log(q) - mp.log(each)) for each, q in zip(parts, p, strict=True) if each)

    local = FAMILY.local(y[None], np.array([eta]))
    point = tuple(map(mp.mpf, eta))
    assert near(local.loglik[0, 0], loglik(*point))
    for c in range(k):
        first = tuple(int(j == c) for j in range(k))
        assert near(local.score[0, c], mp.diff(loglik, point, first), 1e-12)
        for d in range(k):
            second = tuple((j == c) + (j == d) for j in range(k))
            assert near(local.observed[0, c, d], -mp.diff(loglik, point, second), 1e-12)


def test_expectations():
    """The score has mean 0 and variance `expected`."""
    eta = np.array([0.3, -1.0, 2.0])
    y, p = responses(3), np.array([float(each) for each in truth(tuple(eta))])
    local = FAMILY.local(y, np.tile(eta, (4, 1)))
    np.testing.assert_allclose(p @ local.score, 0.0, atol=1e-15)
    np.testing.assert_allclose(np.einsum("i,ij,ik->jk", p, local.score, local.score), local.expected[0], rtol=1e-13)


@pytest.mark.parametrize("size", [1.0, 30.0, 800.0])
def test_the_root_of_the_information(size):
    eta = size * np.random.default_rng(4).normal(size=(50, 3))
    local = FAMILY.local(np.zeros((50, 3)), eta)
    product = np.einsum("mci,mcj->mij", local.root, local.root)
    np.testing.assert_allclose(product, local.expected, rtol=1e-12, atol=1e-16)


def test_the_short_score_is_good_to_absolute_rounding():
    rng = np.random.default_rng(5)
    eta = rng.normal(size=(200, 4)) * 10.0 ** rng.uniform(-2, 2.9, (200, 1))
    y = responses(4)[rng.integers(0, 5, 200)]
    assert np.abs(FAMILY.score(y, eta) - FAMILY.local(y, eta).score).max() <= 4e-16


def test_two_classes_are_the_logit():
    """One linear predictor: every quantity is that of the binomial kernel, to the last digits."""
    eta = np.concatenate([side * 10.0 ** np.linspace(-8, 2.9, 80) for side in (-1, 1)])[:, None]
    for y in (np.zeros_like(eta), np.ones_like(eta)):
        ours, theirs = FAMILY.local(y, eta), named("binomial").local(y, eta)
        np.testing.assert_allclose(ours.loglik, theirs.loglik, rtol=1e-15)
        np.testing.assert_allclose(ours.score, theirs.score, rtol=4e-16)
        np.testing.assert_allclose(ours.expected[:, 0], theirs.expected, rtol=1e-15)


def test_any_class_may_be_the_base():
    """Only differences of logits count: the likelihood of a row is the same, whichever class has the logit 0."""
    rng = np.random.default_rng(6)
    logits, own = 5.0 * rng.normal(size=(60, 4)), rng.integers(0, 4, 60)
    found = []
    for base in range(4):
        others = [c for c in range(4) if c != base]
        y = (own[:, None] == np.array(others)).astype(float)
        found.append(FAMILY.local(y, logits[:, others] - logits[:, [base]]).loglik)
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-12, atol=1e-14)


def test_means_are_the_softmax():
    eta = 3.0 * np.random.default_rng(7).normal(size=(40, 3))
    whole = scipy.special.softmax(np.column_stack([np.zeros(40), eta]), axis=1)
    np.testing.assert_allclose(multinomials.probabilities(eta), whole, rtol=1e-14)
    np.testing.assert_allclose(FAMILY.mean(eta), whole[:, 1:], rtol=1e-14)
    np.testing.assert_allclose(FAMILY.link.function(FAMILY.mean(eta)), eta, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(FAMILY.slope(eta), whole[:, 1:] * (1 - whole[:, 1:]), rtol=1e-12)


def test_inputs_are_only_read():
    y, eta = responses(2), np.tile([0.5, -3.0], (3, 1))
    before = y.copy(), eta.copy()
    local = FAMILY.local(y, eta)
    for quantity in (local.loglik, local.score, local.expected, local.root, FAMILY.score(y, eta)):
        assert np.isfinite(quantity).all()
    np.testing.assert_array_equal((y, eta), before)
