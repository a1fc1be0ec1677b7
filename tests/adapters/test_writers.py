"""A fit as a network of another package: raw columns in, mean out, and the fit again when it is read back.

`test_onnx_writers.py` has the same for ONNX.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import pickle
import warnings

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import pandas as pd
import pytest
from adapters.formulas import ALL, FORMULAS, ROWS, fitted
from adapters.kit import FRAME

import glmnet_bridge as gb
from glmnet_bridge.adapters import recognition
from glmnet_bridge.errors import ArgumentError, DataError, FitError, MissingExtraError, SeparationWarning

PACKAGES = ("sklearn", "torch", "keras", "statsmodels")
TOLERANCES = {"keras": 1e-4}  # it multiplies in single precision
SKLEARN_LACKS = (
    *("poisson, exposure", "poisson, offset and no intercept", "poisson, array", "poisson", "poisson, sqrt", "gamma"),
    *("inverse gaussian", "probit", "cloglog", "loglog", "cauchit"),
)
# random rows on which log(a - b) is undefined: these packages refuse such rows
STRICT = {("sklearn", "columns that go together"), ("statsmodels", "columns that go together")}

each_package = pytest.mark.parametrize("package", PACKAGES)
each_case = pytest.mark.parametrize(
    ("package", "name"), [(p, name) for p in PACKAGES for name in ALL if p != "sklearn" or name not in SKLEARN_LACKS]
)


BEFORE = "older statsmodels reads this formula itself, and fails on rows of other levels"


def write(package, fit, **options):
    """Written for the package, or the test is skipped where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package itself while it is imported
        pytest.importorskip(package)
        if package in ("torch", "keras"):
            pytest.importorskip("torch").set_num_threads(1)
    return getattr(fit, f"to_{package}")(**options)


@functools.cache
def written(package, name):
    """A fit of `ALL`, written: nobody changes it."""
    return write(package, fitted(name))


def means(model, frame, offset=None):
    """What the user does to have means."""
    package = {kind.__module__.split(".")[0] for kind in type(model).__mro__} & {*PACKAGES}
    if "keras" in package:
        given = {name: column[:, None] for name, column in model.written.feed.arrays(frame).items()}
        given |= {} if offset is None else {model.written.feed.offset: offset[:, None]}
        return model(given).detach().numpy()[:, 0]
    if hasattr(model, "tensor"):
        import torch

        given = [model.tensor(frame)] + ([] if offset is None else [torch.tensor(offset)])
        return model(*given).detach().numpy()[:, 0]
    if "statsmodels" in package:
        return model.predict(frame, offset=offset).to_numpy()
    return model.predict_proba(frame)[:, 1] if hasattr(model, "predict_proba") else model.predict(frame)


# --- laws -----------------------------------------------------------------------------------------


@each_case
def test_what_is_written_gives_the_fits_means(package, name):
    model = written(package, name)
    assert max(model.written.on_rows, model.written.on_random) <= TOLERANCES.get(package, 1e-12)


@each_case
def test_new_rows_as_the_user_gives_them(package, name):
    """All columns of the data, in another order, and rows that were there."""
    fit, model = fitted(name), written(package, name)
    if (package, name) == ("statsmodels", "choices"):
        pytest.importorskip("statsmodels", minversion="0.15", reason=BEFORE)
        assert not hasattr(model.model, "formula"), "patsy does not read it as we do: predict takes the matrix"
        return
    some = ROWS.sample(50, random_state=1)[list(ROWS.columns[::-1])]
    given = {} if fit.sample.offset is None else {"offset": fit.sample.offset[some.index, 0]}
    expected = fit.fittedvalues.loc[some.index].to_numpy()
    np.testing.assert_allclose(means(model, some, **given), expected, rtol=TOLERANCES.get(package, 1e-12))


# Keras' and PyTorch's are read by the same reader
AGAIN = ("numbers", "factors", "splines", "whole numbers", "poisson, offset and no intercept", "gamma", "cauchit")
each_read = pytest.mark.parametrize(
    ("package", "name"),
    [pair for pair in each_case.args[1] if pair not in STRICT and (pair[0] != "keras" or pair[1] in AGAIN)],
)


