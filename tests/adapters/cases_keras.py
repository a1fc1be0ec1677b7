"""Cases of Keras, live and in files."""

from __future__ import annotations

import functools
import os
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
from adapters.kit import FRAME, Case

FOLDER = tempfile.TemporaryDirectory()
CODED = FRAME.assign(site=FRAME.site.astype("category"))


@functools.cache
def keras() -> Any:
    """The package: seconds to import, so only where a case is built."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras
        import torch

        torch.set_num_threads(1)
    return keras


def layers() -> Any:
    return keras().layers


def entry(width: int, name: str | None = None, dtype: str | None = None) -> Any:
    return keras().Input((width,), name=name, dtype=dtype)


def dense(units: int, activation: str | None = None, **options: Any) -> Any:
    return layers().Dense(units, activation, **options)


def planted(model: Any, seed: int = 3, size: float = 0.4) -> Any:
    """Random weights in all that the model learns."""
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0.0, size, tuple(variable.shape)))
    return model


def trained(model: Any, inputs: Any, response: Any, loss: Any) -> Any:
    """The maximum of the likelihood, by LBFGS on the model itself in inference mode.

    Keras multiplies matrices of doubles in single precision; here it is kept from that.
    """
    import torch
    from keras.src.backend.common import dtypes

    planted(model, size=0.3)  # away from 0, which is a saddle where layers are stacked
    tensors = torch.utils._pytree.tree_map(torch.as_tensor, inputs)
    target = torch.as_tensor(np.array(response, dtype=float)).reshape(-1, 1)
    weights = [variable.value for variable in model.trainable_variables]

    def value() -> Any:
        for weight in weights:
            weight.grad = None
        found = loss(target, model(tensors, training=False)).mean()
        found.backward()
        return found

    with mock.patch.dict(dtypes.BIT64_TO_BIT32_DTYPE, float64="float64"):
        for _ in range(20):  # a search that stalls begins anew
            options = {"tolerance_grad": 1e-12, "tolerance_change": 0.0, "line_search_fn": "strong_wolfe"}
            torch.optim.LBFGS(weights, max_iter=60, history_size=30, **options).step(value)
            value()
            if max(float(weight.grad.abs().max()) for weight in weights) < 1e-10:
                break
    for weight in weights:
        weight.grad = None
    return model


def compiled(model: Any, loss: Any, optimizer: Any = "sgd") -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.compile(loss=loss, optimizer=optimizer)
    return model


def saved(model: Any, name: str) -> str:
    path = Path(FOLDER.name) / f"{name}.keras"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path)
    return str(path)


def crossed(y: Any, mean: Any) -> Any:
    """Cross-entropy of probabilities, finite where a step goes too far, and without the coarse clipping of Keras."""
    return -(y * mean.clamp(min=1e-300).log() + (1 - y) * (1 - mean).clamp(min=1e-16).log())


def columns(*names: str) -> np.ndarray:
    return FRAME[list(names)].to_numpy(dtype=float, copy=True)


def adapted(*names: str) -> Any:
    """A Normalization that has seen these columns."""
    found = layers().Normalization()
    found.build((None, len(names)))
    found.load_own_variables({"0": columns(*names).mean(axis=0), "1": columns(*names).var(axis=0), "2": 0})
    return found


# --- cases ----------------------------------------------------------------------------------


def sequential() -> Case:
    """The tutorials' own model: one unit."""
    names = ["age", "dose", "smoke"]
    scale = layers().Rescaling([0.1, 1.0, 1.0])
    model = keras().Sequential([entry(3), scale, dense(1, "sigmoid", name="unit")], name="tutorial")
    compiled(trained(model, columns(*names), FRAME.low, crossed), "binary_crossentropy")
    return Case(model, "low ~ age + dose + smoke", optimal=True, relations={"age": "scaled", "Intercept": "same"})


def logits() -> Case:
    """Adapted normalisation, and a loss that applies the sigmoid."""
    import torch

    names = ["age", "lwt", "dose"]
    model = keras().Sequential([entry(3), adapted(*names), dense(1)])
    loss = lambda y, eta: torch.nn.functional.softplus(eta) - y * eta  # noqa: E731
    trained(model, columns(*names), FRAME.low, loss)
    compiled(model, keras().losses.BinaryCrossentropy(from_logits=True))
    relations = {"age": "scaled", "lwt": "scaled", "Intercept": "combined"}
    return Case(model, "low ~ age + lwt + dose", optimal=True, relations=relations)


