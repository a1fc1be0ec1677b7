"""The reader of Keras: names, sentences, training, refusals; live models and files."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if importlib.util.find_spec("keras") is None or importlib.util.find_spec("torch") is None:
    pytest.skip("Keras and torch are not installed", allow_module_level=True)

from adapters import cases_keras
from adapters.cases_keras import CODED, compiled, dense, entry, keras, layers, planted, saved, trained
from adapters.kit import FRAME

import glmnet_bridge as gb
from glmnet_bridge.adapters import recognition
from glmnet_bridge.adapters.keras import numbers
from glmnet_bridge.adapters.keras.layers import LAYERS
from glmnet_bridge.errors import ArgumentError, DataError, ReadError

FORMULA = "low ~ age + lwt"


def unit(*before: Any, activation: str | None = "sigmoid", width: int = 2, **options: Any) -> Any:
    """A Sequential model of one unit, with random weights."""
    return planted(keras().Sequential([entry(width), *before, dense(1, activation, name="unit", **options)]))


def functional(make: Any, width: int = 2) -> Any:
    """The Functional model of what `make` does to its input."""
    x = entry(width, "x")
    return keras().Model(x, make(x))


def bridge(model: Any, formula: str = FORMULA, **options: Any) -> Any:
    return gb.bridge(formula, FRAME, network=model, **options)


# --- names ----------------------------------------------------------------------------------


def test_weights_have_the_users_own_paths():
    model = unit(layers().BatchNormalization(name="bn"))
    found = recognition.read(model)
    paths = [weight.path for weight in model.trainable_weights]
    assert list(dict.fromkeys(name.split("[")[0] for name in found.network.entries)) == paths
    assert f"{model.name}/unit/kernel[1, 0]" in found.network.entries
    assert found.kind == "Keras Sequential model"


@pytest.mark.parametrize("name", [each.__name__ for each in cases_keras.BUILT])
def test_a_file_says_what_the_live_model_says(name):
    """Weights, names, raw inputs, sentences and training; and numpy's outputs are those of Keras."""
    built = cases_keras.doubled(getattr(cases_keras, name))
    here = recognition.read(built.network)
    there = recognition.read(saved(built.network, f"again_{name}"))
    np.testing.assert_array_equal(here.theta, there.theta)
    assert here.network.entries == there.network.entries
    assert here.intake.names == there.intake.names
    assert here.intake.groups == there.intake.groups
    assert [here.activation, here.family] == [there.activation, there.family]
    assert here.folded == there.folded[:-1]
    assert there.folded[-1].startswith("Keras itself was not run")
    assert repr(here.schooling) == repr(there.schooling)
    columns = [[1, 2, 0, 3]] if "site" in here.intake.names else []
    columns += [[0.5, 1.25, 40.0, 2.0]] * (len(here.intake.names) - len(columns))
    names = sorted(here.intake.names, key=lambda name: name != "site")
    table = FRAME.iloc[:4].assign(**dict(zip(names, columns, strict=True)))[list(here.intake.names)]
    np.testing.assert_allclose(there.forward(table), here.forward(table), rtol=2e-6)


