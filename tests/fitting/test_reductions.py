"""Bias reduction: its definition by sums over all responses, invariances, step control, refusals, words."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, optimize, special, stats

import glmnet_bridge as gb
from glmnet_bridge.data.rows import ArraySource, Rows
from glmnet_bridge.fitting import reductions
from glmnet_bridge.fitting.estimates import estimate
from glmnet_bridge.model import curvatures
from glmnet_bridge.model.families import KERNELS, named
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import single_unit

Array = np.ndarray
KINDS = ("mean", "median", "jeffreys")
BINARY = ("logit", "probit", "cloglog", "loglog", "cauchit")


def doses(random: np.random.Generator, n: int = 40) -> tuple[Array, Array]:
    X = random.normal(size=(n, 2))
    return X, (random.random(n) < special.expit(0.3 + X @ [1.0, -0.7])).astype(float)


# --- the definition ----------------------------------------------------------------------------------


def by_enumeration(family: object, X: Array, beta: Array) -> tuple[Array, Array, Array]:
    """Information, E[U U' U_t] and E[U' U'' U_t] of independent yes-or-no rows, from both responses of each."""
    eta = X @ beta
    mean = family.mean(eta)
    p = X.shape[1]
    info, cubes, mixed = np.zeros((p, p)), np.zeros((p, p, p)), np.zeros((p, p, p))
    for y, chance in ((0.0, 1 - mean), (1.0, mean)):
        local = family.local(np.full((len(eta), 1), y), eta[:, None])
        u, curve = local.score[:, 0], -local.observed[:, 0]
        info += np.einsum("i,ia,ib->ab", chance * u**2, X, X)
        cubes += np.einsum("i,ia,ib,it->abt", chance * u**3, X, X, X)
        mixed += np.einsum("i,ia,ib,it->abt", chance * curve * u, X, X, X)
    return info, cubes, mixed


@pytest.mark.parametrize("link", BINARY)
@pytest.mark.parametrize("kind", ["mean", "median"])
@pytest.mark.parametrize("shift", [0.0, 5.0])
def test_adjusted_score_by_enumeration(link: str, kind: str, shift: float) -> None:
    """Kosmidis and Firth (2009), Kenne Pagui, Salvan and Sartori (2017), in their general form, for raw columns."""
    X, y = doses(np.random.default_rng(3))
    X = X + shift
    fit = gb.fit(X, y, link=link, bias_reduction=kind)
    design, family = np.column_stack([np.ones(len(y)), X]), named("binomial", link)
    beta = fit.params.to_numpy()
    info, cubes, mixed = by_enumeration(family, design, beta)
    V = np.linalg.inv(info)
    adjustment = 0.5 * np.einsum("ab,abt->t", V, cubes + mixed)
    if kind == "median":
        inner = [
            V[r] @ np.einsum("ab,abt->t", np.outer(V[r], V[r]) / V[r, r], cubes / 3 + mixed / 2)
            for r in range(len(beta))
        ]
        adjustment = adjustment - info @ np.array(inner)
    score = design.T @ family.local(y[:, None], (design @ beta)[:, None]).score[:, 0] + adjustment
    assert np.sqrt(score @ V @ score) < 1e-8


@pytest.mark.parametrize(
    ("name", "link"), [*(("binomial", link) for link in BINARY), ("poisson", "log"), ("poisson", "sqrt")]
)
def test_jeffreys_is_a_maximum(name: str, link: str) -> None:
    X, y = doses(np.random.default_rng(4))
    fit = gb.fit(X, y, name, link, bias_reduction="jeffreys")
    design, family = np.column_stack([np.ones(len(y)), X]), named(name, link)

    def value(beta: Array) -> float:
        local = family.local(y[:, None], (design @ beta)[:, None])
        info = (design.T * local.expected[:, 0]) @ design
        return float(local.loglik.sum() + 0.5 * np.linalg.slogdet(info)[1])

    best, errors = value(fit.params.to_numpy()), fit.bse.to_numpy()
    assert fit.penalised_deviance == pytest.approx(-2 * best, rel=1e-12)
    for move in np.vstack([np.diag(errors), -np.diag(errors)]) * 1e-3:
        assert 0 < best - value(fit.params.to_numpy() + move) < 2e-6


@pytest.mark.parametrize(("name", "lost"), [("gaussian", (0.0, 2 / 3, -8.0)), ("inverse_gaussian", (0.0, 2 / 3, -8.0))])
def test_dispersion_in_closed_form(name: str, lost: tuple[float, ...]) -> None:
    """deviance / (n - p), / (n - p - 2/3), / (n + p + 2), with p = 3."""
    random = np.random.default_rng(5)
    X = random.normal(size=(30, 2))
    y = np.exp(0.2 + X @ [0.3, -0.2] + 0.2 * random.normal(size=30))
    for kind, less in zip(KINDS, lost, strict=True):
        fit = gb.fit(X, y, name, "log", bias_reduction=kind)
        assert fit.dispersion == pytest.approx(fit.deviance / (30 - 3 - less), rel=1e-12)
        assert fit.bse.to_numpy() == pytest.approx(np.sqrt(fit.dispersion * fit.estimate.covariance.diagonal()))


@pytest.mark.parametrize("kind", ["mean", "median"])
def test_dispersion_of_gamma_by_integrals(kind: str) -> None:
    """The adjusted score of (intercept, dispersion), its cumulants integrated over the response."""
    y = np.random.default_rng(6).gamma(2.0, 1.0, 25)
    fit = gb.fit(np.empty((25, 0)), y, "gamma", "log", bias_reduction=kind)
    phi = fit.dispersion
    law = stats.gamma(1 / phi)  # mean 1 after division by phi: E y = 1 with scale phi

    def rows(t: Array) -> tuple[Array, Array, Array]:
        """Score in phi and its derivative at mean 1, for y = t."""
        k = 1 / phi
        one = np.log(k * t) - t + 1 - special.digamma(k)  # dl/dk
        two = 1 / k - special.polygamma(1, k)
        s = -one * k**2
        return s, two * k**4 + 2 * one * k**3, (t - 1) * k

    def mean_of(f: object) -> float:
        return integrate.quad(lambda x: law.pdf(x) * f(x * phi), 0, np.inf, limit=300)[0]

    i_phi = mean_of(lambda t: rows(t)[0] ** 2)
    i_beta = mean_of(lambda t: rows(t)[2] ** 2)
    cube, mixed = mean_of(lambda t: rows(t)[0] ** 3), mean_of(lambda t: rows(t)[0] * rows(t)[1])
    # l_beta,beta = -t/phi for the log link
    cross = mean_of(lambda t: rows(t)[0] * (rows(t)[2] ** 2 - t / phi))
    adjustment = 0.5 * ((cube + mixed) / i_phi + cross / i_beta)
    if kind == "median":
        adjustment -= (cube / 3 + mixed / 2) / i_phi
    centre = y / np.exp(fit.params.iloc[0])
    assert rows(centre)[0].sum() + adjustment == pytest.approx(0.0, abs=1e-6 * len(y) * np.sqrt(i_phi))


def test_dispersion_of_gamma_with_the_prior_is_a_maximum() -> None:
    y = np.random.default_rng(7).gamma(2.0, 1.0, 25)
    fit = gb.fit(np.empty((25, 0)), y, "gamma", "log", bias_reduction="jeffreys")

    def value(at: Array) -> float:
        k, mean = np.exp(-at[1]), np.exp(at[0])
        info = 25 * k, 0.5 * 25 * k**4 * 2 * (special.polygamma(1, k) - 1 / k)
        return float(stats.gamma(k, scale=mean / k).logpdf(y).sum() + 0.5 * np.log(info).sum())

    settings = {"xatol": 1e-9, "fatol": 1e-13}
    found = optimize.minimize(lambda at: -value(at), [0.0, 0.0], method="Nelder-Mead", options=settings)
    assert fit.params.iloc[0] == pytest.approx(found.x[0], abs=1e-6)
    assert np.log(fit.dispersion) == pytest.approx(found.x[1], abs=1e-5)


# --- what must not matter ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "link"), [("binomial", "probit"), ("poisson", "log"), ("gamma", "log")])
def test_frequencies_are_repeated_rows(name: str, link: str, kind: str) -> None:
    random = np.random.default_rng(8)
    X, y = doses(random, 30)
    y = y if name == "binomial" else y + 1.0 + random.integers(0, 3, 30)
    times = random.integers(0, 4, 30)
    one = gb.fit(X, y, name, link, freq_weights=times, bias_reduction=kind)
    many = gb.fit(np.repeat(X, times, axis=0), np.repeat(y, times), name, link, bias_reduction=kind)
    assert one.params.to_numpy() == pytest.approx(many.params.to_numpy(), rel=1e-8)
    assert one.bse.to_numpy() == pytest.approx(many.bse.to_numpy(), rel=1e-8)
    assert one.dispersion == pytest.approx(many.dispersion, rel=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_trials_are_rows(kind: str) -> None:
    X = np.arange(5.0)[:, None]
    events, trials = np.array([0, 1, 2, 3, 4]), np.array([4, 4, 4, 4, 4])
    grouped = gb.fit(X, events / trials, trials=trials, bias_reduction=kind)
    y = np.concatenate([np.r_[np.ones(e), np.zeros(t - e)] for e, t in zip(events, trials, strict=True)])
    single = gb.fit(np.repeat(X, trials, axis=0), y, bias_reduction=kind)
    assert grouped.params.to_numpy() == pytest.approx(single.params.to_numpy(), rel=1e-8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("units", [(1e6, 1e-6), (1.0, 1e4)])
def test_units_of_columns(kind: str, units: tuple[float, float]) -> None:
    """Each column in its own unit, and, but for the median, far from 0."""
    X, y = doses(np.random.default_rng(9))
    plain = gb.fit(X, y, bias_reduction=kind)
    scaled = gb.fit(X * units, y, bias_reduction=kind)
    assert scaled.params.to_numpy()[1:] * units == pytest.approx(plain.params.to_numpy()[1:], rel=1e-7)
    if kind == "median":
        return  # another intercept is another coefficient whose median is looked for, and the slopes follow
    shifted = gb.fit(X + 1e4, y, bias_reduction=kind)
    assert shifted.params.to_numpy()[1:] == pytest.approx(plain.params.to_numpy()[1:], rel=1e-6)


@pytest.mark.parametrize("kind", ["mean", "jeffreys"])
def test_two_classes_are_a_logit(kind: str) -> None:
    X, y = doses(np.random.default_rng(10), 20)
    classes = gb.fit(X, y.astype(int), "multinomial", bias_reduction=kind)
    logit = gb.fit(X, y, bias_reduction=kind)
    assert classes.params.to_numpy() == pytest.approx(logit.params.to_numpy(), rel=1e-8)
    assert classes.bse.to_numpy() == pytest.approx(logit.bse.to_numpy(), rel=1e-8)
    table = classes.penalised_tests()
    assert table["statistic"].to_numpy() == pytest.approx(logit.penalised_tests()["statistic"].to_numpy(), rel=1e-7)


def test_blocks() -> None:
    """The same in one block and in many, with factors."""
    random = np.random.default_rng(11)
    n = 60_000
    data = pd.DataFrame({"x": random.normal(size=n), "g": random.choice(list("abc"), n)})
    data["y"] = (random.random(n) < special.expit(data["x"] - 2)).astype(int)
    for kind in KINDS:
        fit = gb.glm("y ~ x + C(g)", data, bias_reduction=kind)
        assert len(fit.rows.spans()) > 1
        cells = data.assign(x=data["x"].round(1)).groupby(["x", "g"], as_index=False)["y"].agg(["sum", "count"])
        rounded = gb.glm("y ~ x + C(g)", data.assign(x=data["x"].round(1)), bias_reduction=kind)
        cells["share"] = cells["sum"] / cells["count"]
        few = gb.glm("share ~ x + C(g)", cells, trials="count", bias_reduction=kind)
        assert len(few.rows.spans()) == 1
        assert few.params.to_numpy() == pytest.approx(rounded.params.to_numpy(), abs=1e-9)


def test_aliased_columns_and_offset() -> None:
    X, y = doses(np.random.default_rng(12))
    both = np.column_stack([X, X[:, 0] + X[:, 1]])
    with pytest.warns(gb.errors.AliasWarning):
        fit = gb.fit(both, y, bias_reduction="median", offset=np.linspace(-1, 1, len(y)))
    less = gb.fit(X, y, bias_reduction="median", offset=np.linspace(-1, 1, len(y)))
    assert fit.outcome == "rank deficient" and fit.converged
    assert fit.params.to_numpy()[:3] == pytest.approx(less.params.to_numpy(), rel=1e-8) and np.isnan(fit.params.iloc[3])
    with pytest.warns(gb.errors.AliasWarning):
        firth = gb.fit(both, y, bias_reduction="firth")
    assert firth.penalised_tests().isna().to_numpy()[:, 2:].all(axis=1).tolist() == [False, False, False, True]


def test_gaussian_coefficients_have_no_bias_to_reduce() -> None:
    X = np.random.default_rng(13).normal(size=(20, 2))
    y = X[:, 0] + np.random.default_rng(14).normal(size=20)
    plain = gb.fit(X, y, "gaussian")
    for kind in KINDS:
        fit = gb.fit(X, y, "gaussian", bias_reduction=kind)
        assert fit.params.to_numpy() == pytest.approx(plain.params.to_numpy(), rel=1e-10)
    assert gb.fit(X, y, "gaussian", bias_reduction="mean").dispersion == pytest.approx(plain.dispersion, rel=1e-12)


# --- step control ------------------------------------------------------------------------------------


def fisher_runs_away(X: Array, y: Array, steps: int = 60) -> bool:
    """The usual iteration, full steps with the information on Firth's score."""
    beta = np.zeros(X.shape[1])
    with np.errstate(all="ignore"):
        for _ in range(steps):
            mean = special.expit(X @ beta)
            w = mean * (1 - mean)
            try:
                V = np.linalg.inv((X.T * w) @ X)
            except np.linalg.LinAlgError:
                return True
            h = w * np.einsum("ia,ab,ib->i", X, V, X)
            step = V @ X.T @ (y - mean + h * (0.5 - mean))
            beta = beta + step
            if not np.isfinite(beta).all() or np.abs(beta).max() > 1e6:
                return True
    return bool(np.abs(step).max() > 1e-6)


