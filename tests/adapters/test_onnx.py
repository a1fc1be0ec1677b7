"""ONNX models that are read, and those that are not: names, sentences, several inputs, messages."""

from __future__ import annotations

import numpy as np
import pytest
from adapters.kit import FRAME

import glmnet_bridge as gb
from glmnet_bridge.adapters.onnx import graphs
from glmnet_bridge.adapters.recognition import read
from glmnet_bridge.errors import ArgumentError, ReadError

onnxruntime = pytest.importorskip("onnxruntime")
cases = pytest.importorskip("adapters.cases_onnx")  # skips without skl2onnx or torch
multiclass = pytest.importorskip("sklearn.multiclass")
onnx, helper, graph, to_onnx = cases.onnx, cases.helper, cases.graph, cases.to_onnx
LogisticRegression = cases.LogisticRegression

SUM = {"w": np.array([[0.01], [0.02]]), "b": np.array([0.1])}
INPUT = {"x": (11, 2)}


def node(op, takes, makes, **settings):
    return helper.make_node(op, takes, [makes], name=f"the {op}", **settings)


def summed(*more, constants=None, output="p"):
    """x w + b, and what comes behind it."""
    first = [node("MatMul", ["x", "w"], "z0"), node("Add", ["z0", "b"], "z")]
    return graph([*first, *more], INPUT, {**SUM, **(constants or {})}, output)


def refused(model, words):
    with pytest.raises(ReadError, match=words):
        read(model)


# --- what is given -----------------------------------------------------------------------------------


def test_a_path_the_bytes_and_a_session_are_the_model(tmp_path):
    model = cases.transposed().network
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    text = model.SerializeToString()
    session = onnxruntime.InferenceSession(text, providers=["CPUExecutionProvider"])
    by_path = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    theta = read(model).theta
    for given in (path, str(path), session, by_path):
        assert np.array_equal(read(given).theta, theta)
    assert model.SerializeToString() == text


def test_a_file_of_another_kind_is_named(tmp_path):
    with pytest.raises(ArgumentError, match=r"'model\.pickle' is a str, and no path.*\.onnx"):
        read("model.pickle")
    refused(tmp_path / "none.onnx", "There is no file .*none.onnx")
    (tmp_path / "empty.onnx").write_bytes(b"")
    refused(tmp_path / "empty.onnx", "no ONNX model: its graph has no output")
    (tmp_path / "noise.onnx").write_bytes(b"not a model at all")
    refused(str(tmp_path / "noise.onnx"), "cannot be read as an ONNX model")


def test_without_onnxruntime_the_reference_evaluator_runs_the_model(monkeypatch):
    monkeypatch.setattr(graphs.importlib.util, "find_spec", lambda name: None)
    case = cases.columns()
    bridge = gb.bridge(case.formula, case.frame, network=case.network)
    assert max(bridge.agreement.rows, bridge.agreement.random) <= 1e-12


# --- names ---------------------------------------------------------------------------------------------


def test_weights_have_the_models_names():
    assert read(cases.double().network).network.entries == (
        "coef[0, 1]", "coef[1, 1]", "coef[2, 1]", "intercept[0, 1]",
    )  # fmt: skip
    assert read(cases.single().network).network.entries == (
        "LinearClassifier.coefficients[1, 0]",
        "LinearClassifier.coefficients[1, 1]",
        "LinearClassifier.coefficients[1, 2]",
        "LinearClassifier.intercepts[1]",
    )
    entries = read(cases.stack().network).network.entries
    assert {"bn.weight[2]", "hidden.weight[1, 0]", "out.weight[0, 4]", "out.bias[0]"} <= set(entries)


def test_a_bias_is_known_for_one_whatever_its_name():
    found = read(summed(node("Sigmoid", ["z"], "p"), constants={}))
    assert found.network.entries == ("w[0, 0]", "w[1, 0]", "b.bias[0]")


def test_a_binary_classifier_written_twice_has_each_weight_once():
    found = read(cases.scaled().network)
    assert (found.activation, found.family.name, found.classes) == ("sigmoid", "binomial", (0, 1))
    assert any("both signs of one linear predictor" in sentence for sentence in found.folded)
    model = LogisticRegression().fit(FRAME[["age", "lwt"]].to_numpy(), FRAME.low)
    np.testing.assert_allclose(read(to_onnx(model, np.ones((1, 2)))).theta[:2], model.coef_[0], rtol=1e-12)


