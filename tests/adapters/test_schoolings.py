"""What a caller says of a training: networks trained with PyTorch to their end, and each cause found by its share.

Trained by L-BFGS in double precision, until the gradient is rounding: what is left to the optimum of their own loss
is less than 1e-4 standard errors, where an optimum is as sharp as here (loss rounding 1e-16, its root in the weights).
"""

from __future__ import annotations

import functools
import os
import re

import numpy as np
import pandas as pd
import pytest

import glmnet_bridge as gb
from glmnet_bridge.adapters import objectives, optimisers, recognition, schoolings
from glmnet_bridge.errors import ArgumentError, ReadError
from glmnet_bridge.model import families, losses

os.environ.setdefault("KERAS_BACKEND", "torch")
torch = pytest.importorskip("torch")
nn, functional = torch.nn, torch.nn.functional
torch.manual_seed(0)  # networks made here, before any test, are the same in every run

N, LEFT = 240, 1e-4  # rows, and standard errors to the optimum of a network's own loss
RNG = np.random.default_rng(5)
X = RNG.normal(size=(N, 2))
ETA = 0.4 + X @ np.array([0.5, -0.4])
CLASS = np.column_stack([np.zeros(N), ETA, 0.2 - ETA]) + RNG.gumbel(size=(N, 3))
FRAME = pd.DataFrame(
    {
        "a": X[:, 0],
        "b": X[:, 1],
        "y": (RNG.random(N) < 1 / (1 + np.exp(-ETA))).astype(int),
        "visits": RNG.poisson(np.exp(0.3 * ETA)),
        "size": ETA + RNG.normal(size=N),
        "share": RNG.binomial(8, 1 / (1 + np.exp(-ETA))) / 8,
        "class_": np.array(["home", "icu", "ward"])[CLASS.argmax(axis=1)],
    }
)


@pytest.fixture(autouse=True)
def quiet():
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def linear(units: int = 1, *ends) -> nn.Module:
    return nn.Sequential(nn.Linear(2, units), *ends).double()


def target(name: str, codes: bool = False):
    column = FRAME[name]
    if codes:
        return torch.tensor(np.unique(column, return_inverse=True)[1])
    return torch.tensor(column.to_numpy(dtype=float)[:, None])


def trained(net, loss, y, decay: float = 0.0):
    """To the end of the loss and half the decay times all squared weights: what SGD and Adam add to the gradient."""
    learner = torch.optim.LBFGS(
        net.parameters(), max_iter=3000, max_eval=6000, tolerance_grad=1e-14, tolerance_change=0.0,
        history_size=30, line_search_fn="strong_wolfe",
    )  # fmt: skip
    x = torch.tensor(X)

    def closure():
        learner.zero_grad()
        value = loss(net(x), y) + decay / 2 * sum((each**2).sum() for each in net.parameters())
        value.backward()
        return value

    learner.step(closure)
    return net


def sgd(net, decay: float, **options):
    return torch.optim.SGD(net.parameters(), lr=0.1, weight_decay=decay, **options)


def found(br, left: float = LEFT) -> dict[str, float]:
    """The shares of the causes, once it is sure that they are all of the gap but for rounding."""
    table = br.causes.set_index("cause")
    assert table["share"].sum() == pytest.approx(1.0, abs=1e-9)
    assert abs(table["distance"]["training"]) < left, table
    assert br.distances.joint > 0.05
    return {name: share for name, share in table["share"].items() if abs(share) > 1e-3}


def weights(*values: float):
    return torch.tensor(values, dtype=torch.float64)


# --- each cause -----------------------------------------------------------------------------------