def test_data_on_which_the_usual_iteration_runs_away() -> None:
    random = np.random.default_rng(15)
    ran, tried = 0, 0
    while ran < 5:
        tried += 1
        assert tried < 2000
        X = random.standard_cauchy(size=(15, 2))
        y = (random.random(15) < special.expit(X[:, 0])).astype(float)
        if fisher_runs_away(np.column_stack([np.ones(15), X]), y):
            ran += 1
            for kind in ("mean", "jeffreys"):
                fit = gb.fit(X, y, bias_reduction=kind, max_steps=200)
                assert fit.converged and fit.distance_to_mle <= 1e-9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("link", BINARY)
def test_small_samples(link: str, kind: str) -> None:
    """Separated or not, hardly more rows than columns."""
    random = np.random.default_rng(16)
    for _ in range(30):
        n, p = int(random.integers(8, 25)), int(random.integers(1, 4))
        X = random.integers(-2, 3, (n, p)).astype(float)
        if np.linalg.matrix_rank(np.column_stack([np.ones(n), X])) <= p:
            continue
        y = (random.random(n) < special.expit(0.7 * X[:, 0] + 1)).astype(float)
        fit = gb.fit(X, y, link=link, bias_reduction=kind, max_steps=300)
        assert fit.converged and fit.distance_to_mle <= 1e-6
        assert np.isfinite(fit.params).all() and np.isfinite(fit.bse).all()


