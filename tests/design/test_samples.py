"""Samples: rows, weights and offsets go together, and new data are read as the old ones were."""

from __future__ import annotations

import json
import time
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from glmnet_bridge.data.rows import Columns
from glmnet_bridge.design.samples import Recipe, learn
from glmnet_bridge.errors import ArgumentError, BridgeError, DataError, FormulaError

NAN = float("nan")
LABELS = ["a", "b", "c", "d"]


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "low": [0, 1, 0, 1],
            "art": [0, 3, 1, 2],
            "age": [20.0, 30.0, 25.0, 41.0],
            "race": ["white", "black", "other", "white"],
            "w": [1.0, 2.0, 3.0, 4.0],
            "m": [5, 6, 7, 8],
            "years": [1.0, 10.0, 2.0, 4.0],
        },
        index=LABELS,
    )


def binomial(data, formula="low ~ age", **options):
    return learn(formula, data, support="binomial", **options)


def counts(data, formula="art ~ age", **options):
    return learn(formula, data, support="count", **options)


def matrix(sample):
    """All rows of a sample's design, `(n, p)`."""
    return Columns(*sample.source.read(0, sample.n), sample.source.layout).matrix()


def test_a_frame_without_gaps(frame):
    recipe, sample = binomial(frame, "low ~ age + race")
    assert sample.n == sample.n_read == 4
    assert sample.kept is None and sample.dropped == {}
    assert sample.index.tolist() == LABELS
    assert sample.response[:, 0].tolist() == [0, 1, 0, 1]
    assert sample.trials is sample.prior_weights is sample.freq_weights is sample.offset is None
    assert sample.weights.tolist() == [1, 1, 1, 1] and sample.weightless == 0
    assert recipe.response.describes == "P(low = 1)"
    assert recipe.design.names == ("Intercept", "race[T.other]", "race[T.white]", "age")
    np.testing.assert_array_equal(matrix(sample), [[1, 0, 1, 20], [1, 0, 0, 30], [1, 1, 0, 25], [1, 0, 1, 41]])


# --- missing values -------------------------------------------------------------------------


def test_missing_values_drop_the_row_everywhere(frame):
    data = pd.concat([frame, frame.loc[["b"]].rename({"b": "e"})]).astype({"low": "Int64", "race": "string"})
    data.loc["a", "age"] = NAN
    data.loc["b", "low"] = pd.NA
    data.loc[["b", "c"], "race"] = pd.NA
    _, sample = binomial(
        data, "low ~ age + race", prior_weights="w", freq_weights=data["m"], offset=[0.1, 0.2, 0.3, 0.4, 0.5]
    )
    assert sample.index.tolist() == ["d", "e"]
    assert sample.kept.tolist() == [3, 4]
    assert sample.dropped == {"age": 1, "low": 1, "race": 2}
    assert sample.n_read == 5 and sample.n == 2
    assert sample.prior_weights.tolist() == [4.0, 2.0]
    assert sample.freq_weights.tolist() == [8.0, 6.0]
    assert sample.offset.tolist() == [[0.4], [0.5]]
    assert sample.weights.tolist() == [32.0, 12.0]
    np.testing.assert_array_equal(matrix(sample), [[1, 1, 41], [1, 0, 30]])


@pytest.mark.parametrize("name", ["prior_weights", "freq_weights", "offset", "exposure"])
@pytest.mark.parametrize("form", ["text", "list", "Series", "None in a list"])
def test_a_missing_argument_drops_its_row(frame, name, form):
    values = [1.0, NAN, 2.0, 3.0]
    data = frame.assign(v=values)
    value = {"text": "v", "list": values, "Series": data["v"], "None in a list": [1, None, 2, 3]}[form]
    _, sample = counts(data, **{name: value})
    assert sample.index.tolist() == ["a", "c", "d"]
    assert sample.dropped == {"v" if form == "text" else f"{name}=": 1}
    assert sample.response[:, 0].tolist() == [0, 1, 2]


