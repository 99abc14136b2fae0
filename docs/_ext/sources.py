"""The package as its files state it, read without importing anything: modules, their public names, their docstrings."""
from __future__ import annotations

import ast
import functools
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "mstl"
SUBPACKAGES = ("data", "models", "transfer", "training", "evaluation", "reporting", "compare")
COMMANDS = "mstl.cli"  # the command line has a page of its own


@dataclass(frozen=True)
class Module:
    """A module: its dotted `name`, its `text`, and the parsed `tree`."""

    name: str
    text: str
    tree: ast.Module

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (ast.get_docstring(self.tree) or "").partition("\n")[0]

    @property
    def public(self) -> dict[str, ast.stmt]:
        """Statements that define a public function, class or constant of the module, by name, in order."""
        found = {}
        for statement in self.tree.body:
            for name in _defined(statement):
                if not name.startswith("_"):
                    found.setdefault(name, statement)
        return found

    @property
    def documented(self) -> list[str]:
        """Names of `public` that have a docstring, and so a place of their own: functions and classes."""
        return [name for name, statement in self.public.items() if not _targets(statement)]

    @property
    def imported(self) -> dict[str, str]:
        """Dotted homes of the names that the module imports from mstl."""
        froms = (node for node in self.tree.body if isinstance(node, ast.ImportFrom))
        return {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in froms
            for alias in node.names
            if (node.module or "").split(".")[0] == PACKAGE
        }

    def constant(self, name: str) -> object:
        """The literal value of a constant of the module."""
        for statement in self.tree.body:
            if name in _targets(statement):
                return ast.literal_eval(statement.value)
        raise LookupError(f"{self.name} has no constant {name}.")


@functools.cache
def modules() -> dict[str, Module]:
    """All public modules of the package but those of the command line, by dotted name, sorted."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        private = any(part.startswith("_") for part in name.split("."))
        if not private and name != COMMANDS and not name.startswith(f"{COMMANDS}."):
            text = path.read_text(encoding="utf-8")
            found[name] = Module(name, text, ast.parse(text))
    return found


def public_places() -> dict[str, str]:
    """Where the names that `import mstl` offers are defined: dotted place by name."""
    homes = modules()[PACKAGE].constant("_HOMES")
    return {name: defined(f"{home}.{name}") for name, home in homes.items()}


def defined(place: str) -> str:
    """The dotted place where a name is defined that a module may only hand on."""
    home, _, name = place.rpartition(".")
    module = modules().get(home)
    handed_on = place not in modules() and module is not None and name in module.imported
    return defined(module.imported[name]) if handed_on else place


def known(module: Module) -> dict[str, str]:
    """Dotted places of the names that a module imports from mstl and that the reference has."""
    places = {name: defined(place) for name, place in module.imported.items()}
    return {name: place for name, place in places.items() if place in targets()}


@functools.cache
def targets() -> dict[str, str]:
    """The place in the reference of each name in docstrings: `mstl.fit`, `mstl.training.fit.fit`, ..."""
    places = {name: name for name in modules() if name != PACKAGE}
    own = [f"{name}.{thing}" for name, module in modules().items() for thing in module.documented]
    places |= dict(zip(own, own, strict=True))
    handed_on = {f"{name}.{thing}": defined(f"{name}.{thing}") for name, module in modules().items()
                 for thing in module.imported}  # fmt: skip
    places |= {f"{PACKAGE}.{name}": place for name, place in public_places().items()}
    return places | {name: place for name, place in handed_on.items() if place in places}


def _defined(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    return [name for name in _targets(statement) if name.isupper()]


def _targets(statement: ast.stmt) -> list[str]:
    """Names that an assignment gives a value to."""
    if isinstance(statement, ast.AnnAssign):
        return [statement.target.id] if isinstance(statement.target, ast.Name) and statement.value else []
    if not isinstance(statement, ast.Assign):
        return []
    parts = [part for target in statement.targets for part in getattr(target, "elts", [target])]
    return [part.id for part in parts if isinstance(part, ast.Name)]
