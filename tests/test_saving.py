"""Files of fits: the same answers to the last bit, no rows, and files that are none by the name of what is wrong."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

import glmnet_bridge as gb
from glmnet_bridge.errors import ArgumentError, BridgeError, DataError
from glmnet_bridge.model.families import KERNELS
from glmnet_bridge.model.layers import Activation, Affine
from glmnet_bridge.model.networks import Inputs, Network, dense_entries
from glmnet_bridge.storage import containers, records

N = 90
SECRET = 0.912345678901234


def made() -> pd.DataFrame:
    random = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "x": random.normal(size=N),
            "v": random.random(N) + 0.5,
            "g": random.choice(["a", "b", "ü ∼"], N),
            "day": pd.Categorical(pd.to_datetime("2024-01-01") + pd.to_timedelta(random.integers(0, 3, N), unit="D")),
            "w": random.integers(1, 4, N).astype(float),
            "m": random.integers(2, 9, N).astype(float),
        },
        index=np.arange(N) * 3 + 1,
    )
    eta = 0.3 + 0.8 * frame.x - 0.5 * (frame.g == "b")
    frame["y"] = (random.random(N) < 1 / (1 + np.exp(-eta))).astype(int)
    frame["n"] = random.poisson(np.exp(0.4 * frame.x))
    frame["c"] = random.choice(["home", "icu", "ward"], N)
    frame["k"] = random.binomial(frame.m.astype(int), 0.4)
    frame["ever"] = (frame.y == 1) & (frame.x > 0)
    frame["twice"] = 2 * frame.x
    frame.loc[4, "x"] = np.nan
    frame.loc[7, "v"] = SECRET
    return frame


FRAME = made()
RIDGE = gb.penalties.ridge(2.0)


def hidden() -> gb.fits.Fit:
    layers = (Affine(1, 3, name="hidden"), Activation(3, "tanh"), Affine(3, name="output"))
    network = Network(Inputs(("x",)), layers, dense_entries(layers, ("x",)))
    return gb.network("y ~ x", FRAME, network=network, start=np.linspace(-1, 1, 10))


FITS = {
    "logit": lambda: gb.glm("y ~ x + g", FRAME),
    "splines": lambda: gb.glm("y ~ bs(x, df=4) + C(g, Sum) + day", FRAME),
    "weights": lambda: gb.glm("I(k / m) ~ x + v", FRAME, trials="m", prior_weights=FRAME["w"], link="probit"),
    "counts": lambda: gb.glm("n ~ x + offset(v)", FRAME, "poisson", exposure="m", freq_weights="w"),
    "gamma": lambda: gb.glm("v ~ x + g", FRAME, "gamma", "log"),
    "gaussian": lambda: gb.glm("v ~ 0 + x", FRAME, "gaussian"),
    "multinomial": lambda: gb.glm("c ~ x + g", FRAME, "multinomial", base="icu"),
    "separated": lambda: gb.glm("y ~ x + ever", FRAME),
    "separated classes": lambda: gb.glm("c ~ x + z", FRAME.assign(z=FRAME.c == "icu"), "multinomial"),
    "aliased": lambda: gb.glm("y ~ x + twice + g", FRAME),
    "ridge": lambda: gb.glm("y ~ x + g", FRAME, penalty=RIDGE),
    "unfinished": lambda: gb.glm("y ~ x + g", FRAME, max_steps=1),
    "arrays": lambda: gb.fit(FRAME[["v", "w"]], FRAME["y"]),
    "unnamed": lambda: gb.fit(FRAME[["v", "w"]].to_numpy(), FRAME["n"].to_numpy(), "poisson", offset=FRAME["v"]),
    "trained": lambda: gb.network("y ~ x + g", FRAME, train="sgd", epochs=3, random_state=1),
    "inputs": lambda: gb.network("y ~ x", FRAME, inputs=["x", "v", "g[b]"], train="lbfgs"),
    "input formula": lambda: gb.network("y ~ x", FRAME, inputs="bs(v, df=4) + x", train="lbfgs"),
    "activation": lambda: gb.network("y ~ x + g", FRAME, activation="tanh"),
    "layers": hidden,
    "own function": lambda: gb.glm("y ~ f(x) + v", FRAME, functions={"f": np.tanh}),
}  # fmt: skip


@pytest.fixture(scope="module", params=FITS)
def fit(request) -> gb.fits.Fit:
    with (
        pytest.warns()
        if request.param in ("separated", "separated classes", "aliased", "unfinished", "trained")
        else quiet()
    ):
        return FITS[request.param]()


class quiet:
    """No warning is expected."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *error: object) -> None:
        return None


