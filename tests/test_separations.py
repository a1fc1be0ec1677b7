"""`gb.separation`: the verdict without a fit, for every family that can be separated."""

from __future__ import annotations

import pandas as pd
import pytest

import glmnet_bridge as gb

COUNTS = pd.DataFrame({"y": [0, 0, 0, 0, 3, 2, 1, 4], "g": list("aaaabbbb"), "x": [1.0, 2, 3, 4, 1, 2, 4, 3]})


def test_counts() -> None:
    found = gb.separation("y ~ C(g) + x", COUNTS, "poisson")
    assert found.status.to_dict() == {"Intercept": "-inf", "C(g)[T.b]": "+inf", "x": "finite"}
    assert list(found.rows) == [0, 1, 2, 3] and found.rows_left == 4
    assert found.any and not found.complete
    assert "counts of zero" in repr(found) and 'bias_reduction="firth"' in found.sentence
    firth = gb.glm("y ~ C(g) + x", COUNTS, "poisson", bias_reduction="firth")
    assert firth.converged and set(firth.separation) == {"finite"} and not len(firth.separated_rows)
    with pytest.raises(gb.errors.ArgumentError, match="bias_reduction"):
        firth.limit()


def test_several_classes() -> None:
    data = pd.DataFrame({"y": list("aabbcc"), "x": [1.0, 2, 3, 4, 5, 6]})
    found = gb.separation("y ~ x", data, "multinomial")
    assert found.complete and set(found.status) <= {"+inf", "-inf"}
    assert found.status["c: x"] == "+inf"
    with pytest.warns(gb.errors.SeparationWarning):
        fit = gb.glm("y ~ x", data, "multinomial")
    assert list(fit.separated_rows) == list(data.index)
    with pytest.raises(gb.errors.ArgumentError, match="separation"):
        fit.limit()


def test_labels_aliases_and_missing_rows() -> None:
    data = pd.DataFrame({"y": [0, 1, 0, 1, 1, 0], "x": [0.0, 1, 0, 1, 1, 0], "z": [2.0, 2, 2, 2, 2, None]})
    data.index = pd.Index(list("pqrstu"))
    found = gb.separation("y ~ x + z", data)
    assert found.status.to_dict() == {"Intercept": "-inf", "x": "+inf", "z": "aliased"}
    assert list(found.rows) == list("pqrst")


def test_where_there_is_nothing_to_separate() -> None:
    for family in ("gamma", "gaussian"):
        found = gb.separation("x ~ C(g)", COUNTS, family)
        assert not found.any and not found.complete and found.rows_left == 8
        assert set(found.status) == {"finite"} and "Not separated" in found.sentence