@each_read
def test_read_back_it_is_the_fit(package, name):
    """The same coefficients, likelihood and family; each term its own."""
    formula, arguments = ALL[name]
    fit = fitted(name)
    if (package, name) == ("statsmodels", "choices"):
        pytest.importorskip("statsmodels", minversion="0.15", reason=BEFORE)
    bridge = gb.bridge(formula, ROWS, network=written(package, name), **arguments)
    assert bridge.union is bridge.glm, "the network has no column that the formula lacks"
    table = bridge.table.set_index("glm_term").loc[list(fit.names)]
    assert set(table.relation) == {"same"}
    np.testing.assert_array_equal(table.as_glm, fit.params)
    assert np.abs(bridge.distances.by_refit).max() <= 1e-9
    assert bridge.network.llf == pytest.approx(fit.llf, rel=1e-12)
    assert bridge.network.family == fit.family


@pytest.mark.parametrize(
    "formula", ["low ~ age + site + arm", "low ~ C(site, Sum) + standardize(age)", "low ~ 0 + arm"]
)
@pytest.mark.parametrize("package", ["torch", "keras"])
def test_plain_formulas_are_networks_that_anybody_reads(package, formula, tmp_path):
    """Without the record of what was written: the graph itself is traced, or read from a file."""
    coded = ROWS.assign(site=ROWS.site.astype("category"))
    fit = gb.glm(formula, coded)
    model = write(package, fit)
    names = list(model.written.feed.names)
    if package == "torch":
        inputs, model.written = names, None
    else:
        inputs = {name: [name] for name in names} if len(names) > 1 else names
        path = str(tmp_path / "glm.keras")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras' own, of numpy 2
            model.save(path)
        model = path
    bridge = gb.bridge(formula, coded, network=model, inputs=inputs)
    table = bridge.table.set_index("glm_term").loc[list(fit.names)]
    assert set(table.relation) == {"same"}
    np.testing.assert_array_equal(table.as_glm, fit.params)


@each_package
def test_terms_and_proof_are_kept(package):
    fit = fitted("factors")
    record = write(package, fit).written
    assert record.terms.index.tolist() == list(fit.names)
    assert record.terms.coefficient.tolist() == fit.params.tolist()
    assert record.terms.std_error.tolist() == fit.bse.tolist()
    assert (record.family, record.link, record.loss) == ("binomial", "logit", "binary cross-entropy")
    first, second, third, *_ = repr(record).splitlines()
    assert first == f"{FORMULAS['factors']}: Binomial, logit link; modelling P(low = 1)"
    assert second.startswith("9 terms: Intercept, site[T.north]")
    assert third.startswith("largest relative difference from the fit: ") and "on random ones" in third


@each_package
def test_rows_with_missing_values_and_unused_levels(package):
    frame = ROWS.assign(arm=ROWS.arm.cat.add_categories(["none"]), age=ROWS.age.where(ROWS.index % 7 > 0))
    fit = gb.glm("low ~ arm + age", frame)
    model = write(package, fit)
    assert model.written.on_rows <= TOLERANCES.get(package, 1e-12)
    some = frame[10:14]
    if package == "statsmodels":
        assert "Levels without rows are unknown to it: arm (none)" in repr(model.written)
        some = some.assign(arm=some.arm.cat.set_categories(ROWS.arm.cat.categories))
    np.testing.assert_allclose(means(model, some), fit.predict(some), rtol=TOLERANCES.get(package, 1e-12))


@each_package
def test_arrays_are_written_too(package):
    fit = gb.fit(FRAME[["age", "lwt"]].to_numpy(), FRAME.weight, "gaussian")
    model = write(package, fit)
    assert max(model.written.on_rows, model.written.on_random) <= TOLERANCES.get(package, 1e-12)
    if package == "sklearn":
        np.testing.assert_allclose(model.predict(FRAME[["age", "lwt"]].to_numpy()), fit.fittedvalues, rtol=1e-12)


@pytest.mark.parametrize("package", ["sklearn", "torch", "keras"])
def test_columns_may_have_any_name(package):
    names = {"age": "a/b", "lwt": "a|b", "dose": "glm", "smoke": "x__y", "half": "linear.weight"}
    frame = ROWS.rename(columns=names)
    formula = " + ".join(f"Q({name!r})" for name in names.values())
    fit = gb.glm(f"low ~ {formula}", frame)
    model = write(package, fit)
    np.testing.assert_allclose(means(model, frame), fit.fittedvalues, rtol=TOLERANCES.get(package, 1e-12))
    bridge = gb.bridge(f"low ~ {formula}", frame, network=model)
    np.testing.assert_array_equal(bridge.table.as_glm, fit.params)


# --- what is refused ------------------------------------------------------------------------------


