"""A fit as an ONNX model: raw columns in, mean out, and the fit again when it is read back."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from adapters.formulas import ALL, FORMULAS, ROWS, fitted
from adapters.kit import FRAME

import glmnet_bridge as gb
from glmnet_bridge.adapters.onnx import steps
from glmnet_bridge.adapters.writing import exports
from glmnet_bridge.errors import AliasWarning, ArgumentError, FitError, SeparationWarning
from glmnet_bridge.model.families import LINKS

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

every = pytest.mark.parametrize("name", ALL)


def records(model):
    return {each.key.removeprefix("glmnet_bridge."): each.value for each in model.metadata_props}


@every
def test_what_is_written_gives_the_fits_means(name):
    model = fitted(name).to_onnx()
    assert max(json.loads(records(model)["format.difference"]).values()) <= 1e-12


@every
def test_read_back_it_is_the_fit(name):
    """The same coefficients to rounding, standard errors and likelihood, each term its own."""
    formula, arguments = ALL[name]
    fit = fitted(name)
    bridge = gb.bridge(formula, ROWS, network=fit.to_onnx(), **arguments)
    assert bridge.union is bridge.glm, "the network has no column that the formula lacks"
    table = bridge.table.set_index("glm_term").loc[list(fit.names)]
    assert set(table.relation) == {"same"}
    np.testing.assert_allclose(table.as_glm, fit.params, rtol=1e-9, atol=1e-9 * fit.bse.max())
    assert np.abs(bridge.distances.by_refit).max() <= 1e-6
    assert bridge.network.llf == pytest.approx(fit.llf, rel=1e-12)
    assert bridge.network.family == fit.family


def test_the_network_takes_raw_columns(tmp_path):
    """Text as text, whole numbers and yes/no as whole numbers, one input per column, by name."""
    fit = fitted("factors")
    path = tmp_path / "births.onnx"
    model = fit.to_onnx(path)
    run = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    types = {each.name: each.type for each in run.get_inputs()}
    assert types == {
        "age": "tensor(double)", "site": "tensor(string)", "arm": "tensor(string)",
        "smoke": "tensor(int64)", "flag": "tensor(int64)",
    }  # fmt: skip
    some = ROWS.iloc[:7]
    feed = {
        "age": some[["age"]].to_numpy(),
        "site": some[["site"]].to_numpy(dtype=object),
        "arm": some[["arm"]].astype(str).to_numpy(dtype=object),
        "smoke": some[["smoke"]].to_numpy(),
        "flag": some[["flag"]].to_numpy(dtype=np.int64),
    }
    np.testing.assert_allclose(run.run(["mean"], feed)[0][:, 0], fit.predict(some), rtol=1e-12)
    assert onnx.load(path) == model


def test_terms_and_meaning_stand_in_the_metadata():
    fit = fitted("factors")
    found = records(fit.to_onnx())
    terms = pd.DataFrame(json.loads(found["format.terms"])).set_index("term")
    assert terms.index.tolist() == list(fit.names)
    assert terms.coefficient.tolist() == fit.params.tolist()
    assert terms.std_error.tolist() == fit.bse.tolist()
    assert found["format.modelled"] == "Binomial, logit link; modelling P(low = 1)"
    assert (found["family"], found["link"], found["format.formula"]) == ("binomial", "logit", FORMULAS["factors"])


def test_offset_is_an_input():
    fit = fitted("poisson")
    model = fit.to_onnx()
    assert [each.name for each in model.graph.input] == ["age", "site", "offset"]
    bridge = gb.bridge(*ALL["poisson"][:1], ROWS, network=model, family="poisson")
    assert any("'offset' is an offset" in note for note in bridge.notes)


def test_columns_may_have_any_name():
    """Also those that the graph gives its own values."""
    names = {"age": "mean", "lwt": "kernel", "dose": "offset", "smoke": "bias", "time": "linear_predictor"}
    frame = ROWS.rename(columns=names)
    formula = "visits ~ mean + kernel + offset + bias + linear_predictor + offset(np.log(linear_predictor))"
    fit = gb.glm(formula, frame, family="poisson")
    model = fit.to_onnx()
    assert [each.name for each in model.graph.input] == [*names.values(), "offset_"]
    bridge = gb.bridge(formula, frame, network=model, family="poisson")
    np.testing.assert_allclose(bridge.table.as_glm, fit.params, rtol=1e-9)


def test_arrays_are_written_too():
    fit = gb.fit(FRAME[["age", "lwt"]].to_numpy(), FRAME.low, names=["age", "lwt"])
    model = fit.to_onnx()
    assert [each.name for each in model.graph.input] == ["age", "lwt"]
    assert np.abs(gb.bridge("low ~ age + lwt", FRAME, network=model).distances.by_refit).max() <= 1e-6


def test_rows_with_missing_values_are_left_out():
    holes = ROWS.assign(age=ROWS.age.where(ROWS.index > 10))
    model = gb.glm("low ~ age + site", holes).to_onnx()
    assert json.loads(records(model)["format.difference"])["rows"] <= 1e-12


def test_aliased_terms_are_written_as_nothing():
    with pytest.warns(AliasWarning):
        fit = gb.glm("low ~ age + lwt + I(age + lwt)", ROWS)
    model = fit.to_onnx()
    terms = {each["term"]: each["coefficient"] for each in json.loads(records(model)["format.terms"])}
    assert terms["I(age + lwt)"] is None


@pytest.mark.parametrize("link", steps.LINKS)
def test_links_hold_in_the_tails(link):
    """Relative precision where the mean is next to nothing, against the family's own."""
    eta = np.concatenate([-np.logspace(-3, 2.5, 60)[::-1], np.logspace(-3, 2.5, 60)])
    if link in ("inverse", "1/mu^2"):
        eta = eta[eta > 0]
    if link in ("log", "cloglog", "loglog"):
        eta = eta[np.abs(eta) < 300]
    if link == "probit":
        eta = eta[np.abs(eta) < 37]
    builder = steps.Builder(onnx)
    steps.write_link(builder, link, "eta", "mean")
    info = onnx.helper.make_tensor_value_info
    made = onnx.helper.make_graph(
        builder.nodes, "link", [info("eta", 11, ["n", 1])], [info("mean", 11, ["n", 1])], [*builder.constants.values()]
    )
    model = onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    run = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    mean = run.run(None, {"eta": eta[:, None]})[0][:, 0]
    np.testing.assert_allclose(mean, LINKS[link].inverse(eta), rtol=2e-12, atol=1e-290)