def test_a_median_far_from_the_prior() -> None:
    """From near the start no step shortens the score: the root lies twice as far out as Jeffreys' maximum."""
    X = np.array([[-1, -1, -1, 2, 1, -2, -2, -2, 2, -2, 1, -2, 1, -2, 2, -2, -1, 2],
                  [1, 2, 1, 0, -1, -2, 2, -1, -2, 0, 1, -1, -1, -2, 1, 2, 2, 0],
                  [-2, 0, -2, -2, -2, 2, 2, 1, 1, -1, -2, 2, 2, 2, -1, -2, 0, 1]], float).T  # fmt: skip
    y = np.ones(18)
    y[[7, 9]] = 0.0
    fit = gb.fit(X, y, bias_reduction="median")
    assert fit.converged
    assert fit.params.to_numpy() == pytest.approx([6.4504590, 2.7629929, 2.6640999, 2.5645200], abs=1e-6)


def test_any_start() -> None:
    X, y = doses(np.random.default_rng(17), 15)
    wanted = gb.fit(X, y, bias_reduction="firth").params.to_numpy()
    for start in itertools.product((-8.0, 8.0), repeat=3):
        fit = gb.fit(X, y, bias_reduction="firth", start=list(start), max_steps=200)
        assert fit.params.to_numpy() == pytest.approx(wanted, rel=1e-7)