UNDONE = {
    "weight decay": (lambda: linear(), nn.BCEWithLogitsLoss(), ("y",), 0.02, ["penalty"]),
    "of a sum": (lambda: linear(), nn.BCEWithLogitsLoss(reduction="sum"), ("y",), 4.0, ["penalty"]),
    "of probabilities": (lambda: linear(1, nn.Sigmoid()), nn.BCELoss(), ("y",), 0.02, ["penalty"]),
    "of squares": (lambda: linear(), nn.MSELoss(), ("size",), 0.03, ["penalty"]),
    "of a sum of squares": (lambda: linear(), nn.MSELoss(reduction="sum"), ("size",), 9.0, ["penalty"]),
    "of counts": (lambda: linear(), nn.PoissonNLLLoss(full=True), ("visits",), 0.05, ["penalty"]),
    "pos_weight": (lambda: linear(), nn.BCEWithLogitsLoss(pos_weight=weights(3.0)), ("y",), 0.0, ["class weights"]),
    "pos_weight and weight decay": (
        lambda: linear(), nn.BCEWithLogitsLoss(pos_weight=weights(3.0)), ("y",), 0.02, ["penalty", "class weights"],
    ),
    "class weights": (
        lambda: linear(2), nn.CrossEntropyLoss(weight=weights(1.0, 4.0)), ("y", True), 0.0, ["class weights"],
    ),
    "label smoothing": (
        lambda: linear(2), nn.CrossEntropyLoss(label_smoothing=0.2), ("y", True), 0.0, ["label smoothing"],
    ),
    "all at once": (
        lambda: linear(2), nn.CrossEntropyLoss(weight=weights(1.0, 4.0), label_smoothing=0.2), ("y", True), 0.02,
        ["penalty", "label smoothing", "class weights"],
    ),
    "of log-probabilities": (
        lambda: linear(2, nn.LogSoftmax(1)), nn.NLLLoss(weight=weights(2.0, 0.5)), ("y", True), 0.02,
        ["penalty", "class weights"],
    ),
    "three classes": (
        lambda: linear(3), nn.CrossEntropyLoss(weight=weights(1.0, 4.0, 0.5), label_smoothing=0.1), ("class_", True),
        0.03, ["penalty", "label smoothing", "class weights"],
    ),
    "squares of a sigmoid": (lambda: linear(1, nn.Sigmoid()), nn.MSELoss(), ("y",), 0.01, ["penalty", "loss"]),
    "squares of a softmax": (lambda: linear(2, nn.Softmax(1)), nn.MSELoss(), ("pair",), 0.01, ["penalty", "loss"]),
    "two softmaxes": (lambda: linear(2, nn.Softmax(1)), nn.CrossEntropyLoss(), ("y", True), 0.005, ["loss", "penalty"]),
    "two softmaxes, three classes": (
        lambda: linear(3, nn.Softmax(1)), nn.CrossEntropyLoss(), ("class_", True), 0.005, ["loss", "penalty"],
    ),
    "two sigmoids": (lambda: linear(1, nn.Sigmoid()), nn.BCEWithLogitsLoss(), ("y",), 0.005, ["loss", "penalty"]),
}  # fmt: skip


@pytest.mark.parametrize("name", UNDONE)
def test_undoing_the_causes_explains_the_gap(name):
    make, loss, (column, *codes), decay, expected = UNDONE[name]
    y = torch.cat([1 - target("y"), target("y")], 1) if column == "pair" else target(column, *codes)
    net = trained(make(), loss, y, decay)
    column = "y" if column == "pair" else column
    optimizer = sgd(net, decay, momentum=0.9) if decay else None
    br = gb.bridge(f"{column} ~ a + b", FRAME, network=net, loss=loss, optimizer=optimizer)
    assert list(found(br)) == expected
    assert f"trained for {type(loss).__name__}" in " ".join(br.notes)


def test_the_family_is_what_the_loss_says():
    """A bare output alone leaves it to the caller, who may say nothing: binomial."""
    said = {"y": nn.BCEWithLogitsLoss(), "visits": nn.PoissonNLLLoss(), "size": nn.MSELoss()}
    for column, loss in said.items():
        br = gb.bridge(f"{column} ~ a + b", FRAME, network=trained(linear(), loss, target(column)), loss=loss)
        assert br.distances.joint < LEFT
    assert br.network.family == families.gaussian()
    net = trained(linear(1), lambda out, y: functional.poisson_nll_loss(torch.log(out.exp()), y), target("visits"))
    read = recognition.read(nn.Sequential(net, Exponential()), {"told": schoolings.told("PoissonNLLLoss", None)})
    assert not read.schooling.likelihood and "PoissonNLLLoss behind exponential" in read.schooling.notes[0]
    read = recognition.read(
        nn.Sequential(net, Exponential()), {"told": schoolings.told("PoissonNLLLoss(log_input=False)", None)}
    )
    assert read.schooling.likelihood and repr(read.family) == "poisson(link='log')"