def loaded(fit: gb.fits.Fit, folder) -> gb.fits.Fit:
    return gb.load(fit.save(folder / "fit.gb"), functions={"f": np.tanh})


def assert_answers(fit: gb.fits.Fit, twin: gb.fits.Fit) -> None:
    """Everything that needs no rows, to the last bit."""
    same = pd.testing.assert_frame_equal
    pd.testing.assert_series_equal(twin.params, fit.params, check_exact=True)
    pd.testing.assert_series_equal(twin.bse, fit.bse, check_exact=True)
    pd.testing.assert_series_equal(twin.separation, fit.separation)
    for kind in ("expected", "observed", "bayesian"):
        same(twin.cov_params(kind), fit.cov_params(kind), check_exact=True)
    same(twin.tidy(exponentiate=True), fit.tidy(exponentiate=True), check_exact=True)
    same(twin.glance(), fit.glance(), check_exact=True)
    same(twin.trace, fit.trace, check_exact=True)
    same(twin.weights(), fit.weights(), check_exact=True)
    same(twin.information(), fit.information(), check_exact=True)
    assert (twin.nobs, twin.edf, twin.rows_dropped, twin.aliased) == (fit.nobs, fit.edf, fit.rows_dropped, fit.aliased)
    assert (twin.modelled, twin.formula, twin.outcome) == (fit.modelled, fit.formula, fit.outcome)
    assert str(twin.summary()) == str(fit.summary())
    assert repr(twin) == repr(fit) and twin._repr_html_() == fit._repr_html_()
    new = FRAME.dropna().head(9).assign(z=False)
    if not hasattr(fit.recipe, "design"):
        new = new[["v", "w"]] if fit.recipe.named else new[["v", "w"]].to_numpy()
    more = (
        {"offset": np.zeros(9)} if "offset" in getattr(fit.recipe, "given", {}) or fit.formula == "y ~ x1 + x2" else {}
    )
    for kind in ("mean", "link", "class" if fit.family.joint else "terms"):
        ours, theirs = (pd.DataFrame(each.predict(new, kind=kind, **more)) for each in (fit, twin))
        same(theirs, ours, check_exact=True)
    same(twin.get_prediction(new, **more), fit.get_prediction(new, **more), check_exact=True)


def test_a_loaded_fit_answers_to_the_last_bit(fit, tmp_path):
    assert_answers(fit, loaded(fit, tmp_path))


def test_a_loaded_fit_can_be_saved_again(fit, tmp_path):
    twin = loaded(fit, tmp_path)
    again = gb.load(twin.save(tmp_path / "again.gb"), functions={"f": np.tanh})
    assert (tmp_path / "again.gb").read_bytes() == (tmp_path / "fit.gb").read_bytes()
    assert_answers(fit, again)


def test_what_needs_rows_asks_for_them(fit, tmp_path):
    twin = loaded(fit, tmp_path)
    kind = "response" if fit.family.joint else "deviance"
    asked = (lambda: twin.fittedvalues, lambda: twin.residuals(kind), lambda: twin.augment(), lambda: twin.predict())
    for ask in asked:
        with pytest.raises(DataError, match="data="):
            ask()


def test_the_file_is_small_and_holds_no_rows(fit, tmp_path):
    path = fit.save(tmp_path / "fit.gb")
    assert path.stat().st_size < 12_000
    with zipfile.ZipFile(path) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
        lengths = [np.load(io.BytesIO(archive.read(name))).shape for name in archive.namelist() if "npy" in name]
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert not any(n in shape for shape in lengths for n in (N, N - 1))
    assert np.float64(SECRET).tobytes() not in content and b"0.9123456789" not in content
    assert str(tmp_path).encode() not in content


def test_copies_and_pickles(fit, tmp_path):
    twins = [copy.copy(fit), copy.deepcopy(fit), pickle.loads(pickle.dumps(fit))]
    twins.append(pickle.loads(pickle.dumps(loaded(fit, tmp_path))))
    for twin in twins:
        assert_answers(fit, twin)
    for twin in twins[:3]:
        pd.testing.assert_frame_equal(pd.DataFrame(twin.fittedvalues), pd.DataFrame(fit.fittedvalues), check_exact=True)