def test_a_file_is_read_where_keras_and_torch_cannot_be_imported(tmp_path):
    built = cases_keras.doubled(cases_keras.embedding)
    path = saved(built.network, "fresh")
    FRAME.to_csv(tmp_path / "data.csv", index=False)
    script = f"""
import sys
for name in ("keras", "torch", "tensorflow", "jax"):
    sys.modules[name] = None
import pandas as pd, numpy as np
import glmnet_bridge as gb
frame = pd.read_csv({str(tmp_path / "data.csv")!r})
frame["site"] = frame.site.astype("category")
found = gb.bridge("low ~ age + lwt + C(site)", frame, network={path!r}, inputs={built.inputs!r})
print(repr(found.table.as_glm.dropna().tolist()))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    live = gb.bridge(built.formula, CODED, network=built.network, inputs=built.inputs)
    np.testing.assert_allclose(json.loads(done.stdout), live.table.as_glm.dropna(), rtol=1e-12)


def test_every_layer_is_computed_by_numpy_too():
    assert set(numbers.NUMBERS) | {"Normalization"} == set(LAYERS)


# --- the model is left as it was -------------------------------------------------------------


def test_the_model_is_left_as_it_was():
    model = compiled(unit(layers().BatchNormalization(), layers().Dropout(0.5)), "bce", "adam")
    before = [weight.value.detach().clone() for weight in model.weights]
    modes = [module.training for module in model.modules()]
    first = bridge(model)
    assert [module.training for module in model.modules()] == modes
    assert all(weight.value.grad is None for weight in model.weights)
    assert all((weight.value == old).all() for weight, old in zip(model.weights, before, strict=True))
    assert bridge(model).network.llf == first.network.llf


def test_half_precision_is_read_with_its_own_tolerance():
    kind = "bfloat16"
    layer = layers().Dense(1, "sigmoid", dtype=kind)
    model = planted(keras().Sequential([entry(2), layers().Rescaling(0.01, dtype=kind), layer]))
    found = bridge(model)
    assert found.foreign.precision == 2.0**-7
    assert 1e-6 < found.agreement.rows < 0.05


# --- what was folded ---------------------------------------------------------------------------


def test_folded_layers_are_said():
    before = [layers().Normalization(name="norm"), layers().BatchNormalization(name="bn"), layers().Dropout(0.1)]
    found = " ".join(recognition.read(unit(*before)).folded)
    assert "Normalization 'norm' has mean 0 and variance 1: it was never adapted, and does nothing." in found
    assert "BatchNormalization 'bn' in inference mode: its running moments are taken as fixed" in found
    assert "is the identity at inference; in training it is a penalty without GLM counterpart." in found


def test_frozen_layers_are_fixed_numbers():
    model = unit(dense(2, name="still"))
    model.get_layer("still").trainable = False
    found = recognition.read(model)
    assert not any("still" in entry for entry in found.network.entries)
    assert "Dense 'still' is frozen (trainable=False): its weights are taken as fixed numbers." in found.folded


def test_frozen_normalisation_and_tables_are_fixed_numbers():
    code = entry(1, "site", "int32")
    table, norm = layers().Embedding(4, 2, name="table"), layers().BatchNormalization(name="bn")
    model = planted(keras().Model(code, dense(1, "sigmoid")(norm(layers().Flatten()(table(code))))))
    table.trainable = norm.trainable = False
    found = gb.bridge("low ~ site", CODED, network=model, inputs=["site"])
    assert len(found.foreign.theta) == 3
    assert sum("is frozen" in each for each in found.foreign.folded) == 2
    assert found.agreement.rows < 1e-6


def test_a_model_frozen_as_a_whole_is_read_as_learnt():
    model = unit()
    model.trainable = False
    found = recognition.read(model)
    assert len(found.theta) == 3
    assert "whole model is set trainable=False" in found.folded[0]


@pytest.mark.parametrize(("center", "scale"), [(True, True), (True, False), (False, True), (False, False)])
def test_batch_normalisation_with_and_without_its_weights(center, scale):
    layer = layers().BatchNormalization(center=center, scale=scale, name="bn")
    model = unit(layer)
    layer.moving_variance.assign([100.0, 400.0])
    found = bridge(model)
    names = [name for name in found.foreign.network.entries if "/bn/" in name]
    assert len(names) == 2 * (center + scale)
    assert found.agreement.rows < 1e-6


def test_normalisation_inverted_and_with_given_moments():
    given = layers().Normalization(mean=[40.0, 60.0], variance=[100.0, 0.0], name="given")
    back = layers().Normalization(mean=2.0, variance=4.0, invert=True, axis=None)
    plain = layers().Normalization(mean=40.0, variance=900.0)
    model = planted(functional(lambda x: dense(1, "sigmoid")(back(plain(x)))))
    assert bridge(model).agreement.random < 1e-6
    # a column without spread is divided by keras.config.epsilon(), not by 0
    found = recognition.read(planted(functional(lambda x: dense(1)(given(x)))))
    scale = found.network.layers[0].scale
    np.testing.assert_allclose(scale, [10.0, keras().config.epsilon()])


# --- several inputs -----------------------------------------------------------------------------


def two_inputs() -> Any:
    age, lwt = entry(1, "age"), entry(1, "lwt")
    joined = layers().Concatenate()([layers().Rescaling(0.1)(lwt), age])
    return planted(keras().Model([lwt, age], dense(1, "sigmoid")(joined)), size=0.1)


def test_inputs_called_like_columns_are_fed_by_name():
    """Whatever the order of the formula."""
    found = bridge(two_inputs(), "low ~ age + lwt")
    named = bridge(two_inputs(), "low ~ age + lwt", inputs={"age": ["age"], "lwt": ["lwt"]})
    pd_ = found.table.set_index("glm_term").as_glm
    assert found.network.llf == named.network.llf
    assert abs(pd_["lwt"]) < abs(pd_["age"])
    bare = FRAME.rename(columns={"age": "years"})
    other = gb.bridge("low ~ lwt + years", bare, network=two_inputs())  # no column is called so: the formula's order
    assert other.network.llf == found.network.llf


def test_rows_without_an_input_are_dropped():
    frame = FRAME.assign(lwt=FRAME.lwt.where(FRAME.index > 9))
    assert gb.bridge("low ~ age", frame, network=two_inputs()).network.nobs == len(FRAME) - 10


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"age": ["age"]}, "inputs= names age; the inputs of the network are lwt, age"),
        ({"age": ["age"], "lwt": ["lwt"], "x": ["dose"]}, "inputs= names age, lwt, x"),
        ({"age": ["age"], "lwt": ["lwt", "dose"]}, "inputs= for 'lwt': give 1 names or a table of 1 columns, not 2"),
        (["age", "lwt"], "Input 1 of the network is 'lwt', but inputs= has 'age' there"),
        (["lwt"], "The network takes 2 inputs .lwt, age., but it would be fed 1"),
        (np.ones((3, 2)), "inputs"),
    ],
)
def test_wrong_inputs_are_named(inputs, words):
    with pytest.raises((ArgumentError, DataError), match=words):
        bridge(two_inputs(), inputs=inputs)


def coded(count: int) -> Any:
    code = entry(1, "site", "int32")
    table = layers().Flatten()(layers().Embedding(count, 1, name="table")(code))
    return planted(keras().Model(code, dense(1, "sigmoid")(table)))


def test_codes_outside_a_table_are_named():
    with pytest.raises(DataError, match="Input 'site' has the value 3; Embedding 'table' knows the codes 0 to 2"):
        gb.bridge("low ~ site", CODED, network=coded(3), inputs=["site"])


def test_text_needs_codes():
    with pytest.raises(ArgumentError, match="'site', which holds text; the network takes numbers"):
        bridge(coded(4), "low ~ site", inputs=["site"])


# --- training -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "activation", "family", "likelihood"),
    [
        ("binary_crossentropy", "sigmoid", "binomial", True),
        ("bce", "sigmoid", "binomial", True),
        ("poisson", "exponential", "poisson", True),
        ("mse", None, "gaussian", True),
        ("mean_squared_error", "exponential", "gaussian", True),
        ("mse", "sigmoid", "binomial", False),
        ("hinge", None, None, False),
        ("mae", None, None, False),
        ("binary_crossentropy", None, None, False),
        ("binary_focal_crossentropy", "sigmoid", "binomial", False),
    ],
)
def test_family_and_likelihood_come_from_output_and_loss(loss, activation, family, likelihood):
    found = recognition.read(compiled(unit(activation=activation), loss))
    assert (found.family.name if found.family else None) == family
    assert found.schooling.likelihood == likelihood
    assert bool(found.schooling.notes) >= (not likelihood)


def test_a_loss_from_logits_has_the_sigmoid():
    loss = keras().losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1)
    found = recognition.read(compiled(unit(activation=None), loss))
    assert (found.family.name, found.activation) == ("binomial", "linear")
    assert (found.schooling.loss, found.schooling.smoothing) == ("binary_crossentropy", 0.1)
    twice = recognition.read(compiled(unit(), loss))
    assert not twice.schooling.likelihood
    assert "trained through two of them" in twice.schooling.notes[0]
    missing = recognition.read(compiled(unit(activation=None), "bce"))
    assert "Was from_logits=True meant?" in missing.schooling.notes[0]


@pytest.mark.parametrize("classes", [2, 3])
def test_softmax_of_the_model_or_of_its_loss(classes):
    for activation, logits in (("softmax", False), (None, True)):
        model = planted(keras().Sequential([entry(2), layers().Rescaling(0.01), dense(classes, activation)]))
        loss = keras().losses.SparseCategoricalCrossentropy(from_logits=logits)
        found = recognition.read(compiled(model, loss))
        assert found.activation == "softmax"
        assert found.network.outputs == classes
        assert found.schooling.likelihood
        table = FRAME[["age", "lwt"]]
        np.testing.assert_allclose(found.forward(table).sum(axis=1), 1.0, rtol=1e-6)
        assert any("takes logits" in each for each in found.folded) == logits


def test_without_compiling_nothing_is_known():
    found = recognition.read(unit())
    assert found.family is None
    assert (found.schooling.loss, found.schooling.optimiser, found.schooling.decay) == ("", "", None)


def test_an_optimiser_without_a_step_is_noted():
    notes = recognition.read(compiled(unit(), "bce", "adam")).schooling.notes
    assert notes == ("Adam has made no step: the weights are those that it began with, or were set by hand.",)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop"])
def test_decoupled_decay_has_no_meaning_as_a_penalty(name):
    model = compiled(unit(), "bce", getattr(keras().optimizers, name)(weight_decay=0.02))
    found = recognition.read(model).schooling
    assert found.decay is None
    assert (
        f"{name}'s weight_decay=0.02 is decoupled from the gradient: it has no meaning as a penalty" in found.notes[0]
    )


def penalised_score(model: Any, formula: str, scale: list[str]) -> np.ndarray:
    """d/d theta of total log-likelihood less penalty, in units of the score's size."""
    found = bridge(model, formula, inputs=scale)
    estimate, decay = found.network.estimate, found.foreign.schooling.decay
    n = found.network.nobs if decay.per_row else 1
    return (estimate.sums.score - n * decay.l2 * estimate.theta) / np.sqrt(np.diag(estimate.sums.expected))


