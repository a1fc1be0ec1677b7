"""Rows with missing values: as if they had never been there, and without a second copy of the others."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import glmnet_bridge as gb
from glmnet_bridge.data import rows

N = 24_000
FORMULA = (
    "{} ~ x + f + k + i + b + t + h + g * x + x:f + C(c) + bs(s, df=5) + standardize(z) + center(v) + np.log(u)"
    " + I(k * i)"
)
MISSING = ("x", "f", "k", "b", "t", "g", "s", "z", "u", "o", "w")

READ = [name for name in MISSING if name != "w"]  # what predictions need


def frame(seed: int = 3) -> pd.DataFrame:
    """Columns of every kind, some in one array; missing values of every kind, in the first rows only."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(rng.normal(size=(N, 4)), columns=["x", "z", "v", "s"])  # these lie apart in memory
    data["f"] = rng.normal(size=N).astype("float32")
    data["k"] = pd.array(rng.integers(-5, 6, N), "Int64")
    data["i"] = rng.integers(0, 100, N).astype("int8")
    data["b"] = pd.array(rng.random(N) < 0.4, "boolean")
    data["t"] = rng.choice(["low", "mid", "high"], N).astype(object)
    data["h"] = rng.choice(["u", "v"], N)
    data["g"] = pd.Categorical(rng.choice(list("dcba"), N), categories=list("dcbaz"))
    data["c"] = rng.integers(0, 3, N)
    data["u"] = rng.uniform(0.5, 2.0, N)
    data["o"] = rng.normal(scale=0.1, size=N)
    data["w"] = rng.uniform(0.5, 2.0, N)
    eta = 0.3 * data["x"] - 0.2 * data["z"] + 0.4 * (data["g"] == "a") + 0.1 * data["k"].astype(float)
    data["low"] = (rng.random(N) < 1 / (1 + np.exp(-eta))).astype(int)
    data["count"] = rng.poisson(np.exp(0.3 * eta))
    data["size"] = np.exp(0.1 * eta) * rng.gamma(2.0, size=N)
    for name in MISSING:
        data.loc[rng.choice(N // 2, 150, replace=False), name] = None
    # what stands in a row that is left out must not be seen: levels, ends of a spline, logarithms of 0
    odd = data.index[data["x"].isna()]
    data.loc[odd[:9], "t"] = "rare"
    data.loc[odd[:9], "c"] = 77
    data.loc[odd[:9], "s"] = 1e6
    data.loc[odd[:9], "u"] = -1.0
    data.loc[odd[:9], "z"] = -1e9
    data.loc[odd[:9], "g"] = "z"
    return data.set_index(np.arange(N)[::-1])


FRAME = frame()
COMPLETE = FRAME.dropna(subset=list(MISSING))
CASES: dict[str, dict[str, Any]] = {
    "low": {"family": "binomial", "prior_weights": "w", "offset": "o"},
    "count": {"family": "poisson", "exposure": "np.exp(o)"},
    "size": {"family": "gamma", "link": "log", "prior_weights": "w", "offset": "o"},
}


def exactly(left: Any, right: Any) -> None:
    """The same to the last bit; nan equals nan."""
    np.testing.assert_array_equal(np.asarray(left), np.asarray(right), strict=True)


@pytest.fixture(scope="module", params=CASES)
def fits(request):
    options = {"offset": "o", "prior_weights": "w"} | CASES[request.param]
    if "exposure" in options:
        del options["offset"]
    formula = FORMULA.format(request.param)
    return gb.glm(formula, FRAME, **options), gb.glm(formula, COMPLETE, **options)


def test_some_rows_are_missing_and_some_blocks_are_complete():
    assert 0.8 * N < len(COMPLETE) < 0.95 * N
    assert not FRAME.iloc[N // 2 :][list(MISSING)].isna().any().any()


def test_a_fit_is_that_of_the_rows_without_gaps(fits):
    ours, wanted = fits
    assert ours.sample.n == len(COMPLETE) and ours.sample.n_read == N
    assert ours.names == wanted.names and ours.converged
    exactly(ours.params, wanted.params)
    exactly(ours.bse, wanted.bse)
    exactly(ours.cov_params(), wanted.cov_params())
    for number in ("llf", "llnull", "deviance", "null_deviance", "pearson_chi2", "dispersion", "distance_to_mle"):
        assert getattr(ours, number) == getattr(wanted, number), number
    exactly(ours.trace.filter(like="loglik"), wanted.trace.filter(like="loglik"))
    exactly(ours.residuals("pearson"), wanted.residuals("pearson"))
    assert ours.residuals().index.equals(COMPLETE.index)
    (learnt, known) = (fit.recipe.design.to_json() for fit in (ours, wanted))
    # text that stands only in rows left out is known as a level without rows, as in a category
    assert learnt["factors"].pop("t") == known["factors"].pop("t") | {"unused": ["rare"]}
    assert learnt == known


def test_answers_by_row_stand_in_their_rows(fits):
    """On the scale of the linear predictor: an exponential depends on its place in the array in the last bit."""
    ours, wanted = fits
    used, answered = ours.sample.kept, FRAME.dropna(subset=READ)
    for answer, there in (
        (ours.predict(kind="link"), COMPLETE.index),
        (ours.predict(FRAME, kind="terms"), answered.index),
        (ours.get_prediction(FRAME, kind="link"), answered.index),
    ):
        assert answer.index.equals(FRAME.index)
        assert answer.dropna().index.equals(there)
    exactly(ours.predict(kind="link").to_numpy()[used], wanted.predict(kind="link"))
    exactly(ours.augment()["_resid_deviance"].to_numpy()[used], wanted.augment()["_resid_deviance"])
    exactly(ours.predict(FRAME, kind="link").dropna(), wanted.predict(answered, kind="link"))
    exactly(ours.get_prediction(FRAME, kind="link").dropna(), wanted.get_prediction(answered, kind="link"))


def test_new_rows_with_gaps_and_rows_that_cannot_be_coded(fits):
    new = frame(seed=8)
    new.loc[new.index[-9:], "c"] = 5
    new.loc[new.index[-30:-20], "s"] = 99.0
    complete, fit = new.dropna(subset=READ), fits[1]
    ours, wanted = (fit.predict(data, kind="link", unseen="nan") for data in (new, complete))
    assert 19 <= wanted.isna().sum() < 40
    exactly(ours.loc[complete.index], wanted)


def test_a_network_is_fed_the_rows_without_gaps():
    inputs, start = ["x", "f", "k", "g[a]", "b"], [0.1, -0.2, 0.05, 0.3, 0.2, -0.1]
    data = FRAME.dropna(subset=["g", "b"])
    complete = data.dropna(subset=["x", "s", "f", "k"])
    ours, wanted = (gb.bridge("low ~ x + s", each, inputs=inputs, start=start).network for each in (data, complete))
    assert ours.sample.n == wanted.sample.n < ours.sample.n_read
    assert ours.llf == wanted.llf
    exactly(ours.information(), wanted.information())
    exactly(ours.predict(data, kind="link").loc[complete.index], wanted.predict(complete, kind="link"))


# --- memory -----------------------------------------------------------------------------------------

ROWS, COLUMNS = 200_000, 30
NAMES = [f"x{j}" for j in range(COLUMNS)]
COPY = ROWS * COLUMNS * 8  # bytes of a second copy


@pytest.fixture(scope="module")
def numbers() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    data = pd.DataFrame(np.asfortranarray(rng.normal(size=(ROWS, COLUMNS))), columns=NAMES)
    data["y"] = (rng.random(ROWS) < 1 / (1 + np.exp(-data["x0"]))).astype(float)
    return data


def with_gaps(data: pd.DataFrame) -> pd.DataFrame:
    data = data.copy()
    for seed, name in enumerate(["x1", "x7", "x20"]):
        data.loc[np.random.default_rng(seed).choice(ROWS, 500, replace=False), name] = np.nan
    return data


def peak(call: Callable[[], Any]) -> int:
    """Most bytes held above those at the start."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture
def one_thread(monkeypatch):
    """Each thread holds a block of its own."""
    monkeypatch.setattr(rows, "workers", lambda: 1)


@pytest.mark.parametrize("gaps", [False, True], ids=["complete", "gaps"])
@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_a_formula_copies_no_data(numbers, one_thread, gaps, kind):
    data = (with_gaps(numbers) if gaps else numbers).astype(kind)
    formula = "y ~ " + " + ".join(NAMES)
    fit = gb.glm(formula, data)
    assert (fit.sample.n < ROWS) == gaps
    assert peak(lambda: gb.glm(formula, data)) < 0.4 * COPY
    assert peak(lambda: fit.predict(data)) < 0.4 * COPY


def test_arrays_and_frames_of_several_kinds_are_not_copied(numbers, one_thread):
    whole, y = numbers[NAMES], numbers["y"]
    kinds = {
        "frame": whole,
        "columns of their own": pd.concat([whole[[name]] for name in NAMES], axis=1),
        "several kinds": whole.astype({"x2": "float32", "x3": "int16", "x4": "Float64"}),
        "float32": whole.to_numpy("float32"),
        "rows first": np.ascontiguousarray(whole),
    }
    for kind, X in kinds.items():
        assert peak(lambda X=X: gb.fit(X, y)) < 0.4 * COPY, kind
    fit, turned = gb.fit(whole, y), whole[NAMES[::-1]]
    assert peak(lambda: fit.predict(turned)) < 0.4 * COPY
