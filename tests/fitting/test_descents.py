"""Learners are solvers of the same model: they reach Newton's optimum, or say truly how far it is."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

import numpy as np
import pytest

from glmnet_bridge.data.rows import ArraySource, Layout, Rows
from glmnet_bridge.errors import ArgumentError, BridgeError, ConvergenceWarning
from glmnet_bridge.fitting import beginnings, irls, learners, starts
from glmnet_bridge.fitting.batches import batches, gather, hold, subset, take
from glmnet_bridge.fitting.descents import Descent, descend
from glmnet_bridge.fitting.losses import Loss, steepest
from glmnet_bridge.fitting.trainings import Training, training
from glmnet_bridge.model import families, penalties
from glmnet_bridge.model.layers import Activation, Affine
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import Inputs, Network, dense_entries, fold, single_unit

FIRST_ORDER = ("gradient descent", "sgd", "momentum", "nesterov", "adam")
ALL = (*FIRST_ORDER, "lbfgs")


def glm(family=None, columns: int = 3, penalty=None) -> Model:
    names = ("Intercept", *[f"x{j}" for j in range(1, columns)])
    return Model(names, single_unit(names), family or families.binomial(), penalty or penalties.none())


def rows_of(x, y, weights=None, offset=None, intercept: bool = True) -> Rows:
    y = np.asarray(y, dtype=float)[:, None]
    weights = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    return Rows(ArraySource(x, intercept), y, weights, None if offset is None else offset[:, None])


def newton(model: Model, rows: Rows, start=None) -> irls.Point:
    diagonal = model.decay
    free = model.family.distribution.free_dispersion
    objective = irls.Objective(
        lambda theta, want: model.sums(rows, theta, want),
        None if diagonal is None else np.diag(diagonal),
        rows.n - model.network.parameters if free else None,
    )
    theta = starts.start(model, rows, 0) if start is None else start
    path = irls.newton(objective, theta)
    assert path.outcome == "converged"
    return path.end


def standard_errors(model: Model, rows: Rows, point: irls.Point) -> np.ndarray:
    scale = 1.0
    if model.family.distribution.free_dispersion:
        scale = -2.0 * point.sums.loglik / (rows.n - len(point.theta))
    return np.sqrt(point.factor.inverse().diagonal() * scale)


def quietly(model: Model, rows: Rows, options: Training, **more) -> Descent:
    """A training that is allowed to stop short."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return descend(model, rows, options, **more)


def yes_no(n: int = 200, seed: int = 0, columns: int = 2) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, columns))
    eta = 0.4 + x @ np.linspace(1.0, -0.7, columns)
    return x, (random.random(n) < 1.0 / (1.0 + np.exp(-eta))).astype(float)


@pytest.fixture(scope="module")
def births(data_folder) -> tuple[Model, Rows, irls.Point]:
    """189 births with standardised columns: the logit of low birth weight."""
    import pandas as pd

    frame = pd.read_csv(data_folder / "birthwt.csv")
    x = frame[["age", "lwt", "smoke", "ht", "ui"]].to_numpy(dtype=float)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    model, rows = glm(columns=6), rows_of(x, frame["low"])
    return model, rows, newton(model, rows)


# --- the optimum ------------------------------------------------------------------------------


def respond(family, eta: np.ndarray, random: np.random.Generator) -> np.ndarray:
    mean = family.mean(eta[:, None])[:, 0]
    return {
        "binomial": lambda: (random.random(len(eta)) < mean).astype(float),
        "gaussian": lambda: mean + 0.1 * random.normal(size=len(eta)),
        "poisson": lambda: random.poisson(mean).astype(float),
        "gamma": lambda: random.gamma(4.0, mean / 4.0),
        "inverse_gaussian": lambda: random.wald(mean, 5.0 * mean),
        "multinomial": lambda: (random.random(len(eta)) < mean).astype(float),
    }[family.name]()


# linear predictors inside every link's domain
RANGES = {("binomial", "log"): (-2.0, -0.5), ("binomial", "identity"): (0.2, 0.8), ("any", "any"): (0.5, 2.0)}