def test_missing_can_be_an_error(frame):
    data = frame.assign(age=[NAN, NAN, 1, 2], race=["x", None, "y", "x"])
    with pytest.raises(DataError, match=r"age: 2, race: 1.*missing='raise'"):
        binomial(data, "low ~ age + race", missing="raise")
    assert binomial(frame, missing="raise")[1].n == 4
    with pytest.raises(ArgumentError, match="missing='omit'"):
        binomial(frame, missing="omit")


def test_nothing_left(frame):
    with pytest.raises(DataError, match=r"Each of the 4 rows has a missing value \(age: 4\)"):
        binomial(frame.assign(age=NAN))
    with pytest.raises(DataError, match="no rows"):
        binomial(frame.iloc[:0])


def test_only_columns_of_the_formula_count(frame):
    _, sample = binomial(frame.assign(other=NAN, when=pd.Timestamp("2020")))
    assert sample.n == 4


def test_nullable_columns_with_gaps_keep_their_kind(frame):
    data = pd.concat([frame, frame]).assign(
        smoke=pd.array([True, None, False, True] * 2, "boolean"),
        m=pd.array([1, 2, 3, 4, 1, 2, None, 4], "Int64"),
    )
    recipe, sample = binomial(data, "low ~ smoke + C(m)")
    assert recipe.design.names == ("Intercept", "smoke[T.True]", "C(m)[T.3]", "C(m)[T.4]")
    assert sample.index.tolist() == ["a", "c", "d", "a", "d"]


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("column", ["age", "low"])
def test_infinite_values_are_named(frame, value, column):
    data = frame.astype({"low": float})
    data.loc["c", column] = value
    with pytest.raises(DataError, match=rf"Column '{column}' is -?inf in row 'c'"):
        binomial(data)


# --- names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "options", "words"),
    [
        ("lwo ~ age", {}, ["'lwo' (the response)", "Did you mean 'low'"]),
        ("low ~ aeg", {}, ["'aeg'", "Did you mean 'age'"]),
        ("low ~ np.log(aeg)", {}, ["'aeg'", "Did you mean 'age'"]),
        (
            "low ~ age",
            {"offset": "np.log(yaers)"},
            ["'yaers'", "offset='np.log(yaers)'", "Did you mean 'years'"],
        ),
        ("low ~ age", {"prior_weights": "ww"}, ["'ww'", "prior_weights='ww'"]),
        ("low ~ frame", {}, ["'frame'"]),
    ],
)
def test_names_that_are_no_columns(frame, formula, options, words):
    with pytest.raises(DataError) as error:
        binomial(frame, formula, **options)
    for word in words:
        assert word in str(error.value)


def test_the_response_is_no_predictor_of_itself(frame):
    for formula in ("low ~ low + age", "I(age > 25) ~ age", "low ~ C(low)"):
        with pytest.raises(BridgeError, match="response"):
            binomial(frame, formula)
    # trials tell how large a group is, which may matter
    assert binomial(frame, "successes(art, m) ~ np.log(m)")[1].n == 4


def test_odd_names(frame):
    data = frame.rename(columns={"age": "class", "race": "C"})
    recipe, _ = binomial(data, 'low ~ Q("class") + C(C)')
    assert recipe.design.names == ("Intercept", "C(C)[T.other]", "C(C)[T.white]", 'Q("class")')