class Exponential(nn.Module):
    def forward(self, x):
        return torch.exp(x)


@pytest.mark.parametrize("levels", [(0, 1), ("no", "yes")])
@pytest.mark.parametrize("event", [0, 1])
def test_pos_weight_is_of_the_level_that_the_output_speaks_of(levels, event):
    loss = nn.BCEWithLogitsLoss(pos_weight=weights(3.0))
    net = trained(linear(), loss, target("y"))
    frame = FRAME.assign(y=np.array(levels, dtype=object)[FRAME.y] if levels[0] == "no" else FRAME.y)
    br = gb.bridge("y ~ a + b", frame, network=net, loss=loss, event=levels[event])
    assert list(found(br)) == ["class weights"]


def test_class_weights_go_by_the_order_of_the_outputs():
    loss = nn.CrossEntropyLoss(weight=weights(1.0, 4.0, 0.5))
    net = trained(linear(3), loss, target("class_", True))
    br = gb.bridge("class_ ~ a + b", FRAME, network=net, loss=loss, base="ward")
    assert list(found(br)) == ["class weights"]


def test_pos_weight_beside_proportions():
    """Each part of a proportion counts by its own class's weight, as in the loss."""
    loss = nn.BCEWithLogitsLoss(pos_weight=weights(3.0))
    net = trained(linear(), loss, target("share"))
    br = gb.bridge("share ~ a + b", FRAME, network=net, loss=loss, trials=np.full(N, 8))
    assert list(found(br)) == ["class weights"]


def test_a_loss_without_a_known_optimum_is_one_cause():
    br = gb.bridge("y ~ a + b", FRAME, network=linear(), loss=nn.HuberLoss(), family="binomial")
    assert br.causes["cause"].tolist() == ["loss and training"]
    assert br.causes["explanation"][0].startswith("HuberLoss is not minus a log-likelihood")


def test_a_loss_of_another_family_is_a_cause():
    """Squared errors of a yes and no, read as a binomial model with identity link."""
    frame = FRAME.assign(y=(RNG.random(N) < 0.5 + 0.05 * FRAME.a).astype(int))
    net = trained(linear(), nn.MSELoss(), torch.tensor(frame.y.to_numpy(dtype=float)[:, None]), 0.05)
    br = gb.bridge(
        "y ~ a + b", frame, "binomial", "identity", network=net, loss="MSELoss", optimizer="SGD(weight_decay=0.05)"
    )
    assert set(found(br)) == {"penalty", "loss"}
    assert "is that of gaussian(link='identity'), not of binomial(link='identity')" in " ".join(br.notes)


@pytest.mark.parametrize(("link", "kernel"), [("sigmoid", losses.twice), ("sigmoid", losses.twice_softmax)])
def test_two_activations_of_one_column(link, kernel):
    """Score and likelihood as PyTorch has them."""
    eta, y = np.linspace(-4, 4, 9)[:, None], np.tile([0.0, 1.0, 0.3], 3)[:, None]
    z = torch.tensor(eta, requires_grad=True)
    p = torch.sigmoid(z)
    logit = p if kernel is losses.twice else 2 * p - 1
    value = -functional.binary_cross_entropy_with_logits(logit, torch.tensor(y), reduction="none")
    value.sum().backward()
    local = kernel(families.LINKS["logit"])(y, eta)
    np.testing.assert_allclose(local.score, z.grad.numpy(), rtol=1e-12)
    # ours is relative to the saturated model
    np.testing.assert_allclose(np.diff(local.loglik[::3], axis=0), np.diff(value.detach()[::3], axis=0), rtol=1e-10)


