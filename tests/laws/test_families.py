"""Families: links and their inverses, variances, full likelihoods, and the names other people use."""

from __future__ import annotations

import gc
import weakref

import mpmath as mp
import numpy as np
import pytest
import scipy.special
import statsmodels.api as sm
from laws import truths
from laws.truths import DENSITIES, Mean, Truth

from glmnet_bridge.errors import ArgumentError
from glmnet_bridge.model import families, likelihoods
from glmnet_bridge.model.families import DISTRIBUTIONS, KERNELS, LINKS, Family, named

SMALLEST, LARGEST = float(np.finfo(float).tiny), float(np.finfo(float).max)

every_kernel = pytest.mark.parametrize("key", KERNELS, ids="-".join)


def right(value, exact, slack=0.0) -> bool:
    """To 12 digits; beyond the range of normal numbers, zero or infinite."""
    if abs(exact) > LARGEST:
        return bool(np.isinf(value)) and (value > 0) == (exact > 0)
    return abs(mp.mpf(float(value)) - exact) <= 1e-12 * abs(exact) + slack + SMALLEST


# --- links ------------------------------------------------------------------------------------------


@every_kernel
def test_mean_and_slope_are_those_of_the_link(key):
    family, truth = named(*key), Truth(*key)
    etas = truths.DOMAINS[truths.domain(*key)]
    column = np.array(etas)[:, None]
    for eta, mean, slope in zip(etas, family.mean(column)[:, 0], family.slope(column)[:, 0], strict=True):
        assert right(mean, truth.mean(mp.mpf(eta)).value), f"mean at {eta}: {mean}"
        assert right(slope, truth.slope(mp.mpf(eta))), f"slope at {eta}: {slope}"


@every_kernel
def test_the_link_takes_the_mean_back_to_eta(key):
    """As far as the mean's last digit decides it: not where the mean is rounded to 0 or 1."""
    family, truth = named(*key), Truth(*key)
    for eta in truths.DOMAINS[truths.domain(*key)]:
        mean = family.mean(np.array([eta]))[0]
        slope = truth.slope(mp.mpf(eta))
        if (
            slope == 0
            or not SMALLEST < abs(mean) <= LARGEST
            or (family.name in ("binomial", "multinomial") and mean == 1.0)
        ):
            continue
        last_digit = 4 * abs(mp.mpf(float(mean))) * mp.mpf(2) ** -52 / abs(slope)
        assert right(family.link.function(np.array([mean]))[0], mp.mpf(eta), last_digit), f"eta = {eta}, mean = {mean}"


@every_kernel
def test_variance_is_that_of_the_density(key):
    family, truth = named(*key), Truth(*key)
    for eta in (0.2, 0.45, 0.9):
        mean = truth.mean(mp.mpf(-eta if truths.domain(*key) == "negative" else eta))
        assert right(family.variance(np.array(float(mean.value))), DENSITIES[key[0]].variance(mean))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_default_link_is_the_canonical_one(name):
    assert named(name).link.name == truths.CANONICAL[name]
    assert DISTRIBUTIONS[name].support == DENSITIES[name].support
    assert getattr(families, name)() == named(name)


# --- full likelihoods -------------------------------------------------------------------------------

FREE = {"gaussian", "gamma", "inverse_gaussian"}
LIKELIHOODS = {
    "binomial": {"y": [0.0, 1.0, 1.0, 0.0], "mean": [0.2, 0.7, 0.01, 0.999]},
    "multinomial": {"y": [0.0, 1.0, 1.0, 0.0], "mean": [0.2, 0.7, 0.01, 0.999]},
    "poisson": {"y": [0.0, 1.0, 17.0, 1e4, 1e6], "mean": [0.4, 1.0, 20.0, 9.9e3, 1e6 + 300]},
    "gaussian": {"y": [0.0, -3.0, 1e5], "mean": [0.1, -2.0, 1e5 + 2]},
    "gamma": {"y": [1e-6, 0.3, 2e5], "mean": [0.5, 0.4, 1e5]},
    "inverse_gaussian": {"y": [1e-3, 0.3, 2e5], "mean": [0.5, 0.4, 1e5]},
}