def test_labels_are_those_of_the_classes():
    answers = np.where(FRAME.low == 1, "ill", "well")  # the event is the last label, "well"
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12).fit(FRAME[["age"]].to_numpy(), answers)
    found = read(to_onnx(model, np.ones((1, 1))))
    assert found.classes == ("ill", "well")
    frame = FRAME.assign(state=answers)
    bridge = gb.bridge("state ~ age", frame, network=to_onnx(model, np.ones((1, 1))), event="ill")
    assert np.abs(bridge.distances.by_refit).max() <= 1e-6
    assert bridge.network.modelled == "Binomial, logit link; modelling P(state = 'ill')"


def test_what_is_folded_is_said():
    assert any("Imputer 'Imputer' is the identity" in each for each in read(cases.columns().network).folded)
    assert any("Su_Sub' is taken as fixed" in each for each in read(cases.scaled().network).folded)
    assert any("running moments are taken as fixed" in each for each in read(cases.stack().network).folded)
    assert any("'prod4'" in each for each in read(cases.polynomial().network).folded)


def test_three_classes_are_one_softmax():
    model = LogisticRegression().fit(FRAME[["age", "lwt"]].to_numpy(), FRAME.outcome)
    found = read(to_onnx(model, np.ones((1, 2))))
    assert (found.activation, found.network.outputs, found.family) == ("softmax", 3, None)
    assert found.classes == ("home", "icu", "ward")
    table = FRAME[["age", "lwt"]]
    np.testing.assert_allclose(found.forward(table), model.predict_proba(table.to_numpy()), atol=1e-12)


# --- several inputs -------------------------------------------------------------------------------------


def test_inputs_come_by_name_in_a_dict():
    case = cases.embedded()
    with pytest.raises(ArgumentError, match="'numbers'.*give 2 names"):
        gb.bridge(case.formula, FRAME, network=case.network, inputs={"numbers": ["age"], "arm": ["arm"]})
    with pytest.raises(ArgumentError, match="inputs of the network are numbers, arm"):
        gb.bridge(case.formula, FRAME, network=case.network, inputs={"x": ["age", "lwt"], "arm": ["arm"]})


def test_too_few_inputs_and_strange_ones_are_named():
    model = cases.double().network
    with pytest.raises(ArgumentError, match=r"takes 3 inputs \(X\[0\], X\[1\], X\[2\]\).*fed 2"):
        gb.bridge("low ~ age + lwt", FRAME, network=model)
    with pytest.raises(Exception, match="names 'agee'.*Did you mean 'age'"):
        gb.bridge("low ~ age + lwt", FRAME, network=model, inputs=["agee", "lwt", "dose"])
    with pytest.raises(Exception, match="There is no column 'site'"):
        gb.bridge("low ~ age", FRAME.drop(columns="site"), network=cases.columns().network)


def test_the_models_own_names_may_be_given_too():
    case = cases.columns()
    names = ["age", "lwt", "dose", "site", "arm", "smoke"]
    assert gb.bridge(case.formula, case.frame, network=case.network, inputs=names).agreement.rows <= 1e-12
    with pytest.raises(ArgumentError, match="Put them in the network's order"):
        gb.bridge(case.formula, case.frame, network=case.network, inputs=[*names[::-1]])


# --- what is refused ---------------------------------------------------------------------------------------


def test_operations_behind_weights_are_named():
    refused(summed(node("Erf", ["z"], "p")), r"Node 'the Erf' \(Erf\) is not read behind trained weights")
    refused(summed(node("Mul", ["z", "z"], "p")), r"'the Mul' \(Mul\) is not read behind trained weights")
    clipped = summed(node("Clip", ["z", "low"], "p"), constants={"low": np.array(0.0)})
    refused(clipped, r"'the Clip' \(Clip\) is not read")
    refused(summed(node("LeakyRelu", ["z"], "p", alpha=0.2)), "slope 0.2; a LeakyRelu of slope 0.01")
    inner = [node("Exp", ["z"], "e"), node("Add", ["e", "b"], "p")]
    refused(summed(*inner), r"'the Add' \(Add\) takes the result of exponential.*at the end of a network only")


def test_the_same_operations_before_any_weight_are_columns():
    nodes = [
        node("Clip", ["x", "low"], "c"),
        node("MatMul", ["c", "w"], "z0"),
        node("Add", ["z0", "b"], "z"),
        node("Sigmoid", ["z"], "p"),
    ]
    model = graph(nodes, INPUT, {**SUM, "low": np.array(40.0)})
    bridge = gb.bridge(
        "low ~ np.clip(age, 40, None) + np.clip(lwt, 40, None)", FRAME, network=model, inputs=["age", "lwt"]
    )
    assert bridge.table.relation.tolist() == ["same"] * 3
    np.testing.assert_allclose(bridge.table.as_glm, [0.1, 0.01, 0.02])


