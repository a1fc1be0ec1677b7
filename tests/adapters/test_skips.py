"""Skip connections: units, last layer and skip part are the same however a graph adds or joins its ways to the output.

The features of each graph are computed by hand, from its weights, and given to `gb.fit`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import glmnet_bridge as gb

# the weights are random: in another order of the inputs they may do better
pytestmark = pytest.mark.filterwarnings("ignore:In the order")
COLUMNS = ["x", "z"]
FUNCTIONS = {"tanh": np.tanh, "relu": lambda v: np.maximum(v, 0.0), "sigmoid": lambda v: 1.0 / (1.0 + np.exp(-v))}


def made(n: int = 400) -> pd.DataFrame:
    """Two numbers, a response that bends in them, and one of three classes."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.normal(size=(n, 2)), columns=COLUMNS)
    bent = np.abs(frame.x) - 0.5 * frame.z
    logits = np.column_stack([np.zeros(n), bent - 1.0, frame.x - frame.z**2]) + rng.gumbel(size=(n, 3))
    return frame.assign(
        y=(rng.random(n) < 1 / (1 + np.exp(1.0 - bent))).astype(int),
        of=np.array(["a", "b", "c"])[logits.argmax(axis=1)],
    )


FRAME = made()
X = FRAME[COLUMNS].to_numpy()


def check(bridge: gb.Bridge, features: np.ndarray, skip: np.ndarray | None, response: str = "y") -> None:
    """The last layer is the GLM on these features, and the skip part has these coefficients `(2,)` or `(2, k)`."""
    fit = bridge.last_layer
    family = "binomial" if response == "y" else "multinomial"
    by_hand = gb.fit(features, FRAME[response], family)
    assert fit.converged and by_hand.converged and len(fit.params) == len(by_hand.params)
    # the columns may come in another order: they are told apart by their estimates
    ours, theirs = (np.array(sorted(zip(each.params, each.bse, strict=True))) for each in (fit, by_hand))
    np.testing.assert_allclose(ours, theirs, rtol=1e-7)
    assert fit.llf == pytest.approx(by_hand.llf, rel=1e-11)
    raw = sum(name.split(": ")[-1] in COLUMNS for name in fit.names) / max(len(bridge.glm.estimate.model.outputs), 1)
    assert raw == (0 if skip is None else 2) and len(bridge.units) == features.shape[1] - raw
    table = bridge.table.query("glm_term != ''").set_index("glm_term")
    if skip is None:
        assert table.as_glm.isna().all() and set(table.relation) == {"glm only"}
        return
    found = table.as_glm[~table.index.str.contains("Intercept")].to_numpy()
    np.testing.assert_allclose(found, np.ravel(skip, order="F"), rtol=1e-6)


# --- PyTorch, and what it exports to ONNX --------------------------------------------------------


def act(self, v):
    import torch

    return getattr(torch, self.kind)(v)


def joined(*parts):
    import torch

    return torch.cat(parts, dim=1)


def first(self, x):
    return act(self, self.h(x))


def second(self, h):
    return act(self, self.g(h))


def past(front: bool, raw: bool):
    """The first layer's units go past the second, as the raw inputs may."""

    def way(self, x):
        h = first(self, x)
        if raw:
            return self.p(h) + self.s(x) + self.o(second(self, h))
        return self.p(h) + self.o(second(self, h)) if front else self.o(second(self, h)) + self.p(h)

    return way


def dense(self, x):
    near = joined(x, first(self, x))
    return self.out(joined(near, act(self, self.wide(near))))


def block(self, x):
    """A residual block whose sum goes on."""
    z = self.k(x)
    return self.last(z + act(self, self.r(z)))


H = lambda line, f: f(line("h", X))  # noqa: E731
G = lambda line, f: f(line("g", H(line, f)))  # noqa: E731
NEAR = lambda line, f: np.column_stack([X, H(line, f)])  # noqa: E731

