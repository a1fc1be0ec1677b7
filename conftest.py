"""What a test run leaves out: modules, and sections of the README, whose package is not installed.

Every framework is an extra; the tests of the core pass without any.
"""

import doctest
import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

# a package, and the modules that import it
MODULES = {
    "glum": ["tests/adapters/cases_glum.py"],
    "keras": ["tests/adapters/cases_keras.py", "glmnet_bridge/adapters/keras/losses.py"],
    "onnx": ["tests/adapters/cases_onnx.py"],
    "skl2onnx": ["tests/adapters/cases_onnx.py"],
    "sklearn": [
        "glmnet_bridge/estimators.py",
        "glmnet_bridge/sklearn.py",
        "glmnet_bridge/adapters/sklearn/designs.py",
        "tests/adapters/cases_sklearn.py",
        "tests/adapters/test_sklearn.py",
    ],
    "torch": [
        "glmnet_bridge/adapters/torch/modules.py",
        "tests/adapters/cases_onnx.py",
        "tests/adapters/cases_torch.py",
    ],
}
SECTIONS = {"Read a trained network": "sklearn"}

collect_ignore = [path for package, paths in MODULES.items() if find_spec(package) is None for path in paths]
# the penalties of these tests are written in the arguments of scikit-learn 1.8
if find_spec("sklearn") and tuple(int(part) for part in version("scikit-learn").split(".")[:2]) < (1, 8):
    collect_ignore += ["tests/adapters/cases_sklearn.py", "tests/adapters/test_sklearn.py", "tests/test_estimators.py"]


def pytest_collection_modifyitems(items):
    """Leave out the README's examples that cannot run."""
    for item in items:
        if item.path.name == "README.md" and isinstance(getattr(item, "dtest", None), doctest.DocTest):
            item.dtest.examples = [example for example in item.dtest.examples if _possible(example, item.path)]


def _possible(example: doctest.Example, path: Path) -> bool:
    before = "\n".join(path.read_text(encoding="utf-8").splitlines()[: example.lineno])
    sections = re.findall(r"^## (.+)$", before, flags=re.M)
    package = SECTIONS.get(sections[-1]) if sections else None
    return package is None or find_spec(package) is not None
