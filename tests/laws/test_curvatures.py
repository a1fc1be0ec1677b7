"""Third cumulants of a row from its curvatures, against sums and integrals over its response."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from glmnet_bridge.model import curvatures
from glmnet_bridge.model.families import KERNELS, Family, named

ROWS = [(name, link) for name, link in KERNELS if name != "multinomial" and curvatures.known(named(name, link))]


def expectation(family: Family, eta: float, power: int) -> float:
    """E[u^3], or for power 1 E[u l''], at dispersion 1."""
    mean = float(family.mean(np.array(eta)))

    def term(y: np.ndarray) -> np.ndarray:
        local = family.local(np.asarray(y, float)[:, None], np.full((len(y), 1), eta))
        return (local.score**3 if power == 3 else -local.score * local.observed)[:, 0]

    if family.name == "binomial":
        return float(np.array([1 - mean, mean]) @ term(np.array([0.0, 1.0])))
    if family.name == "poisson":
        y = np.arange(0, 200)
        return float(stats.poisson(mean).pmf(y) @ term(y))
    law = {
        "gaussian": stats.norm(mean),
        "gamma": stats.gamma(1.0, scale=mean),
        "inverse_gaussian": stats.invgauss(mean, scale=1.0),
    }[family.name]
    low = -np.inf if family.name == "gaussian" else 0.0
    return integrate.quad(lambda y: float(law.pdf(y)) * float(term(np.array([y]))[0]), low, np.inf, limit=400)[0]


@pytest.mark.parametrize(("name", "link"), ROWS)
def test_third_cumulants(name: str, link: str) -> None:
    family = named(name, link)
    etas = {"log": (-1.2, -0.3), "identity": (0.3, 0.8)}.get(link, (0.4, 1.3, 2.1))
    for eta in etas:
        at = np.array([[eta]])
        w = float(family.local(np.full((1, 1), 0.5), at).expected[0, 0])
        bend, tilt = float(curvatures.bend(family, at)[0, 0]), float(curvatures.tilt(family, at)[0, 0])
        assert expectation(family, eta, 3) == pytest.approx(w * tilt, rel=1e-6, abs=1e-9)
        assert expectation(family, eta, 1) == pytest.approx(w * (bend - tilt), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("name", "link"), ROWS)
def test_bend_is_the_change_of_the_slope(name: str, link: str) -> None:
    family = named(name, link)
    eta, h = np.array([0.35, 0.8]), 1e-6
    log = [np.log(np.abs(family.slope(eta + d))) for d in (h, -h)]
    assert curvatures.bend(family, eta) == pytest.approx((log[0] - log[1]) / (2 * h), rel=1e-7, abs=1e-8)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "loglog", "cauchit"])
def test_tails_are_numbers(link: str) -> None:
    """Where a row has information left, its adjustment is a number."""
    family = named("binomial", link)
    eta = np.array([[-800.0], [-40.0], [40.0], [800.0]])
    w = family.local(np.zeros_like(eta), eta).expected
    with np.errstate(all="ignore"):
        change = w * np.stack([curvatures.bend(family, eta), curvatures.tilt(family, eta)])
    assert np.isfinite(change[:, w > 0]).all()