@pytest.mark.parametrize(("name", "link"), families.KERNELS)
def test_lbfgs_reaches_newtons_optimum(name, link):
    random = np.random.default_rng(7)
    family = families.named(name, link)
    low, high = RANGES.get((name, link), RANGES["any", "any"])
    x = random.uniform(size=(400, 2)) * [1.0, 30.0]
    y = respond(family, low + (high - low) * (0.6 * x[:, 0] + 0.4 * x[:, 1] / 30.0), random)
    model, rows = glm(family), rows_of(x, y)
    best = newton(model, rows)
    found = descend(model, rows, training("lbfgs"))
    assert found.outcome == "converged"
    assert found.distance <= 1e-8
    assert not found.suspicious
    away = (found.theta - best.theta) / standard_errors(model, rows, best)
    assert np.abs(away).max() < 1e-6


def test_lbfgs_copes_with_scales_and_collinear_columns():
    x, y = yes_no(500, columns=3)
    x[:, 1] += 1e4
    x[:, 2] = 1e-6 * (x[:, 0] + 1e-3 * x[:, 2])
    model, rows = glm(columns=4), rows_of(x, y)
    found = descend(model, rows, training("lbfgs"))
    assert found.outcome == "converged"
    centred = x - x.mean(axis=0)
    best = newton(model, rows_of(centred, y))
    away = (found.theta[1:] - best.theta[1:]) / standard_errors(model, rows, best)[1:]
    assert np.abs(away).max() < 1e-6


@pytest.mark.parametrize("method", FIRST_ORDER)
def test_first_order_learners_approach_the_optimum_and_know_their_distance(births, method):
    model, rows, best = births
    epochs = 25 if method == "gradient descent" else 150
    options = training(method, epochs=epochs, random_state=2, tol=1e-12)
    with pytest.warns(ConvergenceWarning, match=rf"Stopped after {epochs} epochs, .* SE from the optimum"):
        found = descend(model, rows, options)
    errors = standard_errors(model, rows, best)
    apart = found.theta - best.theta
    joint = np.sqrt(apart @ best.sums.observed @ apart)
    assert found.outcome == "step limit"
    assert found.distance < 0.5
    assert found.distance == pytest.approx(joint, rel=0.02)
    assert found.distances == pytest.approx(apart / errors, rel=0.05, abs=2e-3 * joint)
    excess = 2.0 * (best.sums.loglik - found.trace.steps[-1].loglik)
    assert found.distance**2 == pytest.approx(excess, rel=0.05)
    # measured to the known optimum it is exact, at every epoch, however far
    known = quietly(model, rows, options, reference=best.theta)
    start = known.trace.steps[0]
    apart = start.theta - best.theta
    assert start.distance == pytest.approx(np.sqrt(apart @ best.sums.observed @ apart), rel=1e-9)
    assert known.distances == pytest.approx((known.theta - best.theta) / errors, rel=1e-9)
    assert known.theta.tolist() == found.theta.tolist()


def test_gradient_descent_converges_on_its_own(births):
    model, rows, best = births
    found = descend(model, rows, training("gd", epochs=3000))
    assert found.outcome == "converged"
    assert found.sentence.startswith("Converged after")
    assert np.abs((found.theta - best.theta) / standard_errors(model, rows, best)).max() < 1e-7


def test_distance_is_relative_to_a_free_dispersion():
    x, _ = yes_no(100)
    y = 3.0 + x @ [1.0, 2.0] + 5.0 * np.random.default_rng(1).normal(size=100)
    model, rows = glm(families.gaussian()), rows_of(x, y)
    best = newton(model, rows)
    found = quietly(model, rows, training("gd", epochs=3))
    apart = found.theta - best.theta
    scale = -2.0 * best.sums.loglik / 97.0
    assert found.distance == pytest.approx(np.sqrt(apart @ best.sums.observed @ apart / scale), rel=1e-9)
    assert found.distances == pytest.approx(apart / standard_errors(model, rows, best), rel=1e-9)


