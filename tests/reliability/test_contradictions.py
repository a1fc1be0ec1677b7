"""Arguments that contradict each other, that are swapped, or that name what is not there."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reliability.hostile import frame, put, refused, same
from reliability.test_arguments import family

import glmnet_bridge as gb
from glmnet_bridge.errors import ConvergenceWarning, FormulaWarning, SeparationWarning

DATA = frame()
X, Y = DATA[["x1", "x2"]].assign(x3=DATA["x1"] ** 2).to_numpy(), DATA["y"].to_numpy()


def test_level_and_alpha() -> None:
    fit = gb.glm("y ~ x1", DATA)
    refused(lambda: fit.conf_int(alpha=0.1, level=0.99), "level=0.99", "alpha=0.1", "contradict")
    refused(lambda: fit.conf_int(alpha=0.1, level=0.95), "level=0.95", "alpha=0.1")
    pd.testing.assert_frame_equal(fit.conf_int(alpha=0.1, level=0.9), fit.conf_int(level=0.9))
    pd.testing.assert_frame_equal(fit.conf_int(alpha=0.1), fit.conf_int(level=0.9))
    pd.testing.assert_frame_equal(fit.conf_int(), fit.conf_int(level=0.95))


@pytest.mark.parametrize("chosen", [family("Binomial", "CLogLog"), gb.families.binomial("cloglog")], ids=["sm", "own"])
def test_two_links(chosen: Any) -> None:
    refused(lambda: gb.glm("y ~ x1", DATA, chosen, "logit"), "'cloglog'", "'logit'", "leave link= out")
    refused(lambda: gb.bridge("y ~ x1", DATA, chosen, "probit"), "'cloglog'", "'probit'")
    same(gb.glm("y ~ x1", DATA, chosen, "cloglog"), gb.glm("y ~ x1", DATA, link="cloglog"))


def test_a_link_beside_a_family_with_its_default() -> None:
    wanted = gb.glm("y ~ x1", DATA, link="probit")
    for chosen in (gb.families.binomial(), gb.families.binomial, family("Binomial"), "binomial"):
        same(gb.glm("y ~ x1", DATA, chosen, "probit"), wanted)


def test_a_default_link_that_was_asked_for_is_a_choice() -> None:
    said = gb.families.binomial("logit")
    for verb in (gb.glm, gb.bridge):
        refused(lambda verb=verb: verb("y ~ x1", DATA, said, "probit"), "'logit'", "'probit'", "leave link= out")
    same(gb.glm("y ~ x1", DATA, said, "logit"), gb.glm("y ~ x1", DATA))
    assert said == gb.families.binomial() and hash(said) == hash(gb.families.binomial())
    for each in (said, gb.families.binomial()):
        assert pickle.loads(pickle.dumps(each)).chosen == each.chosen


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_flags(value: object) -> None:
    calls: list[tuple[Any, tuple[str, ...]]] = [
        (gb.glm, ("strict", "keep_data")),
        (gb.bridge, ("strict", "keep_data", "progress")),
        (gb.network, ("strict", "keep_data", "progress")),
    ]
    for verb, names in calls:
        for name in names:
            refused(lambda verb=verb, name=name: verb("y ~ x1", DATA, **{name: value}), name, "give True or False")
    for name in ("strict", "intercept"):
        refused(lambda name=name: gb.fit(X[:, :2], Y, **{name: value}), name, "give True or False")


def test_flags_of_numpy() -> None:
    same(gb.glm("y ~ x1", DATA, strict=np.bool_(True)), gb.glm("y ~ x1", DATA))


@pytest.mark.parametrize("family", ["binomial", "gaussian"])
def test_swapped_table_and_response(family: str) -> None:
    for table in (X, X[:, :2], pd.DataFrame(X), X.tolist()):
        refused(lambda table=table: gb.fit(Y, table, family), "swapped", "X has one dimension", "fit(X, y)")
    refused(lambda: gb.fit(Y[:, None], X, family), "swapped", "X has one column")


def test_successes_and_failures_beside_one_column_are_not_swapped() -> None:
    counts = np.column_stack([Y, 1 - Y])
    for given in (counts, counts.astype(float), pd.DataFrame(counts)):
        same(gb.fit(X[:, 0], given), gb.fit(X[:, 0], Y))


@pytest.mark.parametrize(
    "formula", ['I(g == "A") ~ x1', 'I("A" != g) ~ x1', 'I(Q("g") == "A") ~ x1', 'I((g == "A") & (x2 > 0)) ~ x1']
)
def test_levels_that_no_row_has(formula: str) -> None:
    with (
        pytest.warns(FormulaWarning, match="'A' is no level of 'g'; it has a, b, c. Did you mean 'a'?") as seen,
        pytest.warns(SeparationWarning),
    ):
        gb.glm(formula, DATA)
    assert [each.category for each in seen].count(FormulaWarning) == 1


@pytest.mark.filterwarnings("error")
def test_levels_that_rows_have() -> None:
    fit = gb.glm('I(g == "b") ~ x1', DATA)
    assert fit.predict(DATA[DATA["g"] == "a"]).notna().all()
    declared = put(g=pd.Categorical(DATA["g"], ["a", "b", "c", "d"]))
    gb.glm('I((g == "d") | (g == "b")) ~ x1', declared)


def test_numbers_are_not_misspelt() -> None:
    data = put(k=np.resize([1.0, 2.0, 3.0], len(DATA)))
    fit = gb.glm("y ~ C(k)", data)
    assert "Did you mean" not in refused(lambda: fit.predict(pd.DataFrame({"k": [1.5]})), "level 1.5", "1.0, 2.0, 3.0")
    fit = gb.glm("y ~ C(g)", data)
    refused(lambda: fit.predict(pd.DataFrame({"g": ["A"]})), "Did you mean 'a'?")


def test_training_on_separated_data_says_so() -> None:
    data = pd.DataFrame({"y": [0, 0, 0, 1, 1, 1], "x": [1.0, 2, 3, 4, 5, 6]})
    told = "The data are separated, so that there is no finite optimum"
    with pytest.warns(SeparationWarning), pytest.warns(ConvergenceWarning, match=told) as seen:
        found = gb.bridge("y ~ x", data, train="sgd", epochs=5, random_state=0)
    assert "SE from the optimum" not in str(seen[-1].message)
    assert told in found.network.estimate.note
    ridge = gb.penalties.ridge(1, intercept=True)
    with pytest.warns(ConvergenceWarning) as seen:
        gb.bridge("y ~ x", data, train="sgd", epochs=5, random_state=0, penalty=ridge)
    assert "separated" not in str(seen[0].message)