def test_two_softmaxes_of_three_classes():
    eta, y = RNG.normal(size=(6, 2)), np.eye(3)[[0, 1, 2, 0, 1, 2]]
    z = torch.tensor(np.column_stack([np.zeros(6), eta]), requires_grad=True)
    value = -functional.cross_entropy(torch.softmax(z, 1), torch.tensor(y), reduction="none")
    value.sum().backward()
    local = losses.twice_softmax(families.multinomial().link)(y[:, 1:], eta)
    np.testing.assert_allclose(local.score, z.grad[:, 1:].numpy(), rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(local.loglik[:, 0], value.detach(), rtol=1e-12)
    assert np.linalg.eigvalsh(local.expected).min() >= 0


# --- optimisers -----------------------------------------------------------------------------------


def steps(net, optimizer, count: int, loss=nn.BCEWithLogitsLoss()):  # noqa: B008 - it has no state
    fade = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.98 if "Adam" in type(optimizer).__name__ else 1.0)
    for _ in range(count):
        optimizer.zero_grad()
        loss(net(torch.tensor(X)), target("y")).backward()
        optimizer.step()
        fade.step()


def test_a_weight_decay_of_some_parameters():
    """Trained by SGD itself, the bias free: its group has no decay."""
    net = linear()
    groups = [{"params": [net[0].weight], "weight_decay": 0.1}, {"params": [net[0].bias]}]
    optimizer = torch.optim.SGD(groups, lr=1.0, momentum=0.5, nesterov=True)
    steps(net, optimizer, 800)
    br = gb.bridge("y ~ a + b", FRAME, network=net, loss=nn.BCEWithLogitsLoss(), optimizer=optimizer)
    assert list(found(br)) == ["penalty"]
    assert "penalised GLM (SGD weight_decay=0.1 on 0.weight)" in br.verdict
    l2 = dict(zip(br.foreign.network.entries, br.foreign.schooling.decay.l2, strict=True))
    assert l2 == {"0.weight[0, 0]": 0.1, "0.weight[0, 1]": 0.1, "0.bias[0]": 0.0}
    penalty = gb.penalties.translate("torch SGD weight_decay", 0.1, n=N, intercept=False).penalty()
    np.testing.assert_allclose(br.network.params, gb.glm("y ~ a + b", FRAME, penalty=penalty).params, atol=1e-9)


def test_adam_adds_its_decay_to_the_gradient_and_adamw_does_not():
    """Adam's steps end as its rate fades, 1e-3 SE from the end; AdamW is on its way to the maximum likelihood."""
    shares = {}
    for name, options in {"Adam": {}, "AdamW": {}, "NAdam": {"decoupled_weight_decay": True}}.items():
        net = linear()
        optimizer = getattr(torch.optim, name)(net.parameters(), lr=0.1, weight_decay=0.1, **options)
        steps(net, optimizer, 700)
        shares[name] = gb.bridge("y ~ a + b", FRAME, network=net, loss="BCEWithLogitsLoss", optimizer=optimizer)
    assert list(found(shares["Adam"], 1e-3)) == ["penalty"]
    for name in ("AdamW", "NAdam"):
        br = shares[name]
        assert br.distances.joint < 0.1 * shares["Adam"].distances.joint and br.foreign.schooling.decay is None
        assert f"{name}'s weight_decay=0.1 is decoupled from the gradient: it has no meaning as a" in " ".join(br.notes)
        assert "weights of at most 10 in size" in " ".join(br.notes)
        assert "penalty" not in br.causes["cause"].tolist()
        assert f"kept from it by the decoupled weight decay of {name}" in br.causes["explanation"][0]
        assert f"kept from its optimum by the decoupled weight decay of {name}, which is no penalty" in br.verdict


def test_parameters_that_the_optimiser_never_had():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)).double()
    read = recognition.read(net, {"told": schoolings.told("BCEWithLogitsLoss", sgd(net[1], 0.1))})
    assert "0.weight, 0.bias are not among the parameters of SGD: it never moved them." in read.schooling.notes
    assert dict(zip(read.network.entries, read.schooling.decay.l2 > 0, strict=True))["0.bias[0]"] == np.False_
    frozen = linear()
    frozen[0].bias.requires_grad_(False)
    read = recognition.read(frozen, {"told": schoolings.told("BCEWithLogitsLoss", sgd(frozen, 0.1))})
    assert read.schooling.decay.l2.tolist() == [0.1, 0.1]


