"""Small fits: what they keep, or leave out to be quick, changes no answer."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pandas as pd
import pytest

import glmnet_bridge as gb
from glmnet_bridge.data import rows
from glmnet_bridge.data.rows import ArraySource, Rows
from glmnet_bridge.design.designs import Design
from glmnet_bridge.design.formulas import parse
from glmnet_bridge.errors import ArgumentError
from glmnet_bridge.fitting import coordinates, linalg
from glmnet_bridge.keywords import checked_keywords


def frame(n: int = 60, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    data = pd.DataFrame(random.standard_normal((n, 2)), columns=["x", "z"])
    return data.assign(y=(random.random(n) < 0.5).astype(float))


def test_a_name_given_to_an_index_stays_with_its_fit():
    first, second = gb.glm("y ~ x + z", frame()), gb.glm("y ~ x + z", frame(seed=1))
    first.params.index.name = "term"
    assert first.bse.index.name == "term"
    assert second.params.index.name is None
    assert gb.glm("y ~ x + z", frame()).params.index.name is None
    assert list(second.params.index) == ["Intercept", "x", "z"]


def test_a_design_of_numbers_keeps_nothing_of_other_rows():
    few, many = ({name: each[name].to_numpy() for name in each} for each in (frame(20), frame(50, seed=1)))
    one, two = (Design.learn(parse("y ~ center(x) + z"), each) for each in (few, many))
    assert (one.rows, two.rows) == (20, 50)
    assert one.plan is two.plan
    assert two.matrix(many)[:, 1] == pytest.approx(many["x"] - many["x"].mean())
    assert one.matrix(many)[:, 1] == pytest.approx(many["x"] - few["x"].mean())


def test_a_design_of_numbers_knows_the_width_of_its_factors():
    data = {"x": np.arange(30.0), "y": np.arange(30.0) % 2}
    own = [lambda x: x, lambda x: np.column_stack([x, x**2])]
    designs = [Design.learn(parse("y ~ f(x)", {"f": f}), data) for f in own]
    assert [design.names for design in designs] == [("Intercept", "f(x)"), ("Intercept", "f(x)[0]", "f(x)[1]")]


def test_a_column_may_become_a_factor():
    data = frame()
    numbers, levels = gb.glm("y ~ x", data), gb.glm("y ~ x", data.assign(x=np.where(data["x"] > 0, "a", "b")))
    assert numbers.names == ("Intercept", "x")
    assert levels.names == ("Intercept", "x[T.b]")


@pytest.mark.parametrize("family", ["binomial", "poisson", "gaussian"])
def test_a_limit_of_the_threads_changes_nothing(family: str):
    free = gb.glm("y ~ x * z", frame(500), family)
    with mock.patch.object(rows, "TINY", 0):
        limited = gb.glm("y ~ x * z", frame(500), family)
    assert free.params.equals(limited.params)
    assert free.bse.equals(limited.bse)


def test_a_type_error_within_a_verb_is_not_about_its_arguments():
    @checked_keywords
    def verb(x: object, *, power: int = 2) -> object:
        return x**power  # type: ignore[operator]

    assert verb(3) == 9
    with pytest.raises(TypeError, match="unsupported operand") as caught:
        verb("3")
    assert not isinstance(caught.value, ArgumentError)
    with pytest.raises(ArgumentError, match=r"verb\(\) has no argument 'powr'. Did you mean 'power'\?"):
        verb(3, powr=2)
    with pytest.raises(ArgumentError, match="It takes x by position"):
        verb(3, 2)


@pytest.mark.parametrize("size", [1e-160, 1e-3, 1.0, 7.0, 1e3, 1e145, 1e160])
def test_moments_by_the_short_way(size: float):
    random = np.random.default_rng(1)
    some = Rows(ArraySource(size * (random.standard_normal((40, 2)) + [0.0, 9.0])), np.zeros((40, 1)), np.ones(40))
    short = coordinates._moments(some)
    with mock.patch.object(coordinates, "NORMAL", 0.0):
        long = coordinates._moments(some)
    assert all(np.array_equal(a, b) for a, b in zip(short, long, strict=True))


@pytest.mark.parametrize("condition", [1.0, 1e3, 1e8, 1e13])
@pytest.mark.parametrize("scale", [1e-6, 1e-2, 1.0])
def test_a_variance_above_a_limit_is_seen_from_the_condition(condition: float, scale: float):
    random = np.random.default_rng(2)
    q = np.linalg.qr(random.standard_normal((5, 5)))[0]
    used = linalg.factor(scale * (q * np.geomspace(1.0, 1.0 / condition, 5)) @ q.T)
    assert used is not None
    largest = used.inverse().diagonal().max()
    assert used.exceeded(0.99 * largest)
    assert not used.exceeded(1.01 * largest)
    assert not used.exceeded(1e6 * largest)