def test_step_limit_is_said() -> None:
    X, y = doses(np.random.default_rng(18))
    with pytest.warns(gb.errors.ConvergenceWarning):
        fit = gb.fit(X, y, bias_reduction="firth", max_steps=1)
    assert not fit.converged and fit.outcome == "step limit"
    with pytest.raises(gb.errors.FitError):
        gb.fit(X, y, bias_reduction="firth", max_steps=1, strict=True)


# --- refusals and words ------------------------------------------------------------------------------


def test_refusals() -> None:
    X, y = doses(np.random.default_rng(19))
    for arguments, words in (
        ({"bias_reduction": "firht"}, "firth"),
        ({"bias_reduction": True}, "median"),
        ({"bias_reduction": "firth", "penalty": gb.penalties.ridge(1)}, "penalty="),
    ):
        with pytest.raises(gb.errors.ArgumentError, match=words):
            gb.fit(X, y, **arguments)
    with pytest.raises(gb.errors.ArgumentError, match="multinomial"):
        gb.fit(X, y.astype(int), "multinomial", bias_reduction="median")
    data = {"y": y, "x": X[:, 0]}
    for verb in (gb.bridge, gb.network):
        with pytest.raises(gb.errors.ArgumentError, match="glm\\(\\) and fit\\(\\)"):
            verb("y ~ x", data, bias_reduction="firth")
    median = gb.fit(X, y, bias_reduction="median")
    for ask in (lambda: median.penalised_tests(), lambda: median.conf_int(method="profile")):
        with pytest.raises(gb.errors.ArgumentError, match="wald"):
            ask()
    with pytest.raises(gb.errors.ArgumentError, match="bias_reduction"):
        gb.fit(X, y).penalised_tests()
    with pytest.raises(gb.errors.ArgumentError, match="bias-reduced"):
        gb.compare(median, median)