def test_an_optimiser_of_a_copy():
    net = linear()
    there, weighed = sgd(linear(), 0.1), linear()
    read = recognition.read(net, {"told": schoolings.told("BCEWithLogitsLoss", there)})
    assert read.schooling.decay.l2.tolist() == [0.1] * 3
    assert "The parameters of SGD are not those of the network" in read.schooling.notes[0]
    groups = [{"params": [weighed[0].weight], "weight_decay": 0.1}, {"params": [weighed[0].bias]}]
    with pytest.raises(ArgumentError, match="groups of parameters with several weight decays"):
        recognition.read(net, {"told": schoolings.told("BCEWithLogitsLoss", torch.optim.SGD(groups, lr=0.1))})
    # weights apart from the module: paths are the same
    read = recognition.read((weighed, net.state_dict()), {"told": schoolings.told(nn.BCEWithLogitsLoss(),
                                                                                 torch.optim.SGD(groups))})  # fmt: skip
    assert read.schooling.decay.l2.tolist() == [0.1, 0.1, 0.0]


# --- one loss, however it is spelt --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "measures", "takes", "smoothing", "class_weights"),
    [
        (nn.BCELoss(), "yes or no", "mean", 0.0, ()),
        (nn.BCELoss, "yes or no", "mean", 0.0, ()),
        (functional.binary_cross_entropy, "yes or no", "mean", 0.0, ()),
        ("torch.nn.BCELoss()", "yes or no", "mean", 0.0, ()),
        (functional.binary_cross_entropy_with_logits, "yes or no", "eta", 0.0, ()),
        ("BCEWithLogitsLoss(pos_weight=[2])", "yes or no", "eta", 0.0, (1.0, 2.0)),
        (nn.CrossEntropyLoss(weight=torch.ones(2), label_smoothing=0.1), "classes", "eta", 0.1, (1.0, 1.0)),
        (functools.partial(functional.cross_entropy, label_smoothing=0.1), "classes", "eta", 0.1, ()),
        (functional.nll_loss, "classes", "log", 0.0, ()),
        ("nll_loss", "classes", "log", 0.0, ()),
        (functional.poisson_nll_loss, "counts", "eta", 0.0, ()),
        (nn.PoissonNLLLoss(log_input=False), "counts", "mean", 0.0, ()),
        (functional.mse_loss, "squares", "mean", 0.0, ()),
        ("mse", "squares", "mean", 0.0, ()),
        (nn.L1Loss(), "", "mean", 0.0, ()),
        ("binary_crossentropy", "yes or no", "mean", 0.0, ()),
        ("BinaryCrossentropy(from_logits=True, label_smoothing=0.2)", "yes or no", "eta", 0.2, ()),
        ("hinge", "", "mean", 0.0, ()),
    ],
)
def test_spellings_of_a_loss(given, measures, takes, smoothing, class_weights):
    loss = objectives.told(given)
    assert (loss.measures, loss.takes, loss.smoothing, loss.class_weights) == (
        measures, takes, smoothing, class_weights,
    )  # fmt: skip
    assert loss.reduction == "mean"


def test_spellings_of_an_optimiser():
    for given in ("SGD(lr=0.1, weight_decay=0.01)", functools.partial(torch.optim.SGD, weight_decay=0.01)):
        assert optimisers.told(given).groups[0].decay == 0.01
    assert optimisers.told(torch.optim.Adam).groups[0].decay == 0.0
    assert optimisers.told("adam").name == "adam"


# --- faults, and what contradicts itself ------------------------------------------------------------


@pytest.mark.parametrize(
    ("net", "loss", "words"),
    [
        (linear(1, nn.Sigmoid()), nn.BCEWithLogitsLoss(), "logits, but the network ends in a sigmoid (layer '0')"),
        (linear(2, nn.Softmax(1)), nn.CrossEntropyLoss(), "logits, but the network ends in a softmax (layer '0')"),
        (linear(2, nn.Softmax(1)), nn.NLLLoss(), "takes log-probabilities, but the network ends in a softmax"),
        (linear(1, nn.Sigmoid()), nn.MSELoss(), "The loss MSELoss behind sigmoid is not minus a log-likelihood."),
    ],
)  # fmt: skip
def test_faults_are_named(net, loss, words):
    assert any(words in note for note in gb.bridge("y ~ a + b", FRAME, network=net, loss=loss).notes)


