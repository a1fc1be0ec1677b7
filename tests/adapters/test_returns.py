"""What is written and read back is the fit: the same coefficients, likelihood, level, penalty and standard errors."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from adapters.formulas import ROWS
from adapters.test_writers import write

import glmnet_bridge as gb
from glmnet_bridge.errors import AliasWarning, ArgumentError, DataWarning, ReadError

DRAW = np.random.default_rng(5)
DATA = ROWS.assign(
    answer=np.where(ROWS.low == 1, "bad", "good"),
    yes=ROWS.low == 1,
    code=ROWS.low + 1,
    trials=DRAW.integers(1, 6, len(ROWS)),
    weight_of=DRAW.uniform(0.5, 2.0, len(ROWS)),
    count=DRAW.integers(0, 4, len(ROWS)),
    hole=ROWS.age.where(ROWS.index % 7 > 0),
    site_hole=ROWS.site.where(ROWS.index % 11 > 0),
    arm_hole=ROWS.arm.where(ROWS.index % 9 > 0).cat.add_categories(["none"]),
    low_hole=ROWS.low.where(ROWS.index % 5 > 0),
    time_hole=ROWS.time.where(ROWS.index % 13 > 0),
)
DATA["graded"] = pd.Categorical(DATA.answer, ["good", "bad"])
DATA["wins"] = DRAW.binomial(DATA.trials, 0.3 + 0.4 * DATA.low)
DATA["share"] = DATA.wins / DATA.trials
DATA["losses"] = DATA.trials - DATA.wins


def ridge(strength, intercept=False):
    return {"penalty": gb.penalties.ridge(strength, intercept=intercept)}


FOUR, FREE, NETS = "torch onnx sklearn statsmodels", "torch onnx statsmodels", "torch onnx"
PENALISED = "torch onnx sklearn"
# formula, arguments, and the packages that have a place for all of it
CASES = {
    "0/1": ("low ~ age + site", {}, FOUR + " keras"),
    "0/1, event 1": ("low ~ age + site", {"event": 1}, FOUR),
    "0/1, event 0": ("low ~ age + site", {"event": 0}, FOUR + " keras"),
    "numbers, event": ("code ~ age + site", {"event": 1}, FOUR),
    "text": ("answer ~ age + site", {}, FOUR),
    "text, event": ("answer ~ age + site", {"event": "bad"}, FOUR + " keras"),
    "category": ("graded ~ age + site", {}, FOUR),
    "category, event": ("graded ~ age + site", {"event": "good"}, FOUR),
    "truth": ("yes ~ age + site", {}, FOUR),
    "truth, event": ("yes ~ age + site", {"event": False}, FOUR),
    "expression": ("I(low == 0) ~ age", {}, FOUR + " keras"),
    "expression, event": ("I(low == 0) ~ age", {"event": False}, FOUR),
    "expression of numbers": ("I(1 - low) ~ age", {}, FOUR),
    "factor, event": ("C(low) ~ age", {"event": 0}, FOUR),
    "quoted, event": ("Q('low') ~ age", {"event": 0}, FOUR),
    "probit, event 0": ("low ~ age + site", {"event": 0, "link": "probit"}, FREE),
    "cauchit, event 0": ("low ~ age + site", {"event": 0, "link": "cauchit"}, FREE),
    "cloglog, event 0": ("low ~ age + site", {"event": 0, "link": "cloglog"}, FREE + " keras"),
    "loglog, text": ("answer ~ age + site", {"event": "bad", "link": "loglog"}, FREE),
    "gaussian, log": ("cost ~ age", {"family": "gaussian", "link": "log"}, FOUR),
    "gaussian of yes and no": ("yes ~ age", {"family": "gaussian"}, FOUR),
    "gamma, identity": ("cost ~ dose", {"family": "gamma", "link": "identity"}, FOUR),
    "inverse gaussian, log": ("cost ~ age", {"family": "inverse_gaussian", "link": "log"}, FOUR),
    "successes": ("successes(wins, trials) ~ age + site", {}, FOUR),
    "successes + failures": ("wins + losses ~ age + site", {}, FOUR),
    "shares": ("share ~ age + site", {"trials": "trials"}, FOUR + " keras"),
    "shares, cloglog": ("share ~ age + site", {"trials": "trials", "link": "cloglog"}, FREE),
    "prior weights": ("low ~ age + site", {"prior_weights": "weight_of", "event": 0}, FOUR),
    "frequencies": ("weight ~ age + site", {"freq_weights": "count", "family": "gaussian"}, FOUR),
    "both weights": (
        "visits ~ age + site",
        {"prior_weights": "weight_of", "freq_weights": "count", "family": "poisson"},
        FOUR,
    ),
    "offset, event 0": ("low ~ age + offset(dose)", {"event": 0}, FREE),
    "offset and predictor": ("low ~ age + dose + offset(dose)", {}, FREE + " keras"),
    "offset and predictor, by argument": ("low ~ age + dose", {"offset": "dose"}, FREE),
    "offset and scaled predictor": ("low ~ age + standardize(dose) + offset(dose)", {}, FREE),
    "exposure and predictor": ("visits ~ age + np.log(time)", {"family": "poisson", "exposure": "time"}, FREE),
    "missing": ("low ~ hole + site_hole + arm_hole", {"event": 0}, FOUR),
    "missing response": ("low_hole ~ age + site_hole", {}, FOUR),
    "missing offset": ("visits ~ hole + offset(np.log(time_hole))", {"family": "poisson"}, FREE),
    "ridge": ("low ~ age + site", ridge(2.0), PENALISED + " keras"),
    "ridge, event 0": ("low ~ age + site", {"event": 0, **ridge(2.0)}, PENALISED),
    "ridge, cloglog, event 0": ("low ~ age + site", {"event": 0, "link": "cloglog", **ridge(2.0)}, NETS),
    "ridge with the intercept": ("low ~ age + site", ridge(2.0, intercept=True), PENALISED + " keras"),
    "ridge without intercept": ("low ~ 0 + age + site", ridge(2.0), PENALISED),
    "ridge, gaussian": ("weight ~ age + site", {"family": "gaussian", **ridge(20.0)}, PENALISED),
    "ridge, gaussian with the intercept": ("weight ~ age", {"family": "gaussian", **ridge(20.0, True)}, PENALISED),
    "ridge, poisson": ("visits ~ hole + site", {"family": "poisson", **ridge(20.0)}, PENALISED),
    "ridge, offset": ("visits ~ age + offset(np.log(time))", {"family": "poisson", **ridge(20.0)}, NETS),
    "ridge, gamma": ("cost ~ age + site", {"family": "gamma", "link": "log", **ridge(20.0)}, PENALISED),
    "ridge, inverse gaussian": (
        "cost ~ age + site",
        {"family": "inverse_gaussian", "link": "log", **ridge(20.0)},
        PENALISED,
    ),
    "ridge, prior weights": (
        "visits ~ age + site",
        {"family": "poisson", "prior_weights": "weight_of", **ridge(20.0)},
        PENALISED,
    ),
    "ridge, frequencies": ("low ~ age + site", {"freq_weights": "count", **ridge(2.0)}, PENALISED),
    "ridge, successes": ("successes(wins, trials) ~ age + site", ridge(2.0), PENALISED),
    "ridge, splines": ("low ~ bs(age, df=5) + C(grade, Sum)*arm", ridge(1.0), PENALISED),
    "ridge, standardised": ("low ~ standardize(age) + standardize(lwt)", ridge(10.0), PENALISED),
}
ROUNDING = {"keras": 1e-4}  # it multiplies in single precision


def returned(package, formula, arguments):
    fit = gb.glm(formula, DATA, **arguments)
    return fit, gb.bridge(formula, DATA, network=write(package, fit), **arguments)


@pytest.mark.parametrize(
    ("package", "name"), [(package, name) for name, case in CASES.items() for package in case[2].split()]
)
def test_what_is_read_back_is_the_fit(package, name):
    formula, arguments, _ = CASES[name]
    fit, bridge = returned(package, formula, arguments)
    own = gb.bridge(formula, DATA, **arguments)
    network, table = bridge.network, bridge.table.set_index("glm_term").loc[list(fit.names)]
    np.testing.assert_allclose((table.as_glm - fit.params) / fit.bse, 0.0, atol=1e-9)
    assert (network.family, network.modelled) == (fit.family, fit.modelled)
    assert network.llf == pytest.approx(fit.llf, rel=1e-12)
    assert network.deviance == pytest.approx(fit.deviance, rel=1e-10)
    np.testing.assert_allclose(network.bse, fit.bse, rtol=1e-7)
    assert bridge.union.llf == pytest.approx(own.union.llf, rel=1e-10)
    assert bridge.distances.joint == pytest.approx(own.distances.joint, rel=1e-6, abs=1e-7)
    assert not [note for note in bridge.notes if "is taken" in note], "the record says all"
    if "penalty" not in arguments:
        assert set(table.status) <= {"exact", "folded"} and bridge.causes.empty
        return
    assert set(table.status) == {"penalised"}
    assert bridge.causes.set_index("cause").share["penalty"] == pytest.approx(1.0, abs=1e-6)
    assert f"({arguments['penalty']!r}) at its optimum" in bridge.verdict
    columns = ["se_bayesian", "se_sandwich", "edf"]
    np.testing.assert_allclose(bridge.ridge[columns], own.ridge[columns], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("package", ["torch", "onnx", "sklearn", "statsmodels"])
def test_terms_without_information_are_read_back(package):
    """Of what the rows tell apart: the aliased column stays without a coefficient."""
    with pytest.warns(AliasWarning):
        fit, bridge = returned(package, "low ~ age + I(2 * age) + site", {})
    table = bridge.table.set_index("glm_term")
    known = [name for name in fit.names if name != "I(2 * age)"]
    np.testing.assert_allclose(table.as_glm[known], fit.params[known], rtol=1e-9)
    assert np.isnan(table.as_glm["I(2 * age)"]) and bridge.network.llf == pytest.approx(fit.llf, rel=1e-12)


@pytest.mark.parametrize("package", ["torch", "onnx", "sklearn"])
def test_a_ridge_over_redundant_columns_is_at_its_optimum(package):
    fit, bridge = returned(package, "low ~ age + I(2 * age) + site", ridge(1.0))
    table = bridge.table.set_index("glm_term")
    assert table.as_glm["age"] == pytest.approx(fit.params["age"] + 2 * fit.params["I(2 * age)"], rel=1e-9)
    assert set(table.status.dropna()) == {"penalised", "redundant"}
    assert bridge.causes.set_index("cause").share["penalty"] == pytest.approx(1.0, abs=1e-6)


# --- read with other arguments ----------------------------------------------------------------------------


@pytest.mark.parametrize("package", ["torch", "onnx", "sklearn", "statsmodels"])
def test_the_other_level_has_the_other_signs(package):
    model = write(package, gb.glm("answer ~ age + site", DATA, event="bad"))
    other = gb.glm("answer ~ age + site", DATA)
    bridge = gb.bridge("answer ~ age + site", DATA, network=model)
    np.testing.assert_allclose(bridge.table.set_index("glm_term").as_glm, other.params, rtol=1e-7)
    with pytest.raises(ReadError, match="classes are .*; the response 'code' has the levels 1, 2"):
        gb.bridge("code ~ age + site", DATA, network=model, event=2)


@pytest.mark.parametrize("package", ["torch", "onnx", "statsmodels"])
def test_a_link_without_symmetry_names_the_level(package):
    model = write(package, gb.glm("low ~ age", DATA, link="cloglog", event=0))
    with pytest.raises(ReadError, match=r"output is P\(low = 0\) by the cloglog link.* Give event=0"):
        gb.bridge("low ~ age", DATA, link="cloglog", network=model)


@pytest.mark.parametrize("package", ["torch", "onnx", "sklearn", "statsmodels"])
def test_another_response_is_refused_or_said(package):
    model = write(package, gb.glm("I(low == 0) ~ age", DATA))
    with pytest.raises(ReadError, match=r"The network's response is I\(low == 0\), the formula's low"):
        gb.bridge("low ~ age", DATA, network=model)
    model = write(package, gb.glm("answer ~ age", DATA, event="good"))
    notes = gb.bridge("share ~ age", DATA, network=model, trials="trials").notes
    assert "The network's output is taken to be P(success): it is that of its class 'good'." in notes


# --- without the record ----------------------------------------------------------------------------------------


def test_without_a_record_the_level_is_an_assumption_that_is_said():
    onnx = pytest.importorskip("onnx")
    fit = gb.glm("low ~ age + lwt", DATA, event=0)
    module = write("torch", fit)
    module.written = None
    graph = write("onnx", fit)
    old = {each.key: each.value for each in graph.metadata_props}
    for word in ("response", "classes", "penalty"):
        del old[f"glmnet_bridge.format.{word}"]
    del graph.metadata_props[:]
    onnx.helper.set_model_props(graph, old)
    for network, inputs in ((module, ["age", "lwt"]), (graph, None)):
        with pytest.warns(DataWarning, match=r"As P\(low = 0\) the deviance would be .*: is it the other way round"):
            notes = gb.bridge("low ~ age + lwt", DATA, network=network, inputs=inputs, event=0).notes
        assert "The network's output is taken to be P(low = 1): it does not name its classes." in notes
        with pytest.warns(DataWarning, match="is it the other way round"):
            plain = gb.bridge("low ~ age + lwt", DATA, network=network, inputs=inputs).notes
        assert not [note for note in plain if "taken to be P(" in note]


def test_a_keras_file_has_its_penalty(tmp_path):
    """The record is not in the file, the regularisers are."""
    formula, penalty = "low ~ age + lwt", gb.penalties.ridge(300.0, intercept=True)
    fit = gb.glm(formula, DATA, penalty=penalty)
    model, path = write("keras", fit), str(tmp_path / "glm.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras' own, of numpy 2
        model.save(path)
    bridge = gb.bridge(formula, DATA, network=path, inputs={"age": ["age"], "lwt": ["lwt"]})
    assert bridge.causes.set_index("cause").share["penalty"] == pytest.approx(1.0, abs=1e-3)
    assert set(bridge.table.status) == {"penalised"}


@pytest.mark.parametrize("package", ["torch", "sklearn", "keras"])
def test_weights_that_were_changed_have_no_known_training(package):
    formula, penalty = "low ~ age + site", gb.penalties.ridge(2.0)
    model = write(package, gb.glm(formula, DATA, penalty=penalty))
    if package == "torch":
        import torch

        with torch.no_grad():
            model.linear.weight *= 1.01
    elif package == "keras":
        dense = model.get_layer("glm")
        dense.set_weights([each.value.detach().numpy() * 1.01 for each in dense.weights])
    else:
        model["model"].coef_ *= 1.01
        model["model"].set_params(C=0.25)
    bridge = gb.bridge(formula, DATA, network=model)
    if package == "sklearn":  # what the estimator itself says holds then
        assert "(C=0.25)" in "".join(bridge.causes.explanation)
        return
    assert "Its weights have changed since it was written; how is not known." in bridge.notes
    assert "penalty" not in set(bridge.causes.cause)


def test_single_precision_does_not_count_as_change():
    torch = pytest.importorskip("torch")
    formula, penalty = "low ~ age + site", gb.penalties.ridge(2.0)
    model = write("torch", gb.glm(formula, DATA, penalty=penalty), dtype=torch.float32)
    bridge = gb.bridge(formula, DATA, network=model)
    assert set(bridge.table.status) == {"penalised"}


# --- penalties of scikit-learn's own ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["ridge", "ridge, event 0", "ridge with the intercept", "ridge, gaussian", "ridge, poisson", "ridge, gamma"]
)
def test_a_penalised_pipeline_fitted_again_is_the_fit(name):
    formula, arguments, _ = CASES[name]
    rows = DATA.dropna(subset=["hole"])
    fit = gb.glm(formula, rows, **arguments)
    pipeline = write("sklearn", fit)
    from sklearn.base import clone

    again = clone(pipeline)
    model = again.named_steps["model"]
    model.set_params(tol=1e-12)
    if getattr(model, "solver", "") == "lbfgs":
        model.set_params(solver="newton-cholesky")
    again.fit(rows, rows[fit.recipe.response.name])
    np.testing.assert_allclose(again["model"].coef_, pipeline["model"].coef_, rtol=1e-4, atol=1e-6)


def test_a_penalised_intercept_that_scikit_learn_leaves_free_is_said():
    fit = gb.glm("weight ~ age", DATA, "gaussian", penalty=gb.penalties.ridge(2.0, intercept=True))
    assert "fitted again, this pipeline leaves it free" in repr(write("sklearn", fit).written)


# --- what is not written ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", ["torch", "keras", "onnx", "sklearn", "statsmodels"])
def test_two_classes_of_a_multinomial_model_are_a_binomial_one(package):
    fit = gb.glm("low ~ age", DATA, "multinomial", base=1)
    with pytest.raises(ArgumentError, match=r'With two classes it is the binomial one: fit it with family="binomial"'):
        write(package, fit)


# --- ONNX ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "column", "values"),
    [
        ("low ~ age + site", "site", ["moon", ""]),
        ("low ~ 0 + site:arm", "arm", ["lo", ""]),
        ("low ~ C(grade, Sum) + age", "grade", [9, -1]),
        ("low ~ C(half) + age", "half", [0.7, np.nan]),
        ("low ~ site + C(grade):age", "grade", [9, 0]),
    ],
)
def test_a_level_that_the_fit_does_not_know_is_nan(formula, column, values):
    """ONNX cannot raise, and the reference level would be another level's mean."""
    runtime = pytest.importorskip("onnxruntime")
    fit = gb.glm(formula, DATA)
    model = write("onnx", fit)
    run = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    some = DATA.head(3)
    changed = some.astype({column: object} if column in ("site", "arm") else {})
    changed[column] = [changed[column].iloc[0], *values]
    kinds = {"tensor(double)": float, "tensor(int64)": np.int64, "tensor(string)": object}
    (found,) = run.run(
        ["mean"], {each.name: changed[[each.name]].to_numpy(kinds[each.type]) for each in run.get_inputs()}
    )
    assert found[0, 0] == pytest.approx(fit.fittedvalues.iloc[0], rel=1e-12)
    assert np.isnan(found[1:]).all()