def _embedded() -> tuple[Any, dict[str, Any]]:
    numbers, code = entry(2, "numbers"), entry(1, "site", "int32")
    table = layers().Flatten()(layers().Embedding(4, 2, name="table")(code))
    joined = layers().Concatenate()([adapted("age", "lwt")(numbers), table])
    model = keras().Model({"numbers": numbers, "site": code}, dense(1, "sigmoid", name="out")(joined))
    codes = CODED.site.cat.codes.to_numpy().astype("int32")[:, None]
    trained(model, {"numbers": columns("age", "lwt"), "site": codes}, FRAME.low, crossed)
    return compiled(model, "binary_crossentropy"), {"numbers": ["age", "lwt"], "site": ["site"]}


def embedding() -> Case:
    """Two inputs, by name; a table of levels."""
    model, inputs = _embedded()
    relations = {"age": "same", "C(site)[T.north]": "combined"}
    return Case(model, "low ~ age + lwt + C(site)", inputs, CODED, optimal=True, relations=relations)


def encoding() -> Case:
    """One-hot of all levels beside a bias: one direction is redundant."""
    number, code = entry(1, "dose"), entry(1, "site", "int32")
    hot = layers().CategoryEncoding(num_tokens=4, output_mode="one_hot")(code)
    joined = layers().Concatenate()([hot, number])
    model = keras().Model([code, number], dense(1, "sigmoid")(joined))
    codes = CODED.site.cat.codes.to_numpy().astype("int32")[:, None]
    trained(model, [codes, columns("dose")], FRAME.low, crossed)
    return Case(model, "low ~ C(site) + dose", None, CODED, optimal=True, relations={"dose": "same"})


def _nested() -> Any:
    inner = keras().Sequential([entry(3), dense(3, name="first")], name="inner")
    x = entry(3, "x")
    norm = layers().BatchNormalization(dtype="float64", name="norm")
    out = dense(1, "sigmoid", name="last")(layers().Dropout(0.2)(norm(inner(x))))
    model = keras().Model(x, out)
    norm.moving_mean.assign([0.4, -0.2, 0.5])
    norm.moving_variance.assign([1.5, 0.5, 3.0])
    return model


def batch_normalisation() -> Case:
    """Stacked layers with a BatchNormalization, in part nested."""
    frame = FRAME.assign(decades=(FRAME.age - 45.0) / 10.0)
    model = trained(_nested(), frame[["dose", "smoke", "decades"]].to_numpy(copy=True), FRAME.low, crossed)
    return Case(model, "low ~ dose + smoke + decades", frame=frame, optimal=True)


def skips() -> Case:
    """Skip connections around a linear layer, a mean and a difference of two."""
    x = entry(3, "x")
    first, second = dense(3)(x), dense(3, use_bias=False)(x)
    added = layers().Add()([first, x])
    mean = layers().Average()([added, second])
    apart = layers().Subtract()([mean, x])
    model = planted(keras().Model(x, dense(1, "sigmoid")(layers().Concatenate()([apart, mean]))), size=0.1)
    return Case(model, "low ~ age + lwt + dose")


def operations() -> Case:
    """What Python's operators and keras.ops leave in the graph."""
    ops = keras().ops
    x = entry(4, "x")
    part = (x[:, 1:4] - np.array([45.0, 60.0, 0.0])) / np.array([10.0, 20.0, 1.0])
    joined = ops.concatenate([ops.expand_dims(x[:, 0], -1), part], axis=1)
    eta = dense(1, name="unit")(ops.reshape(joined, (-1, 4)))
    model = keras().Model(x, ops.sigmoid(ops.squeeze(2 * -eta + 1, -1)))
    inputs = ["smoke", "age", "lwt", "dose"]
    trained(model, columns(*inputs), FRAME.low, lambda y, mean: crossed(y[:, 0], mean))
    return Case(model, "low ~ smoke + age + lwt + dose", inputs, optimal=True, relations={"smoke": "scaled"})