@each_package
def test_infinite_coefficients_are_refused(package):
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "y": [0, 0, 0, 1, 1, 1]})
    with pytest.warns(SeparationWarning):
        fit = gb.glm("y ~ x", frame)
    with pytest.raises(ArgumentError, match=r"coefficients of Intercept, x are infinite.* or fit with a penalty"):
        write(package, fit)


@each_package
def test_hidden_units_are_refused(package):
    neural = pytest.importorskip("sklearn.neural_network")
    scaled = FRAME.assign(age=FRAME.age / 100)
    trained = neural.MLPClassifier((2,), max_iter=300, random_state=0, tol=0.01).fit(scaled[["age"]], scaled.low)
    network = gb.bridge("low ~ age", scaled, network=trained).network
    with pytest.raises(ArgumentError, match=r"This network is no GLM \(it has hidden units\)"):
        write(package, network)


@each_package
def test_several_classes_are_refused(package):
    fit = gb.glm("outcome ~ age", FRAME, "multinomial")
    with pytest.raises(ArgumentError, match="This model has 2 linear predictors"):
        write(package, fit)


@pytest.mark.parametrize("package", ["sklearn", "torch", "keras"])
def test_a_mean_without_columns_is_refused(package):
    with pytest.raises(ArgumentError, match="reads no column of the data: its mean is one number"):
        write(package, gb.glm("low ~ 1", ROWS))


@pytest.mark.parametrize("package", ["torch", "keras"])
def test_own_functions_are_no_operations(package):
    fit = gb.glm("low ~ twice(age) + site", ROWS, functions={"twice": lambda x: 2 * x})
    with pytest.raises(ArgumentError, match=r"twice\(age\) cannot be written: the function is your own"):
        write(package, fit)


@pytest.mark.parametrize("package", ["torch", "keras"])
def test_functions_that_the_package_lacks(package):
    fit = gb.glm("low ~ np.spacing(age) + lwt", ROWS)
    with pytest.raises(ArgumentError, match=r"uses np.spacing, which (PyTorch|Keras) has not. Compute it as a column"):
        write(package, fit)


@each_package
def test_a_writer_that_errs_hands_nothing_over(package, monkeypatch):
    """The proof is a proof: coefficients that are not the fit's are found out."""
    from glmnet_bridge.fitting import covariances

    fit = gb.glm("low ~ age + site", ROWS)
    true = covariances.representer
    expected = fit.fittedvalues
    monkeypatch.setattr(covariances, "representer", lambda estimate: true(estimate) * 1.01)
    assert len(expected) == len(ROWS)
    with pytest.raises(FitError, match="What was written differs from the fit by"):
        write(package, fit)


@pytest.mark.parametrize(("package", "extra"), [("sklearn", "sklearn"), ("torch", "torch"), ("keras", "keras")])
def test_a_package_that_is_not_installed_is_named(package, extra, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=rf'pip install "glmnet_bridge\[{extra}\]"'):
        getattr(fitted("numbers"), f"to_{package}")()


# --- scikit-learn ---------------------------------------------------------------------------------