# --- weights and offsets --------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    {
        "column": "w",
        "expression": "w * 1.0",
        "list": [1, 2, 3, 4],
        "tuple": (1.0, 2.0, 3.0, 4.0),
        "array": np.array([1, 2, 3, 4], dtype="int8"),
        "Series": pd.Series([1.0, 2.0, 3.0, 4.0], index=LABELS),
        "Series in another order": pd.Series([4.0, 3.0, 2.0, 1.0], index=LABELS[::-1]),
        "nullable": pd.array([1, 2, 3, 4], "Int64"),
        "decimals": [Decimal(1), Decimal(2), Decimal(3), Decimal(4)],
        "range": range(1, 5),
    }.values(),
)
@pytest.mark.parametrize("name", ["prior_weights", "freq_weights"])
def test_weights_in_all_forms(frame, name, value):
    _, sample = binomial(frame, **{name: value})
    assert getattr(sample, name).tolist() == [1.0, 2.0, 3.0, 4.0]
    assert sample.weights.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_weights_of_other_frames(frame):
    pl = pytest.importorskip("polars")
    _, sample = binomial(frame, prior_weights=pl.Series([1, None, 3, 4]))
    assert sample.prior_weights.tolist() == [1, 3, 4]
    data = pl.DataFrame({"low": [0, 1], "age": [1.0, 2.0], "w": [1, 2]})
    assert binomial(data, prior_weights="w")[1].prior_weights.tolist() == [1, 2]
    assert binomial(data, prior_weights=data["w"])[1].prior_weights.tolist() == [1, 2]
    assert binomial(data, prior_weights=pd.Series([1, 2]))[1].prior_weights.tolist() == [1, 2]


def test_data_without_labels_are_matched_by_position():
    data = {"low": [0, 1, 0], "age": [1.0, 2.0, 3.0]}
    shuffled = pd.Series([1.0, 2.0, 3.0], index=[2, 0, 1])
    assert binomial(data, prior_weights=shuffled)[1].prior_weights.tolist() == [1, 2, 3]
    assert binomial(pd.DataFrame(data), prior_weights=shuffled)[1].prior_weights.tolist() == [2, 3, 1]
    data["age"] = pd.Series(data["age"])
    assert binomial(data, prior_weights=shuffled)[1].prior_weights.tolist() == [2, 3, 1]


def test_repeated_labels(frame):
    data = frame.set_axis(["a", "a", "b", "b"])
    assert binomial(data, prior_weights=data["w"])[1].prior_weights.tolist() == [1, 2, 3, 4]
    with pytest.raises(ArgumentError, match="prior_weights= are not in the order"):
        binomial(data, prior_weights=data["w"].iloc[::-1])


def test_labels_of_two_levels(frame):
    data = frame.set_index(["race", "m"])
    _, sample = binomial(data.assign(age=[1, NAN, 2, 3]), prior_weights=data["w"].iloc[::-1])
    assert sample.index.tolist() == [("white", 5), ("other", 7), ("white", 8)]
    assert sample.prior_weights.tolist() == [1, 3, 4]


