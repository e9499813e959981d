"""The direction of imports, read from the sources."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# The lowest floor first; a module may import from lower floors only, and inside its own package.
FLOORS = (
    "errors",
    "charts dates declaration devices durations encodings jsontext labels language machine "
    "packages progress schemas slugs storage",
    "competition csvtext ledger parquet plotting sharing tables terminal trust workspace",
    "features",
    "budget cache drift kinds metrics models pixels preprocessing runs scoring sources "
    "splits strength targets totals windows",
    "blocks",
    "data decisions description estimate execution generating importance mistakes raw rowwise "
    "tuning",
    "checks cleaning cluster ensemble forecasts leaks portfolio proposals submission tomltext",
    "diagnosis grading inference inspection report training",
    "exporting partitions",
    "stages",
    "cli notebook",
)
FLOOR_OF = {name: number for number, names in enumerate(FLOORS) for name in names.split()}
HEAVY = ("tensorflow", "keras", "lightgbm", "catboost", "xgboost", "kaggle", "matplotlib", "optuna")
MODULES = sorted([*(ROOT / "pipeline").rglob("*.py"), ROOT / "cli.py"])


def rooms(path: Path) -> list[str]:
    """Return a module's dotted name inside the project, as parts, without the word pipeline."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return [part for part in parts if part not in ("pipeline", "__init__")]


def imports(node: ast.AST) -> Iterator[str]:
    for child in ast.walk(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield child.module or ""


def top_level_imports(tree: ast.Module) -> Iterator[str]:
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield from imports(statement)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_to_a_lower_floor_or_stay_in_their_own_package(path):
    own = rooms(path)
    if not own:  # the package's front door hands on what the rooms offer
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for name in imports(tree):
        if not name.startswith("pipeline."):
            continue
        other = name.split(".")[1]
        if other != own[0]:
            assert FLOOR_OF[other] < FLOOR_OF[own[0]], f"{path.name} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_packages_are_imported_where_they_are_used(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not [name for name in top_level_imports(tree) if name.split(".")[0] in HEAVY]


def test_every_module_has_a_floor_and_every_floor_its_modules():
    assert {rooms(path)[0] for path in MODULES if rooms(path)} == set(FLOOR_OF)


@pytest.mark.parametrize("path", sorted((ROOT / "competitions").rglob("*.py")), ids=str)
def test_competitions_import_nothing_from_the_project(path):
    names = {name.split(".")[0] for name in imports(ast.parse(path.read_text(encoding="utf-8")))}
    assert not names & {"pipeline", "cli", "competitions"}


def test_every_public_name_is_listed_once_and_can_be_imported():
    import pipeline

    assert sorted(pipeline.__all__) == sorted(set(pipeline.__all__)) == sorted(pipeline._HOMES)
    for name in pipeline.__all__:
        assert getattr(pipeline, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'tarin'"):
        pipeline.tarin  # noqa: B018


def test_importing_the_package_loads_nothing_heavy():
    code = "import pipeline, cli, sys; print([m for m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in ast.literal_eval(done.stdout)}
    assert not loaded & {*HEAVY, "pandas", "numpy", "sklearn", "pyarrow"}