def test_a_family_without_known_cumulants_is_refused() -> None:
    family = named("binomial", "logit")
    strange = type(family)(family.distribution, type(family.link)("square", *[np.square] * 3, "square"), family.kernel)
    assert not curvatures.known(strange)
    with pytest.raises(gb.errors.ArgumentError, match="square"):
        reductions.given("firth", strange, gb.penalties.ridge(0))


def test_words() -> None:
    X, y = doses(np.random.default_rng(20))
    fit = gb.fit(X, y, bias_reduction="firth")
    assert repr(fit).splitlines()[0].endswith("bias-reduced (Firth)")
    text = str(fit.summary())
    assert "adjusted score" in text and "no likelihood-ratio tests" in " ".join(text.split())
    assert len(repr(fit).splitlines()) <= 25
    assert gb.fit(X, y, link="probit", bias_reduction="firth").modelled.endswith("mean bias-reduced")
    assert gb.fit(X, y, bias_reduction="median").modelled.endswith("median bias-reduced")
    assert gb.fit(X, y, bias_reduction="jeffreys").modelled.endswith("Jeffreys' prior")
    gamma = str(gb.fit(X, y + 1, "gamma", "log", bias_reduction="mean").summary())
    assert "the root of its own adjusted score" in " ".join(gamma.split())


def test_profile_limits_agree_with_the_tests() -> None:
    """At its limits a coefficient has the p-value that the level asks for."""
    from glmnet_bridge.inference import reduced_profiles

    X, y = doses(np.random.default_rng(21), 12)
    for level in (0.5, 0.99):
        fit = gb.fit(X, y, bias_reduction="firth")
        limits = fit.conf_int(method="profile", level=level)
        for side in limits:
            p_values = reduced_profiles.tests(fit.estimate, fit.rows, limits[side].to_numpy())[1]
            assert p_values == pytest.approx(np.full(3, 1 - level), rel=1e-6)