def test_a_softmax_that_a_loss_applies_twice_is_no_fault():
    net = trained(linear(2, nn.LogSoftmax(1)), nn.CrossEntropyLoss(), target("y", True))
    br = gb.bridge("y ~ a + b", FRAME, network=net, loss=nn.CrossEntropyLoss())
    assert br.distances.joint < LEFT and "not minus" not in " ".join(br.notes)


def test_probabilities_that_are_none_are_refused():
    with pytest.raises(ReadError, match=r"without an activation.*takes probabilities.*BCEWithLogitsLoss.*family="):
        gb.bridge("y ~ a + b", FRAME, network=linear(), loss=nn.BCELoss())
    with pytest.raises(ReadError, match=r"takes log-probabilities, but the network ends in no softmax at all"):
        gb.bridge("y ~ a + b", FRAME, network=linear(2), loss=nn.NLLLoss())


def decayed(net, **options):
    return {"network": net, "optimizer": sgd(net, 0.1), **options}


REFUSED = {
    "an unknown loss": (lambda: {"loss": "BCEWithLogitLoss"}, "Did you mean 'BCEWithLogitsLoss'"),
    "a function of one's own": (lambda: {"loss": lambda out, y: out}, "loss=<lambda> is not known"),
    "a number": (lambda: {"loss": 3}, "loss= is a int"),
    "a sentence": (lambda: {"loss": "mean of squares"}, "write a name"),
    "settings by place": (lambda: {"loss": "HuberLoss(1.0)"}, "write a name"),
    "variances": (lambda: {"loss": nn.GaussianNLLLoss()}, "GaussianNLLLoss is not read: it takes a variance"),
    "distributions": (lambda: {"loss": nn.KLDivLoss()}, "KLDivLoss is not read"),
    "weights of a batch": (lambda: {"loss": nn.BCELoss(weight=torch.ones(5))}, "number for each row of one batch"),
    "a class that is ignored": (lambda: {"loss": nn.CrossEntropyLoss(ignore_index=1)}, "ignores class 1"),
    "weights of other classes": (lambda: {"loss": nn.CrossEntropyLoss(weight=torch.ones(3)), "network": linear(2)},
                                 "has 3 numbers, one for each class; the network ends in 2 units"),
    "pos_weight of two": (lambda: {"loss": nn.BCEWithLogitsLoss(pos_weight=torch.ones(2))}, "has 2 numbers"),
    "a negative weight": (lambda: {"loss": "BCEWithLogitsLoss(pos_weight=-1)"}, "negative or not finite"),
    "a decay without a loss": (lambda: decayed(linear()), "Give loss= with the reduction"),
    "a decay of no reduction": (lambda: decayed(linear(), loss=nn.BCEWithLogitsLoss(reduction="none")),
                                'has reduction="none"'),
    "an unknown optimiser": (lambda: {"optimizer": "Sophia(weight_decay=0.1)"}, "it may be a penalty or not"),
    "an optimiser that climbs": (lambda: {"optimizer": torch.optim.SGD(linear().parameters(), maximize=True)},
                                 "climbs"),
    "no network": (lambda: {"network": None, "loss": "mse"}, "Leave loss= out: it says how a network= of another"),
    "trained on here": (lambda: {"loss": "mse", "train": "adam", "epochs": 1}, "trains it on from there"),
    "criterion": (lambda: {"criterion": nn.MSELoss()}, "no argument 'criterion'. Here it is called loss."),
    "optimiser": (lambda: {"optimiser": "sgd"}, "no argument 'optimiser'. Here it is called optimizer."),
    "weight_decay": (lambda: {"weight_decay": 0.1}, 'optimizer, as in optimizer="SGD(weight_decay=0.01)"'),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    given, words = REFUSED[name]
    with pytest.raises(ArgumentError) as caught:
        gb.bridge("y ~ a + b", FRAME, **({"network": linear()} | given()))
    assert words in str(caught.value)


def test_models_that_say_it_themselves():
    linear_model = pytest.importorskip("sklearn.linear_model")
    model = linear_model.LogisticRegression().fit(FRAME[["a", "b"]], FRAME.y)
    with pytest.raises(ArgumentError, match=r"LogisticRegression says itself.* leave loss= and optimizer= out"):
        gb.bridge("y ~ a + b", FRAME, network=model, loss="BCELoss", optimizer="SGD")


def test_a_model_written_here_and_trained_on():
    model = gb.glm("y ~ a + b", FRAME).to_torch()
    loss = nn.BCELoss()
    trained(model, loss, target("y"), 0.05)
    br = gb.bridge("y ~ a + b", FRAME, network=model, loss=loss, optimizer=sgd(model, 0.05))
    assert list(found(br)) == ["penalty"]
    with pytest.raises(ArgumentError, match=r"is that of poisson.*says itself that it is gaussian"):
        gb.bridge("size ~ a + b", FRAME, network=gb.glm("size ~ a + b", FRAME, "gaussian").to_torch(),
                  loss="PoissonNLLLoss")  # fmt: skip


def test_gb_network_and_compare_know_it_too():
    loss = nn.BCEWithLogitsLoss()
    net = trained(linear(), loss, target("y"), 0.02)
    network = gb.network("y ~ a + b", FRAME, network=net, loss=loss, optimizer=sgd(net, 0.02))
    shares = gb.compare(network, gb.glm("y ~ a + b", FRAME)).causes.set_index("cause")["share"]
    assert shares["penalty"] == pytest.approx(1.0, abs=1e-4)


# --- other readers ------------------------------------------------------------------------------------


def test_bare_weights_and_names():
    net = trained(linear(), nn.BCEWithLogitsLoss(), target("y"), 0.02)
    told = {"loss": "BCEWithLogitsLoss", "optimizer": "SGD(weight_decay=0.02)"}
    assert list(found(gb.bridge("y ~ a + b", FRAME, network=net.state_dict(), inputs=["a", "b"], **told))) == [
        "penalty"
    ]
    told["loss"] = "BCELoss"
    br = gb.bridge("y ~ a + b", FRAME, network=(["0", "sigmoid"], net.state_dict()), inputs=["a", "b"], **told)
    assert list(found(br)) == ["penalty"]


def test_onnx():
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    model = gb.glm("y ~ a + b", FRAME, penalty=gb.penalties.ridge(0.02 * N, intercept=True)).to_onnx()
    kept = {each.key: each.value for each in model.metadata_props}
    for word in ("response", "classes", "penalty"):  # as any other file, which says nothing of its training
        del kept[f"glmnet_bridge.format.{word}"]
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, kept)
    br = gb.bridge("y ~ a + b", FRAME, network=model, loss="BCELoss", optimizer="Adam(weight_decay=0.02)")
    assert list(found(br)) == ["penalty"]
    assert "ONNX does not say" not in " ".join(br.notes)