def softmax() -> Case:
    """Two units: their difference counts."""
    model = keras().Sequential([entry(2), layers().Rescaling(0.1, -2.0), dense(2, "softmax")])
    trained(model, columns("age", "lwt"), FRAME.low, lambda y, p: -(y * p[:, 1:].log() + (1 - y) * p[:, :1].log()))
    compiled(model, "sparse_categorical_crossentropy")
    return Case(model, "low ~ age + lwt", optimal=True, relations={"age": "combined"})


def counts() -> Case:
    """An exponential unit and Keras' Poisson loss."""
    model = keras().Sequential([entry(2), adapted("age", "dose"), dense(1, "exponential")])
    trained(model, columns("age", "dose"), FRAME.visits, lambda y, mean: mean - y * mean.log())
    return Case(compiled(model, "poisson"), "visits ~ age + dose", optimal=True)


def line() -> Case:
    """Least squares, through a linear layer of two units."""
    model = keras().Sequential([entry(3), adapted("age", "lwt", "smoke"), dense(2), dense(1)])
    trained(model, columns("age", "lwt", "smoke"), FRAME.weight, lambda y, mean: (y - mean) ** 2)
    return Case(compiled(model, "mse"), "weight ~ age + lwt + smoke", optimal=True)


def bins() -> Case:
    """Bins of a raw input, looked up in a table, beside the input itself."""
    x = entry(1, "age")
    cut = layers().Discretization([35.0, 45.0, 55.0])(x)
    table = layers().Flatten()(layers().Embedding(4, 1)(cut))
    scaled = adapted("age")(x)
    model = keras().Model(x, dense(1, "sigmoid")(layers().Concatenate()([scaled, table])))
    return Case(trained(model, columns("age"), FRAME.low, crossed), "low ~ age", ["age"], optimal=True)


def frozen() -> Case:
    """A first layer that training leaves alone."""
    model = keras().Sequential([entry(2), dense(2, name="still"), dense(1, "sigmoid")])
    planted(model, size=0.05)
    model.get_layer("still").trainable = False
    return Case(model, "low ~ age + lwt")


def rounded() -> Case:
    """Weights and all else in single precision."""
    names = ["age", "lwt", "smoke"]
    parts = lambda kind: [  # noqa: E731
        entry(3, dtype=kind),
        layers().Rescaling([0.1, 0.05, 1.0], [-4.5, -3.0, 0.0], dtype=kind),
        layers().Dense(1, "sigmoid", dtype=kind),
    ]
    exact = trained(keras().Sequential(parts("float64")), columns(*names), FRAME.low, crossed)
    model = keras().Sequential(parts("float32"))
    for coarse, variable in zip(model.weights, exact.weights, strict=True):
        coarse.assign(variable.value)
    return Case(model, "low ~ age + lwt + smoke", optimal=True)


def hidden() -> Case:
    """Hidden units of three kinds: not a GLM."""
    x = entry(2, "x")
    parts = [dense(2, "tanh")(x), layers().ReLU()(dense(2)(x))]
    parts.append(layers().LeakyReLU(negative_slope=0.01)(dense(1)(x)))
    out = dense(1, "sigmoid")(layers().Concatenate()(parts))
    return Case(planted(keras().Model(x, out), size=0.05), "low ~ age + dose")


@functools.cache
def doubled(build: Callable[[], Case]) -> Case:
    """The case with weights in double precision, whatever the session's own is."""
    config = keras().config
    floatx, policy = config.floatx(), config.dtype_policy()
    config.set_floatx("float64")
    config.set_dtype_policy("float64")
    try:
        return build()
    finally:
        config.set_floatx(floatx)
        config.set_dtype_policy(policy)


def live(build: Callable[[], Case]) -> Case:
    """The model itself: it computes in single precision."""
    return replace(doubled(build), single=True)


def stored(build: Callable[[], Case]) -> Case:
    """Its file: computed in double precision."""
    found = doubled(build)
    return replace(found, network=saved(found.network, build.__name__))


BUILT = (
    sequential,
    logits,
    embedding,
    encoding,
    batch_normalisation,
    skips,
    operations,
    softmax,
    counts,
    line,
    bins,
    frozen,
    hidden,
)
CASES = (
    {"rounded": functools.partial(live, rounded)}
    | {each.__name__: functools.partial(live, each) for each in BUILT}
    | {f"{each.__name__}, file": functools.partial(stored, each) for each in BUILT}
)
