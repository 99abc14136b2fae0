"""The house: imports point downward and never in a circle; TensorFlow has one door; import is light."""
import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = (
    ("errors", "files", "colours", "_keras"),
    ("strategies",),
    ("settings", "config_checks"),
    ("config", "config_gan", "config_kernel_prior"),
    ("data",),
    ("models",),
    ("transfer",),
    ("training",),
    ("evaluation",),
    ("reporting",),
    ("compare", "demo"),
    ("cli",),
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
BEHIND_THE_DOOR = {"tensorflow", "keras", "tf_keras", "segmentation_models"}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in sorted((ROOT / "mstl").rglob("*.py"))}
INNER = [name for name in FILES if name not in ("mstl", "mstl.__main__")]


class WithoutTypes(ast.NodeTransformer):
    """Removes what stands under `if TYPE_CHECKING:`, which never runs."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        return node.orelse if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


def imports(module: str, *, types: bool = True) -> Iterator[str]:
    """Dotted names that a module imports anywhere, in functions too; `types`: also for annotations alone.

    `from a import b` is an import of a.b where that is a module, else of a.
    """
    tree = ast.parse(FILES[module].read_text(encoding="utf-8"))
    for node in ast.walk(tree if types else WithoutTypes().visit(tree)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            below = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = [name for name in below if name in FILES]
            yield from modules or [node.module]


def floor_of(module: str) -> int:
    return FLOOR[module.split(".")[1]]


@pytest.mark.parametrize("module", INNER)
def test_every_module_stands_on_a_floor_and_imports_only_downward(module):
    here = floor_of(module)
    upward = [name for name in imports(module) if name.startswith("mstl.") and floor_of(name) > here]
    assert not upward


def test_no_modules_import_each_other_in_a_circle():
    unseen, path = set(INNER), []

    def walk(module: str) -> None:
        assert module not in path, f"circle: {' -> '.join([*path[path.index(module):], module])}"
        if module in unseen:
            path.append(module)
            for name in imports(module, types=False):
                if name in INNER and name != module:
                    walk(name)
            unseen.discard(path.pop())

    for module in INNER:
        walk(module)


@pytest.mark.parametrize("module", [name for name in FILES if name != "mstl._keras"])
def test_keras_comes_through_its_one_door(module):
    past = {name.split(".")[0] for name in imports(module)} & BEHIND_THE_DOOR
    assert not past


@pytest.mark.parametrize("module", FILES)
def test_every_module_says_what_it_is(module):
    assert ast.get_docstring(ast.parse(FILES[module].read_text(encoding="utf-8")))


@pytest.mark.parametrize("module", INNER)
def test_every_module_parses_as_the_oldest_supported_python(module):
    text = FILES[module].read_text(encoding="utf-8")
    assert ast.parse(text, feature_version=(3, 10))


def test_importing_mstl_loads_neither_tensorflow_nor_albumentations():
    code = "import sys, mstl; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "mstl" in loaded
    assert not loaded & (BEHIND_THE_DOOR | {"albumentations", "torch", "SimpleITK", "nilearn"})