def test_what_mixes_rows_is_refused():
    centred = [
        node("ReduceMean", ["x", "axes"], "m"),
        node("Sub", ["x", "m"], "c"),
        node("MatMul", ["c", "w"], "z"),
        node("Sigmoid", ["z"], "p"),
    ]
    refused(graph(centred, INPUT, {**SUM, "axes": np.array([0])}), "no value of a single row")
    moved = [node("Transpose", ["x"], "t"), node("MatMul", ["t", "w"], "p")]
    refused(graph(moved, INPUT, SUM), r"'the Transpose' \(Transpose\) mixes the rows")


def test_control_flow_quantised_and_other_machines_are_refused():
    branch = helper.make_graph([], "empty", [], [])
    choice = helper.make_node("If", ["x"], ["p"], name="fork", then_branch=branch, else_branch=branch)
    refused(graph([choice], INPUT, {}), r"'fork' \(If\) is control flow that depends on the data")
    refused(summed(node("QuantizeLinear", ["z", "b"], "p")), "arithmetic is quantised: give the model from before")
    refused(summed(node("SVMRegressor", ["z"], "p", domain="ai.onnx.ml")), "no network of weighted sums")


def test_weights_that_are_no_numbers_are_named():
    broken = summed(node("Sigmoid", ["z"], "p"), constants={"w": np.array([[np.nan], [1.0]])})
    refused(broken, r"Weight w\[0, 0\] is nan")


def test_shapes_that_do_not_fit_are_named():
    refused(summed(node("Sigmoid", ["z"], "p"), constants={"w": np.ones((3, 1))}), r"shape \(2,\) by weights \(3, 1\)")


def test_weights_in_two_places_are_refused():
    twice = [
        node("MatMul", ["x", "w"], "a"),
        node("Tanh", ["x"], "t"),
        helper.make_node("MatMul", ["t", "w"], ["c"], name="again"),
        node("Add", ["a", "c"], "p"),
    ]
    refused(graph(twice, INPUT, SUM), r"Weights 'w' are used twice")


def test_the_output_must_be_one_of_numbers():
    both = summed(node("Sigmoid", ["z"], "p"))
    both.graph.output.append(helper.make_tensor_value_info("z", 11, None))
    refused(both, r"several outputs: 'p', 'z'.*extract_model")
    label = graph([node("ArgMax", ["x"], "p")], INPUT, {}, kind=7)
    refused(label, r"outputs of the model \('p'\) are labels")
    refused(graph([node("Identity", ["w"], "p")], INPUT, SUM), "depends on none of its inputs")
    refused(graph([node("Tanh", ["x"], "p")], INPUT, SUM), "no weights that training could change")


def test_one_class_against_the_rest_is_no_softmax():
    model = multiclass.OneVsRestClassifier(LogisticRegression()).fit(FRAME[["age", "lwt"]].to_numpy(), FRAME.outcome)
    refused(to_onnx(model, np.ones((1, 2))), "3 sigmoids.*Train it with a softmax")


def test_a_softmax_over_one_unit_is_refused():
    with pytest.raises(ReadError, match="softmax over one unit"):
        gb.bridge("low ~ age + lwt", FRAME, network=summed(node("Softmax", ["z"], "p")))


def test_the_wrong_family_is_refused():
    with pytest.raises(ReadError, match="ends in sigmoid"):
        gb.bridge("visits ~ age + lwt + dose", FRAME, network=cases.double().network, family="poisson")


def test_an_open_number_of_columns_is_refused():
    model = summed(node("Sigmoid", ["z"], "p"))
    model.graph.input[0].type.tensor_type.shape.dim[1].Clear()
    refused(model, "Input 'x' leaves its number of columns open")


def test_inputs_of_the_wrong_meaning_are_found_by_the_numbers():
    """An input that is cast to whole numbers is fed others: the model does not what it seems to do."""
    nodes = [
        node("Cast", ["x"], "i", to=7),
        helper.make_node("Cast", ["i"], ["d"], name="back", to=11),
        node("MatMul", ["d", "w"], "z"),
        node("Sigmoid", ["z"], "p"),
    ]
    with pytest.raises(ReadError, match="differ by"):
        gb.bridge("low ~ age + dose", FRAME, network=graph(nodes, INPUT, SUM))


def test_an_input_per_column_in_double_precision():
    """skl2onnx joins them by FeatureVectorizer, which computes in single precision."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME[["age", "lwt"]], FRAME.low)
    inputs = [(name, DoubleTensorType([None, 1])) for name in ("age", "lwt")]
    graph = convert_sklearn(model, initial_types=inputs, options={id(model[-1]): {"zipmap": False}})
    ours, theirs = (gb.bridge("low ~ age + lwt", FRAME, network=each).table for each in (graph, model))
    np.testing.assert_allclose(ours.as_glm, theirs.as_glm, rtol=1e-6)  # single precision
