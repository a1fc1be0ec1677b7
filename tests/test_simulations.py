"""Simulated data come from the coefficients that were given, and repeat."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import glmnet_bridge as gb
from glmnet_bridge.errors import BridgeError

BETA = {"Intercept": 0.4, "C(g)[T.b]": -0.5, "x": 0.3, "x:C(g)[T.b]": 0.2}


@pytest.mark.parametrize("family", ["binomial", "poisson", "gaussian", "gamma", "inverse_gaussian"])
def test_the_coefficients_come_back(family):
    link = "logit" if family == "binomial" else "identity" if family == "gaussian" else "log"
    frame = gb.simulate("y ~ x * C(g)", BETA, 20_000, family, link, levels={"g": ["a", "b"]}, dispersion=0.3, seed=4)
    fit = gb.glm("y ~ x * C(g)", frame, family, link)
    distance = (fit.params - pd.Series(BETA)[fit.params.index]) / fit.bse
    assert np.abs(distance).max() < 4
    assert list(frame.columns) == ["y", "x", "g"]
    if fit.family.distribution.free_dispersion:
        assert fit.dispersion == pytest.approx(0.3, rel=0.06)


def test_the_coefficients_of_several_classes_come_back():
    beta = {f"{level}: {name}": value for level, sign in (("ward", 1), (3, -1))
            for name, value in {"Intercept": 0.3 * sign, "C(g)[T.b]": 0.5, "x": sign}.items()}  # fmt: skip
    levels = {"y": ["home", "ward", 3], "g": ["a", "b"]}
    frame = gb.simulate("y ~ x + C(g)", beta, 20_000, "multinomial", levels=levels, seed=4)
    assert frame["y"].cat.categories.tolist() == levels["y"]
    fit = gb.glm("y ~ x + C(g)", frame, "multinomial")
    assert np.abs((fit.params - pd.Series(beta)[fit.params.index]) / fit.bse).max() < 4


def test_a_seed_repeats():
    first, second = (gb.simulate("y ~ x", {"Intercept": 0, "x": 1}, 30, seed=9) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    assert not first.equals(gb.simulate("y ~ x", {"Intercept": 0, "x": 1}, 30, seed=10))


def test_an_intercept_alone():
    assert gb.simulate("y ~ 1", {"Intercept": 0.0}, 7).columns.tolist() == ["y"]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"coefficients": {"Intercept": 1, "z": 1}}, "'z'.*columns are Intercept, x"),
        ({"coefficients": {"x": 1}}, "no value for Intercept"),
        ({"coefficients": {"Intercept": 1, "x": np.nan}}, "not finite"),
        ({"n": 0}, "n=0"),
        ({"formula": "I(y > 0) ~ x"}, "cannot be drawn"),
        ({"formula": "y ~ C(x)"}, "'x' is a factor"),
        ({"levels": {"g": ["a"]}}, "'g', which the formula does not read"),
        ({"family": "gamma", "link": "identity"}, "cannot have"),
        ({"dispersion": -1}, "dispersion=-1"),
        (
            {"family": "multinomial", "formula": "y ~ x + offset(x)", "levels": {"y": ["a", "b"]}},
            "each class has a linear predictor of its own",
        ),
        ({"family": "multinomial"}, r"levels=\{'y': \['home', 'ward', 'icu'\]\}"),
        ({"family": "multinomial", "levels": {"y": ["a", "b", "c"]}}, "no column of the formula.*b: Intercept, b: x"),
    ],
)
def test_what_cannot_be_drawn_is_named(change, message):
    given = {"formula": "y ~ x", "coefficients": {"Intercept": 0, "x": 1}, "n": 50, **change}
    with pytest.raises(BridgeError, match=message):
        gb.simulate(**given)