# --- the updates, by hand ------------------------------------------------------------------------


def by_hand(method: str, rate: float, steps: int) -> list[float]:
    """One weight, no intercept, rows (x, y) = (1, 1), (2, 0): the update formulas in plain Python."""
    theta, velocity, mean, square, path = 0.0, 0.0, 0.0, 0.0, [0.0]
    for t in range(1, steps + 1):
        slope = -sum(x * (y - 1.0 / (1.0 + np.exp(-theta * x))) for x, y in ((1.0, 1.0), (2.0, 0.0))) / 2.0
        if method == "adam":
            mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
            length = rate * np.sqrt(1.0 - 0.999**t) / (1.0 - 0.9**t)
            theta -= length * mean / (np.sqrt(square) + 1e-7)
        elif method in ("momentum", "nesterov"):
            velocity = 0.8 * velocity - rate * slope
            theta += velocity if method == "momentum" else 0.8 * velocity - rate * slope
        else:
            theta -= rate * slope
        path.append(float(theta))
    return path


@pytest.mark.parametrize("method", FIRST_ORDER)
def test_updates_are_those_of_the_books(method):
    model = Model(("x",), single_unit(("x",)), families.binomial())
    rows = rows_of(np.array([[1.0], [2.0]]), [1.0, 0.0], intercept=False)
    share = {"momentum": 0.8} if method in ("momentum", "nesterov") else {}
    size = {} if method == "gradient descent" else {"batch_size": 2}
    found = quietly(model, rows, training(method, epochs=3, learning_rate=0.3, **share, **size))
    path = [step.theta[0] for step in found.trace.steps]
    assert path == pytest.approx(by_hand(method, 0.3, 3), rel=1e-14, abs=1e-16)


def test_first_steps_in_numbers():
    """Slope 1/4 at zero (Keras gives the same): descent to -0.075, Adam to -0.3 whatever the slope."""
    model = Model(("x",), single_unit(("x",)), families.binomial())
    rows = rows_of(np.array([[1.0], [2.0]]), [1.0, 0.0], intercept=False)
    for method, first in (("gd", -0.075), ("adam", -0.3)):
        found = quietly(model, rows, training(method, epochs=1, learning_rate=0.3))
        assert found.theta[0] == pytest.approx(first, rel=1e-4)


# --- batches ---------------------------------------------------------------------------------------


@dataclass
class Encoded:
    """A source of two columns that must be read in runs, and a factor."""

    n: int
    reads: int = 0
    layout: Layout = Layout(np.array([0, 2]), np.array([1]), np.array([[0.0], [1.0], [5.0]]))

    def read(self, start, stop):
        self.reads += 1
        at = np.arange(start, stop)
        return np.column_stack([at, at**2.0]), at % 3


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("part", [True, False])
def test_an_epoch_takes_every_row_once(held, part):
    n = 40_000
    rows = Rows(Encoded(n), np.arange(n, dtype=float)[:, None], np.ones(n), np.arange(n, dtype=float)[:, None])
    rows = rows.standardised(np.array([1.0, 2.0]), np.array([3.0, 0.5]))
    rows = hold(rows) if held else rows
    rows = subset(rows, np.flatnonzero(np.arange(n) % 5 > 0)) if part else rows
    seen, sizes = [], []
    for chunk, spans in batches(rows, 48, np.random.default_rng(1)):
        for span in spans:
            block = chunk.block(*span)
            at = block.response[:, 0]
            expected = np.column_stack(
                [(at - 1.0) * 3.0, np.array([0.0, 1.0, 5.0])[at.astype(int) % 3], (at**2 - 2) * 0.5]
            )
            assert (block.columns.matrix() == expected).all()
            assert (block.offset[:, 0] == at).all()
            seen.append(at)
            sizes.append(len(at))
    order = np.concatenate(seen)
    assert sorted(order) == rows.response[:, 0].tolist()
    assert set(sizes[:-1]) == {48}
    # neighbours are torn apart, and far rows meet
    assert np.mean(np.abs(np.diff(order)) == 1.0) < 0.05
    assert np.abs(np.diff(order)).max() > n / 4


