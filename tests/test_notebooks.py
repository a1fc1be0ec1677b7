"""Notebooks run without an error or a warning, say what is stored in them, and are fit to be read.

Text outputs are compared word by word, numbers to one unit of their last printed digit (other BLAS,
other rounding); pictures are not compared. A notebook that was changed is run and saved again.
"""

from __future__ import annotations

import importlib.util
import re
from decimal import Decimal
from pathlib import Path

import pytest

for _package in ("ipykernel", "sklearn"):
    pytest.importorskip(_package)
nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")

FOLDER = Path(__file__).parents[1] / "notebooks"
BOOKS = (
    "01_one_neuron",
    "02_losses",
    "03_likelihood",
    "04_links",
    "05_backpropagation",
    "06_trained_networks",
)
NEEDS = {"06_trained_networks": ("keras", "torch")}
TITLES = dict(
    zip(
        BOOKS,
        (
            "# 1. One neuron",
            "# 2. Sigmoid, logit and losses",
            "# 3. Maximum likelihood",
            "# 4. From the linear model to the link to the network",
            "# 5. Forward and backward",
            "# 6. Trained networks",
        ),
        strict=True,
    )
)
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
MOST_BYTES = 400_000
MOST_LINES = 14  # of a code cell: one that needs more hides what it shows
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
ADDRESS = re.compile(r"0x[0-9a-f]+|<ipython-input[^>]*>")
MACHINE = re.compile(r"/(?:home|root|tmp|var|Users|usr|opt)/|[A-Z]:\\\\")


def stored(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code(book):
    return [cell for cell in book.cells if cell.cell_type == "code"]


def texts(cell):
    """What a code cell printed and showed, as text; the two streams apart."""
    out = []
    for each in cell.outputs:
        assert each.output_type != "error", each.evalue
        if each.output_type == "stream":
            out.append((each.name, each.text))
        else:
            out.append((each.output_type, each.data.get("text/plain", "")))
    return out


def close(first, second):
    """Whether two printed numbers differ by at most one unit of the last digit."""
    numbers = Decimal(first), Decimal(second)
    unit = Decimal(1).scaleb(max(int(number.as_tuple().exponent) for number in numbers))
    return abs(numbers[0] - numbers[1]) <= unit


def assert_same_text(fresh, kept):
    fresh, kept = ADDRESS.sub("", fresh), ADDRESS.sub("", kept)
    assert NUMBER.sub("#", fresh).split() == NUMBER.sub("#", kept).split()
    pairs = zip(NUMBER.findall(fresh), NUMBER.findall(kept), strict=True)
    different = [pair for pair in pairs if not close(*pair)]
    assert not different, different


def test_all_notebooks_are_known():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == list(BOOKS)


# the longest one is run with the slow tests
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name.startswith("06") else ()) for name in BOOKS]
)
def test_a_fresh_run_says_what_is_stored(name, tmp_path, monkeypatch):
    for package in NEEDS.get(name, ()):
        if importlib.util.find_spec(package) is None:  # not imported here: the kernel has its own
            pytest.skip(f"{package} is not installed")
    # this environment's kernel, and nobody's own settings of IPython
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    kept, fresh = stored(name), stored(name)
    for cell in code(fresh):
        cell.outputs = []
    nbclient.NotebookClient(
        fresh, timeout=60, kernel_name="python3", record_timing=False, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    for new, old in zip(code(fresh), code(kept), strict=True):
        said, known = texts(new), texts(old)
        assert not [text for kind, text in said if kind == "stderr"]
        assert [kind for kind, _ in said] == [kind for kind, _ in known], new.source
        for (_, first), (_, second) in zip(said, known, strict=True):
            assert_same_text(first, second)


@pytest.mark.parametrize("name", BOOKS)
def test_it_opens_and_closes_as_all_do(name):
    book = stored(name)
    words = [cell.source for cell in book.cells if cell.cell_type == "markdown"]
    assert words[0].splitlines()[0] == TITLES[name]
    end = words[-1].split("## What to remember")[1]
    lesson, exercise = end.split("## Exercise")
    assert re.findall(r"^(\d)\. \S", lesson, flags=re.M) == ["1", "2", "3"]
    assert len(exercise.split()) > 20
    assert book.cells[-1].cell_type == "markdown"
    assert 15 <= len(book.cells) <= 28
    assert max(len(cell.source.splitlines()) for cell in code(book)) <= MOST_LINES


@pytest.mark.parametrize("name", BOOKS)
def test_it_was_saved_clean(name):
    book = stored(name)
    nbformat.validate(book)
    assert dict(book.metadata) == {"kernelspec": KERNEL}
    assert not any(cell.metadata for cell in book.cells)
    assert [cell.execution_count for cell in code(book)] == list(range(1, len(code(book)) + 1))
    assert not [text for cell in code(book) for kind, text in texts(cell) if kind == "stderr"]
    for cell in code(book):
        for output in cell.outputs:
            output.get("data", {}).pop("image/png", None)
    text = nbformat.writes(book)
    assert not MACHINE.search(text)
    assert str(FOLDER.parent) not in text
    assert (FOLDER / f"{name}.ipynb").stat().st_size < MOST_BYTES


def test_numbers_are_compared_by_their_last_digit():
    assert_same_text("SE 0.1234  a -1e-07", "SE 0.1235 a\n-1e-07")
    with pytest.raises(AssertionError):
        assert_same_text("0.1234", "0.1236")
    with pytest.raises(AssertionError):
        assert_same_text("0.1234 SE", "0.1234")