def log_density(name, y, mean, dispersion, prior):
    """A row's log-density as R weights it: the Gaussian variance is divided, elsewhere the logarithm multiplied."""
    if name == "gaussian":
        variance = dispersion / prior
        return -(mp.log(2 * mp.pi * variance) + (y - mean) ** 2 / variance) / 2
    if name == "gamma":
        shape = 1 / dispersion
        rate = shape / mean
        return prior * (shape * mp.log(rate) - mp.loggamma(shape) + (shape - 1) * mp.log(y) - rate * y)
    if name == "inverse_gaussian":
        square = (y - mean) ** 2 / (dispersion * mean**2 * y)
        return -prior * (mp.log(2 * mp.pi * dispersion * y**3) + square) / 2
    return prior * DENSITIES[name].log(y, Mean(mean, 1 - mean))


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("dispersion", [1.0, 0.3, 40.0])
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_saturated_plus_kernels_is_the_full_log_likelihood(name, dispersion, weighted):
    y, mean = (np.array(LIKELIHOODS[name][part]) for part in ("y", "mean"))
    prior, freq = (np.arange(1, len(y) + 1) / 2.0, np.arange(len(y)) + 1.0) if weighted else (None, None)
    dispersion = dispersion if name in FREE else 1.0
    observed = likelihoods.Observed(y, None, prior, freq)
    family = named(name)
    eta = family.link.function(mean[:, None])[:, 0]
    kernels = observed.weights * family.local(y[:, None], eta[:, None]).loglik[:, 0]
    full = likelihoods.saturated(family.distribution, observed, dispersion) + kernels.sum() / dispersion
    exact = mp.fsum(
        (1 if freq is None else freq[row])
        * log_density(
            name,
            mp.mpf(y[row]),
            Truth(name, family.link.name).mean(mp.mpf(eta[row])).value,
            mp.mpf(dispersion),
            mp.mpf(1 if prior is None else prior[row]),
        )
        for row in range(len(y))
    )
    assert right(full, exact), f"{full!r}, not {mp.nstr(exact, 17)}"


@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (3, 7), (0, 20), (250, 1000), (3e5, 1e6), (4e11, 1e12)])
def test_trials_bring_the_binomial_coefficient(successes, trials):
    y, m = np.array([successes / trials]), np.array([float(trials)])
    value = likelihoods.saturated(DISTRIBUTIONS["binomial"], likelihoods.Observed(y, m), 1.0)
    k, n = mp.mpf(successes), mp.mpf(trials)
    p = k / n
    entropy = truths._times_log(k, p) + truths._times_log(n - k, 1 - p)
    coefficient = mp.loggamma(n + 1) - mp.loggamma(k + 1) - mp.loggamma(n - k + 1)
    assert right(value, coefficient + entropy), f"{value!r}, not {mp.nstr(coefficient + entropy, 17)}"


@pytest.mark.parametrize("count", [0.0, 1.0, 2.5, 15.0, 16.0, 17.0, 300.0, 1e4, 1e6, 1e9, 1e12])
def test_large_counts_keep_their_digits(count):
    """The terms of a Poisson log-density at its mean are of the size y log y, their sum of the size log y."""
    value = likelihoods.saturated(DISTRIBUTIONS["poisson"], likelihoods.Observed(np.array([count])), 1.0)
    exact = DENSITIES["poisson"].log(mp.mpf(count), Mean(mp.mpf(count)))
    assert right(value, exact), f"{value!r}, not {mp.nstr(exact, 17)}"


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_frequency_two_is_the_row_twice_and_zero_is_no_row(name):
    y = np.array(LIKELIHOODS[name]["y"])
    freq = np.arange(len(y)) % 3.0
    repeated = np.repeat(y, freq.astype(int))
    for prior, again in [(None, None), (y * 0.0 + 1.5, repeated * 0.0 + 1.5)]:
        once = likelihoods.Observed(y, None, prior, freq)
        often = likelihoods.Observed(repeated, None, again)
        assert once.nobs == often.nobs == freq.sum()
        values = [likelihoods.saturated(DISTRIBUTIONS[name], each, 1.0) for each in (once, often)]
        assert values[0] == pytest.approx(values[1], rel=1e-13)
        deviance = 3.0
        assert likelihoods.likelihood_dispersion(DISTRIBUTIONS[name], once, deviance) == pytest.approx(
            likelihoods.likelihood_dispersion(DISTRIBUTIONS[name], often, deviance), rel=1e-13
        )


# --- names ------------------------------------------------------------------------------------------

SPELLINGS = {
    # R
    "binomial": ("binomial", "logit"),
    "gaussian": ("gaussian", "identity"),
    "poisson": ("poisson", "log"),
    "Gamma": ("gamma", "inverse"),
    "inverse.gaussian": ("inverse_gaussian", "1/mu^2"),
    # others
    "Binomial": ("binomial", "logit"),
    "bernoulli": ("binomial", "logit"),
    "normal": ("gaussian", "identity"),
    "InverseGaussian": ("inverse_gaussian", "1/mu^2"),
    " poisson ": ("poisson", "log"),
}
LINK_SPELLINGS = {
    "CLogLog": "cloglog",
    "complementary log-log": "cloglog",
    "cauchy": "cauchit",
    "Probit": "probit",
    "logistic": "logit",
    "log": "log",
    "identity": "identity",
}
FROM_STATSMODELS = {
    sm.families.Binomial: ("binomial", "logit"),
    sm.families.Gaussian: ("gaussian", "identity"),
    sm.families.Poisson: ("poisson", "log"),
    sm.families.Gamma: ("gamma", "inverse"),
    sm.families.InverseGaussian: ("inverse_gaussian", "1/mu^2"),
}
links = sm.families.links
LINKS_OF_STATSMODELS = {
    links.Logit: "logit",
    links.Probit: "probit",
    links.CLogLog: "cloglog",
    links.LogLog: "loglog",
    links.Cauchy: "cauchit",
    links.Log: "log",
    links.Identity: "identity",
    links.InversePower: "inverse",
    links.InverseSquared: "1/mu^2",
    links.Sqrt: "sqrt",
}