# --- what it is for ----------------------------------------------------------------------------------


def expected_estimates(kind: str, trials: int, beta: Array) -> tuple[Array, Array]:
    """Exact mean of the estimates over all outcomes of three doses, and the first-order bias of the maximum."""
    X = np.column_stack([np.ones(3), [-1.0, 0.0, 1.0]])
    chance = special.expit(X @ beta)
    columns = ("Intercept", "x")
    model = Model(columns, single_unit(columns), named("binomial"), reduction=kind)
    total = np.zeros(2)
    for events in itertools.product(range(trials + 1), repeat=3):
        rows = Rows(
            ArraySource(X[:, 1:], intercept=True), np.array(events)[:, None] / trials, np.full(3, float(trials))
        )
        found = estimate(model, rows)
        assert found.converged
        total += stats.binom(trials, chance).pmf(events).prod() * found.theta
    w = trials * chance * (1 - chance)
    V = np.linalg.inv((X.T * w) @ X)
    h = w * np.einsum("ia,ab,ib->i", X, V, X)
    return total, -V @ X.T @ (h * (0.5 - chance))


def test_firth_removes_the_first_order_bias_exactly() -> None:
    """Over all outcomes of three doses with 8 trials each: less than a tenth of the maximum's is left."""
    beta = np.array([0.4, 0.8])
    mean, first = expected_estimates("mean", 8, beta)
    assert (np.abs(mean - beta) < 0.1 * np.abs(first)).all()


@pytest.mark.slow
def test_what_firth_leaves_is_of_second_order() -> None:
    """It falls about fourfold as trials double, where the maximum's bias falls twofold."""
    beta = np.array([0.4, 0.8])
    some, more = (np.abs(expected_estimates("mean", trials, beta)[0] - beta) for trials in (8, 16))
    fall = some / more
    assert fall.min() > 3.5 and fall.max() < 5.5


@pytest.mark.slow
def test_firth_removes_the_bias_in_samples() -> None:
    """Logistic regression, n = 100, five normal columns: 2,000 samples with a fixed seed."""
    random = np.random.default_rng(22)
    beta = np.array([0.5, 1.0, -1.0, 0.5, 0.0, 0.0])
    found: dict[str, list[Array]] = {"ml": [], "mean": [], "median": []}
    for _ in range(2000):
        X = random.normal(size=(100, 5))
        y = (random.random(100) < special.expit(beta[0] + X @ beta[1:])).astype(float)
        for kind, estimates in found.items():
            fit = gb.fit(X, y, bias_reduction=None if kind == "ml" else kind)
            assert fit.converged
            estimates.append(fit.params.to_numpy())
    values = {kind: np.array(estimates) for kind, estimates in found.items()}
    noise = values["mean"].std(axis=0) / np.sqrt(2000)
    assert (np.abs(values["ml"].mean(axis=0) - beta)[:4] > 5 * noise[:4]).all()
    assert (np.abs(values["mean"].mean(axis=0) - beta) < 3.5 * noise).all()
    above = (values["median"] > beta).mean(axis=0)
    assert (np.abs(above - 0.5) < 3.5 * 0.5 / np.sqrt(2000)).all()


@pytest.mark.parametrize(("name", "link"), [pair for pair in KERNELS if pair[0] in ("gamma", "inverse_gaussian")])
def test_positive_families(name: str, link: str) -> None:
    random = np.random.default_rng(23)
    X = random.uniform(0.5, 1.5, size=(60, 2))
    eta = 0.5 + X @ [0.6, 0.4]
    mean = named(name, link).mean(eta)
    y = mean * random.gamma(8.0, 1 / 8.0, 60)
    for kind in KINDS:
        fit = gb.fit(X, y, name, link, bias_reduction=kind)
        assert fit.converged and fit.distance_to_mle <= 1e-9
        assert (np.abs(fit.params - gb.fit(X, y, name, link).params) < fit.bse).all()
