"""What a network can be fed, and what is refused by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import glmnet_bridge as gb
from glmnet_bridge.errors import ArgumentError, DataError, DataWarning
from glmnet_bridge.model.layers import Affine, Contrast
from glmnet_bridge.model.networks import Inputs, Network, dense_entries

RNG = np.random.default_rng(5)
FRAME = pd.DataFrame(
    {
        "age": RNG.normal(40, 5, 80),
        "lwt": RNG.normal(130, 20, 80),
        "site": RNG.choice(["north", "south", "west"], 80),
        "smoke": RNG.random(80) < 0.5,
        "y": RNG.integers(0, 2, 80),
    },
    index=[f"p{i}" for i in range(80)],
)
FORMULA = "y ~ age + lwt + C(site)"


def unit(*inputs: str) -> Network:
    layers = (Affine(len(inputs)),)
    return Network(Inputs(inputs), layers, dense_entries(layers, inputs))


def expressions(
    network: Network, formula: str = FORMULA, data: object = FRAME, inputs: object = None
) -> dict[str, str]:
    start = np.arange(network.parameters) * 0.01
    br = gb.bridge(formula, data, network=network, inputs=inputs, start=start)
    return dict(zip(br.table.glm_term, br.table.expression, strict=True))


def test_the_same_inputs_by_every_way_of_saying_them():
    net = unit("age", "lwt", "site[south]", "site[west]")
    wanted = expressions(net)
    assert wanted["C(site)[T.west]"] == "kernel[site[west]]"
    names = ["age", "lwt", "site[south]", "site[west]"]
    dummies = np.column_stack([FRAME.age, FRAME.lwt, FRAME.site == "south", FRAME.site == "west"]).astype(float)
    assert expressions(net, inputs=names) == wanted
    assert expressions(net, inputs=dummies) == wanted
    assert expressions(net, inputs=pd.DataFrame(dummies, index=FRAME.index, columns=names)) == wanted
    assert expressions(net, data=FRAME.reset_index(drop=True)) == wanted
    assert expressions(net, data=FRAME.to_dict("list")) == wanted


@pytest.mark.parametrize("names", [("x1", "x2", "x3", "x4"), ("input_0", "input_1", "input_2", "input_3")])
def test_the_formulas_columns_without_names(names):
    """A network whose inputs are only counted, as many as the formula has columns: these, in their order."""
    order = r"they are taken to be C\(site\)\[T.south\], C\(site\)\[T.west\], age, lwt, in this order"
    with pytest.warns(DataWarning, match=order):
        found = expressions(unit(*names), "y ~ C(site) + age + lwt")
    assert found["age"] == f"kernel[{names[2]}]" and found["C(site)[T.south]"] == f"kernel[{names[0]}]"


@pytest.mark.parametrize(
    "names, formula, said",
    [
        (("a", "b", "c"), "y ~ C(site) + age", "Input 1 of the network is 'a', which is no column"),
        (("age", "lwtt"), "y ~ age + lwt", "Input 2 of the network is 'lwtt'.*Did you mean 'lwt'.*inputs="),
        (("input 1", "input 3"), "y ~ age + lwt", "Input 1 of the network is 'input 1'"),
        (("input 1", "x2"), "y ~ age + lwt", "Input 1 of the network is 'input 1'"),
        (("np.log(lwt)", "a b"), "y ~ age + lwt", "Input 1 of the network is 'np.log"),
        (("double(age)",), "y ~ age", "Input 1 of the network is 'double"),
        (("bs(age, df=3)[0]",), "y ~ age", "Input 1 of the network is 'bs"),
    ],
)
def test_names_that_are_no_columns_are_not_taken_by_position(names, formula, said):
    with pytest.raises(ArgumentError, match=said):
        expressions(unit(*names), formula)


@pytest.mark.parametrize(
    "formula, names, asked",
    [
        ("y ~ age", ["standardize(age)"], "standardize(age)"),
        ("y ~ age", ["np.log(lwt)"], "np.log(lwt)"),
        ("y ~ age + lwt", ["lwt", "I(age**2)"], "lwt + I(age**2)"),
        ("y ~ age + lwt", ["bs(age, df=3)[2]", "bs(age, df=3)[0]", "bs(age, df=3)[1]"], "bs(age, df=3)"),
        ("y ~ C(site)", ["C(site)[west]", "C(site)[north]", "C(site)[south]"], "0 + C(site)"),
        (
            "y ~ age",
            ["age", "site[T.south]", "site[T.west]", "age:site[T.south]", "age:site[T.west]"],
            "age + site + age:site",
        ),
    ],
)
def test_names_that_are_terms_are_read_as_these(formula, names, asked):
    net = unit(*names)
    start = np.arange(len(names) + 1.0)
    given = gb.bridge(formula, FRAME, network=net, inputs=asked, start=start)
    found = gb.bridge(formula, FRAME, network=net, start=start)
    pd.testing.assert_frame_equal(found.table, given.table)
    assert set(found.table.relation) != {"same"}


def test_terms_with_missing_values_ask_for_inputs():
    frame = FRAME.assign(lwt=FRAME.lwt.where(FRAME.lwt > 120))
    with pytest.raises(ArgumentError, match="Say by inputs="):
        expressions(unit("np.log(lwt)"), "y ~ age", frame)
    found = expressions(unit("np.log(lwt)"), "y ~ age", frame, "np.log(lwt)")
    assert found["np.log(lwt)"] == "kernel[np.log(lwt)]"


def test_a_formula_for_the_inputs_is_put_into_the_networks_order():
    found = expressions(unit("age", "C(site)[T.south]", "C(site)[T.west]"), inputs="age + C(site)")
    assert found["age"] == "kernel[age]" and found["C(site)[T.west]"] == "kernel[C(site)[T.west]]"
    found = expressions(unit("a", "b", "c"), inputs="~ 0 + C(site)")
    assert found["C(site)[T.south]"] == "kernel[b] - kernel[a]"


def test_functions_of_columns():
    found = expressions(unit("l", "a"), "y ~ np.log(lwt) + age", inputs="np.log(lwt) + I(age / 10)")
    assert found == {"Intercept": "bias", "np.log(lwt)": "kernel[l]", "age": "0.1*kernel[a]"}


def test_a_frame_of_inputs_is_matched_by_label():
    table = FRAME[["age", "lwt"]].iloc[::-1]
    assert expressions(unit("age", "lwt"), inputs=table)["age"] == "kernel[age]"


def test_polars_and_arrow():
    pl = pytest.importorskip("polars")
    found = expressions(unit("age", "site[west]"), data=pl.from_pandas(FRAME))
    assert found["age"] == "kernel[age]" and found["C(site)[T.west]"] == "kernel[site[west]]"


def test_a_matrix_over_the_formulas_columns():
    matrix = np.zeros((5, 2))
    matrix[3, 0], matrix[4, 1] = 0.1, 1.0  # columns: Intercept, two of site, age, lwt
    layers = (Affine(2),)
    net = Network(Inputs(("decades", "lwt"), matrix), layers, dense_entries(layers, ("decades", "lwt")))
    found = expressions(net)
    assert found["age"] == "0.1*kernel[decades]" and found["Intercept"] == "bias"


@pytest.mark.parametrize(
    "inputs, message",
    [
        (["age"], r"takes 2 inputs \(age, lwt\), but it would be fed 1 \(age\)"),
        (["lwt", "age"], "Input 1 of the network is 'age', but inputs= has 'lwt' there"),
        (["age", "age"], "names a column twice"),
        (["age", "weight"], "names 'weight', which is no column"),
        (["age", "lwtt"], "Did you mean 'lwt'"),
        (["age", "site"], r"holds levels, not numbers.*site\[north\]"),
        (["age", "site[nord]"], "no level 'nord'.*Did you mean 'north'"),
        ("age + wt", "no column 'wt'"),
        ("1", "names no column"),
        ("age + offset(lwt)", "offset"),
        ({"a": 1}, "a dict"),
        (np.ones((80, 3)), "takes 2 inputs"),
        (np.ones((79, 2)), "79"),
        (np.ones((2, 2, 2)), "3 dimensions"),
        (
            np.column_stack([FRAME.age, np.where(FRAME.age > 40, np.nan, 1.0)]),
            "'lwt' has .* missing or not finite",
        ),
        (pd.DataFrame({"age": 1.0, "lwt": 2.0}, index=[f"q{i}" for i in range(80)]), "label"),
        (object(), "not understood"),
    ],
)
def test_wrong_inputs_are_named(inputs, message):
    with pytest.raises((ArgumentError, DataError), match=message):
        gb.bridge(FORMULA, FRAME, network=unit("age", "lwt"), inputs=inputs, start=[0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    "start, message",
    [
        (
            [0.1, 0.2],
            r"start= has 2 weights; the network has 3, in the order kernel\[age\], kernel\[lwt\], bias",
        ),
        ([0.1, np.nan, 0.3], r"kernel\[lwt\] is nan"),
        ([0.1, 0.2, np.inf], "bias is inf"),
        (["a", "b", "c"], "one number per weight"),
        ({"kernel[age]": 0.1, "kernel[lwt]": 1.0}, "no value for bias"),
        ({"kernel[age]": 0.1, "kernel[lwt]": 1.0, "bia": 1.0}, "'bia'.*Did you mean 'bias'"),
    ],
)
def test_wrong_weights_are_named(start, message):
    with pytest.raises(ArgumentError, match=message):
        gb.bridge(FORMULA, FRAME, network=unit("age", "lwt"), start=start)


def test_layers_that_do_not_chain_are_named():
    with pytest.raises(ArgumentError, match="'second' takes 3 inputs but is given 2"):
        Network(Inputs(("age",)), (Affine(1, 2, name="first"), Affine(3, 1, name="second")), ("w",) * 8)


def test_several_outputs_wait_for_their_family():
    layers = (Affine(1, 3), Contrast(3))
    net = Network(Inputs(("age",)), layers, dense_entries(layers, ("age",)))
    with pytest.raises(ArgumentError, match="ends in 2 linear predictors"):
        gb.bridge(FORMULA, FRAME, network=net, start=np.zeros(6))


def test_inputs_alone_make_one_unit():
    br = gb.bridge(FORMULA, FRAME, inputs=["age", "site[north]", "smoke"], start=[0.01, 0.2, 0.3, -1.0])
    found = dict(zip(br.table.glm_term, br.table.expression, strict=True))
    assert found["C(site)[T.south]"] == "-kernel[site[north]]" and found["smoke"] == "kernel[smoke]"
    with pytest.raises(ArgumentError, match="inputs= needs its weights"):
        gb.bridge(FORMULA, FRAME, inputs=["age"])


def test_levels_that_the_network_was_never_fed_are_named():
    """All its inputs would be 0: the row would pass as one of no level."""
    br = gb.bridge("y ~ age", FRAME, inputs=["age", "site[north]", "site[south]"], start=[0.01, 0.2, 0.3, -1.0])
    new = FRAME.head(4).assign(site=["north", "east", "south", "west"])
    with pytest.raises(DataError, match=r"'site' has level 'east' in the new data \(row 'p1'\); the network was fed"):
        br.network.predict(new)
    got = br.network.predict(new, unseen="nan", kind="link")
    assert np.isnan(got["p1"]) and got.notna().sum() == 3
    assert got["p3"] == pytest.approx(0.01 * new.age["p3"] - 1.0)


def test_numbers_cannot_be_read_from_new_data():
    br = gb.bridge("y ~ age", FRAME, network=unit("z"), inputs=FRAME.lwt.to_numpy(), start=[0.1, 0.2])
    with pytest.raises(DataError, match="inputs"):
        br.network.predict(FRAME)
    assert br.network.predict().notna().all()


def test_a_network_that_is_not_what_was_said_is_refused(monkeypatch):
    """The reading is confirmed on rows: a wrong one does not pass."""
    from glmnet_bridge.mapping import checks

    monkeypatch.setattr(checks, "fed_matrix", lambda columns, fed, start, stop: np.zeros((stop - start, 1)))
    with pytest.raises(gb.errors.BridgeError, match="differ by"):
        gb.bridge("y ~ age", FRAME, network=unit("age"), start=[0.1, 0.2])
