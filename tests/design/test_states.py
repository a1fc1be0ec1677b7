"""States: a design written as JSON gives the same columns to the last bit, in a fresh process too."""

import copy
import json
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from glmnet_bridge.design.designs import Design
from glmnet_bridge.design.formulas import one_sided, parse
from glmnet_bridge.errors import BridgeError, DataError

rng = np.random.default_rng(4)
N = 80
NUMBERS = {
    "x": rng.normal(size=N) * np.pi,
    "z": rng.random(N) / 3,
    "k": rng.integers(1, 5, N),
    "b": rng.random(N) < 0.5,
}
CODES = {"g": rng.integers(0, 3, N), "h": rng.integers(0, 4, N)}
LEVELS = {"g": ["a", "b", "ü ∼"], "h": [10, 2, 33, 4]}
FACTORS = {name: pd.Categorical.from_codes(CODES[name], LEVELS[name]) for name in CODES}
VALUES = {**NUMBERS, **FACTORS}

FORMULAS = [
    "x",
    "1",
    "x*z + k - 1",
    "b*g + h:x",
    "C(g, Sum)*C(h, Poly)",
    "C(k, Helmert) + C(h, Diff) + C(g, Treatment('b'))",
    "center(x) + center(k):g",
    "scale(x) + standardize(k, ddof=1):z + scale(z, center=False)",
    "center(bs(x, df=4)) + scale(bs(z, df=4))",
    "bs(x, df=5) + bs(k, df=4, degree=2) + bs(z, knots=[0.1, 0.2], lower_bound=-1, upper_bound=1/3)",
    "bs(scale(np.log(z)), df=5):b",
    "cr(x, df=4) + cr(z, df=4, constraints='center') + cr(x, df=3, constraints=[[1, 2, 3, 4]])",
    "cc(x, df=4, constraints='center')",
    "te(cr(x, df=3), cc(z, df=4), constraints='center') + te(bs(x, df=4), z)",
    "np.log(z) + I(x**2) + np.where(x > 0, 'up', 'down')",
]

CHILD = """
import hashlib, json, sys
import numpy as np, pandas as pd
from glmnet_bridge.design.designs import Design

given = json.load(open(sys.argv[1], encoding="utf-8"))
arrays = np.load(sys.argv[2])
values = {name: arrays[name] for name in arrays if name not in given["levels"]}
for name, levels in given["levels"].items():
    values[name] = pd.Categorical.from_codes(arrays[name], levels)
for state in given["states"]:
    design = Design.from_json(state)
    print(hashlib.sha256(np.ascontiguousarray(design.matrix(values))).hexdigest(), *design.names, sep="|")
"""


def designed(formula):
    return Design.learn(one_sided(formula), VALUES)


def through_json(state):
    return json.loads(json.dumps(state, allow_nan=False))


@pytest.mark.parametrize("formula", FORMULAS)
def test_round_trip_restores_everything(formula):
    design = designed(formula)
    twin = Design.from_json(through_json(design.to_json()))
    assert np.array_equal(twin.matrix(VALUES).view(np.int64), design.matrix(VALUES).view(np.int64))
    assert (twin.names, twin.terms, twin.formula) == (design.names, design.terms, design.formula)
    assert twin.to_json() == design.to_json()
    assert [part.levels for part in twin.factors] == [part.levels for part in design.factors]