def test_plain_formulas_are_scikit_learns_own_steps():
    formula = "low ~ age + standardize(lwt) + site + C(arm, Treatment('low')) + C(grade)"
    fit = gb.glm(formula, ROWS)
    pipeline = write("sklearn", fit)
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    assert [type(step) for _, step in pipeline.steps] == [ColumnTransformer, LogisticRegression]
    kinds = {name: type(step) for name, step, _ in pipeline["columns"].transformers_ if not isinstance(step, str)}
    assert set(kinds.values()) >= {OneHotEncoder, StandardScaler}
    encoder = pipeline["columns"].named_transformers_["term C(arm, Treatment('low'))"]
    assert encoder.categories_[0][encoder.drop_idx_[0]] == "low"
    model = pipeline["model"]
    assert (model.coef_.shape, model.n_features_in_, model.classes_.tolist()) == ((1, 9), 9, [0, 1])
    np.testing.assert_array_equal([*model.intercept_, *model.coef_[0]][:1], fit.params[:1])
    assert set(pipeline.feature_names_in_) == {"age", "lwt", "site", "arm", "grade"}
    assert len(pipeline[:-1].get_feature_names_out()) == 9
    eta = fit.predict(ROWS, kind="link")
    np.testing.assert_allclose(pipeline.decision_function(ROWS), eta, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(pipeline.predict(ROWS), (eta > 0).astype(int))


@pytest.mark.parametrize("name", ["factors", "splines", "gamma, log", "gaussian"])
def test_a_pipeline_can_be_fitted_again(name):
    """Without a penalty it finds the fit by itself, to scikit-learn's own tolerance."""
    fit = fitted(name)
    pipeline = write("sklearn", fit)
    from sklearn.base import clone

    again = clone(pipeline)
    model = again.named_steps["model"]
    if hasattr(model, "tol") and hasattr(model, "solver"):
        again.set_params(model__solver="newton-cholesky", model__tol=1e-10)
    y = ROWS[fit.recipe.response.name]
    again.fit(ROWS, y)
    np.testing.assert_allclose(means(again, ROWS), fit.fittedvalues, rtol=1e-5)
    assert pipeline.score(ROWS, y) == pytest.approx(again.score(ROWS, y), abs=1e-5)


def test_the_classes_are_sorted_and_the_event_may_be_the_first():
    frame = ROWS.assign(answer=np.where(ROWS.low == 1, "bad", "good"))
    fit = gb.glm("answer ~ age + site", frame, event="bad")
    pipeline = write("sklearn", fit)
    assert pipeline.classes_.tolist() == ["bad", "good"]
    np.testing.assert_allclose(pipeline.predict_proba(frame)[:, 0], fit.fittedvalues, rtol=1e-12)
    assert pipeline.predict(frame).tolist() == fit.predict(frame, kind="class").tolist()
    assert "coef_ is of 'good' and has the opposite signs" in repr(pipeline.written)
    bridge = gb.bridge("answer ~ age + site", frame, network=pipeline, event="bad")
    np.testing.assert_array_equal(bridge.table.as_glm, fit.params)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("poisson", r"No estimator of scikit-learn takes an offset.*to_torch\(\)"),
        ("probit", "no estimator for the binomial family with probit link; there are binomial with logit"),
        ("gamma", "no estimator for the gamma family with inverse link"),
    ],
)
def test_scikit_learn_lacks(name, words):
    with pytest.raises(ArgumentError, match=words):
        write("sklearn", fitted(name))


def test_a_pipeline_is_pickled():
    for name in ("factors", "splines"):
        pipeline = write("sklearn", fitted(name))
        again = pickle.loads(pickle.dumps(pipeline))
        np.testing.assert_array_equal(means(again, ROWS), means(pipeline, ROWS))
        assert again.written.on_rows == pipeline.written.on_rows


def test_the_design_is_a_transformer_of_its_own():
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError

    from glmnet_bridge.sklearn import DesignTransformer

    made = DesignTransformer("bs(age, df=4) + twice(dose):site", {"twice": lambda x: 2 * x})
    columns = clone(made).fit(ROWS)
    assert columns.transform(ROWS.head(3)).shape == (3, 8)
    assert columns.get_feature_names_out()[-1] == "twice(dose):site[west]"
    framed = columns.set_output(transform="pandas").transform(ROWS.head(3))
    assert framed.columns[0] == "bs(age, df=4)[0]"
    with pytest.raises(NotFittedError):
        made.transform(ROWS)
    with pytest.raises(ArgumentError, match="A formula reads columns by name: give a frame, not a ndarray"):
        columns.transform(ROWS.head(3).to_numpy())
    with pytest.raises(ArgumentError, match="is no column: leave it out"):
        DesignTransformer("age + offset(dose)").fit(ROWS)


# --- PyTorch --------------------------------------------------------------------------------------


def test_a_module_takes_one_tensor_of_raw_columns():
    fit = fitted("factors")
    module = write("torch", fit)
    import torch

    assert module.inputs == ("age", "site", "arm", "smoke", "flag")
    assert module.levels["arm"] == ("control", "low", "high") and module.levels["flag"] == (False, True)
    x = module.tensor(ROWS.head(4))
    assert (x.shape, x.dtype) == ((4, 5), torch.float64)
    assert x[:, 1].tolist() == [module.levels["site"].index(level) for level in ROWS.site.head(4)]
    traced = torch.fx.symbolic_trace(module)
    torch.testing.assert_close(traced(x), module(x), rtol=0, atol=0)
    assert list(module.state_dict()) == ["linear.weight", "linear.bias"]
    assert "largest relative difference" in repr(module) and not module.training
    with pytest.raises(DataError, match="Column 'site' has moon .*for which the network has no code; it knows east"):
        module.tensor(ROWS.head(4).assign(site="moon"))
    with pytest.raises(DataError, match="Column 'age' holds text; the network was written for numbers"):
        module.tensor(ROWS.head(4).assign(age="old"))