def test_regularisers_are_penalties_on_the_total_likelihood():
    """l2 on the mean loss is 2 n l2: at Keras' own optimum the penalised score is 0; on the squared error, half."""
    penalty = keras().regularizers.L2(0.03)
    model = unit(layers().Rescaling([0.1, 0.5]), kernel_regularizer=penalty, bias_regularizer="l2")
    crossed = cases_keras.crossed
    inputs = cases_keras.columns("age", "dose")
    compiled(trained(model, inputs, FRAME.low, lambda y, p: crossed(y, p) + sum(model.losses)), "bce")
    assert np.abs(penalised_score(model, "low ~ age + dose", ["age", "dose"])).max() < 1e-4
    words = recognition.read(model).schooling.decay.words
    assert words == "kernel_regularizer of 'unit' (l2=0.03); bias_regularizer of 'unit' (l2=0.01)"
    model = unit(layers().Rescaling([0.1, 0.5]), activation=None, kernel_regularizer=penalty)
    compiled(trained(model, inputs, FRAME.weight, lambda y, m: (y - m) ** 2 + sum(model.losses)), "mse")
    assert np.abs(penalised_score(model, "weight ~ age + dose", ["age", "dose"])).max() < 1e-4


@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("nesterov", [False, True])
def test_weight_decay_of_sgd_is_a_ridge_that_momentum_weakens(momentum, nesterov):
    """Where its steps end, the penalised score is 0."""
    import torch

    optimiser = keras().optimizers.SGD(0.5, momentum=momentum, nesterov=nesterov, weight_decay=0.05)
    model = unit(layers().Rescaling(0.5), width=1)
    x, y = torch.as_tensor(cases_keras.columns("dose")), torch.as_tensor(FRAME.low.to_numpy(dtype=float, copy=True))
    optimiser.build(model.trainable_variables)
    for _ in range(400):
        mean = model(x)[:, 0]
        loss = cases_keras.crossed(y, mean).mean()
        gradients = torch.autograd.grad(loss, [each.value for each in model.trainable_variables])
        with torch.no_grad():
            optimiser.apply(gradients, model.trainable_variables)
    compiled(model, "bce", optimiser)
    assert np.abs(penalised_score(model, "low ~ dose", ["dose"])).max() < 1e-4
    decay = recognition.read(model).schooling.decay
    np.testing.assert_allclose(decay.l2, 0.05 * (1 - momentum))