def test_gather_reads_runs_not_rows():
    source = Encoded(10**6)
    at = np.random.default_rng(0).permutation(np.r_[100:400, 500_000:500_300])
    dense, cell = gather(source, at)
    assert (dense[:, 0] == at).all()
    assert (cell == at % 3).all()
    assert source.reads == 2


def test_batch_slopes_are_unbiased():
    x, y = yes_no(60)
    model, rows = glm(penalty=penalties.ridge(3.0)), rows_of(x, y, np.random.default_rng(0).uniform(size=60))
    loss, theta = Loss(model, rows), np.array([0.1, -0.2, 0.3])
    slopes = [
        loss.batch_slope(chunk, span, theta)
        for chunk, spans in batches(hold(rows), 12, np.random.default_rng(0))
        for span in spans
    ]
    assert len(slopes) == 5
    assert np.mean(slopes, axis=0) == pytest.approx(loss.slope(theta), rel=1e-12)


@pytest.mark.parametrize("method", ["sgd", "adam"])
def test_same_seed_same_bits(method):
    model, rows = glm(), rows_of(*yes_no())
    first, again, other = (quietly(model, rows, training(method, epochs=3, random_state=seed)) for seed in (5, 5, 6))
    assert first.theta.tobytes() == again.theta.tobytes()
    assert first.theta.tobytes() != other.theta.tobytes()
    assert first.trace.seed == 5
    assert first.trace.method == method
    for given in (None, np.random.default_rng(1), np.random.SeedSequence(8)):
        drawn = quietly(model, rows, training(method, epochs=3, random_state=given))
        again = quietly(model, rows, training(method, epochs=3, random_state=drawn.trace.seed))
        assert drawn.theta.tobytes() == again.theta.tobytes()


# --- rows and weights ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["gd", "lbfgs"])
def test_frequencies_are_repeated_rows(method):
    x, y = yes_no(80)
    counts = np.random.default_rng(0).integers(0, 4, 80)
    model, options = glm(), training(method, epochs=20)
    weighted = quietly(model, rows_of(x, y, counts), options)
    repeated = quietly(model, rows_of(np.repeat(x, counts, axis=0), np.repeat(y, counts)), options)
    assert weighted.theta == pytest.approx(repeated.theta, rel=1e-9)
    assert weighted.trace.steps[5].loglik == pytest.approx(repeated.trace.steps[5].loglik, rel=1e-9)
    assert weighted.trace.steps[5].accuracy == pytest.approx(repeated.trace.steps[5].accuracy)


@pytest.mark.parametrize("method", ALL)
def test_the_size_of_the_weights_does_not_matter(method):
    x, y = yes_no(80)
    options = training(method, epochs=5, random_state=0, tol=1e-12)
    one, huge = (quietly(glm(), rows_of(x, y, np.full(80, w)), options) for w in (1.0, 2.0**50))
    assert huge.theta == pytest.approx(one.theta, rel=1e-10)


def test_offset_and_penalty_have_their_own_optimum():
    x, _ = yes_no(200)
    random = np.random.default_rng(3)
    exposure = random.uniform(1.0, 9.0, 200)
    y = random.poisson(exposure * np.exp(0.3 + 0.4 * x[:, 0])).astype(float)
    model = glm(families.poisson(), penalty=penalties.ridge(20.0))
    rows = rows_of(x, y, offset=np.log(exposure))
    best = newton(model, rows)
    free = newton(glm(families.poisson()), rows)
    assert np.abs(best.theta - free.theta).max() > 1e-3
    for method in ("lbfgs", "gd"):
        found = descend(model, rows, training(method, epochs=2000))
        assert found.outcome == "converged"
        assert found.theta == pytest.approx(best.theta, rel=1e-8)
    near = quietly(model, rows, training("sgd", random_state=0))
    apart = near.theta - best.theta
    info = best.sums.observed + np.diag(model.decay)
    assert near.distance == pytest.approx(np.sqrt(apart @ info @ apart), rel=0.05)


