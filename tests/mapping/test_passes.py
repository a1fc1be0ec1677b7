"""Passes over the rows: what is read once, or put together of fewer numbers, is what all rows would say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import glmnet_bridge as gb
from glmnet_bridge.answers import rows_of
from glmnet_bridge.errors import AliasWarning, BridgeError
from glmnet_bridge.mapping import checks
from glmnet_bridge.mapping.features import Feature, feature_matrix, feature_windows
from glmnet_bridge.mapping.raws import Raws
from glmnet_bridge.model.layers import Affine, Contrast, Normalise
from glmnet_bridge.model.networks import Inputs, Network, dense_entries
from glmnet_bridge.readings import sums_of

pytestmark = pytest.mark.filterwarnings(f"ignore::{AliasWarning.__module__}.AliasWarning")
N = 700


def made() -> pd.DataFrame:
    random = np.random.default_rng(3)
    x, z = random.normal(size=N), random.normal(5.0, 2.0, N)
    frame = pd.DataFrame({"x": x, "z": z, "both": x + z, "wins": random.integers(0, 5, N), "tries": 4})
    frame["y"] = (random.random(N) < 1 / (1 + np.exp(0.4 - x))).astype(float)
    frame["class"] = pd.Categorical(random.choice(["a", "b", "c"], N))
    return frame


FRAME = made()


def stacked(outputs: int = 1) -> Network:
    """A scaler, two units, the linear predictors."""
    layers = (Normalise(np.array([0.1, 5.0]), np.array([2.0, 3.0])), Affine(2, 2, name="hidden"), Affine(2, outputs))
    layers += (Contrast(3),) if outputs == 3 else ()
    return Network(Inputs(("x", "z")), layers, dense_entries(layers, ("x", "z")))


@pytest.mark.parametrize(
    ("formula", "family", "link"),
    [
        ("y ~ x + z", "binomial", "logit"),
        ("y ~ x + z", "binomial", "probit"),
        ("y ~ x + z + both", "binomial", "cloglog"),
        ("class ~ x + z", "multinomial", None),
    ],
)
def test_one_pass_gives_the_sums_at_the_weights_and_at_the_coefficients(formula, family, link):
    network = stacked(3 if family == "multinomial" else 1)
    start = 0.3 * np.random.default_rng(1).normal(size=network.parameters)
    br = gb.bridge(formula, FRAME, family, link, network=network, start=start)
    found, rows = br.network.estimate, rows_of(br.network.sample)
    at_weights, folded = sums_of(found.model, rows, found.theta)
    direct = found.model.sums(rows, found.theta, "both")
    map_ = br.correspondence
    own = map_.terms.ordered(map_.terms.kept_of(folded))
    kept = map_.terms.kept_sums(found.model.family, rows, map_.coefficients[map_.kept])
    for one, other in ((at_weights, direct), (own, kept)):
        assert one.loglik == pytest.approx(other.loglik, rel=1e-13)
        for part in ("score", "observed", "expected"):
            size = np.abs(getattr(other, part)).max()
            np.testing.assert_allclose(getattr(one, part), getattr(other, part), rtol=0, atol=1e-12 * size)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "cauchit"])
@pytest.mark.parametrize("response", ["y", "successes(wins, tries)"])
@pytest.mark.parametrize("weights", [None, "weight"])
def test_the_null_deviance_is_that_of_the_constant_alone(link, response, weights):
    frame = FRAME.assign(weight=np.random.default_rng(2).integers(0, 4, N).astype(float))
    how = {"link": link, "prior_weights": weights}
    full, null = gb.glm(f"{response} ~ x", frame, **how), gb.glm(f"{response} ~ 1", frame, **how)
    assert full.null_deviance == pytest.approx(null.deviance, rel=1e-12)


@pytest.mark.parametrize("kept", [None, np.arange(3, N, 3), np.r_[5:90, 200:N]])
def test_raw_inputs_are_the_frames_own_rows(kept):
    names = ("z", "class", "x")
    raws = Raws(names, frame=FRAME, kept=kept)
    used = FRAME[list(names)] if kept is None else FRAME[list(names)].iloc[kept]
    pd.testing.assert_frame_equal(raws.table(10, 60), used.iloc[10:60])
    assert len(raws.table(20, 20)) == 0
    few = raws.some([(0, 7), (30, 33)])
    pd.testing.assert_frame_equal(few, used.iloc[[*range(7), 30, 31, 32]].reset_index(drop=True))


def test_numbers_in_their_order_are_not_copied():
    table = FRAME[["x", "z"]]
    plain = (Feature("x", 0), Feature("z", 1))
    assert np.shares_memory(feature_windows(plain, table)(100, 300), table.to_numpy())
    turned = feature_windows(plain[::-1], table)(100, 300)
    np.testing.assert_array_equal(turned, table.to_numpy()[100:300, ::-1])


def test_levels_and_computed_columns_are_cut_like_numbers():
    table = FRAME[["x", "class"]]
    features = (
        Feature("class[b]", 1, level=("b",)),
        Feature("square", (0,), function=lambda frame: frame.to_numpy() ** 2),
        Feature("x", 0),
    )
    whole = np.column_stack([table["class"] == "b", table.x**2, table.x])
    np.testing.assert_array_equal(feature_matrix(features, table), whole)
    np.testing.assert_array_equal(feature_windows(features, table)(13, 57), whole[13:57])


def test_a_linear_predictor_that_is_no_number_is_a_difference(monkeypatch):
    monkeypatch.setattr(checks, "run_layers", lambda network, given, theta: np.full((len(given), 1), np.nan))
    with pytest.raises(BridgeError, match="differ by"):
        gb.bridge("y ~ x + z", FRAME, network=stacked(), start=np.full(9, 0.1))