def test_a_comparison_with_a_level_takes_any_other_one():
    """`site == 'north'` is no factor: another site is not north."""
    runtime = pytest.importorskip("onnxruntime")
    fit = gb.glm("low ~ (site == 'north') + age", DATA)
    run = runtime.InferenceSession(write("onnx", fit).SerializeToString(), providers=["CPUExecutionProvider"])
    moved = DATA.head(2).assign(site="moon")
    feed = {"site": moved[["site"]].to_numpy(object), "age": moved[["age"]].to_numpy(float)}
    np.testing.assert_allclose(run.run(["mean"], feed)[0][:, 0], fit.predict(moved), rtol=1e-12)


def test_level_and_penalty_stand_in_the_metadata():
    model = write("onnx", gb.glm("answer ~ age", DATA, event="bad", penalty=gb.penalties.ridge(2.0)))
    found = {each.key.removeprefix("glmnet_bridge.format."): each.value for each in model.metadata_props}
    assert found["response"] == "answer" and json.loads(found["classes"]) == ["good", "bad"]
    assert json.loads(found["penalty"]) == {"strength": 2.0, "intercept": False}


def test_a_record_says_what_is_modelled():
    module = write("torch", gb.glm("low ~ age", DATA, event=0))
    assert (module.written.meaning.response, module.written.meaning.classes) == ("low", (1, 0))
    module.written = replace(module.written, meaning=replace(module.written.meaning, classes=(0, 1)))
    turned = gb.bridge("low ~ age", DATA, network=module, event=0)
    assert set(turned.table.relation) == {"scaled"}, "the record alone says which level it is"