def test_held_out_rows_are_not_trained_on():
    x, y = yes_no(100)
    model, rows = glm(), rows_of(x, y)
    options = training("gd", epochs=5, validation=0.3, random_state=4)
    splitting = np.random.default_rng(np.random.SeedSequence(4).spawn(3)[1])
    part, watched = beginnings.held_out(rows, 0.3, splitting)
    assert (part.n, watched.n) == (70, 30)
    assert sorted([*part.source.positions, *watched.source.positions]) == list(range(100))
    alone = quietly(model, take(rows, part.source.positions), training("gd", epochs=5))
    found = quietly(model, rows, options)
    assert found.theta == pytest.approx(alone.theta, rel=1e-12)
    mean = -model.sums(watched, found.theta, "value").loglik / 30.0
    assert found.trace.steps[-1].validation_loss == pytest.approx(mean, rel=1e-12)
    assert "of the rows trained on" in found.sentence
    changed = rows_of(x, np.where(np.isin(np.arange(100), watched.source.positions), 1.0 - y, y))
    for method in ("sgd", "adam"):
        options = training(method, epochs=3, validation=0.3, random_state=4)
        assert quietly(model, changed, options).theta.tobytes() == quietly(model, rows, options).theta.tobytes()


def test_early_stopping_keeps_the_best():
    random = np.random.default_rng(0)
    x = random.normal(size=(80, 20))
    model, rows = glm(columns=21), rows_of(x, (random.random(80) < 0.5).astype(float))
    options = training("gd", epochs=2000, validation=0.4, patience=7, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"lowest validation loss \(epoch \d+\) are kept"):
        found = descend(model, rows, options)
    held = [step.validation_loss for step in found.trace.steps]
    best = int(np.argmin(held))
    assert found.outcome == "early stop"
    assert len(held) == best + 1 + 7
    assert found.theta.tolist() == found.trace.steps[best].theta.tolist()
    assert found.distance == found.trace.steps[best].distance


# --- ends --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", FIRST_ORDER)
@pytest.mark.parametrize("family", ["binomial", "poisson", "gaussian"])
def test_a_diverging_rate_is_named_and_a_better_one_suggested(method, family):
    x, y = yes_no(2000)
    model, rows = glm(families.named(family)), rows_of(10.0 * x, y)
    with pytest.warns(ConvergenceWarning, match=r"Diverged: with learning_rate=1e\+06") as caught:
        found = descend(model, rows, training(method, learning_rate=1e6, random_state=0))
    assert len(caught) == 1
    assert found.outcome == "diverged"
    assert found.theta.tolist() == found.trace.steps[0].theta.tolist()
    rate = float(re.search(r"Try learning_rate=([-+.e\d]+\d)\.", found.sentence)[1])
    again = quietly(model, rows, training(method, learning_rate=rate, random_state=0, epochs=20))
    assert again.outcome in ("step limit", "converged")
    assert again.trace.steps[-1].loglik > again.trace.steps[0].loglik


def test_divergence_over_many_blocks_says_so_without_other_warnings():
    x, y = yes_no(60_000, columns=9)
    model = glm(families.named("gaussian", "log"), columns=10)
    with pytest.warns(ConvergenceWarning, match="Diverged") as caught:
        descend(model, rows_of(x, y + 1.0), training("gd", learning_rate=1e5, epochs=20))
    assert len(caught) == 1


@pytest.mark.parametrize("method", FIRST_ORDER)
@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_default_rates_do_not_diverge(method, scale):
    x, _ = yes_no(300)
    y = np.random.default_rng(0).poisson(np.exp(1.0 + x @ [0.8, -0.5])).astype(float)
    found = quietly(glm(families.poisson()), rows_of(scale * x, y), training(method, random_state=0))
    assert found.outcome in ("step limit", "converged")
    assert found.trace.steps[-1].loglik > found.trace.steps[0].loglik