def test_a_fresh_process_gives_the_same_bits(tmp_path):
    """At the top level of a script, where unpickling a model could not work."""
    import hashlib

    designs = [designed(formula) for formula in FORMULAS]
    state, arrays, script = tmp_path / "state.json", tmp_path / "values.npz", tmp_path / "child.py"
    given = {"levels": LEVELS, "states": [design.to_json() for design in designs]}
    state.write_text(json.dumps(given), encoding="utf-8")
    np.savez(arrays, **NUMBERS, **CODES)
    script.write_text(CHILD, encoding="utf-8")
    out = subprocess.run(
        [sys.executable, str(script), str(state), str(arrays)],
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert out.returncode == 0, out.stderr
    expected = [
        "|".join([hashlib.sha256(np.ascontiguousarray(design.matrix(VALUES))).hexdigest(), *design.names])
        for design in designs
    ]
    assert out.stdout.splitlines() == expected


def test_response_and_offset_are_kept_with_the_formula():
    design = Design.learn(parse("k ~ x + offset(np.log(z))"), VALUES)
    twin = Design.from_json(design.to_json())
    assert twin.formula.response[0].code == "k"
    assert twin.variables == {"x", "z"}


def test_designs_survive_copying_and_pickling():
    design = designed("C(g, Sum)*bs(x, df=4) + scale(z)")
    for twin in (copy.deepcopy(design), pickle.loads(pickle.dumps(design))):
        assert np.array_equal(twin.matrix(VALUES), design.matrix(VALUES))


def test_levels_of_intervals_and_dates_are_kept():
    age = pd.cut(pd.Series([1.0, 12.0, 25.0, 14.0]), [0, 10, 20, 30]).array
    day = pd.Categorical(pd.to_datetime(["2024-01-02", "2024-01-01", "2024-01-02", "2024-01-01"]))
    values = {"age": age, "day": day}
    design = Design.learn(one_sided("age + day"), values)
    twin = Design.from_json(through_json(design.to_json()))
    assert twin.names == design.names
    assert np.array_equal(twin.matrix(values), design.matrix(values))
    odd = Design.learn(one_sided("t"), {"t": pd.Categorical([(1, 2), (3, 4)])})
    with pytest.raises(DataError, match="of type tuple cannot be saved: make the levels text"):
        odd.to_json()


def test_unused_levels_are_kept():
    design = Design.learn(one_sided("g"), {"g": pd.Categorical(["a", "b"], categories=["a", "b", "c"])})
    assert Design.from_json(through_json(design.to_json())).unused == {"g": ("c",)}


def test_own_functions_must_come_again():
    double = {"double": lambda values: 2 * values}
    design = Design.learn(one_sided("double(x):g", double), VALUES)
    state = through_json(design.to_json())
    with pytest.raises(DataError, match=r"your own function double.*functions=\{'double': double\}"):
        Design.from_json(state)
    assert np.array_equal(Design.from_json(state, double).matrix(VALUES), design.matrix(VALUES))


def damaged(**changes):
    state = through_json(designed("bs(x, df=4)*g").to_json())
    for path, value in changes.items():
        part = state
        *way, last = path.split("__")
        for step in way:
            part = part[int(step)] if step.isdigit() else part[step]
        if value is None:
            del part[last]
        else:
            part[last] = value
    return state


DAMAGED = {
    "no design": ({"format": "pickle"}, "lacks its format mark"),
    "no format": ({"format": None}, "lacks its format mark"),
    "later version": ({"version": 99}, "format version 99.*reads version 1"),
    "no version": ({"version": None}, "format version None"),
    "other formula": ({"formula": "x + z"}, "'factors'"),
    "no formula": ({"formula": None}, "'formula'"),
    "hostile formula": ({"formula": "__import__('os').system('x')"}, "is not known"),
    "no factors": ({"factors": None}, "'factors'"),
    "factor without kind": ({"factors__g": {}}, "'factors'.*either a width or levels"),
    "unknown kind of level": ({"factors__g": {"levels": [{"call": "os"}]}}, "'factors'"),
    "no transforms": ({"transforms": {}}, "'transforms'"),
    "transform of another kind": ({"transforms": {"bs(x, df=4)": {"mean": 1}}}, "'transforms'"),
    "no terms": ({"terms": []}, "'terms'"),
    "fewer levels": ({"factors__g": {"levels": ["a", "b"]}}, "'terms'"),
    "rows": ({"rows": "many"}, "'rows'"),
}


@pytest.mark.parametrize(("changes", "says"), DAMAGED.values(), ids=list(DAMAGED))
def test_damaged_states_are_refused_by_name(changes, says):
    with pytest.raises(BridgeError, match=says):
        Design.from_json(damaged(**changes))


@pytest.mark.parametrize("state", [None, [], "{}", 3, {}])
def test_what_is_no_state_is_refused(state):
    with pytest.raises(DataError, match="no saved design"):
        Design.from_json(state)
