"""The README is a test: a section that needs a package is left out where this is not installed."""

import doctest
import importlib.util
import re
from pathlib import Path

NEEDS = {"Read a trained network": "sklearn"}


def pytest_collection_modifyitems(items):
    """Leave out the examples that cannot run."""
    for item in items:
        if item.path.name == "README.md" and isinstance(getattr(item, "dtest", None), doctest.DocTest):
            item.dtest.examples = [example for example in item.dtest.examples if _possible(example, item.path)]


def _possible(example: doctest.Example, path: Path) -> bool:
    before = "\n".join(path.read_text(encoding="utf-8").splitlines()[: example.lineno])
    sections = re.findall(r"^## (.+)$", before, flags=re.M)
    package = NEEDS.get(sections[-1]) if sections else None
    return package is None or importlib.util.find_spec(package) is not None
