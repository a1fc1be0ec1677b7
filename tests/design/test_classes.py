"""A response of several classes: their order, the base, the indicators, and new data."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import glmnet_bridge as gb
from glmnet_bridge.data import frames
from glmnet_bridge.design import classes, responses
from glmnet_bridge.design.formulas import parse
from glmnet_bridge.design.responses import Response
from glmnet_bridge.errors import ArgumentError, DataError


def learn(column, *, base=None, left="y"):
    """The response of `left ~ 1`: (Response, indicators)."""
    frame = pd.DataFrame({"y": column})
    parts = parse(f"{left} ~ 1").response
    values = frames.columns(frame, frozenset().union(*(part.names for part in parts)))
    response, y, trials = responses.learn(parts, values, support="classes", base=base, index=frame.index)
    assert trials is None and y.dtype == np.float64
    return response, y


# column, base, levels in order, the base found, the place of each row's class among the others (-1: the base)
CODINGS = {
    "text": (["b", "a", "c", "a"], None, ("a", "b", "c"), "a", [0, -1, 1, -1]),
    "text, base": (["b", "a", "c", "a"], "b", ("a", "b", "c"), "b", [-1, 0, 1, 0]),
    "category": (pd.Categorical(["x", "z", "y"], ["z", "y", "x"]), None, ("z", "y", "x"), "z", [1, -1, 0]),
    "category with an empty level": (
        pd.Categorical(["x", "y", "x"], ["no", "y", "x"]),
        None,
        ("y", "x"),
        "y",
        [0, -1, 0],
    ),
    "category of numbers": (pd.Categorical([3, 1, 2]), 2, (1, 2, 3), 2, [1, 0, -1]),
    "integers": ([7, 5, 9, 5], None, (5, 7, 9), 5, [0, -1, 1, -1]),
    "integers, base as text": ([7, 5, 9, 5], "9", (5, 7, 9), 9, [1, 0, -1, 0]),
    "whole floats": ([2.0, 0.0, 1.0], None, (0, 1, 2), 0, [1, -1, 0]),
    "booleans": ([True, False, True], None, (False, True), False, [0, -1, 0]),
    "booleans, base": ([True, False, True], True, (False, True), True, [-1, 0, -1]),
}


@pytest.mark.parametrize("name", CODINGS)
def test_codings(name):
    column, base, levels, found, places = CODINGS[name]
    response, y = learn(column, base=base)
    assert response.kind == "classes" and response.levels == levels and response.base == found
    assert response.outputs == tuple(str(level) for level in levels if level != found)
    expected = np.array([np.arange(len(levels) - 1) == place for place in places], dtype=float)
    np.testing.assert_array_equal(y, expected)
    again = Response.from_json(json.loads(json.dumps(response.to_json())))
    assert again == response


def test_describes():
    response, _ = learn(["home", "ward", "icu"], base="home")
    assert response.describes == "P(y = icu), P(y = ward) against home"
    response, _ = learn(pd.Categorical(["b", "c"], ["a", "b", "c"]))
    assert response.describes == "P(y = c) against b, no rows with 'a'"
    response, _ = learn(list("abcdefgh"))
    assert response.describes == ("P(y = b), P(y = c), P(y = d), P(y = e), P(y = f) and 2 more against a")


@pytest.mark.parametrize(
    ("column", "base", "words"),
    [
        (["a", "a"], None, ["one class only ('a')"]),
        ([0.5, 1.0], None, ["'y' is 0.5 in row 0", "text, a category or a whole number"]),
        (np.arange(300), None, ["300 different values", 'family="poisson"']),
    ],
)
def test_what_is_no_class_is_refused(column, base, words):
    with pytest.raises(DataError) as caught:
        learn(column, base=base)
    for word in words:
        assert word in str(caught.value)


def test_a_base_that_is_no_class():
    with pytest.raises(ArgumentError, match=r"base='hom' is no class of 'y'; they are 'home', 'ward'. Did you mean"):
        learn(["home", "ward"], base="hom")


def test_new_rows_have_the_classes_that_were_learnt():
    response, _ = learn(["home", "ward", "icu"])
    with pytest.raises(DataError, match=r"'y' is 'morgue' in row 1; the model learnt 'home', 'icu', 'ward'"):
        response.values(frames.columns(pd.DataFrame({"y": ["home", "morgue"]}), ["y"]))
    with pytest.raises(DataError, match="'y' is numeric in the new data"):
        response.values(frames.columns(pd.DataFrame({"y": [1, 2]}), ["y"]))
    numbers, _ = learn([1, 2, 5])
    with pytest.raises(DataError, match=r"'y' is 3 in row 1; the model learnt 1, 2, 5"):
        numbers.values(frames.columns(pd.DataFrame({"y": [5, 3]}), ["y"]))
    y, _ = numbers.values(frames.columns(pd.DataFrame({"y": [5, 1]}), ["y"]))
    np.testing.assert_array_equal(y, [[0, 1], [0, 0]])


def test_the_most_probable_class():
    shares = np.array([[0.2, 0.5, 0.3], [np.nan, 0.1, 0.2], [0.5, 0.25, 0.25]])
    assert classes.most_probable(shares[[0, 2]], ("a", "b", "c")).tolist() == ["b", "a"]
    found = classes.most_probable(shares, (1, 2, 3))
    assert found[0] == 2 and np.isnan(found[1]) and found[2] == 1
    assert classes.most_probable(shares[[0, 2]], (1, 2, 3)).dtype.kind == "i"


FRAME = pd.DataFrame({"y": list("abcabcabbc"), "x": np.arange(10.0), "w": np.ones(10)})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"event": "a"}, "event= is for the binomial family.*chosen by base="),
        ({"trials": "w"}, "trials= is for the binomial family"),
        ({"offset": "w"}, "each class has a linear predictor of its own"),
        ({"exposure": "w"}, "exposure= is for the log link"),
        ({"family": "gaussian", "base": "a"}, "base= is the class that the multinomial family compares with"),
        ({"family": "binomial", "base": "a"}, "base= is the class that the multinomial family compares with"),
        ({"formula": "y ~ x + offset(w)"}, "each class has a linear predictor of its own"),
    ],
)
def test_arguments_of_other_families_are_refused(arguments, words):
    given = {"formula": "y ~ x", "family": "multinomial", **arguments}
    with pytest.raises(ArgumentError, match=words):
        gb.glm(given.pop("formula"), FRAME, **given)


def test_arrays_take_no_offset_either():
    with pytest.raises(ArgumentError, match="each class has a linear predictor of its own"):
        gb.fit(FRAME[["x"]], FRAME.y, "multinomial", offset=FRAME.w)
    fit = gb.fit(FRAME[["x"]], FRAME.y, "multinomial", base="b")
    assert fit.names == ("a: Intercept", "a: x", "c: Intercept", "c: x")
    with pytest.raises(ArgumentError, match="takes no offset"):
        fit.predict(FRAME[["x"]], offset=np.ones(10))


def test_a_binomial_fit_of_several_classes_names_the_multinomial():
    with pytest.raises(DataError, match='model all of them by family="multinomial"'):
        gb.glm("y ~ x", FRAME)
