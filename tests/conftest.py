"""Settings of every test: no screen, few threads, the same examples each time; and where the data are."""

import os
import sys

os.environ["MPLBACKEND"] = "Agg"
# Before numpy loads: a matrix product of test size is slower on many threads than on two.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "2")

from pathlib import Path  # noqa: E402

import hypothesis  # noqa: E402
import pandas as pd  # noqa: E402
import pytest  # noqa: E402

hypothesis.settings.register_profile(
    "repeatable",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=50,
    print_blob=True,
)
hypothesis.settings.load_profile("repeatable")

REFERENCES = Path(__file__).parent / "references"


@pytest.fixture(scope="session")
def references() -> Path:
    """The folder with values computed by R (`cases`) and the data that they belong to (`data`)."""
    return REFERENCES


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with the data of the reference cases, one CSV each."""
    return REFERENCES / "data"


@pytest.fixture
def reference_frame(data_folder: Path):
    """`reference_frame("birthwt")`: a fresh frame of one data set, so that a test may change it."""

    def read(name: str) -> pd.DataFrame:
        return pd.read_csv(data_folder / f"{name}.csv")

    return read


@pytest.fixture(autouse=True)
def same_weights_in_every_run():
    """Networks that a test makes with PyTorch (or Keras on it) start from the same weights in every run."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
