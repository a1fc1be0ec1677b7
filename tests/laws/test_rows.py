"""Rows: whatever holds the columns, however they are cut and whoever adds, the sums are the dense ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import examples
from laws.examples import LAYOUTS, SOURCES, N

from glmnet_bridge.data import rows as rows_module
from glmnet_bridge.data.rows import ArraySource, Columns, Layout, Rows
from glmnet_bridge.model import families
from glmnet_bridge.model.layers import Affine
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import Inputs, Network, single_unit

CLOSE = {"rtol": 1e-13, "atol": 1e-13}

every_source = pytest.mark.parametrize("name", SOURCES)
every_layout = pytest.mark.parametrize("name", LAYOUTS)
FAMILIES = pytest.mark.parametrize(
    "family", [families.binomial(), families.poisson(), families.binomial("cauchit")], ids=repr
)


def glm(width, family) -> Model:
    names = tuple(f"x{place}" for place in range(width))
    return Model(names, single_unit(names), family)


def fit_rows(source, family, seed=0) -> Rows:
    """Rows with whole weights, zero among them, and an offset."""
    rng = np.random.default_rng(seed)
    counts = family.distribution.support == "count"
    y = rng.poisson(1.5, (source.n, 1)) if counts else rng.integers(0, 2, (source.n, 1))
    return Rows(source, y.astype(float), rng.integers(0, 4, source.n) * 1.0, rng.normal(size=(source.n, 1)))


def picked(rows: Rows, matrix, index) -> Rows:
    """The rows at these positions, as arrays."""
    return Rows(ArraySource(matrix[index]), rows.response[index], rows.weights[index], rows.offset[index])


def same(one, other, **tolerance) -> None:
    assert one.loglik == pytest.approx(other.loglik, rel=1e-13, abs=1e-12)
    for part in ("score", "observed", "expected"):
        scale = np.abs(getattr(other, part)).max(initial=1e-300)
        np.testing.assert_allclose(
            getattr(one, part) / scale, getattr(other, part) / scale, **(tolerance or {"rtol": 0, "atol": 1e-13})
        )


def theta_for(width) -> np.ndarray:
    return 0.4 * np.random.default_rng(width).normal(size=width)


# --- columns: three verbs in every layout -----------------------------------------------------------


@every_layout
def test_verbs_are_those_of_the_matrix(name):
    case, rng = LAYOUTS[name], np.random.default_rng(1)
    n, p = case.matrix.shape
    assert case.columns.shape == (n, p)
    np.testing.assert_array_equal(case.columns.matrix(), case.matrix)
    for k in (1, 3):
        beta, u = rng.normal(size=(p, k)), rng.normal(size=(n, k))
        np.testing.assert_allclose(case.columns.dot(beta), case.matrix @ beta, **CLOSE)
        np.testing.assert_allclose(case.columns.tdot(u), case.matrix.T @ u, **CLOSE)


@every_layout
@pytest.mark.parametrize("weights", ["signed", "positive", "some zero", "none", "tiny"])
def test_gram_is_that_of_the_matrix(name, weights):
    case = LAYOUTS[name]
    n = len(case.matrix)
    signed = np.random.default_rng(2).normal(size=n)
    w = {
        "signed": signed,
        "positive": np.abs(signed),
        "some zero": np.maximum(signed, 0.0),
        "none": np.zeros(n),
        "tiny": np.abs(signed) * 1e-200,
    }[weights]
    before = w.copy()
    gram = case.columns.gram(w)
    scale = 1e-200 if weights == "tiny" else 1.0
    np.testing.assert_allclose(gram / scale, case.matrix.T @ (w / scale * case.matrix.T).T, **CLOSE)
    np.testing.assert_allclose(gram / scale, gram.T / scale, **CLOSE)
    np.testing.assert_array_equal(w, before)


def test_grams_do_not_overwrite_each_other():
    """Products are formed in memory that the thread uses again."""
    one, other = LAYOUTS["dense and cells"], LAYOUTS["interleaved"]
    w = np.ones(len(one.matrix))
    first = one.columns.gram(w)
    kept = first.copy()
    other.columns.gram(2.0 * w)
    one.columns.gram(-w)
    np.testing.assert_array_equal(first, kept)


@every_layout
def test_some_columns_and_sizes_are_those_of_the_matrix(name):
    case = LAYOUTS[name]
    width = case.matrix.shape[1]
    beta = np.random.default_rng(4).normal(size=(width, 2))
    np.testing.assert_allclose(case.columns.sizes(beta), np.abs(case.matrix) @ np.abs(beta), **CLOSE)
    for at in (np.arange(width), np.arange(width)[1:], np.arange(width)[::-2]):
        np.testing.assert_array_equal(case.columns.picked(at), case.matrix[:, at])


@every_layout
def test_columns_are_only_read(name):
    case = LAYOUTS[name]
    columns, n, p = case.columns, *case.matrix.shape
    for array in (columns.dense, columns.cell, columns.layout.table):
        if array is not None:
            array.flags.writeable = False
    columns.dot(np.ones((p, 1)))
    columns.tdot(np.ones((n, 1)))
    columns.gram(np.ones(n))
    columns.matrix()


# --- sources ----------------------------------------------------------------------------------------


def test_every_kind_of_rows_is_tried():
    assert {type(source) for source, _ in SOURCES.values()} == examples.kinds_of_rows()


@every_source
def test_a_source_reads_its_columns(name):
    """In one piece, in pieces, and one row at a time; float columns and whole cell numbers."""
    source, matrix = SOURCES[name]
    at = source.layout
    assert source.n == N and at.width == matrix.shape[1]
    assert sorted([*at.at_dense, *at.at_table]) == list(range(at.width))
    assert at.table.shape[1] == len(at.at_table)
    for start, stop in [(0, N), (0, 100), (100, N), (N - 1, N), (17, 18)]:
        dense, cell = source.read(start, stop)
        assert dense.dtype == np.float64 and dense.shape == (stop - start, len(at.at_dense))
        assert cell is None or (cell.dtype.kind == "i" and cell.shape == (stop - start,))
        np.testing.assert_allclose(Columns(dense, cell, at).matrix(), matrix[start:stop], rtol=1e-15, atol=1e-15)


@every_source
def test_reading_twice_is_reading_once(name):
    source, _ = SOURCES[name]
    first = [None if part is None else part.copy() for part in source.read(3, 90)]
    source.read(0, N)
    for one, other in zip(first, source.read(3, 90), strict=True):
        np.testing.assert_array_equal(one, other)


# --- sums -------------------------------------------------------------------------------------------


@every_source
@FAMILIES
def test_sums_are_those_of_the_dense_matrix(name, family):
    source, matrix = SOURCES[name]
    rows, theta = fit_rows(source, family), theta_for(matrix.shape[1])
    local = family.local(rows.response, matrix @ theta[:, None] + rows.offset)
    w = rows.weights[:, None]
    sums = glm(matrix.shape[1], family).sums(rows, theta)
    assert sums.loglik == pytest.approx(np.sum(w * local.loglik), rel=1e-13)
    np.testing.assert_allclose(sums.score, (matrix.T @ (w * local.score))[:, 0], rtol=1e-12, atol=1e-12)
    for kind in ("observed", "expected"):
        exact = matrix.T @ (w * getattr(local, kind) * matrix)
        np.testing.assert_allclose(getattr(sums, kind), exact, rtol=1e-12, atol=1e-12)


@every_source
@settings(max_examples=15)
@given(cuts=st.sets(st.integers(1, N - 1), max_size=12))
def test_any_split_into_blocks_gives_the_same_sums(name, cuts):
    source, matrix = SOURCES[name]
    model = glm(matrix.shape[1], families.binomial("probit"))
    rows, theta = fit_rows(source, model.family), theta_for(matrix.shape[1])
    ends = [0, *sorted(cuts), N]
    spans = list(zip(ends[:-1], ends[1:], strict=True))
    same(model.sums(rows, theta, spans=spans), model.sums(rows, theta, spans=[(0, N)]))


@every_source
@FAMILIES
def test_frequency_two_is_the_row_twice_and_zero_is_no_row(name, family):
    source, matrix = SOURCES[name]
    rows, theta = fit_rows(source, family), theta_for(matrix.shape[1])
    model = glm(matrix.shape[1], family)
    often = picked(rows, matrix, np.repeat(np.arange(N), rows.weights.astype(int)))
    once = Rows(often.source, often.response, np.ones(often.n), often.offset)
    same(model.sums(once, theta), model.sums(rows, theta))


@every_source
@FAMILIES
def test_twice_the_weight_is_twice_the_sums(name, family):
    """Bit for bit, as for every power of two."""
    source, matrix = SOURCES[name]
    rows, theta = fit_rows(source, family), theta_for(matrix.shape[1])
    model = glm(matrix.shape[1], family)
    single, double = (
        model.sums(Rows(source, rows.response, factor * rows.weights, rows.offset), theta) for factor in (1.0, 4.0)
    )
    assert double.loglik == 4.0 * single.loglik
    for part in ("score", "observed", "expected"):
        np.testing.assert_array_equal(getattr(double, part), 4.0 * getattr(single, part))


def test_equal_weights_may_be_one_number_held_once():
    source, matrix = SOURCES["array with intercept"]
    rows, model = fit_rows(source, families.poisson()), glm(4, families.poisson())
    for weight in (1.0, 2.5):
        one_number = np.broadcast_to(np.float64(weight), N)
        full = Rows(source, rows.response, np.full(N, weight), rows.offset)
        held = Rows(source, rows.response, one_number, rows.offset)
        same(model.sums(held, theta_for(4)), model.sums(full, theta_for(4)), rtol=1e-15, atol=0)


def test_rows_may_come_in_any_order():
    source, matrix = SOURCES["formula, mixed"]
    model = glm(matrix.shape[1], families.binomial())
    rows, theta = fit_rows(source, model.family), theta_for(matrix.shape[1])
    order = np.random.default_rng(8).permutation(N)
    same(model.sums(picked(rows, matrix, order), theta), model.sums(rows, theta))


def test_no_offset_is_offset_zero():
    source, matrix = SOURCES["formula, mixed"]
    model = glm(matrix.shape[1], families.binomial())
    rows, theta = fit_rows(source, model.family), theta_for(matrix.shape[1])
    without = Rows(source, rows.response, rows.weights)
    zero = Rows(source, rows.response, rows.weights, np.zeros((N, 1)))
    same(model.sums(without, theta), model.sums(zero, theta), rtol=0, atol=0)


# --- inputs turned around ---------------------------------------------------------------------------


@every_source
@FAMILIES
def test_permuted_columns_permute_score_and_information(name, family):
    source, matrix = SOURCES[name]
    p = matrix.shape[1]
    rows, theta, order = fit_rows(source, family), theta_for(p), np.random.default_rng(9).permutation(p)
    place = np.argsort(order)
    at = source.layout
    turned = _Turned(source, Layout(place[at.at_dense], place[at.at_table], at.table))
    moved = glm(p, family).sums(Rows(turned, rows.response, rows.weights, rows.offset), theta[order])
    still = glm(p, family).sums(rows, theta)
    assert moved.loglik == pytest.approx(still.loglik, rel=1e-14)
    np.testing.assert_allclose(moved.score, still.score[order], rtol=1e-12, atol=1e-12)
    for part in ("observed", "expected"):
        np.testing.assert_allclose(
            getattr(moved, part), getattr(still, part)[np.ix_(order, order)], rtol=1e-12, atol=1e-12
        )


class _Turned:
    """A source with its columns in another order."""

    def __init__(self, source, layout: Layout) -> None:
        self.source, self.layout, self.n = source, layout, source.n

    def read(self, start, stop):
        return self.source.read(start, stop)


@FAMILIES
def test_affine_change_of_the_inputs(family):
    """Columns Z = U T with coefficients T^-1 theta: the same likelihood, score T'u, information T'IT."""
    rng = np.random.default_rng(10)
    matrix = SOURCES["array with intercept"][1]
    change = rng.normal(size=(4, 4)) + 2.0 * np.eye(4)
    change[:, 0] = [1.0, 0.0, 0.0, 0.0]
    rows, theta = fit_rows(ArraySource(matrix), family), theta_for(4)
    model = glm(4, family)
    before = model.sums(rows, theta)
    after = model.sums(picked(rows, matrix @ change, np.arange(N)), np.linalg.solve(change, theta))
    assert after.loglik == pytest.approx(before.loglik, rel=1e-12)
    np.testing.assert_allclose(after.score, change.T @ before.score, rtol=1e-10, atol=1e-10)
    for part in ("observed", "expected"):
        np.testing.assert_allclose(
            getattr(after, part), change.T @ getattr(before, part) @ change, rtol=1e-10, atol=1e-10
        )


@every_source
@pytest.mark.parametrize("parts", ["both", "shift", "scale", "none"])
def test_standardised_is_dense_arithmetic(name, parts):
    source, matrix = SOURCES[name]
    rng, q = np.random.default_rng(11), len(source.layout.at_dense)
    shift = rng.normal(size=q) if parts in ("both", "shift") else None
    scale = rng.uniform(0.1, 9.0, q) if parts in ("both", "scale") else None
    rows = fit_rows(source, families.binomial())
    moved = matrix.copy()
    at = source.layout.at_dense
    if shift is not None:
        moved[:, at] = moved[:, at] - shift
    if scale is not None:
        moved[:, at] = moved[:, at] * scale
    standard = rows.standardised(shift, scale)
    np.testing.assert_allclose(
        np.vstack([block.columns.matrix() for block in standard.blocks()]), moved, rtol=1e-15, atol=1e-15
    )
    model, theta = glm(matrix.shape[1], families.binomial()), theta_for(matrix.shape[1]) / 4.0
    same(model.sums(standard, theta), model.sums(picked(rows, moved, np.arange(N)), theta))
    same(model.sums(standard.standardised(None, None), theta), model.sums(rows, theta), rtol=0, atol=0)


# --- who adds ---------------------------------------------------------------------------------------


def long_rows(n=20_011) -> Rows:
    rng = np.random.default_rng(12)
    y = rng.integers(0, 2, (n, 1)).astype(float)
    return Rows(ArraySource(rng.normal(size=(n, 30)), intercept=True), y, rng.gamma(1.0, size=n))


def test_threads_do_not_change_a_bit(monkeypatch):
    rows = long_rows()
    assert len(rows.spans()) > 3
    model, theta = glm(31, families.binomial("probit")), theta_for(31)
    found = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(rows_module, "workers", lambda threads=threads: threads)
        found.append(model.sums(rows, theta))
    for other in found[1:]:
        same(other, found[0], rtol=0, atol=0)
        assert other.loglik == found[0].loglik


def test_spans_cover_every_row_once():
    for n in (1, 1023, 1024, 1025, 20_011):
        for width in (0, 1, 200, 5000):
            rows = Rows(ArraySource(np.empty((n, width))), np.zeros((n, 1)), np.ones(n))
            spans = rows.spans()
            assert [start for start, _ in spans] == [0, *(stop for _, stop in spans[:-1])]
            assert spans[-1][1] == n and all(start < stop for start, stop in spans)


def test_blocks_are_views_of_the_callers_array():
    rows = long_rows()
    for block, (start, stop) in zip(rows.blocks(), rows.spans(), strict=True):
        assert np.shares_memory(block.columns.dense, rows.source.array[start:stop])
        np.testing.assert_array_equal(block.response, rows.response[start:stop])


@settings(max_examples=30)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=70))
def test_sums_are_added_in_the_order_of_the_rows(parts):
    """Joining text shows the order; adding numbers that there is no loss."""
    values = np.array(parts)
    rows = Rows(ArraySource(values[:, None]), values[:, None], np.ones(len(values)))
    spans = [(at, at + 1) for at in range(len(values))]
    words = rows.sum(lambda block: f"{block.response[0, 0]!r};", spans)
    assert words == "".join(f"{value!r};" for value in values)
    total = rows.sum(lambda block: float(block.response[0, 0]), spans)
    assert total == pytest.approx(np.sum(values), abs=1e-9)


@pytest.mark.parametrize("threads", [1, 2])
def test_what_fails_in_a_block_fails_outside(threads, monkeypatch):
    monkeypatch.setattr(rows_module, "workers", lambda: threads)

    def fail(block):
        raise ZeroDivisionError("in a block")

    with pytest.raises(ZeroDivisionError, match="in a block"):
        long_rows().sum(fail)
    assert long_rows().sum(lambda block: len(block.response)) == 20_011


def test_several_outputs_are_summed_together():
    source, matrix = SOURCES["formula, mixed"]
    p, k = matrix.shape[1], 2
    names = tuple(f"x{place}" for place in range(p))
    entries = tuple(f"{name}, {unit}" for name in names for unit in range(k))
    network = Network(Inputs(names), (Affine(p, k, bias=False),), entries)
    model = Model(names, network, families.binomial())
    rng = np.random.default_rng(13)
    y = rng.integers(0, 2, (N, k)).astype(float)
    theta = theta_for(p * k)
    rows = Rows(source, y, rng.gamma(1.0, size=N), rng.normal(size=(N, k)))
    sums = model.sums(rows, theta, spans=[(0, 50), (50, 51), (51, N)])
    for unit in range(k):
        alone = Rows(source, y[:, [unit]], rows.weights, rows.offset[:, [unit]])
        single = glm(p, model.family).sums(alone, theta[unit::k])
        np.testing.assert_allclose(sums.score[unit::k], single.score, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(sums.expected[unit::k, unit::k], single.expected, rtol=1e-12, atol=1e-12)
    assert (sums.expected[::2, 1::2] == 0.0).all()


@every_source
def test_sums_of_several_classes_are_those_of_the_dense_matrix(name):
    """Outputs that share information: every pair of them, in any split into blocks, each row as often as it counts."""
    source, matrix = SOURCES[name]
    p, k, rng = matrix.shape[1], 2, np.random.default_rng(14)
    names = tuple(f"x{place}" for place in range(p))
    model = Model(names, single_unit(names, ("b", "c")), families.multinomial(), outputs=("b", "c"))
    y = np.eye(k + 1)[rng.integers(0, k + 1, N)][:, 1:]
    rows = Rows(source, y, rng.integers(0, 4, N) * 1.0, rng.normal(size=(N, k)))
    theta = theta_for(p * k)
    local = model.family.local(y, matrix @ theta.reshape(p, k) + rows.offset)
    sums = model.sums(rows, theta)
    assert sums.loglik == pytest.approx(rows.weights @ local.loglik[:, 0], rel=1e-13)
    score = np.einsum("n,np,nk->pk", rows.weights, matrix, local.score)
    np.testing.assert_allclose(sums.score, score.ravel(), rtol=1e-12, atol=1e-12)
    info = np.einsum("n,np,nkl,nq->pkql", rows.weights, matrix, local.expected, matrix).reshape(p * k, p * k)
    np.testing.assert_allclose(sums.expected, info, rtol=1e-12, atol=1e-12)
    same(model.sums(rows, theta, spans=[(0, 50), (50, 51), (51, N)]), sums)
    often = picked(rows, matrix, np.repeat(np.arange(N), rows.weights.astype(int)))
    same(model.sums(Rows(often.source, often.response, np.ones(often.n), often.offset), theta), sums)