# name: what is computed; its features, from `line` (a layer's sums, by hand) and f; the layers that skip, or None
WAYS = {
    "a skip behind": (lambda s, x: s.o(first(s, x)) + s.s(x), NEAR, ["s"]),
    "a skip in front": (lambda s, x: s.s(x) + s.o(first(s, x)), NEAR, ["s"]),
    "a trunk of two layers": (
        lambda s, x: s.o(second(s, first(s, x))) + s.s(x), lambda line, f: np.column_stack([X, G(line, f)]), ["s"]
    ),
    "several skips": (lambda s, x: s.s(x) + s.o(first(s, x)) + s.t(x), NEAR, ["s", "t"]),
    "past the second layer": (
        past(front=False, raw=False),
        lambda line, f: np.column_stack([H(line, f), G(line, f)]),
        None,
    ),
    "past the second layer, in front": (
        past(front=True, raw=False),
        lambda line, f: np.column_stack([H(line, f), G(line, f)]),
        None,
    ),
    "past every layer": (
        past(front=True, raw=True),
        lambda line, f: np.column_stack([X, H(line, f), G(line, f)]),
        ["s"],
    ),
    "two towers": (
        lambda s, x: s.o(first(s, x)) + s.p(act(s, s.k3(x))),
        lambda line, f: np.column_stack([H(line, f), f(line("k3", X))]),
        None,
    ),
    "added before the activation": (
        lambda s, x: s.o(act(s, s.h(x) + s.k3(x))), lambda line, f: f(line("h", X) + line("k3", X)), None
    ),
}  # fmt: skip


def network(way, kind: str, outputs: int = 1, seed: int = 1):
    """A module in double precision; weights large enough that the units bend."""
    torch = pytest.importorskip("torch")
    nn = torch.nn
    widths = {
        "h": (2, 3), "g": (3, 3), "k3": (2, 3), "k": (2, 2), "r": (2, 2), "o": (3, outputs), "p": (3, outputs),
        "s": (2, outputs), "t": (2, outputs), "both": (5, outputs), "wide": (5, 3), "out": (8, outputs),
        "last": (2, outputs),
    }  # fmt: skip

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.kind = kind
            for name, (d, k) in widths.items():
                setattr(self, name, nn.Linear(d, k))

        def forward(self, x):
            out = way(self, x)
            return torch.softmax(out, dim=1) if outputs > 1 else torch.sigmoid(out)

    model = Net().double().eval()
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for each in model.parameters():
            each.copy_(torch.tensor(rng.normal(0.0, 0.9, tuple(each.shape))))
        # no ReLU is dead, and none passes every row
        model.g.weight.copy_(torch.tensor([[1.0, -0.8, 0.2], [-0.7, 0.9, -0.5], [0.4, -0.9, 0.8]]))
        model.g.bias.fill_(0.1)
    return model


def by_hand(model):
    """A layer's sums of some columns, in numpy."""
    weights = {name: each.detach().numpy() for name, each in model.named_parameters()}
    return lambda name, v: v @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def skipping(model, names) -> np.ndarray | None:
    """What the skipping layers have in all: `(2, k)`, of several outputs less that of the first one."""
    if names is None:
        return None
    total = sum(getattr(model, name).weight.detach().numpy().T for name in names)
    return total if total.shape[1] == 1 else total[:, 1:] - total[:, :1]


def read(model, response: str = "y") -> gb.Bridge:
    return gb.bridge(f"{response} ~ x + z", FRAME, network=model, inputs=COLUMNS)


@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize("name", WAYS)
def test_torch(name, kind):
    way, features, skips = WAYS[name]
    model = network(way, kind)
    check(read(model), features(by_hand(model), FUNCTIONS[kind]), skipping(model, skips))


@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize("in_front", [True, False])
def test_concatenation_in_either_order(in_front, kind):
    def way(self, x):
        return self.both(joined(*[x, first(self, x)][:: 1 if in_front else -1]))

    model = network(way, kind)
    skip = model.both.weight.detach().numpy()[:, :2] if in_front else model.both.weight.detach().numpy()[:, 3:]
    check(read(model), NEAR(by_hand(model), FUNCTIONS[kind]), skip.T)


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_every_layer_fed_to_every_later_one(kind):
    model, f = network(dense, kind), FUNCTIONS[kind]
    line = by_hand(model)
    near = NEAR(line, f)
    features = np.column_stack([near, f(line("wide", near))])
    check(read(model), features, model.out.weight.detach().numpy()[:, :2].T)


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_a_residual_block(kind):
    """What the block carries on is affine in the inputs."""
    model, f = network(block, kind), FUNCTIONS[kind]
    line = by_hand(model)
    features = np.column_stack([X, f(line("r", line("k", X)))])
    w = {name: getattr(model, name).weight.detach().numpy() for name in ("k", "last")}
    check(read(model), features, (w["last"] @ w["k"]).T)