WRONG = {
    "too short": ([1, 2, 3], ["3 values", "4 rows"]),
    "Series too short": (pd.Series([1, 2, 3], index=LABELS[:3]), ["3 values", "4 rows"]),
    "Series too long": (pd.Series([1.0] * 5, index=[*LABELS, "e"]), ["5 values", "4 rows"]),
    "other labels": (pd.Series([1, 2, 3, 4]), ["labels", "rows 'a', 'b', 'c' and 1 more", "to_numpy"]),
    "two columns": (np.ones((4, 2)), ["shape (4, 2)"]),
    "frame": (pd.DataFrame({"w": [1, 2, 3, 4]}), ["DataFrame"]),
    "ragged": ([[1], [1, 2], [3], [4]], ["ragged"]),
    "text": (["a", "b", "c", "d"], ["text"]),
    "numbers as text": (["1", "2", "3", "4"], ["numbers stored as text"]),
    "dates": (pd.date_range("2020", periods=4), ["dates"]),
    "dict": ({"a": 1}, ["dict"]),
    "True": (True, ["True"]),
    "object": (object(), ["object"]),
    "negative": ([1, 2, -0.5, 3], ["-0.5 in row 'c'", "negative"]),
    "infinite": ([1, np.inf, 2, 3], ["inf in row 'b'", "finite"]),
    "all zero": ([0, 0, 0, 0], ["zero in every row"]),
    "category": ("race", ["'race'", "category"]),
    "expression infinite": ("1 / (age - 30)", ["'1 / (age - 30)'", "inf in row 'b'"]),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("name", ["prior_weights", "freq_weights"])
def test_wrong_weights_are_refused(frame, name, case):
    value, words = WRONG[case]
    with pytest.raises(BridgeError) as error:
        binomial(frame, **{name: value})
    for word in [f"{name}=", *words]:
        assert word in str(error.value)


def test_frequencies_are_whole_numbers(frame):
    with pytest.raises(DataError, match=r"freq_weights= is 1.5 in row 'b'.*prior_weights="):
        binomial(frame, freq_weights=[1, 1.5, 2, 3])
    assert binomial(frame, freq_weights=[1e15, 0, 2, 3])[1].freq_weights[0] == 1e15


def test_zero_weights_stay_and_are_counted(frame):
    _, sample = binomial(frame, prior_weights=[0, 0, 2, 3], freq_weights=[1, 1, 0, 1])
    assert sample.n == 4 and sample.weightless == 3
    with pytest.raises(DataError, match="No row has weight"):
        binomial(frame, prior_weights=[0, 0, 2, 3], freq_weights=[1, 1, 0, 0])


def test_trials(frame):
    recipe, sample = binomial(frame.assign(share=[0.2, 0.5, 0, 1]), "share ~ age", trials="m")
    assert sample.trials.tolist() == [5, 6, 7, 8]
    assert sample.response[:, 0].tolist() == [0.2, 0.5, 0, 1]
    assert recipe.response.kind == "proportion"
    _, sample = binomial(frame, "low ~ age", trials=10)
    assert sample.trials.tolist() == [10, 10, 10, 10]
    with pytest.raises(DataError, match="trials= is -1 in row 'a'"):
        binomial(frame, trials=[-1, 1, 1, 1])


def test_grouped_rows_without_trials(frame):
    _, sample = binomial(frame.assign(m=[0, 6, 7, 8]), "successes(art, m) ~ age")
    assert sample.weightless == 1
    assert sample.response[0, 0] == 0 and sample.trials[0] == 0


def test_offsets_add_up(frame):
    recipe, sample = counts(frame, "art ~ age + offset(w)", offset="2 * w", exposure="years")
    expected = 3 * frame["w"] + np.log(frame["years"])
    np.testing.assert_allclose(sample.offset[:, 0], expected, rtol=1e-15)
    assert recipe.design.names == ("Intercept", "age")
    with_column = counts(frame, offset=frame[["w"]].to_numpy())[1]
    assert with_column.offset.tolist() == [[1], [2], [3], [4]]
    assert counts(frame, offset=0.5)[1].offset.tolist() == [[0.5]] * 4
    assert counts(frame, offset=-800)[1].offset.tolist() == [[-800.0]] * 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"offset": [1, 2, 3]}, ["offset= has 3 values", "4 rows"]),
        ({"offset": np.ones((4, 2))}, ["offset= has shape (4, 2)"]),
        ({"offset": [0, -np.inf, 0, 0]}, ["offset= is -inf in row 'b'", "log of a zero"]),
        ({"offset": [0, np.inf, 0, 0]}, ["offset= is inf in row 'b'"]),
        ({"offset": "np.log(art)"}, ["offset='np.log(art)' is -inf in row 'a'", "log of a zero"]),
        ({"offset": "race"}, ["offset='race' is a category"]),
        ({"offset": np.inf}, ["offset='inf'"]),
        ({"exposure": "art"}, ["exposure='art' is 0 in row 'a'", "above 0"]),
        ({"exposure": [1, 2, -1, 1]}, ["exposure= is -1 in row 'c'"]),
        ({"exposure": [1, 2, 1]}, ["exposure= has 3 values"]),
    ],
)
def test_wrong_offsets_are_refused(frame, options, words):
    with pytest.raises(BridgeError) as error:
        counts(frame, **options)
    for word in words:
        assert word in str(error.value)
    with pytest.raises(DataError, match=r"offset\(np.log\(art\)\) is -inf in row 'a'"):
        counts(frame, "low ~ offset(np.log(art))")


