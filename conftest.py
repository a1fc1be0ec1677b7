"""What is left out of a test run: modules whose package is not installed; the core does without any framework."""

from importlib.metadata import version
from importlib.util import find_spec

# a package, and what imports it or shows it: the extras are optional for the tests too
NEEDS = {
    "glum": ["tests/adapters/cases_glum.py"],
    "keras": ["tests/adapters/cases_keras.py"],
    "onnx": ["tests/adapters/cases_onnx.py"],
    "skl2onnx": ["tests/adapters/cases_onnx.py"],
    "sklearn": ["glmnet_bridge/sklearn.py", "tests/adapters/cases_sklearn.py", "tests/adapters/test_sklearn.py"],
    "torch": ["tests/adapters/cases_onnx.py", "tests/adapters/cases_torch.py"],
}
collect_ignore = [path for package, paths in NEEDS.items() if find_spec(package) is None for path in paths]
# the penalties of these tests are written in the arguments of scikit-learn 1.8
if find_spec("sklearn") and tuple(int(part) for part in version("scikit-learn").split(".")[:2]) < (1, 8):
    collect_ignore += ["tests/adapters/cases_sklearn.py", "tests/adapters/test_sklearn.py", "tests/test_estimators.py"]
