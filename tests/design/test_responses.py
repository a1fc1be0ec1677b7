"""Responses: what is modelled is never a guess, and every coding of the same data gives the same numbers."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from glmnet_bridge.data import frames
from glmnet_bridge.design import responses
from glmnet_bridge.design.formulas import parse
from glmnet_bridge.design.responses import Response
from glmnet_bridge.errors import ArgumentError, BridgeError, DataError, DataWarning, FormulaError

NAN = float("nan")


def learn(left, columns, *, support="binomial", event=None, trials=None, index=None):
    """The response of `left ~ 1` for columns given as a dict: (Response, y (n,), trials)."""
    frame = pd.DataFrame(columns, index=index)
    parts = parse(f"{left} ~ 1").response
    names = frozenset().union(*(part.names for part in parts))
    counts = None if trials is None else np.asarray(trials, dtype=float)
    response, y, m = responses.learn(
        parts, frames.columns(frame, names), support=support, event=event, trials=counts, index=frame.index
    )
    assert y.dtype == np.float64 and y.shape == (len(frame), 1)
    return response, y[:, 0], m


BINARY = {
    "integers": ("y", [0, 1, 1], None, "P(y = 1)"),
    "floats": ("y", [0.0, 1.0, 1.0], None, "P(y = 1)"),
    "Int64": ("y", pd.array([0, 1, 1], "Int64"), None, "P(y = 1)"),
    "zero is the event": ("y", [1, 0, 0], 0, "P(y = 0)"),
    "booleans": ("y", [False, True, True], None, "P(y = True)"),
    "boolean": ("y", pd.array([False, True, True], "boolean"), None, "P(y = True)"),
    "boolean objects": ("y", pd.Series([False, True, True], dtype=object), None, "P(y = True)"),
    "False is the event": ("y", [True, False, False], False, "P(y = False)"),
    "text": ("y", ["no", "yes", "yes"], None, "P(y = 'yes')"),
    "text, event": ("y", ["yes", "no", "no"], "no", "P(y = 'no')"),
    "category": ("y", pd.Categorical(["b", "a", "a"], categories=["b", "a"]), None, "P(y = 'a')"),
    "ordered": ("y", pd.Categorical(["no", "yes", "yes"], ["no", "yes"], ordered=True), None, "P(y = 'yes')"),
    "category of numbers": ("y", pd.Categorical([1, 2, 2]), None, "P(y = 2)"),
    "category of booleans": ("y", pd.Categorical([False, True, True]), None, "P(y = True)"),
    "-1/+1 with event": ("y", [-1, 1, 1], 1, "P(y = 1)"),
    "1/2 with event": ("y", [1.0, 2.0, 2.0], 2, "P(y = 2)"),
    "1/2, event 1": ("y", [2, 1, 1], 1, "P(y = 1)"),
    "comparison": ("I(y > 0)", [0, 2, 5], None, "P(y > 0)"),
    "comparison, not the event": ("I(y > 0)", [2, 0, 0], False, "P(y > 0 = False)"),
    "comparison of text": ("I(y == 'yes')", ["no", "yes", "yes"], None, "P(y == 'yes')"),
    "arithmetic on text": ("I(1 * (y == 'yes'))", ["no", "yes", "yes"], None, "P(1 * (y == 'yes') = 1)"),
    "category by formula": ("C(y)", ["no", "yes", "yes"], None, "P(C(y) = 'yes')"),
}


@pytest.mark.parametrize("case", BINARY)
def test_binary(case):
    left, column, event, describes = BINARY[case]
    response, y, trials = learn(left, {"y": column}, event=event)
    assert response.kind == "binary"
    assert y.tolist() == [0.0, 1.0, 1.0]
    assert trials is None
    assert response.describes == describes


def test_a_quoted_name_is_described_without_quotes():
    assert learn('Q("low weight")', {"low weight": [0, 1]})[0].describes == "P(low weight = 1)"


@pytest.mark.parametrize("column", [[0, 0], [0.0, 0.0], [False, False], pd.Categorical(["no", "no"], ["no", "yes"])])
def test_no_events_are_the_fit_s_business(column):
    assert learn("y", {"y": column})[1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("column", [[1, 1], [True, True], pd.Categorical(["yes", "yes"], ["no", "yes"])])
def test_only_events_are_the_fit_s_business(column):
    assert learn("y", {"y": column})[1].tolist() == [1.0, 1.0]


def test_levels_without_rows_are_left_out_and_named():
    response, y, _ = learn("y", {"y": pd.Categorical(["a", "c"], ["a", "b", "c"])})
    assert y.tolist() == [0.0, 1.0]
    assert response.levels == ("a", "c")
    assert response.describes == "P(y = 'c'), no rows with 'b'"


def test_float_zeros_and_ones_are_not_copied():
    y = np.array([0.0, 1.0])
    parts = parse("y ~ 1").response
    assert np.shares_memory(responses.learn(parts, {"y": y}, support="binomial")[1], y)
    assert np.shares_memory(responses.learn(parts, {"y": y}, support="real")[1], y)


REFUSED = {
    "survey coding": ([1, 2, 2], {}, ["'y'", "1 and 2", "event=2", "recode"]),
    "machine learning coding": ([-1, 1, 1], {}, ["-1 and 1", "event=1"]),
    "other coding": ([0, 5, 5], {}, ["0 and 5", "event=5"]),
    "below zero": ([0, 1, -0.2], {}, ["'y' is -0.2 in row 'r2'"]),
    "count": ([0, 1, 3, 7], {}, ["is 3 in rows 'r2', 'r3'", "successes(k, m)", "poisson"]),
    "proportions": ([0, 0.5, 1], {}, ["is 0.5 in row 'r1'", "trials="]),
    "proportions of two values": ([0.2, 0.8], {}, ["is 0.2 in rows 'r0', 'r1'", "trials="]),
    "one number": ([3, 3], {}, ["is 3 in rows 'r0', 'r1'"]),
    "three levels": (["a", "b", "c"], {}, ["3 levels ('a', 'b', 'c')", "I(y == 'c')"]),
    "one level": (["a", "a"], {}, ["one level only ('a')"]),
    "one level of three": (pd.Categorical(["a", "a"], ["a", "b", "c"]), {}, ["one level only ('a')"]),
    "unknown event": (["no", "yes"], {"event": "Yes"}, ["event='Yes'", "'no' and 'yes'"]),
    "unknown event of numbers": ([0, 1], {"event": 2}, ["event=2", "0 and 1"]),
    "event as text for numbers": ([0, 1], {"event": "2"}, ["event='2'", "0 and 1"]),
    "event as a list": ([0, 1], {"event": [1]}, ["event=[1]"]),
    "event outside 1/2": ([1, 2], {"event": 3}, ["event=3", "1 and 2"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_binary_response_is_refused_with_the_cure(case):
    column, options, words = REFUSED[case]
    labels = [f"r{i}" for i in range(len(column))]
    with pytest.raises(BridgeError) as error:
        learn("y", {"y": pd.Series(column, index=labels)}, index=labels, **options)
    for word in words:
        assert word in str(error.value)


GROUPS = {"k": [3, 0, 2], "f": [1, 4, 0], "m": [4, 4, 2], "share": [0.75, 0.0, 1.0]}


@pytest.mark.parametrize(
    ("left", "trials", "describes"),
    [
        ("successes(k, m)", None, "P(success) from k successes of m trials"),
        ("k + f", None, "P(success) from k successes and f failures"),
        ("share", [4, 4, 2], "P(success) from the proportion share"),
        ("I(k / m)", [4, 4, 2], "P(success) from the proportion k / m"),
    ],
)
def test_every_coding_of_groups_gives_the_same_shares_and_trials(left, trials, describes):
    response, share, m = learn(left, GROUPS, trials=trials)
    assert share.tolist() == [0.75, 0.0, 1.0]
    assert m.tolist() == [4.0, 4.0, 2.0]
    assert response.describes == describes


def test_no_trials_no_information():
    _, share, m = learn("successes(k, m)", {"k": [0, 1], "m": [0, 2]})
    assert share.tolist() == [0.0, 0.5]
    assert m.tolist() == [0.0, 2.0]


def test_zeros_and_ones_with_trials_are_proportions():
    _, share, m = learn("y", {"y": [0, 1]}, trials=[3, 5])
    assert share.tolist() == [0.0, 1.0]
    assert m.tolist() == [3.0, 5.0]


@pytest.mark.parametrize(
    ("left", "columns", "trials", "words"),
    [
        ("successes(k, m)", {"k": [1, 5], "m": [2, 4]}, None, ["'k' is 5 in row 1", "trials 'm'"]),
        ("successes(k, m)", {"k": [1, -1], "m": [2, 4]}, None, ["'k' is -1 in row 1"]),
        ("successes(k, m)", {"k": [1, 1], "m": [2, -4]}, None, ["'m' is -4 in row 1"]),
        ("successes(k, m)", {"k": [1, 1.5], "m": [2, 4]}, None, ["'k' is 1.5 in row 1", "whole"]),
        ("successes(k, m)", {"k": ["a", "b"], "m": [2, 4]}, None, ["category", "'a', 'b'"]),
        ("k + f", {"k": [1, 1], "f": [2, -4]}, None, ["'f' is -4 in row 1"]),
        ("k + f", {"k": [1, 1], "f": [0.5, 4]}, None, ["'f' is 0.5 in row 0"]),
        ("y", {"y": [0.5, 1.2]}, [2, 2], ["'y' is 1.2 in row 1", "successes(k, m)"]),
        ("y", {"y": ["a", "b"]}, [2, 2], ["category", "shares"]),
        ("np.log(y)", {"y": [0.0, 1.0]}, None, ["'np.log(y)' is -inf in row 0"]),
    ],
)
def test_impossible_groups_are_refused_with_row_and_value(left, columns, trials, words):
    with pytest.raises(DataError) as error:
        learn(left, columns, trials=trials)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(("share", "trials"), [([0.3, 0.5], [4, 2]), ([0.0, 0.5], [2.5, 2])])
def test_broken_counts_warn(share, trials):
    with pytest.warns(DataWarning, match="'y' times trials is not whole"):
        learn("y", {"y": share}, trials=trials)


def test_rounded_proportions_are_counts():
    single = np.array([1 / 3, 2 / 7], dtype=np.float32)
    assert learn("y", {"y": single}, trials=[3, 7_000_000])[2].tolist() == [3.0, 7_000_000.0]


def test_left_sides_that_are_no_response_are_refused():
    with pytest.raises(ArgumentError, match="has its trials already"):
        learn("successes(k, m)", GROUPS, trials=[1, 1, 1])
    with pytest.raises(ArgumentError, match="event= is for a response with two levels"):
        learn("successes(k, m)", GROUPS, event=1)
    with pytest.raises(ArgumentError, match="event= is for a response with two levels"):
        learn("share", GROUPS, trials=[4, 4, 2], event=1)
    with pytest.raises(FormulaError):
        learn("k + np.log(m)", GROUPS)
    with pytest.raises(FormulaError):
        learn("k + f + m", GROUPS)
    with pytest.raises(FormulaError):
        learn("k / m", GROUPS)
    with pytest.raises(FormulaError):
        learn("successes(k)", GROUPS)


@pytest.mark.parametrize("support", ["count", "positive", "real"])
def test_binomial_words_need_the_binomial_family(support):
    with pytest.raises(ArgumentError, match="event= is for the binomial family"):
        learn("k", GROUPS, support=support, event=1)
    with pytest.raises(ArgumentError, match="trials= is for the binomial family"):
        learn("k", GROUPS, support=support, trials=[1, 1, 1])
    with pytest.raises(FormulaError, match="only the binomial family has"):
        learn("successes(k, m)", GROUPS, support=support)
    with pytest.raises(FormulaError, match=r"I\(a \+ b\)"):
        learn("k + f", GROUPS, support=support)


@pytest.mark.parametrize(
    ("support", "left", "column", "expected", "describes"),
    [
        ("real", "art", [1.5, -2.0], [1.5, -2.0], "mean of art"),
        ("real", "np.log(art)", [1.0, np.e], [0.0, 1.0], "mean of np.log(art)"),
        ("real", "I(art - 1)", [1, 2], [0, 1], "mean of art - 1"),
        ("real", "art", [True, False], [1, 0], "mean of art (True = 1)"),
        ("real", "art", [3, 3], [3, 3], "mean of art"),
        ("count", "art", [0, 3], [0, 3], "mean of art"),
        ("count", "art", [1e12, 2e12], [1e12, 2e12], "mean of art"),
        ("count", "art", [True, False], [1, 0], "mean of art (True = 1)"),
        ("count", "art", pd.array([0, 3], "UInt8"), [0, 3], "mean of art"),
        ("positive", "art", [0.1, 3], [0.1, 3], "mean of art"),
    ],
)
def test_numbers(support, left, column, expected, describes):
    response, y, trials = learn(left, {"art": column}, support=support)
    np.testing.assert_allclose(y, expected, rtol=1e-15)
    assert response.kind == support
    assert trials is None
    assert response.describes == describes


@pytest.mark.parametrize(
    ("support", "column", "words"),
    [
        ("count", [1, -2], ["'y' is -2 in row 1", "0, 1, 2"]),
        ("positive", [1, 0], ["'y' is 0 in row 1", "above 0"]),
        ("positive", [1.0, -0.5], ["'y' is -0.5 in row 1"]),
        ("positive", [True, False], ["'y' is 0 in row 1"]),
        ("real", ["no", "yes"], ["'no', 'yes'", "numbers", 'family="binomial"']),
        ("count", ["no", "yes"], ["'no', 'yes'", "counts"]),
        ("positive", pd.Categorical([1, 2]), ["category", "positive numbers"]),
    ],
)
def test_numbers_outside_the_family_are_refused_with_row_and_value(support, column, words):
    with pytest.raises(DataError) as error:
        learn("y", {"y": column}, support=support)
    for word in words:
        assert word in str(error.value)


def test_broken_counts_are_a_quasi_likelihood():
    with pytest.warns(DataWarning, match=r"'y' are not all whole \(such as 2.5 in row 1\): a quasi-likelihood"):
        assert learn("y", {"y": [1.0, 2.5]}, support="count")[1].tolist() == [1.0, 2.5]


NEW = {
    "numbers": ("y", [0, 1], None, [1, 0, 1], [1, 0, 1]),
    "booleans": ("y", [False, True], None, [True, True], [1, 1]),
    "text of one level": ("y", ["no", "yes"], None, ["yes"], [1]),
    "levels in another order": (
        "y",
        ["no", "yes"],
        None,
        pd.Categorical(["yes", "no"], ["yes", "no"]),
        [1, 0],
    ),
    "event": ("y", ["no", "yes"], "no", ["yes", "no"], [0, 1]),
    "two numbers": ("y", [1, 2], 2, [2.0, 1.0], [1, 0]),
}


@pytest.mark.parametrize("case", NEW)
@pytest.mark.parametrize("through_json", [False, True])
def test_new_data_are_coded_as_the_old_ones(case, through_json):
    left, old, event, new, expected = NEW[case]
    response = learn(left, {"y": old}, event=event)[0]
    if through_json:
        response = Response.from_json(json.loads(json.dumps(response.to_json())))
    y, trials = response.values(frames.columns(pd.DataFrame({"y": new}), ["y"]))
    assert y[:, 0].tolist() == expected
    assert trials is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ([0, 1], [0, 2], "is 2 in row 1; the model learnt 0 and 1"),
        ([True, False], [0, 2], "is 2 in row 1; the model learnt False and True"),
        (["no", "yes"], ["no", "maybe"], "is 'maybe' in row 1; the model learnt 'no' and 'yes'"),
        (["no", "yes"], [0, 1], "is numeric in the new data; the model learnt 'no' and 'yes'"),
    ],
)
def test_other_levels_in_new_data_are_refused(old, new, words):
    response = learn("y", {"y": old})[0]
    with pytest.raises(DataError) as error:
        response.values(frames.columns(pd.DataFrame({"y": new}), ["y"]))
    assert words in str(error.value)


@pytest.mark.parametrize("left", ["successes(k, m)", "k + f", "share", "I(k > 1)"])
def test_json_restores_the_response(left):
    response = learn(left, GROUPS, trials=[4, 4, 2] if left == "share" else None)[0]
    again = Response.from_json(json.loads(json.dumps(response.to_json())))
    assert again == response
    assert again.describes == response.describes
    assert again.names == response.names


def test_a_proportion_demands_its_trials():
    response = learn("share", GROUPS, trials=[4, 4, 2])[0]
    with pytest.raises(DataError, match="trials="):
        response.values({"share": np.array([0.5])})


@pytest.mark.parametrize(
    ("y", "options", "expected", "describes"),
    [
        ([0, 1, 1], {}, [0, 1, 1], "P(y = 1)"),
        (np.array([[0], [1], [1]]), {}, [0, 1, 1], "P(y = 1)"),
        (np.array(["no", "yes", "yes"]), {}, [0, 1, 1], "P(y = 'yes')"),
        ([False, True, True], {"event": False}, [1, 0, 0], "P(y = False)"),
        (pd.Series([0, 1, 1], name="low"), {}, [0, 1, 1], "P(low = 1)"),
        (pd.Series([0, 1, 1], name="low weight"), {}, [0, 1, 1], "P(low weight = 1)"),
        (pd.Categorical(["b", "a", "a"], ["b", "a"]), {}, [0, 1, 1], "P(y = 'a')"),
        ([0.5, 0, 1], {"trials": 4}, [0.5, 0, 1], "P(success) from the proportion y"),
        ([[2, 2], [0, 4], [4, 0]], {}, [0.5, 0, 1], "P(success) from successes and failures"),
    ],
)
def test_responses_without_a_frame(y, options, expected, describes):
    response, values, trials = responses.from_array(y, pd.RangeIndex(3), support="binomial", **options)
    assert values.tolist() == [[value] for value in expected]
    assert response.describes == describes
    assert trials is None or trials.tolist() == [4.0, 4.0, 4.0]


@pytest.mark.parametrize(
    ("y", "words"),
    [
        ([0, 1], ["y= has 2 values", "3 rows"]),
        ([0, None, 1], ["y is missing in row 1"]),
        (["no", None, "yes"], ["y is missing in row 1"]),
        ([0, np.inf, 1], ["'y' is inf in row 1"]),
        (np.zeros((3, 3)), ["shape (3, 3)"]),
        (pd.date_range("2020", periods=3), ["y= holds dates"]),
    ],
)
def test_wrong_responses_without_a_frame(y, words):
    with pytest.raises(BridgeError) as error:
        responses.from_array(y, pd.RangeIndex(3), support="binomial")
    for word in words:
        assert word in str(error.value)


def test_a_series_is_never_sorted_on_a_guess():
    y = pd.Series([1, 1, 0], index=[2, 1, 0])
    labels = pd.Index([0, 1, 2]).map(str)
    assert responses.from_array(y.rename(str), labels, support="binomial")[1].tolist() == [[0], [1], [1]]
    with pytest.raises(ArgumentError, match="labels of y= are not in the order 0, 1, 2"):
        responses.from_array(y, pd.RangeIndex(3), support="binomial")
    with pytest.raises(ArgumentError, match="labels of trials= are not in the order 0, 1, 2"):
        responses.from_array([0, 0.5, 1], pd.RangeIndex(3), support="binomial", trials=y)


def test_classes():
    text = learn("y", {"y": ["no", "yes"]}, event="no")[0]
    assert text.classes(np.array([0.2, 0.5, 0.9])).tolist() == ["yes", "no", "no"]
    assert text.classes(np.array([0.2, NAN])).tolist()[0] == "yes"
    assert np.isnan(text.classes(np.array([0.2, NAN]))[1])
    assert learn("y", {"y": [0, 1]})[0].classes(np.array([0.2, 0.5]), threshold=0.6).tolist() == [0, 0]
    assert learn("y", {"y": [True, False]})[0].classes(np.array([0.7])).tolist() == [True]
    with pytest.raises(ArgumentError, match="k successes of m trials"):
        learn("successes(k, m)", GROUPS)[0].classes(np.array([0.5]))