def test_training_can_go_on_from_the_optimum():
    fit = fitted("interactions")
    module = write("torch", fit)
    import torch

    y = torch.tensor(ROWS.low.to_numpy(dtype=float))[:, None]
    loss = torch.nn.functional.binary_cross_entropy(module(module.tensor(ROWS)), y)
    assert loss.item() == pytest.approx(-fit.llf / len(ROWS), rel=1e-12)
    loss.backward()
    assert float(module.linear.weight.grad.abs().max()) < 1e-9
    with torch.no_grad():
        module.linear.bias += 0.25
    bridge = gb.bridge(FORMULAS["interactions"], ROWS, network=module)
    moved = bridge.table.set_index("glm_term").as_glm - fit.params
    assert moved["Intercept"] == pytest.approx(0.25, rel=1e-12) and moved.drop("Intercept").abs().max() == 0


def test_single_precision_is_proved_within_its_rounding():
    torch = pytest.importorskip("torch")
    module = write("torch", fitted("splines"), dtype=torch.float32)
    assert module.tensor(ROWS).dtype == torch.float32
    assert 0 < module.written.on_rows < 1e-5
    with pytest.raises(ArgumentError, match="give torch.float64 or torch.float32"):
        write("torch", fitted("splines"), dtype=torch.float16)


def test_a_module_is_pickled_and_changed():
    module = write("torch", fitted("splines"))
    again = pickle.loads(pickle.dumps(module))
    x = module.tensor(ROWS)
    assert bool((again(x) == module(x)).all())
    import torch

    again.linear = torch.nn.Identity()
    with pytest.raises(gb.errors.ReadError, match="linear is a Identity now"):
        recognition.read(again)


def test_a_level_that_a_number_does_not_have_is_nan():
    """Never a row of zeros, which would be another level's mean."""
    module = write("torch", gb.glm("low ~ half:age + C(half)", ROWS))
    found = module(module.tensor(ROWS.head(2).assign(half=[1.0, 0.7])))
    assert found.isnan().flatten().tolist() == [False, True]


# --- Keras ----------------------------------------------------------------------------------------


def test_a_keras_model_has_one_input_per_column(tmp_path):
    fit = fitted("factors")
    model = write("keras", fit)
    import keras

    assert set(model.input) == {"age", "site", "arm", "smoke", "flag"}
    assert [each.path for each in model.trainable_weights] == ["glm/kernel", "glm/bias"]
    assert {"site_levels", "site_coding", "glm"} <= {layer.name for layer in model.layers}
    kernel, bias = (each.value.detach().numpy() for each in model.get_layer("glm").weights)
    assert kernel.dtype == np.float64 and [bias[0], *kernel[:, 0]] == fit.params.tolist()
    path = tmp_path / "glm.keras"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras' own, of numpy 2
        model.save(path)
        again = keras.saving.load_model(path)
    given = {name: column[:, None] for name, column in model.written.feed.arrays(ROWS).items()}
    assert bool((again(given) == model(given)).all())


@pytest.mark.parametrize(
    ("name", "response"),
    [("factors", "low"), ("poisson, sqrt", "visits"), ("gamma", "cost"), ("inverse gaussian", "cost")],
)
def test_evaluate_gives_the_mean_loss(name, response):
    fit = fitted(name)
    model = write("keras", fit)
    y, mean = ROWS[response].to_numpy(dtype=float), fit.fittedvalues.to_numpy()
    losses = {
        "low": -y * np.log(mean) - (1 - y) * np.log1p(-mean) if response == "low" else None,
        "visits": mean - y * np.log(mean),
        "cost": fit.family.local(y, fit.family.link.function(mean)).loglik * -1,
    }
    given = {name: column[:, None] for name, column in model.written.feed.arrays(ROWS).items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = model.evaluate(given, y[:, None], verbose=0, batch_size=len(y))
    assert found == pytest.approx(losses[response].mean(), rel=1e-5)


def test_an_offset_is_an_input():
    fit = fitted("poisson")
    assert list(write("keras", fit).input) == ["age", "site", "offset"]
    module = write("torch", fit)
    bridge = gb.bridge(ALL["poisson"][0], ROWS, network=module, family="poisson")
    assert any("The input 'offset' is an offset: it is fed 0 here" in note for note in bridge.notes)