@pytest.mark.parametrize("name", ["a skip behind", "a skip in front", "past every layer", "two towers"])
def test_several_outputs(name):
    way, features, skips = WAYS[name]
    model = network(way, "tanh", outputs=3)
    check(read(model, "of"), features(by_hand(model), np.tanh), skipping(model, skips), "of")


@pytest.mark.parametrize("name", ["a skip behind", "a skip in front", "past every layer", "several skips"])
def test_onnx(name):
    cases = pytest.importorskip("adapters.cases_onnx")
    torch = pytest.importorskip("torch")
    way, features, skips = WAYS[name]
    model = network(way, "relu")
    found = cases.exported(model, (torch.zeros(2, 2, dtype=torch.float64),), ["x"])
    check(read(found), features(by_hand(model), FUNCTIONS["relu"]), skipping(model, skips))


def test_the_order_of_a_sum_changes_nothing():
    one, other = (read(network(WAYS[name][0], "tanh")) for name in ("a skip behind", "a skip in front"))
    assert one.last_layer.names == other.last_layer.names == ("Intercept", *COLUMNS, "unit 0", "unit 1", "unit 2")
    np.testing.assert_array_equal(one.last_layer.params, other.last_layer.params)
    pd.testing.assert_frame_equal(one.units, other.units)
    np.testing.assert_allclose(one.table.as_glm[:3], other.table.as_glm[:3], rtol=1e-14)


@pytest.mark.parametrize("name", ["a skip behind", "a skip in front"])
def test_an_output_that_is_a_sum_is_named_by_all_its_layers(name):
    torch = pytest.importorskip("torch")
    model = network(WAYS[name][0], "tanh")
    with torch.no_grad():
        model.s.bias += 1e3
    (told,) = read(model).remarks.output
    assert "the sigmoid after 'o' and 's' is 0 or 1" in told or "the sigmoid after 's' and 'o' is 0 or 1" in told


def test_units_of_several_layers_are_named_with_their_layer():
    names = read(network(WAYS["past every layer"][0], "tanh")).last_layer.names
    assert names == ("Intercept", *COLUMNS, *(f"{layer} unit {j}" for layer in "hg" for j in range(3)))


# --- Keras -----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras itself, where it shows its weights
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("how", ["Add", "Concatenate", "Add of two layers"])
def test_keras(how, order):
    cases = pytest.importorskip("adapters.cases_keras")
    pytest.importorskip("keras")
    layers = cases.layers()
    x = cases.entry(2, "x")
    trunk = layers.Dense(3, "tanh", name="h")(x)
    if how == "Add of two layers":
        trunk = layers.Dense(3, "tanh", name="g")(trunk)
    if how == "Concatenate":
        out = layers.Dense(1, name="both")(layers.Concatenate()([trunk, x][::order]))
    else:
        out = layers.Add()([layers.Dense(1, name="o")(trunk), layers.Dense(1, name="s")(x)][::order])
    model = cases.planted(cases.keras().Model(x, layers.Activation("sigmoid")(out)), size=0.9)
    weights = {each.path: cases.keras().ops.convert_to_numpy(each).astype(float) for each in model.variables}
    units = np.tanh(X @ weights["h/kernel"] + weights["h/bias"])
    if how == "Add of two layers":
        units = np.tanh(units @ weights["g/kernel"] + weights["g/bias"])
    skip = weights["both/kernel"][3:] if how == "Concatenate" else weights["s/kernel"]
    skip = weights["both/kernel"][:2] if how == "Concatenate" and order < 0 else skip
    check(read(model), np.column_stack([X, units]), skip)
