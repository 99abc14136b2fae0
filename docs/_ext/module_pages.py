"""A page of the reference for each module: signatures from its code, text from its docstrings."""
from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Iterator

from docstrings import to_markdown
from sources import Module, known, modules, public_places, targets

ORPHAN = "---\norphan: true\n---"  # hundreds of modules in the sidebar of hundreds of pages help nobody
LONGEST_VALUE = 120  # letters of a constant's value that is shown
SPECIAL = ("__call__", "__getitem__", "__iter__", "__len__")  # methods that are shown where they have a docstring
SILENT = ("fmt:", "noqa", "type:")  # how comments for tools begin


def module_page(name: str) -> str:
    """The page of a module, as MyST Markdown."""
    module = modules()[name]
    parts = [ORPHAN, _way(name), f"# `{name}`", _text(module.tree, module), f":::{{py:module}} {name}\n:::"]
    parts += _inside(module)
    for thing, statement in module.public.items():
        parts.append(_entry(thing, statement, module))
    return "\n\n".join(part for part in parts if part) + "\n"


class Dotted(ast.NodeTransformer):
    """Gives names of mstl in annotations their dotted place: two modules may have a `Layout`."""

    def __init__(self, module: Module) -> None:
        own = {name: f"{module.name}.{name}" for name in module.documented}
        self.places = known(module) | own

    def visit_Name(self, node: ast.Name) -> ast.Name:
        """A name that is known becomes its dotted place."""
        return ast.Name(self.places.get(node.id, node.id))


def summary_of(place: str) -> str:
    """The first line of the docstring of a function or class at a dotted place."""
    home, _, name = place.rpartition(".")
    return (ast.get_docstring(modules()[home].public[name]) or "").partition("\n")[0]


def _way(name: str) -> str:
    """Links to the packages around a module."""
    parts = name.split(".")[:-1]
    around = [".".join(parts[: count + 1]) for count in range(len(parts))]
    return " › ".join(["[Python](../python.md)", *(f"[`{one}`]({one}.md)" for one in around)])


def _inside(module: Module) -> Iterator[str]:
    """Lists of the modules below a package, and of the names that it takes from them."""
    below = [name for name in modules() if name.rpartition(".")[0] == module.name and module.name != "mstl"]
    if below:
        yield "\n".join(f"- [`{name}`]({name}.md): {modules()[name].summary}" for name in below)
    taken = known(module) if below else {}
    taken = public_places() if module.name == "mstl" else taken
    if taken:
        rows = [f"- {{py:obj}}`{module.name}.{name} <{home}>`" for name, home in taken.items()]
        yield "\n".join(["Names at hand here:", "", *rows])


def _entry(name: str, statement: ast.stmt, module: Module) -> str:
    if isinstance(statement, ast.FunctionDef):
        return _directive("function", f"{name}{_signature(statement, module)}", _function_text(statement, module))
    if isinstance(statement, ast.ClassDef):
        return _class(statement, module)
    return _constant(name, statement, module)


def _class(node: ast.ClassDef, module: Module) -> str:
    bases = ", ".join(f"`{ast.unparse(base)}`" for base in node.bases)
    signature, names = _constructor(node, module)
    text = [f"Kind of {bases}." if bases else "", _text(node, module, parameters=names)]
    text += [_member(one, module) for one in node.body if isinstance(one, ast.FunctionDef) and _shown(one)]
    return _directive("class", f"{node.name}{signature}", "\n\n".join(filter(None, text)), fence="::::")


def _member(node: ast.FunctionDef, module: Module) -> str:
    decorators = [ast.unparse(one).partition("(")[0] for one in node.decorator_list]
    if "property" in decorators or "functools.cached_property" in decorators:
        kind = f":type: {ast.unparse(Dotted(module).visit(copy.deepcopy(node.returns)))}" if node.returns else ""
        return _directive("property", node.name, f"{kind}\n\n{_function_text(node, module)}")
    static = "staticmethod" in decorators
    flag = ":classmethod:\n\n" if "classmethod" in decorators else ":staticmethod:\n\n" if static else ""
    text = f"{flag}{_function_text(node, module)}"
    return _directive("method", f"{node.name}{_signature(node, module, method=not static)}", text)


def _shown(node: ast.FunctionDef) -> bool:
    return bool(ast.get_docstring(node)) and (not node.name.startswith("_") or node.name in SPECIAL)


def _constructor(node: ast.ClassDef, module: Module) -> tuple[str, list[str]]:
    """Signature and parameters of a class, by its `__init__`, or as a dataclass has them by its fields."""
    for one in node.body:
        if isinstance(one, ast.FunctionDef) and one.name == "__init__":
            return _signature(one, module, method=True), _names(one.args)
    if not any("dataclass" in ast.unparse(one) for one in node.decorator_list):
        return "", []
    fields = [one for one in node.body if isinstance(one, ast.AnnAssign) and "ClassVar" not in ast.unparse(one)]
    shown = {one.target.id: _field(one, module) for one in fields if not one.target.id.startswith("_")}
    return f"({', '.join(shown.values())})", list(shown)


def _field(node: ast.AnnAssign, module: Module) -> str:
    annotation = ast.unparse(Dotted(module).visit(copy.deepcopy(node.annotation)))
    made = isinstance(node.value, ast.Call)  # field(default_factory=...)
    value = "" if node.value is None else " = ..." if made else f" = {ast.unparse(node.value)}"
    return f"{node.target.id}: {annotation}{value}"


def _constant(name: str, statement: ast.Assign | ast.AnnAssign, module: Module) -> str:
    value, several = statement.value, isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Tuple)
    if several:
        names = [one.id for one in statement.targets[0].elts]
        value = value.elts[names.index(name)] if isinstance(value, ast.Tuple) else value
    text = ast.unparse(value)
    shown = f":value: {text}" if len(text) <= LONGEST_VALUE else ""
    line = module.text.splitlines()[statement.lineno - 1]
    comment = line.partition("  # ")[2].strip()
    comment = "" if comment.startswith(SILENT) else comment
    return _directive("data", name, f":no-index:\n{shown}\n\n{comment}")  # a search for a word finds pages first


def _signature(node: ast.FunctionDef, module: Module, *, method: bool = False) -> str:
    """Parameters and what is returned; of a method without its first parameter."""
    node = copy.deepcopy(node)
    for argument in _arguments(node.args):
        argument.annotation = argument.annotation and Dotted(module).visit(argument.annotation)
    if method:
        del node.args.args[0]
    returned = node.returns if node.name != "__init__" else None
    returns = f" -> {ast.unparse(Dotted(module).visit(returned))}" if returned else ""
    return f"({ast.unparse(node.args)}){returns}"


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return [one for one in every if one is not None]


def _names(arguments: ast.arguments) -> list[str]:
    return [one.arg for one in _arguments(arguments)]


def _function_text(node: ast.FunctionDef, module: Module) -> str:
    return _text(node, module, parameters=_names(node.args))


def _text(node: ast.AST, module: Module, *, parameters: Iterable[str] = ()) -> str:
    own = {name: f"{module.name}.{name}" for name in module.documented}
    places = targets() | known(module) | own
    return to_markdown(ast.get_docstring(node) or "", parameters=list(parameters), targets=places)


def _directive(kind: str, signature: str, text: str, *, fence: str = ":::") -> str:
    body = text.strip()
    gap = "" if body.startswith(":") else "\n"  # options of a directive follow it at once, its text after an empty line
    return f"{fence}{{py:{kind}}} {signature}\n{gap}{body}\n{fence}"