@pytest.mark.filterwarnings("ignore::glmnet_bridge.errors.ConvergenceWarning")
def test_a_bridge_is_copied_and_pickled():
    bridge = gb.bridge("y ~ x + g", FRAME, train="sgd", epochs=2, random_state=1)
    for twin in (copy.copy(bridge), copy.deepcopy(bridge), pickle.loads(pickle.dumps(bridge))):
        pd.testing.assert_frame_equal(twin.table, bridge.table, check_exact=True)
        assert twin.verdict == bridge.verdict


GIVEN = {"weights": {"prior_weights": FRAME["w"]}}
FORMULAS = [name for name in FITS if name not in ("arrays", "unnamed", "inputs", "input formula")]


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.filterwarnings("ignore::glmnet_bridge.errors.BridgeWarning")
def test_rows_can_be_put_back(name, tmp_path):
    fit = FITS[name]()
    data = FRAME.assign(z=FRAME.c == "icu")
    given = GIVEN.get(name, {})
    whole = loaded(fit, tmp_path).with_data(data, **given)
    kind = "response" if fit.family.joint else "deviance"
    for ours, theirs in ((fit.fittedvalues, whole.fittedvalues), (fit.residuals(kind), whole.residuals(kind))):
        pd.testing.assert_frame_equal(pd.DataFrame(theirs), pd.DataFrame(ours), check_exact=True)
    assert len(whole.augment()) == N
    assert_answers(fit, whole)
    del vars(whole)["pearson_chi2"]
    assert whole.pearson_chi2 == pytest.approx(fit.pearson_chi2, rel=1e-12)
    if "separated" not in name:
        other = data.assign(x=data["x"].to_numpy()[::-1])
        with pytest.raises(DataError, match="not the rows of the fit"):
            loaded(fit, tmp_path).with_data(other, **given)
    with pytest.raises(DataError, match="the fit used 89|the fit used 90"):
        loaded(fit, tmp_path).with_data(data.tail(50), **{key: value.tail(50) for key, value in given.items()})


def test_rows_of_arrays_are_not_put_back_and_arguments_are_checked(tmp_path):
    with pytest.raises(DataError, match=r"predict\(new\)"):
        loaded(FITS["arrays"](), tmp_path).with_data(FRAME)
    with pytest.raises(ArgumentError, match="had no trials"):
        loaded(FITS["logit"](), tmp_path).with_data(FRAME, trials="m")


@pytest.mark.parametrize("family, link", KERNELS)
def test_every_family_is_restored(family, link, tmp_path):
    response = {"multinomial": "c", "binomial": "y", "poisson": "n"}.get(family, "v")
    fit = gb.glm(f"{response} ~ 1", FRAME, family, link)
    twin = loaded(fit, tmp_path)
    assert twin.family == fit.family and twin.family.chosen is True
    pd.testing.assert_frame_equal(twin.tidy(), fit.tidy(), check_exact=True)


def test_own_functions_are_asked_for_by_name(tmp_path):
    path = gb.glm("y ~ f(x) + h(v)", FRAME, functions={"f": np.tanh, "h": np.sqrt}).save(tmp_path / "fit.gb")
    with pytest.raises(DataError, match=r"functions=\{'h': h\}"):
        gb.load(path, functions={"f": np.tanh})
    with pytest.raises(DataError, match="functions f, h"):
        gb.load(path)