def test_an_l1_counts_rows_once():
    model = compiled(unit(kernel_regularizer=keras().regularizers.L1L2(0.2, 0.3)), "bce")
    decay = recognition.read(model).schooling.decay
    np.testing.assert_allclose(decay.l1, [0.2, 0.2, 0.0])
    np.testing.assert_allclose(decay.l2, [0.6, 0.6, 0.0])
    assert decay.per_row


def test_what_has_no_counterpart_is_noted():
    options = {"activity_regularizer": "l2", "kernel_constraint": "non_neg"}
    model = unit(**options, kernel_regularizer=keras().regularizers.OrthogonalRegularizer())
    notes = " ".join(recognition.read(compiled(model, "hinge")).schooling.notes)
    assert "Dense 'unit' penalises its outputs (activity)" in notes
    assert "Dense 'unit' has the regulariser OrthogonalRegularizer on its kernel" in notes
    assert "Dense 'unit' keeps its kernel within NonNeg" in notes
    assert "The loss hinge behind sigmoid is not minus a log-likelihood." in notes


# --- refusals -----------------------------------------------------------------------------------


def subclassed() -> Any:
    class Own(keras().Model):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.inner = layers().Dense(1)

        def call(self, x: Any) -> Any:
            return self.inner(x)

    model = Own()
    model(np.ones((2, 2), dtype="float32"))
    return model