def test_a_function_of_the_caller(frame):
    recipe, sample = counts(frame, "art ~ half(age)", offset="half(w)", functions={"half": lambda x: x / 2})
    assert sample.offset[:, 0].tolist() == [0.5, 1, 1.5, 2]
    assert matrix(recipe.sample(frame))[:, 1].tolist() == [10, 15, 12.5, 20.5]


# --- new data -------------------------------------------------------------------------------


def test_new_data_need_no_response_and_no_weights(frame):
    recipe, _ = binomial(frame, "low ~ age + race", prior_weights="w", freq_weights=[1, 2, 3, 4])
    sample = recipe.sample({"age": [50.0, NAN, 60.0], "race": ["other", "white", None]})
    assert sample.response is None
    assert sample.kept.tolist() == [0]
    assert sample.dropped == {"age": 1, "race": 1}
    np.testing.assert_array_equal(matrix(sample), [[1, 1, 0, 50]])


def test_new_data_are_coded_as_the_old_ones(frame):
    recipe, _ = binomial(frame, "low ~ center(age) + race")
    for race in (["white"], pd.Categorical(["white"], ["white", "black"])):
        sample = recipe.sample({"age": [29.0], "race": race})
        np.testing.assert_array_equal(matrix(sample), [[1, 0, 1, 0]])


@pytest.mark.parametrize(
    "columns", [{"age": [], "race": []}, {"age": [NAN], "race": [None]}, {"age": [1.0], "race": [None]}]
)
def test_no_rows_give_an_empty_sample(frame, columns):
    recipe, _ = binomial(frame, "low ~ age + race")
    sample = recipe.sample(columns)
    assert sample.n == 0 and len(sample.index) == 0
    assert matrix(sample).shape == (0, 4)


def test_an_empty_slice_gives_an_empty_sample(frame):
    recipe, _ = counts(frame, "art ~ age * race", offset="np.log(years)", exposure="w")
    sample = recipe.sample(frame.iloc[:0])
    assert sample.n == 0 and sample.offset.shape == (0, 1)
    again = recipe.sample(frame.iloc[:0].astype(object), with_response=True)
    assert again.response.shape == (0, 1)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"age": [1.0]}, ["no column 'race'"]),
        ({"age": [1.0], "race": ["green"]}, ["'race'", "'green'", "row"]),
        ({"age": ["young"], "race": ["white"]}, ["'age'"]),
        ({"age": [np.inf], "race": ["white"]}, ["'age' is inf in row 0"]),
    ],
)
def test_new_data_that_do_not_fit_are_refused(frame, columns, words):
    recipe, _ = binomial(frame, "low ~ age + race")
    with pytest.raises(DataError) as error:
        recipe.sample(columns)
    for word in words:
        assert word in str(error.value)


def test_unseen_levels_on_request(frame):
    recipe, _ = binomial(frame, "low ~ age + race")
    sample = recipe.sample({"age": [1.0, 2.0], "race": ["green", "white"]}, unseen="nan")
    assert np.isnan(matrix(sample)).any(axis=1).tolist() == [True, False]
    with pytest.raises(ArgumentError, match="unseen='zero'"):
        recipe.sample(frame, unseen="zero")


