"""What a foreign network's end, loss and inputs leave open is refused or said, never taken for granted in silence."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
from adapters.kit import FRAME

import glmnet_bridge as gb
from glmnet_bridge.adapters import recognition
from glmnet_bridge.errors import ArgumentError, ReadError

os.environ.setdefault("KERAS_BACKEND", "torch")
TWO = FRAME[["age", "lwt"]]


def keras_unit(activation, loss, units: int = 1):
    """A dense layer called "last", compiled with a loss, with small weights."""
    keras = pytest.importorskip("keras")
    pytest.importorskip("torch")
    layer = keras.layers.Dense(units, activation=activation, name="last")
    model = keras.Sequential([keras.Input((2,)), layer])
    layer.set_weights([np.full((2, units), 0.01), np.full(units, -0.5)])
    if loss is not None:
        model.compile(optimizer="adam", loss=loss)
    return model


def torch_unit(*after, units: int = 1):
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(2, units).double(), *after)


# --- ends that are no log-odds ---------------------------------------------------------------------


def test_a_mean_is_no_log_odds():
    linear_model = pytest.importorskip("sklearn.linear_model")
    model = linear_model.LinearRegression().fit(TWO, FRAME.low)
    with pytest.raises(ReadError) as caught:
        gb.bridge("low ~ age + lwt", FRAME, family="binomial", network=model)
    for word in ("'coef_'", "predicts a mean", 'family="gaussian", link="identity"', "train it with a sigmoid"):
        assert word in str(caught.value)
    with pytest.raises(ReadError, match="predicts a mean"):
        gb.bridge("visits ~ age + lwt", FRAME, family="poisson", network=model)
    bridge = gb.bridge("low ~ age + lwt", FRAME, family="binomial", link="identity", network=model)
    np.testing.assert_allclose(bridge.network.fittedvalues, model.predict(TWO), rtol=1e-10)


def test_a_gaussian_model_of_a_yes_and_no_says_so():
    linear_model = pytest.importorskip("sklearn.linear_model")
    model = linear_model.LinearRegression().fit(TWO, FRAME.low)
    bridge = gb.bridge("low ~ age + lwt", FRAME, network=model)
    assert bridge.network.family.name == "gaussian" and np.abs(bridge.distances.by_refit).max() < 1e-6
    assert any("read as a gaussian model of it, and no coefficient is a log-odds" in note for note in bridge.notes)
    other = linear_model.LinearRegression().fit(TWO, FRAME.weight)
    assert not any("log-odds" in note for note in gb.bridge("weight ~ age + lwt", FRAME, network=other).notes)


def test_keras_with_a_squared_error_is_gaussian():
    model = keras_unit(None, "mse")
    assert any(
        "no coefficient is a log-odds" in note for note in gb.bridge("low ~ age + lwt", FRAME, network=model).notes
    )
    with pytest.raises(ReadError, match="ends in 'last' without an activation.* predicts a mean"):
        gb.bridge("low ~ age + lwt", FRAME, network=model, family="binomial")


@pytest.mark.parametrize("arguments", [{}, {"family": "binomial"}])
def test_a_loss_of_probabilities_on_a_bare_output(arguments):
    model = keras_unit(None, "binary_crossentropy")
    with pytest.raises(ReadError, match=r"'last' without an activation.*Was from_logits=True meant\?.*link="):
        gb.bridge("low ~ age + lwt", FRAME, network=model, **arguments)
    bridge = gb.bridge("low ~ age + lwt", FRAME, network=model, link="logit")
    np.testing.assert_allclose(bridge.network.predict(kind="link"), TWO.to_numpy() @ [0.01, 0.01] - 0.5, rtol=1e-5)


def test_two_sigmoids_name_the_layer():
    keras = pytest.importorskip("keras")
    model = keras_unit("sigmoid", keras.losses.BinaryCrossentropy(from_logits=True))
    notes = gb.bridge("low ~ age + lwt", FRAME, network=model).notes
    assert any("ends in a sigmoid (layer 'last'): it was trained through two of them" in note for note in notes)


def test_a_rectified_end_is_no_inverse_link():
    with pytest.raises(ReadError, match=r"ends in relu \(layer 'last.*no inverse link"):
        gb.bridge("low ~ age + lwt", FRAME, network=keras_unit("relu", "binary_crossentropy"))
    torch = pytest.importorskip("torch")
    with pytest.raises(ReadError, match=r"ends in relu \(layer '1.*no inverse link"):
        gb.bridge("low ~ age + lwt", FRAME, network=torch_unit(torch.nn.ReLU()), inputs=["age", "lwt"])


def test_a_softmax_over_one_unit_names_the_layer():
    torch = pytest.importorskip("torch")
    for layer in (torch.nn.Softmax(dim=1), torch.nn.LogSoftmax(dim=1)):
        with pytest.raises(ReadError, match=r"'1'.*softmax over one unit, which is 1.*softmax over two"):
            recognition.read(torch_unit(layer), {"widths": 2})


# --- inputs without names ------------------------------------------------------------------------------


def test_the_order_of_inputs_that_was_assumed_is_said():
    torch = pytest.importorskip("torch")
    notes = gb.bridge("low ~ lwt + age", FRAME, network=torch_unit(torch.nn.Sigmoid())).notes
    assert "Its inputs have no names; they are taken to be lwt, age in this order (inputs= says otherwise)." in notes
    for formula, inputs in (("low ~ lwt + age", ["age", "lwt"]), ("low ~ lwt + age", TWO.to_numpy())):
        bridge = gb.bridge(formula, FRAME, network=torch_unit(torch.nn.Sigmoid()), inputs=inputs)
        assert not any("no names" in note for note in bridge.notes)
    linear_model = pytest.importorskip("sklearn.linear_model")
    named = linear_model.LogisticRegression().fit(TWO, FRAME.low)
    assert not any("no names" in note for note in gb.bridge("low ~ lwt + age", FRAME, network=named).notes)


# --- weights -------------------------------------------------------------------------------------------


def test_weights_of_nothing_but_zeros():
    torch = pytest.importorskip("torch")
    model = torch_unit(torch.nn.Sigmoid())
    said = "All its weights are 0: was it trained, and were its weights loaded?"
    assert said not in gb.bridge("low ~ age + lwt", FRAME, network=model).notes
    with torch.no_grad():
        for each in model.parameters():
            each.zero_()
    assert said in gb.bridge("low ~ age + lwt", FRAME, network=model).notes


def test_an_optimiser_that_made_no_step_is_said():
    notes = gb.bridge("low ~ age + lwt", FRAME, network=keras_unit("sigmoid", "bce")).notes
    assert any("has made no step: the weights are those that it began with" in note for note in notes)
    notes = gb.bridge("low ~ age + lwt", FRAME, network=keras_unit("sigmoid", None)).notes
    assert not any("no step" in note for note in notes)


@pytest.mark.parametrize("weighted", [False, True])
def test_statsmodels_without_weights_asks_for_none(weighted):
    smf = pytest.importorskip("statsmodels.formula.api")
    sm = pytest.importorskip("statsmodels.api")
    weights = pd.Series(np.where(FRAME.smoke == 1, 2.0, 1.0)) if weighted else None
    model = smf.glm("low ~ age", FRAME, family=sm.families.Binomial(), var_weights=weights).fit()
    said = [note for note in recognition.read(model).folded if "fitted with" in note]
    assert said == (["It was fitted with var_weights: give them here as prior_weights=."] if weighted else [])


# --- estimators of this package --------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", [None, 2.0])
@pytest.mark.parametrize("link", ["logit", "probit"])
def test_our_own_classifier_is_read(penalty, link):
    pytest.importorskip("sklearn")
    from glmnet_bridge.sklearn import GLMClassifier

    model = GLMClassifier(link=link, penalty=penalty).fit(TWO, FRAME.low)
    bridge = gb.bridge("low ~ age + lwt", FRAME, network=model)
    assert bridge.network.family.link.name == link
    decay = bridge.foreign.schooling.decay
    if penalty is None:
        assert np.abs(bridge.distances.by_refit).max() < 1e-6 and decay is None
    else:
        np.testing.assert_array_equal(decay.l2, [2.0, 2.0, 0.0])


def test_our_own_regressor_is_read_and_formulas_are_fits_already():
    pytest.importorskip("sklearn")
    from glmnet_bridge.sklearn import FormulaClassifier, GLMClassifier, GLMRegressor

    model = GLMRegressor(family="poisson").fit(TWO, FRAME.visits)
    bridge = gb.bridge("visits ~ age + lwt", FRAME, network=model)
    assert bridge.network.family.name == "poisson" and np.abs(bridge.distances.by_refit).max() < 1e-6
    several = GLMClassifier().fit(TWO, FRAME.outcome)
    for given in (FormulaClassifier("low ~ age").fit(FRAME), several):
        with pytest.raises(ReadError, match=r"fit_ the fit itself.*gb.compare\(estimator.fit_, other\)"):
            recognition.read(given)
    with pytest.raises(ReadError, match="was not fitted"):
        recognition.read(GLMClassifier())


@pytest.mark.parametrize("offset", ["logex", "logex + 2.5"])
def test_an_offset_that_the_network_is_fed_would_count_twice(offset):
    """Whether the network learnt its weight or not: its output holds it."""
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LogisticRegression

    frame = FRAME.assign(logex=np.log(1.0 + FRAME.dose))
    model = LogisticRegression().fit(frame[["age", "logex"]], frame.low)
    with pytest.raises(ReadError, match=r"fed 'logex', which is the formula's offset too: it would count twice"):
        gb.bridge("low ~ age", frame, network=model, offset=offset)
    other = gb.bridge("low ~ age", frame.assign(more=frame.lwt / 100), network=model, offset="more")
    eta = model.decision_function(frame[["age", "logex"]]) + frame.lwt / 100
    np.testing.assert_allclose(other.network.predict(kind="link"), eta, rtol=1e-10)


# --- inputs of another name, levels that nobody met, ends without an activation ----------------------


def test_a_column_in_the_place_of_another_is_refused():
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(TWO, FRAME.low)
    for inputs in (["age", "dose"], FRAME[["age", "dose"]]):
        with pytest.raises(ArgumentError, match=r"Input 2 of the network is 'lwt', a column of the data.*has 'dose'"):
            gb.bridge("low ~ age + lwt", FRAME, network=model, inputs=inputs)
    renamed = FRAME.rename(columns={"lwt": "kilos"})
    found = gb.bridge("low ~ age + kilos", renamed, network=model, inputs=["age", "kilos"])
    assert found.table.relation.tolist() == ["same"] * 3


def test_arguments_of_forward_that_are_columns_are_names_of_inputs():
    torch = pytest.importorskip("torch")

    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = torch.nn.Linear(2, 1)

        def forward(self, age, lwt):
            return torch.sigmoid(self.fc(torch.cat([lwt, age], 1)))

    for inputs in (["lwt", "age"], {"age": ["lwt"], "lwt": ["age"]}):
        with pytest.raises(ArgumentError, match="Input 1 of the network is 'age', but inputs= has 'lwt' there"):
            gb.bridge("low ~ lwt + age", FRAME, network=Two(), inputs=inputs)
    table = gb.bridge("low ~ lwt + age", FRAME, network=Two()).table.set_index("glm_term")
    assert table.network_term.to_dict() == {
        "Intercept": "fc.bias[0]", "lwt": "fc.weight[0, 0]", "age": "fc.weight[0, 1]",
    }  # fmt: skip


def test_levels_that_the_model_refuses_are_named():
    pytest.importorskip("sklearn")
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    strange = FRAME.assign(site=FRAME.site.astype(str).mask(FRAME.index == FRAME.index[5], "abroad"))
    for encoder in (OneHotEncoder(), OrdinalEncoder()):
        parts = make_column_transformer((encoder, ["site"]), remainder="passthrough")
        model = make_pipeline(parts, LogisticRegression(max_iter=1000)).fit(FRAME[["site", "age"]], FRAME.low)
        with pytest.raises(ReadError, match=r"fails on row 5, where column 'site' is 'abroad': ValueError: .*'abroad'"):
            gb.bridge("low ~ age", strange, network=model)


def test_a_model_that_fails_on_the_rows_says_so_itself():
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(TWO, FRAME.low)
    model.decision_function = model.predict_proba = lambda rows: 1 / 0
    with pytest.raises(ReadError, match="itself fails on these rows: ZeroDivisionError: division by zero"):
        gb.bridge("low ~ age + lwt", FRAME, network=model)


def test_an_end_without_an_activation_is_named():
    words = "Layer '0' ends without an activation, and no loss is known: its output is taken as log-odds"
    assert any(words in note for note in gb.bridge("low ~ age + lwt", FRAME, network=torch_unit()).notes)
    torch = pytest.importorskip("torch")
    ended = gb.bridge("low ~ age + lwt", FRAME, network=torch_unit(torch.nn.Sigmoid()))
    numbers = gb.bridge("lwt ~ age + dose", FRAME, "gaussian", network=torch_unit(), inputs=["age", "dose"])
    assert not [note for br in (ended, numbers) for note in br.notes if "without an activation" in note]


def test_the_table_of_ideas_says_the_penalty_of_a_training_elsewhere():
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LogisticRegression

    X = FRAME[["age", "lwt"]]
    for C, words in ((0.1, "C=0.1"), (np.inf, "none")):
        br = gb.bridge("low ~ age + lwt", FRAME, network=LogisticRegression(C=C, tol=1e-10).fit(X, FRAME.low))
        ideas = br.concepts.set_index("glm").value
        assert ideas["ridge penalty"] == words


def test_means_that_the_family_cannot_have_are_no_matter_of_start():
    module = torch_unit()
    with pytest.raises(gb.errors.BridgeError, match="PyTorch Sequential predicts means that this family cannot have"):
        gb.bridge("low ~ age + lwt", FRAME, "binomial", "identity", network=module, inputs=["age", "lwt"])
