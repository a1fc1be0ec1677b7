"""Numbers as readers see them."""

from __future__ import annotations

import numpy as np
import pytest

from glmnet_bridge.report import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (201.43217, "201.4"),
        (0.031415, "0.03141"),
        (1.2e-12, "1.200e-12"),
        (-7.0, "-7"),
        (123456.789, "123457"),
        (0.0, "0"),
        (np.inf, "inf"),
        (np.nan, ""),
        (None, ""),
    ],
)
def test_significant(value, text):
    assert numbers.significant(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "<0.001"), (0.00049, "<0.001"), (0.0005, "0.001"), (0.05, "0.050"), (1.0, "1.000"), (np.nan, "")],
)
def test_p_values_are_never_zero(value, text):
    assert numbers.p_value(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (2e-13, "<1e-8"), (-3e-5, "-3e-5"), (0.3123, "0.312"), (-12.43, "-12.4"), (np.inf, "inf")],
)
def test_distances(value, text):
    assert numbers.distance(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(189, "189"), (6366.0, "6366"), (1e6, "1,000,000"), (12.5, "12.5"), (np.nan, "")]
)
def test_counts(value, text):
    assert numbers.count(value) == text


def test_estimates_share_the_decimals_that_their_errors_deserve():
    estimate, error = numbers.estimates([[-0.7161, 0.0345, 2.97], [0.0311, 0.009, 0.3]], [0.0311, 0.009, 0.3])
    assert estimate == ["-0.7161", "0.0345", "2.9700"]
    assert error == ["0.0311", "0.0090", "0.3000"]


def test_a_tiny_row_keeps_its_digits():
    """The coefficient of an income in units of one: not 0.0000."""
    estimate, error = numbers.estimates([[3.7, 1.234e-7], [0.35, 4.1e-8]], [0.35, 4.1e-8])
    assert estimate == ["3.700", "1.234e-7"]
    assert error == ["0.350", "4.100e-8"]


def test_a_huge_row_is_written_in_one_style():
    """An intercept beside an offset of 1e10: no -9999999999.303 beside a -1.000e+10."""
    estimate, error, high = numbers.estimates([[-1e10 - 0.2, 0.5], [0.266, 0.1], [-1e10 + 0.7, 0.7]], [0.266, 0.1])
    assert estimate == ["-1.000e+10", "0.500"] and high == ["-1.000e+10", "0.700"] and error == ["0.266", "0.100"]


def test_words_and_infinities_among_numbers():
    (column,) = numbers.estimates([[1.5, np.inf, -np.inf, "aliased", np.nan]], [0.2] + [np.nan] * 4)
    assert column == ["1.500", "inf", "-inf", "aliased", ""]


def test_no_minus_before_zeros():
    assert numbers.fixed(-0.00001, 3) == "0.000"
    assert numbers.fixed(-0.001, 3) == "-0.001"


def test_decimal_points_stand_under_each_other():
    cells = numbers.aligned(["1.25", "-10", "<0.001", "inf", ""])
    assert len({len(cell) for cell in cells}) == 1
    points = {cell.index(".") for cell in cells if "." in cell}
    assert points == {cells[1].index("-10") + 3}


def test_an_empty_table_has_columns():
    assert numbers.estimates([[], []], []) == [[], []]