@pytest.mark.parametrize("word", SPELLINGS)
def test_spellings_of_families(word):
    assert (named(word).name, named(word).link.name) == SPELLINGS[word]


@pytest.mark.parametrize("word", LINK_SPELLINGS)
def test_spellings_of_links(word):
    assert named("binomial", word).link.name == LINK_SPELLINGS[word]


@pytest.mark.parametrize("word", ["1/mu^2", "1/mu2", "inverse_squared", "InverseSquared"])
def test_spellings_of_the_inverse_square(word):
    assert named("inverse.gaussian", word).link.name == "1/mu^2"


@every_kernel
def test_every_way_to_say_a_family_is_the_same_family(key):
    name, link = key
    maker = getattr(families, name)
    family = Family(DISTRIBUTIONS[name], families.JOINT.get(key, LINKS[link]), KERNELS[key])
    for said in (named(name, link), named(maker, link), named(maker(link)), named(maker(), link)):
        assert said == family
    assert named(name, LINKS[link]) == family
    assert named(family) is family
    assert eval(repr(family), {name: maker}) == family


@pytest.mark.parametrize("kind", FROM_STATSMODELS, ids=lambda kind: kind.__name__)
def test_families_of_statsmodels(kind):
    assert named(kind) == named(kind()) == named(*FROM_STATSMODELS[kind])


@pytest.mark.parametrize("link", LINKS_OF_STATSMODELS, ids=lambda link: link.__name__)
@pytest.mark.parametrize("kind", FROM_STATSMODELS, ids=lambda kind: kind.__name__)
def test_links_of_statsmodels(kind, link):
    """As an argument beside the family, or inside a family object; a class or an instance; refused if we have none."""
    key = FROM_STATSMODELS[kind][0], LINKS_OF_STATSMODELS[link]
    spoken = [(kind(), link()), (kind, link), (key[0], link()), (key[0], link)]
    if link in kind.links:
        spoken.append((kind(link()), None))
    for family, chosen in spoken:
        if key in KERNELS:
            assert named(family, chosen) == named(*key)
        else:
            with pytest.raises(ArgumentError, match=f"{key[0]} family has no link"):
                named(family, chosen)


@pytest.mark.parametrize(("power", "link"), [(1, "identity"), (0, "log"), (-1, "inverse")])
def test_power_links_say_their_power(power, link):
    assert named("gaussian", links.Power(power=power)).link.name == link


@pytest.mark.parametrize("kind", FROM_STATSMODELS, ids=lambda kind: kind.__name__)
def test_objects_of_statsmodels_are_neither_kept_nor_changed(kind):
    given = kind()
    given.link.mark = given.mark = "mine"
    before = dict(vars(given)), dict(vars(given.link))
    family = named(given)
    assert (dict(vars(given)), dict(vars(given.link))) == before
    alive = weakref.ref(given), weakref.ref(given.link)
    del given, before
    gc.collect()
    assert [each() for each in alive] == [None, None]
    assert family == named(*FROM_STATSMODELS[kind])


@pytest.mark.parametrize(
    ("family", "link", "words"),
    [
        ("poison", None, ["poison", "Did you mean 'poisson'?"]),
        ("quasi", None, ["quasi", *DISTRIBUTIONS]),
        ("", None, ["Unknown family"]),
        ("binomial", "probbit", ["probbit", "Did you mean 'probit'?"]),
        ("poisson", "probit", ["poisson family has no link 'probit'", "log, sqrt, identity"]),
        ("gaussian", "sqrt", ["gaussian family has no link 'sqrt'"]),
        ("poisson", 5, ["link", "5", "not understood"]),
        ("poisson", np.log, ["link", "ufunc", "not understood", *LINKS]),
        (None, None, ["family", "None", "not understood"]),
        (3, None, ["family", "3", "not understood"]),
        (np.log, None, ["family", "ufunc", "not understood", *DISTRIBUTIONS]),
        (scipy.special.gamma, None, ["family", "not understood"]),
        (np.random.poisson, None, ["family", "not understood"]),
        (sm.families.NegativeBinomial, None, ["negativebinomial"]),
        (sm.families.Tweedie, None, ["tweedie"]),
        ("binomial", links.CDFLink, ["no link"]),
        ("gaussian", links.Power(power=3.0), ["no link"]),
    ],
)
def test_unknown_names_are_refused(family, link, words):
    with pytest.raises(ArgumentError) as caught:
        named(family, link)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_functions_refuse_links_that_the_family_lacks(name):
    with pytest.raises(ArgumentError, match="it has"):
        getattr(families, name)("no such link")


@every_kernel
def test_words_of_both_languages(key):
    family = named(*key)
    assert family.title.startswith(family.distribution.title) and family.link.name in family.title
    assert family.link.activation and family.distribution.loss
    with pytest.raises(AttributeError):
        family.link = LINKS["log"]