def test_keras_that_is_not_compiled():
    keras = pytest.importorskip("keras")
    net = trained(linear(1, nn.Sigmoid()), nn.BCELoss(), target("y"), 0.02)
    both = {f"{name}_regularizer": keras.regularizers.L2(0.01) for name in ("kernel", "bias")}
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid", **both)])
    model.layers[0].set_weights([net[0].weight.detach().numpy().T, net[0].bias.detach().numpy()])
    for loss in (keras.losses.BinaryCrossentropy(), "binary_crossentropy", nn.BCELoss()):
        br = gb.bridge("y ~ a + b", FRAME, network=model, inputs=["a", "b"], loss=loss)
        shares = br.causes.set_index("cause")["share"]
        assert shares.index.tolist() == ["single precision", "penalty"] and shares.sum() == pytest.approx(1.0, abs=1e-9)
        assert shares["penalty"] == pytest.approx(1.0, abs=1e-4)
    told = {"loss": "BCELoss(reduction='sum')", "optimizer": keras.optimizers.SGD(0.1, weight_decay=0.3, momentum=0.5)}
    read = gb.network("y ~ a + b", FRAME, network=model, inputs=["a", "b"], **told).foreign.schooling
    np.testing.assert_allclose(read.decay.l2, 0.02 + 0.15, rtol=1e-6)
    assert not read.decay.per_row and "of 0.5 times that strength because of the momentum" in " ".join(read.notes)
    model.compile(optimizer="adam", loss="mse")
    for name, given in {"loss": "mse", "optimizer": "adam"}.items():
        with pytest.raises(ArgumentError, match=f"{name}={given} contradicts the compiled Keras model"):
            gb.bridge("y ~ a + b", FRAME, network=model, inputs=["a", "b"], **{name: given})


