"""The library is a house with floors: imports go downwards only, and the way in is light."""

import json
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from pocketlab.course.dependencies import imported_names, module_file

LIB = Path(__file__).parents[2] / "lib"
FLOORS = [
    {"errors", "memory"},
    {"data"},
    {"compression", "llm", "signals", "learning", "operations", "device"},
    {"runtimes"},
    {"ui"},
    {"course"},
]
HEAVY = {
    "torch",
    "tensorflow",
    "coremltools",
    "keras",
    "jax",
    "litert_torch",
    "onnxruntime",
    "matplotlib",
    "ipywidgets",
}


def imports_of(lib: Path) -> dict[str, set[str]]:
    """Return, for every module of the library, the modules of the library that it imports."""
    found = {}
    for path in sorted(lib.glob("pocketlab/**/*.py")):
        parts = path.relative_to(lib).with_suffix("").parts
        package = ".".join(parts[:-1])
        names = {name for name in imported_names(path.read_text(), package, started=False) if module_file(name, lib)}
        # `from a import b` names both: where b is a module, that one is meant.
        meant = {name for name in names if not any(other.startswith(f"{name}.") for other in names)}
        found[package if parts[-1] == "__init__" else ".".join(parts)] = meant
    return found


def floor_of(module: str) -> int:
    """Return the floor of a module: 0 is the ground, below data."""
    room = module.split(".")[1]
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def wrong_imports(imports: dict[str, set[str]]) -> list[str]:
    """Return each import that goes up, across to another room of the floor, or in a circle."""
    wrong = []
    for module, targets in imports.items():
        for target in sorted(targets - {"pocketlab"}):
            if module == "pocketlab":
                wrong.append(f"pocketlab/__init__.py imports {target}; it imports nothing")
            elif floor_of(target) >= floor_of(module) and target.split(".")[1] != module.split(".")[1]:
                wrong.append(f"{module} imports {target}, which is not on a floor below")
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        wrong.append("a circle: " + " → ".join(error.args[1]))
    return wrong


def test_imports_go_downwards_only():
    assert wrong_imports(imports_of(LIB)) == []


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"data/a.py": "from pocketlab.ui import plot\n", "ui/plot.py": ""}, "data.a imports pocketlab.ui.plot"),
        (
            {"llm/a.py": "def f():\n    import pocketlab.device.b\n", "device/b.py": ""},
            "llm.a imports pocketlab.device.b",
        ),
        ({"ui/a.py": "from pocketlab.ui.b import x\n", "ui/b.py": "import pocketlab.ui.a\n"}, "a circle"),
        ({"__init__.py": "from pocketlab import errors\n", "errors.py": ""}, "__init__.py imports"),
    ],
)
def test_an_import_that_breaks_the_rule_is_found(tmp_path, files, told):
    for name, text in files.items():
        path = tmp_path / "pocketlab" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert any(told in wrong for wrong in wrong_imports(imports_of(tmp_path)))


def loaded_by(statement: str) -> set[str]:
    """Return the top-level names of all modules that a fresh Python has loaded after a statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=LIB, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(run.stdout.splitlines()[-1])}


def test_import_pocketlab_loads_only_itself():
    assert loaded_by("import pocketlab") - loaded_by("pass") == {"pocketlab"}


def test_import_pocketlab_course_loads_no_toolchain_and_nothing_that_draws():
    assert not loaded_by("from pocketlab.course import Lab") & HEAVY


def test_a_heavy_import_would_be_seen():
    assert "matplotlib" in loaded_by("import matplotlib")