def shared() -> Any:
    layer = layers().Dense(2, name="both")
    return functional(lambda x: dense(1)(layers().Add()([layer(x), layer(layers().Rescaling(2.0)(x))])))


def shared_with_a_part() -> Any:
    layer = layers().Dense(2, name="both")
    part = keras().Sequential([entry(2), layer])
    return functional(lambda x: dense(1)(layers().Add()([layer(x), part(x)])))


def diverged() -> Any:
    model = unit()
    model.get_layer("unit").kernel.assign([[np.nan], [np.inf]])
    return model


def two_outputs() -> Any:
    x = entry(2, "x")
    return keras().Model(x, [dense(1)(x), dense(1)(x)])


def two_codes() -> Any:
    x = keras().Input((2,), dtype="int32")
    return keras().Model(x, dense(1)(layers().Flatten()(layers().Embedding(3, 1, name="table")(x))))


def product() -> Any:
    return functional(lambda x: dense(1)(layers().Multiply(name="times")([dense(2)(x), x])))


REFUSED = {
    "subclassed": (subclassed, "Own 'own' is a subclass of keras.Model: its graph is Python code. Rebuild it with the"),
    "no model": (lambda: layers().Dense(1), "network= is a keras Dense, not a model"),
    "not built": (lambda: keras().Sequential([dense(1)], name="bare"), "Sequential 'bare' was never built"),
    "empty": (lambda: keras().Sequential([], name="bare"), "Sequential 'bare' has no layers"),
    "unknown": (
        lambda: unit(layers().LayerNormalization(name="ln")),
        "LayerNormalization 'ln' is not read: it divides",
    ),
    "Python code": (lambda: unit(layers().Lambda(lambda x: x, name="own")), "Lambda 'own' is not read: it runs Python"),
    "operation": (
        lambda: functional(lambda x: dense(1)(keras().ops.log(x))),
        "Log 'log.*' is not read. Layers and operations that are read: Activation, ",
    ),
    "activation": (lambda: unit(dense(2, "elu", name="h")), "Dense 'h' has the activation 'elu', which is not read"),
    "slope": (lambda: unit(layers().LeakyReLU(name="l")), "LeakyReLU 'l' has the slope 0.3 below 0"),
    "ceiling": (lambda: unit(layers().ReLU(max_value=6.0, name="six")), "ReLU 'six' has a max_value or a threshold"),
    "two outputs": (two_outputs, "The model has 2 outputs; one is read"),
    "shared": (shared, "Dense 'both' is used more than once"),
    "shared with a part": (shared_with_a_part, "Dense 'both' is used more than once"),
    "diverged": (diverged, r"Weight .*unit/kernel\[0, 0\] is nan, and 1 more are not finite"),
    "codes": (two_codes, "Embedding 'table' is applied to 2 columns with the same table"),
    "product": (product, "Multiply 'times' multiplies computed values, which no GLM does"),
    "softmax of one": (lambda: unit(activation="softmax"), "Dense 'unit' is a softmax over one unit, which is 1"),
    "softmax inside": (lambda: unit(dense(2, "softmax", name="h")), "Dense 'h' applies 'softmax', which is not read"),
    "rows": (
        lambda: functional(lambda x: keras().ops.expand_dims(x, 0)),
        "ExpandDims 'expand_dims.*' mixes the rows of the data",
    ),
    "positions": (
        lambda: functional(lambda x: layers().Flatten()(layers().Dense(1, name="d")(layers().Reshape((2, 1))(x)))),
        "Dense 'd' is applied along the last axis of .2, 1. values, with the same weights each time",
    ),
    "open": (lambda: keras().Model(*[keras().Input((None,), name="any")] * 2), "its number of columns is open"),
    "strings": (lambda: keras().Model(*[keras().Input((1,), name="s", dtype="string")] * 2), "Input 's' takes strings"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_by_name(name):
    build, words = REFUSED[name]
    with pytest.raises(ReadError, match=words):
        recognition.read(build())


# --- files --------------------------------------------------------------------------------------


def changed(tmp_path: Path, change: Any, whole: str | None = None) -> str:
    """A file whose parts (name -> bytes) were changed."""
    with zipfile.ZipFile(whole or saved(unit(), "changed")) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    path = tmp_path / "changed.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return str(path)


def weights_changed(parts: dict[str, bytes], change: Any) -> None:
    import io

    import h5py

    memory = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(memory, "r+") as file:
        change(file)
    parts["model.weights.h5"] = memory.getvalue()


def renamed(parts: dict[str, bytes]) -> None:
    parts["config.json"] = parts["config.json"].replace(b'"unit"', b'"other"')


def widened(parts: dict[str, bytes]) -> None:
    parts["config.json"] = parts["config.json"].replace(b'"units": 1', b'"units": 2')


def linked(parts: dict[str, bytes]) -> None:
    import h5py

    def change(file: Any) -> None:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = h5py.ExternalLink("/etc/hostname", "/x")

    weights_changed(parts, change)


def emptied(parts: dict[str, bytes]) -> None:
    weights_changed(parts, lambda file: file["layers/dense/vars"].__delitem__("1"))


DAMAGED = {
    "of Keras 2": (
        lambda parts: parts.update({"metadata.json": b'{"keras_version": "2.15.0"}'}),
        "was written by Keras 2.15.0. Load it and save it again with Keras 3",
    ),
    "no weights": (lambda parts: parts.pop("model.weights.h5"), "is no Keras 3 file .*model.weights.h5"),
    "cut off": (
        lambda parts: parts.update({"model.weights.h5": parts["model.weights.h5"][:99]}),
        "model.weights.h5 in the file cannot be read",
    ),
    "of two models": (renamed, "belong to 'unit', but the configuration has 'other' there"),
    "of other shape": (widened, r"Dense 'unit' is fed 2 values and has 2 units, but its kernel has the shape \(2, 1\)"),
    "with a link": (linked, "layers/dense/vars/0 in the file is a link, which is not followed"),
    "without a bias": (emptied, "Dense 'unit' has 1 arrays where kernel, bias are expected"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_are_refused(name, tmp_path):
    change, words = DAMAGED[name]
    with pytest.raises(ReadError, match=words):
        recognition.read(changed(tmp_path, change))


def test_configurations_that_keras_never_wrote_are_refused(tmp_path):
    """Whatever entry is missing, the answer is a sentence, or the model itself."""
    whole = saved(unit(layers().BatchNormalization()), "whole")
    with zipfile.ZipFile(whole) as archive:
        text = archive.read("config.json").decode()
    outcomes = []
    for key in sorted(set(re.findall(r'"(\w+)":', text))):
        path = changed(tmp_path, lambda parts, key=key: parts.update(without(text, key)), whole)
        try:
            outcomes.append(len(recognition.read(path).theta))
        except ReadError as error:
            outcomes.append(str(error))
    assert 7 in outcomes
    assert sum("is not one that Keras 3 writes" in str(each) for each in outcomes) >= 3


def without(text: str, key: str) -> dict[str, bytes]:
    return {"config.json": text.replace(f'"{key}":', '"gone":').encode()}


def test_paths_that_are_no_models(tmp_path):
    with pytest.raises(ReadError, match="There is no file '.*lost.keras'"):
        bridge(tmp_path / "lost.keras")
    text = tmp_path / "text.keras"
    text.write_text("not a model")
    with pytest.raises(ReadError, match="is no Keras 3 file"):
        bridge(str(text))
    with pytest.raises(
        ArgumentError, match=r"network='model.h5' is a str, and no path of a file that is read: those end in .*\.keras"
    ):
        bridge("model.h5")


def test_a_subclass_in_a_file_has_no_graph():
    with pytest.raises(ReadError, match="holds a Own, a subclass of keras.Model"):
        recognition.read(saved(subclassed(), "own"))


def test_the_package_that_files_need_is_named(monkeypatch):
    path = saved(unit(), "needs")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(gb.errors.MissingExtraError, match=r"'h5py'.*glmnet_bridge\[keras\]"):
        recognition.read(path)