def test_the_command_line(tmp_path, capsys):
    from glmnet_bridge import cli

    net = trained(linear(), nn.BCEWithLogitsLoss(), target("y"), 0.02)
    torch.save(net.state_dict(), tmp_path / "net.pt")
    FRAME.to_csv(tmp_path / "data.csv", index=False)
    code = cli.main(["read", str(tmp_path / "net.pt"), str(tmp_path / "data.csv"), "y ~ a + b", "--inputs", "a,b",
                     "--loss", "BCEWithLogitsLoss", "--optimizer", "SGD(weight_decay=0.02)"])  # fmt: skip
    assert code == 0 and "penalised GLM (SGD weight_decay=0.02)" in " ".join(capsys.readouterr().out.split())


# --- what the second reader found ----------------------------------------------------------------------


def test_a_mean_over_rows_counts_rows_and_not_weights():
    """PyTorch's `(w * loss).mean()` and Keras' sample_weight divide by the number of rows."""
    weights = np.resize([1.0, 2.0, 3.0, 5.0], len(FRAME))
    for counts, argument in ((len(FRAME), "prior_weights"), (weights.sum(), "freq_weights")):
        net = linear()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, weight_decay=0.05)
        strength = 0.05 * counts
        goal = gb.glm("y ~ a + b", FRAME, penalty=gb.penalties.ridge(strength, intercept=True), **{argument: weights})
        with torch.no_grad():
            net[0].weight[:] = torch.tensor(goal.params[["a", "b"]].to_numpy())[None]
            net[0].bias[:] = float(goal.params["Intercept"])
        br = gb.bridge(
            "y ~ a + b", FRAME, network=net, loss="BCEWithLogitsLoss", optimizer=optimizer, **{argument: weights}
        )
        assert list(found(br, 1e-6)) == ["penalty"], br.causes
        assert (f"beside a mean over {N} rows" in br.verdict) == (argument == "prior_weights")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"loss": "BCEWithLogitsLoss(posweight=2)"}, "has no setting 'posweight'. Did you mean 'pos_weight'"),
        ({"loss": "BCEWithLogitsLoss", "optimizer": "Adam(weigth_decay=0.1)"}, "Did you mean 'weight_decay'"),
        ({"loss": "BCEWithLogitsLoss(reduction='summ')"}, "reduction='summ' of BCEWithLogitsLoss: it is one of mean"),
        ({"loss": "binary_crossentropy(from_logits=True, label_smoothing=2)"}, "it is a share, 0 or more and below 1"),
    ],
)
def test_misspelt_settings_are_refused(told, words):
    with pytest.raises(ArgumentError, match=re.escape(words)):
        gb.bridge("y ~ a + b", FRAME, network=linear(), **told)


def test_adamw_decays_unless_it_is_told_not_to():
    named = gb.bridge("y ~ a + b", FRAME, network=linear(), loss="BCEWithLogitsLoss", optimizer="AdamW")
    assert "AdamW's weight_decay=0.01 is decoupled" in " ".join(named.notes)
    none = gb.bridge("y ~ a + b", FRAME, network=linear(), loss="BCEWithLogitsLoss", optimizer="AdamW(weight_decay=0)")
    assert "decoupled" not in " ".join(none.notes) and not none.foreign.schooling.besides


@pytest.mark.parametrize("writer", ["to_torch", "to_onnx", "to_keras"])
def test_a_penalty_that_a_model_knows_is_not_overruled(writer):
    written = getattr(gb.glm("y ~ a + b", FRAME, penalty=gb.penalties.ridge(2)), writer)()
    with pytest.raises(ArgumentError, match=r"says itself under which penalty it was trained \(ridge\(2\)\)"):
        gb.bridge("y ~ a + b", FRAME, network=written, loss="BCELoss")
    assert "ridge(2)" in gb.bridge("y ~ a + b", FRAME, network=written).verdict