@pytest.mark.parametrize("method", ALL)
def test_separated_data_are_not_hidden(method):
    x, _ = yes_no(80)
    with pytest.warns(ConvergenceWarning, match="no finite optimum") as caught:
        found = descend(glm(), rows_of(x, x[:, 0] > 0), training(method, random_state=0))
    assert len(caught) == 1
    assert found.suspicious
    assert found.outcome == "step limit"
    penalised = quietly(glm(penalty=penalties.ridge(1.0)), rows_of(x, x[:, 0] > 0), training(method, random_state=0))
    assert not penalised.suspicious


def test_early_stopping_does_not_hide_separation():
    x, _ = yes_no(80, columns=4)
    y = np.where(x[:, 0] > 0, 1.0, 0.0)
    options = training("gd", epochs=50, validation=0.2, patience=3, random_state=0)
    with pytest.warns(ConvergenceWarning, match="no finite optimum"):
        assert descend(glm(columns=5), rows_of(x, y), options).suspicious


def test_no_epochs_is_no_training():
    model, rows = glm(), rows_of(*yes_no())
    with pytest.warns(ConvergenceWarning, match=r"No training at all \(epochs=0\).*SE from the optimum"):
        found = descend(model, rows, training("sgd", epochs=0, start=[0.1, 0.2, 0.3]))
    assert found.theta.tolist() == [0.1, 0.2, 0.3]
    assert len(found.trace) == 1
    assert found.distance > 1.0


class Interrupted(ArraySource):
    """Control-C at the given read."""

    left: int

    def read(self, start, stop):
        object.__setattr__(self, "left", self.left - 1)
        if self.left == 0:
            raise KeyboardInterrupt
        return super().read(start, stop)


@pytest.mark.parametrize("method", ["gd", "lbfgs"])
def test_an_interrupt_keeps_what_is_there(method):
    x, y = yes_no()
    source = Interrupted(x, True)
    rows = Rows(source, y[:, None], np.ones(len(y)))
    object.__setattr__(source, "left", 40)
    with pytest.warns(ConvergenceWarning, match="Interrupted after"):
        found = descend(glm(), rows, training(method, epochs=500, tol=1e-12))
    assert found.outcome == "interrupted"
    logliks = [step.loglik for step in found.trace.steps]
    assert found.theta.tolist() == found.trace.steps[int(np.argmax(logliks))].theta.tolist()
    object.__setattr__(source, "left", 1)
    with pytest.raises(KeyboardInterrupt):
        descend(glm(), rows, training(method))


def test_a_constant_rate_that_cannot_settle_is_named():
    model, rows = glm(), rows_of(*yes_no(500))
    with pytest.warns(ConvergenceWarning, match="learning_rate=2 is too large to settle"):
        descend(model, rows, training("sgd", learning_rate=2.0, epochs=20, random_state=0, batch_size=4))


def test_progress_shows_loss_and_distance(capfd):
    quietly(glm(), rows_of(*yes_no()), training("sgd", epochs=3, progress=True, random_state=0))
    shown = capfd.readouterr().err
    assert "loss=" in shown
    assert "SE from optimum=" in shown
    quietly(glm(), rows_of(*yes_no()), training("sgd", epochs=3, random_state=0))
    assert capfd.readouterr().err == ""


def test_the_trace_draws_the_path(births):
    model, rows, _ = births
    found = quietly(model, rows, training("adam", epochs=4, validation=0.2, random_state=0))
    frame = found.trace.frame()
    assert frame["epoch"].tolist() == [0, 1, 2, 3, 4]
    assert not frame.isna().any().any()
    assert frame["accuracy"].between(0.0, 1.0).all()
    assert (frame["seconds"].diff().dropna() > 0).all()
    assert frame[list(model.network.entries)].iloc[-1].tolist() == found.theta.tolist()
    counts = quietly(glm(families.poisson()), rows_of(*yes_no()), training("gd", epochs=1)).trace
    assert counts.frame()["accuracy"].isna().all()