def test_offsets_are_found_again_or_demanded(frame):
    new = frame[["age", "years"]]
    recipe, _ = counts(frame, offset="np.log(years)")
    np.testing.assert_array_equal(recipe.sample(new).offset[:, 0], np.log(new["years"]))
    assert recipe.sample(new, offset=0).offset.tolist() == [[0]] * 4
    with pytest.raises(DataError, match=r"'years' \(read by offset='np.log\(years\)'\)"):
        recipe.sample(frame[["age"]])
    for value in (frame["w"], frame["w"].tolist()):
        recipe, _ = counts(frame, offset=value, exposure="years")
        with pytest.raises(DataError, match="offset= given as an array.*offset=0"):
            recipe.sample(new)
        assert recipe.sample(new, offset=0).offset[:, 0].tolist() == np.log(new["years"]).tolist()
        assert recipe.sample(new, offset=frame["w"], exposure=1).offset[:, 0].tolist() == [1, 2, 3, 4]
    recipe, _ = counts(frame, exposure=frame["years"])
    with pytest.raises(DataError, match="exposure= given as an array.*exposure=1"):
        recipe.sample(new)
    recipe, _ = counts(frame, offset=0.5)
    assert recipe.sample(new).offset.tolist() == [[0.5]] * 4
    recipe, _ = counts(frame, "art ~ age + offset(np.log(years))")
    np.testing.assert_array_equal(recipe.sample(new).offset[:, 0], np.log(new["years"]))
    with pytest.raises(DataError, match="'years'"):
        recipe.sample(frame[["age"]])


def test_new_data_with_response(frame):
    recipe, first = binomial(frame, "successes(art, m) ~ age", prior_weights="w", freq_weights=frame["m"])
    with pytest.raises(DataError, match="freq_weights= given as an array"):
        recipe.sample(frame, with_response=True)
    again = recipe.sample(frame, freq_weights=frame["m"], with_response=True)
    for name in ("response", "trials", "prior_weights", "freq_weights"):
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name))
    with pytest.raises(DataError, match=r"'art' \(the response\)"):
        recipe.sample(frame[["age", "m", "w"]], freq_weights=[1, 1, 1, 1], with_response=True)


def test_json_restores_the_recipe(frame):
    recipe, first = binomial(
        frame, "low ~ center(age) + race + offset(w)", prior_weights="w / 2", offset=frame["w"], exposure=2
    )
    again = Recipe.from_json(json.loads(json.dumps(recipe.to_json())))
    sample = again.sample(frame, offset=frame["w"], with_response=True)
    np.testing.assert_array_equal(matrix(sample), matrix(first))
    for name in ("response", "prior_weights", "offset"):
        np.testing.assert_array_equal(getattr(sample, name), getattr(first, name))
    assert again.response == recipe.response
    with pytest.raises(DataError, match="offset= given as an array"):
        again.sample(frame)


# --- the caller's data, and time ------------------------------------------------------------


def test_the_caller_s_data_are_not_touched(frame):
    frame.loc["b", "age"] = NAN
    weights = pd.Series([4.0, 3.0, 2.0, NAN], index=LABELS[::-1])
    before, weights_before = frame.copy(deep=True), weights.copy(deep=True)
    binomial(frame, "low ~ age * race", prior_weights=weights, offset="w", freq_weights="m")
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_series_equal(weights, weights_before)


def test_rows_without_gaps_are_views():
    n = 1000
    frame = pd.DataFrame({"y": np.linspace(0, 1, n), "x": np.linspace(0, 5, n), "w": np.ones(n)})
    _, sample = learn("y ~ x", frame, support="real", prior_weights="w")
    assert np.shares_memory(sample.response, frame["y"].to_numpy())
    assert np.shares_memory(sample.prior_weights, frame["w"].to_numpy())


def test_a_small_frame_is_read_in_no_time():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(500, 5)), columns=list("abcde")).assign(y=rng.integers(0, 2, 500))
    seconds = []
    for _ in range(30):
        start = time.perf_counter()
        binomial(frame, "y ~ a + b + c + d + e")
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1.5e-3


def test_wrong_formulas(frame):
    for formula in ("low", "~ age", "low ∼ age"):
        with pytest.raises(FormulaError):
            binomial(frame, formula)
    with pytest.raises(BridgeError):
        binomial(frame, None)