def test_a_fresh_process_loads_at_module_level(tmp_path):
    """Nothing but the file and the package: no `if __name__ == "__main__"` is needed."""
    fit = FITS["logit"]()
    path = fit.save(tmp_path / "fit.gb")
    (tmp_path / "loads.py").write_text(
        f"import glmnet_bridge as gb\nfit = gb.load({str(path)!r})\nprint(fit.params.to_dict(), fit.llf)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", "import loads"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == f"{fit.params.to_dict()} {fit.llf}", done.stderr


# --- files that are none ----------------------------------------------------------------------


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


@pytest.fixture
def sound(tmp_path):
    return FITS["logit"]().save(tmp_path / "fit.gb")


def rewritten(path, name, change):
    """The archive with one member changed, everything else as it was."""
    with zipfile.ZipFile(path) as archive:
        parts = {each: archive.read(each) for each in archive.namelist()}
    parts[name] = change(parts.get(name, b""))
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in parts.items():
            archive.writestr(each, content)
    return path


def refused(path, words):
    with pytest.raises(BridgeError, match=words) as caught:
        gb.load(path)
    return str(caught.value)


def test_files_that_are_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    contents = {
        "is empty": b"",
        "is a text file": b"y ~ x\n1 2 3\n",
        "is a Python pickle.*not opened": pickle.dumps(Bomb()),
        "is an HDF5 file": b"\x89HDF\r\n\x1a\n" + bytes(100),
        "unknown kind": bytes(range(128, 256)),
        "is a text file, not": pickle.dumps(Bomb(), protocol=0),
    }
    for words, content in contents.items():
        (tmp_path / "fit.gb").write_bytes(content)
        refused("fit.gb", words)
    assert not (tmp_path / "exploded").exists()
    refused(tmp_path / "none.gb", "no file")
    refused(tmp_path, "is a folder")
    refused(3, "path of a file")


def test_foreign_archives(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.ones(3))
    refused(tmp_path / "a.npz", "NumPy archive.*network=")
    for name, words in (("archive/data.pkl", "PyTorch"), ("word/document.xml", "a zip archive")):
        with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
            archive.writestr(name, b"x")
        refused(tmp_path / "b.zip", words)
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("header.json", json.dumps({"format": "something else", "version": 1}))
    refused(tmp_path / "c.zip", "another format mark")


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9, 0.99])
def test_truncated_files(sound, share):
    content = sound.read_bytes()
    sound.write_bytes(content[: max(int(len(content) * share), 5)])
    refused(sound, "cut off")


def test_altered_files(sound):
    """Any one bit: refused, or without effect on what is read."""
    content = sound.read_bytes()
    truth = gb.load(sound)
    for at in range(0, len(content), 7):
        changed = bytearray(content)
        changed[at] ^= 1 << at % 8
        sound.write_bytes(changed)
        try:
            twin = gb.load(sound)
        except BridgeError as error:
            assert str(sound) in str(error)
        else:
            assert_answers(truth, twin)


def test_numbers_that_were_changed(sound):
    rewritten(sound, containers.MODEL, lambda text: text.replace(b'"y ~ x + g"', b'"y ~ g + x"'))
    refused(sound, "altered")


@pytest.mark.parametrize("version", [2, 99, 0, "1", None, True])
def test_other_versions(sound, version):
    rewritten(sound, containers.HEADER, lambda text: json.dumps({**json.loads(text), "version": version}).encode())
    refused(sound, f"format version {version!r}; this package reads version 1")


def sealed(path, change):
    """A file whose contents were changed by somebody who knows the checksum."""
    state, arrays = containers.read(path)
    change(state)
    return containers.write(path, state, arrays)


def test_what_a_forger_writes_is_not_made(sound):
    """A file can name no other class or function than those of fits."""
    for forged in (
        {"record": "Popen", "fields": {"args": "ls"}},
        {"stated": "Popen", "state": {}},
        {"family": "dataclass", "arguments": {"tuple": []}},
        {"family": "__builtins__", "arguments": {"tuple": []}},
        {"eval": "1"},
    ):
        sealed(sound, lambda state, forged=forged: state.update(recipe=forged))
        refused(sound, "damaged in its part 'recipe'")
    sealed(sound, lambda state: state.update(estimate=3, recipe=None))
    refused(sound, "holds no estimate")
    sealed(sound, lambda state: state.pop("sample"))
    refused(sound, "damaged in its part 'sample'")


def test_arrays_of_objects_are_refused(sound):
    """They would be pickles."""
    state, arrays = containers.read(sound)
    with pytest.raises(ValueError, match="Object arrays"):
        containers.write(sound, state, [np.array([Bomb()], dtype=object)])
    assert gb.load(sound).nobs == N - 1 and not list(sound.parent.glob(".*"))
    with pytest.raises(DataError, match="holds an array of object"):
        records.Writer().plain(np.array([Bomb()], dtype=object), "theta")
    with pytest.raises(DataError, match="part 'link' holds a function"):
        records.Writer().plain(lambda: 0, "link")


def test_a_sound_model_on_other_columns(sound):
    with pytest.raises(DataError, match="'x'"):
        gb.load(sound).predict(FRAME[["v", "g"]])


def test_places_where_no_file_can_be(tmp_path):
    fit = FITS["logit"]()
    with pytest.raises(ArgumentError, match="does not exist"):
        fit.save(tmp_path / "none" / "fit.gb")
    with pytest.raises(ArgumentError, match="is a folder"):
        fit.save(tmp_path)