def test_many_rows_measure_their_distance_now_and_then():
    x, y = yes_no(60_000, columns=19)
    found = quietly(glm(columns=20), rows_of(x, y), training("gd", epochs=60, tol=1e-12))
    measured = [step.step for step in found.trace.steps if np.isfinite(step.distance)]
    assert measured == list(range(0, 61, 3))
    assert np.isfinite(found.distance)


# --- other networks --------------------------------------------------------------------------------------


def hidden(*layers, family=None) -> tuple[Model, Rows]:
    names = ("a", "b")
    inputs = Inputs(names, np.eye(3)[:, 1:], np.array([1.0, 0.0, 0.0]))
    network = Network(inputs, layers, dense_entries(layers, names))
    x, y = yes_no(150)
    return Model(("Intercept", *names), network, family or families.binomial()), rows_of(x, y)


RELU = (Affine(2, 1), Activation(1, "relu"))
TANH = (Affine(2, 3, name="hidden"), Activation(3, "tanh"), Affine(3, 1))
STACK = (Affine(2, 3, name="hidden"), Affine(3, 1))


@pytest.mark.parametrize("layers", [RELU, TANH, STACK])
@pytest.mark.parametrize("family", ["binomial", "poisson", "gaussian"])
def test_slopes_of_networks_are_differences_of_the_loss(layers, family):
    model, rows = hidden(*layers, family=families.named(family))
    loss = Loss(model, rows)
    theta = beginnings.first_weights(model, rows, np.random.default_rng(3)) + 0.05
    width = 1e-5
    steps = width * np.eye(len(theta))
    differences = [(loss.value(theta + step) - loss.value(theta - step)) / (2.0 * width) for step in steps]
    assert loss.slope(theta) == pytest.approx(differences, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("layers", [RELU, TANH, STACK])
@pytest.mark.parametrize("method", ALL)
def test_networks_train(layers, method):
    model, rows = hidden(*layers)
    found = quietly(model, rows, training(method, random_state=1))
    first, last = found.trace.steps[0], found.trace.steps[-1]
    assert last.loglik > first.loglik + (1.0 if layers is RELU else 5.0)
    assert np.isfinite(found.distance)
    again = quietly(model, rows, training(method, random_state=1))
    assert again.theta.tobytes() == found.theta.tobytes()
    # a kernel starts within Glorot's bounds, a bias at zero
    start = first.theta
    assert 0.0 < np.abs(start).max() <= np.sqrt(6.0 / 3.0)
    at = [j for j, name in enumerate(model.network.entries) if "bias" in name]
    assert not start[at].any()


def test_a_dead_network_has_not_converged():
    model, rows = hidden(*RELU)
    with pytest.warns(ConvergenceWarning, match="every unit is dead"):
        found = descend(model, rows, training("gd", epochs=3, start=[0.0, 0.0, -1.0]))
    assert found.outcome == "step limit"
    assert np.isnan(found.distance)


def test_a_stack_of_affine_layers_ends_at_the_glm():
    model, rows = hidden(*STACK)
    found = descend(model, rows, training("lbfgs", random_state=1))
    assert found.outcome == "converged"
    best = newton(glm(), rows)
    assert fold(model.network, found.theta)[:, 0] == pytest.approx(best.theta, rel=1e-7)
    # its weights are not identified one by one, but the fit is
    assert np.isnan(found.distances).all()


def test_a_narrow_domain_is_respected_by_the_start():
    random = np.random.default_rng(0)
    model, rows = hidden(*TANH, family=families.gamma("inverse"))
    rows = rows_of(rows.source.array, random.gamma(2.0, 1.0, rows.n))
    assert np.isfinite(quietly(model, rows, training("lbfgs", epochs=5, random_state=0)).theta).all()
    with pytest.raises(ArgumentError, match="likelihood .* is not finite"):
        descend(glm(families.gamma("inverse")), rows, training("gd", start=[-1.0, 0.0, 0.0]))


# --- arguments ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"method": "sdg"}, "Unknown learner 'sdg'.*Did you mean 'sgd'"),
        ({"method": 3}, "Unknown learner 3"),
        ({"epochs": -1}, "epochs=-1.*0 or more"),
        ({"epochs": 2.5}, "epochs=2.5.*whole number"),
        ({"epochs": True}, "epochs=True"),
        ({"epochs": "ten"}, "epochs='ten'"),
        ({"batch_size": 0}, "batch_size=0.*1 or more"),
        ({"batch_size": -3}, "batch_size=-3"),
        ({"batch_size": 1.5}, "batch_size=1.5"),
        ({"learning_rate": 0}, "learning_rate=0.*above 0"),
        ({"learning_rate": -0.1}, r"learning_rate=-0\.1.*above 0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
        ({"learning_rate": float("inf")}, "learning_rate=inf"),
        ({"learning_rate": "fast"}, "learning_rate='fast'"),
        ({"validation": 0}, "validation=0.*between 0 and 1"),
        ({"validation": 1.0}, "validation=1.0"),
        ({"validation": float("nan")}, "validation=nan"),
        ({"patience": 3}, "patience=3 needs held-out rows.*validation="),
        ({"patience": 0, "validation": 0.2}, "patience=0"),
        ({"method": "momentum", "momentum": 1.0}, r"momentum=1\.0.*below 1"),
        ({"method": "momentum", "momentum": -0.1}, r"momentum=-0\.1"),
        ({"momentum": 0.9}, "momentum=0.9 cannot be used here.*momentum or nesterov"),
        ({"method": "gd", "batch_size": 8}, "batch_size=8 cannot be used here.*sgd"),
        ({"method": "lbfgs", "learning_rate": 0.1}, "learning_rate=0.1 cannot be used here"),
        ({"tol": 0}, "tol=0"),
        ({"random_state": -1}, "random_state=-1"),
        ({"random_state": "one"}, "random_state='one'"),
        ({"progress": 1}, "progress=1"),
        ({"start": [0.0, float("nan")]}, "start="),
        ({"start": "zeros"}, "start='zeros'"),
    ],
)
def test_arguments_out_of_range_are_refused(given, said):
    with pytest.raises(ArgumentError, match=said):
        training(**given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"batch_size": 201}, "batch_size=201 is more than the 200 rows"),
        ({"batch_size": 160, "validation": 0.25}, "batch_size=160 is more than the 150 rows .* held out"),
        ({"validation": 0.9999}, "leaves none to train on"),
        ({"start": [1.0]}, "start has 1 numbers; give 3.*bias, kernel"),
    ],
)
def test_arguments_that_do_not_fit_the_rows_are_refused(given, said):
    with pytest.raises(BridgeError, match=said):
        descend(glm(), rows_of(*yes_no(200)), training(**given))


def test_methods_have_other_spellings_and_their_own_defaults():
    assert training("GD") == training("gradient descent")
    assert training("L-BFGS").method == "lbfgs"
    assert (training("momentum").momentum, training("sgd").momentum) == (0.9, 0.0)
    assert training("sgd", epochs=np.int64(7)).epochs == 7
    x, y = yes_no(10)
    assert learners.batch_size(training("sgd"), 10) == 10
    loss = Loss(glm(), rows_of(x, y))
    # the bound of the logit: a quarter of the largest eigenvalue of X'X / n
    design = np.column_stack([np.ones(10), x])
    bound = np.linalg.eigvalsh(design.T @ design / 40.0)[-1]
    assert steepest(loss, np.zeros(3), np.random.default_rng(0)) == pytest.approx(bound)


def test_training_needs_no_copy_of_the_columns():
    import tracemalloc

    x, y = yes_no(150_000, columns=20)
    model, rows = glm(columns=21), rows_of(x, y)
    tracemalloc.start()
    quietly(model, rows, training("sgd", epochs=1, random_state=0, batch_size=1024))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.6 * x.nbytes