# --- what is refused --------------------------------------------------------------------------------


def test_functions_that_have_no_counterpart_are_named():
    fit = gb.glm("low ~ twice(age)", ROWS, functions={"twice": lambda x: 2 * x})
    with pytest.raises(ArgumentError, match=r"twice\(age\) cannot be written.*your own.*Compute it as a column"):
        fit.to_onnx()
    with pytest.raises(ArgumentError, match=r"np\.arctan, which ONNX has not in double precision"):
        gb.glm("low ~ np.arctan(age)", ROWS).to_onnx()
    with pytest.raises(ArgumentError, match=r"np\.sinc\(dose\) cannot be written"):
        gb.glm("low ~ np.sinc(dose)", ROWS).to_onnx()


def test_infinite_coefficients_are_refused():
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "y": [0, 0, 0, 1, 1, 1]})
    with pytest.warns(SeparationWarning):
        fit = gb.glm("y ~ x", frame)
    with pytest.raises(ArgumentError, match="coefficients of .*x.* are infinite"):
        fit.to_onnx()


def test_what_is_no_glm_of_raw_columns_is_refused():
    with pytest.raises(ArgumentError, match="reads no column of the data"):
        gb.glm("low ~ 1", ROWS).to_onnx()
    net = gb.network("low ~ age + lwt", ROWS, activation="tanh", start=[0.1, 0.01, 0.02], train=None)
    with pytest.raises(ArgumentError, match="no GLM"):
        net.to_onnx()


def test_a_graph_that_differs_is_not_handed_over(monkeypatch):
    """The proof is a proof: a wrong link does not pass."""
    monkeypatch.setitem(steps.LINKS, "logit", steps.LINKS["probit"])
    with pytest.raises(FitError, match="differs from the fit"):
        gb.glm("low ~ age", ROWS).to_onnx()


def test_random_rows_stay_within_the_data():
    handed = exports.hand(gb.glm("low ~ bs(age, df=4) + C(half) + site", ROWS))
    table, shift, mean = exports._random(handed, None)
    assert shift is None and np.isfinite(mean).all()
    assert ROWS.age.min() <= table.age.min() and table.age.max() <= ROWS.age.max()
    assert set(table.half) <= {0.5, 1.0, 1.5} and not set(table.age) <= set(ROWS.age)
