"""What pages take in while they are built: sections of the README, the commands, tables of names and settings.

A line `<!-- insert: KIND WHAT -->` of a page gives way to Markdown. Needs no tool of the documentation.
"""
from __future__ import annotations

import dataclasses
import importlib
import re
from collections.abc import Iterable

import yaml
from command_line import command_sections
from docstrings import to_markdown
from module_pages import summary_of
from sources import ROOT, SUBPACKAGES, modules, public_places, targets

MARK = re.compile(r"^<!-- insert: (\w+)(?: (.+?))? -->$", flags=re.MULTILINE)
LINK = re.compile(r"\]\(((?!https?:)[^)\s]+)\)")
PLACES = {  # what the README links to: where it is in the documentation
    "docs/": "/",
    "notebooks/": "/tutorials/",
    "benchmarks/results/": "/reference/results/",
    "weights/README.md": "/reference/weights.md",
    "CHANGELOG.md": "/reference/changelog.md",
}


def expand(text: str, *, page: str = "index") -> str:
    """The text of a page with its insertions in place; raises `LookupError` for an unknown one."""

    def inserted(match: re.Match) -> str:
        if match[1] not in INSERTS:
            raise LookupError(f"Page {page} asks for '{match[1]}'; known are {', '.join(INSERTS)}.")
        return INSERTS[match[1]](match[2] or "").replace("](ROOT/", "](" + "../" * (page.count("/") + 1))

    return MARK.sub(inserted, text)


def readme(section: str) -> str:
    """A section of the README, without its heading, links leading on within the documentation."""
    return linked(_section((ROOT / "README.md").read_text(encoding="utf-8"), section, "README.md"))


def file(path: str) -> str:
    """A Markdown file of the project, without its first heading."""
    text = (ROOT / path).read_text(encoding="utf-8").partition("\n")[2]
    return linked(text)


def linked(text: str) -> str:
    """Markdown whose links from the project's folder lead to pages, or to the project's files."""
    return LINK.sub(lambda found: f"]({_place(found[1])})", text)


def commands(_: str) -> str:
    """A section for each command of the command line, with its arguments and options."""
    return command_sections()


def names(_: str) -> str:
    """A table of what `import mstl` offers."""
    places = public_places().items()
    rows = [f"| {{py:obj}}`mstl.{name} <{place}>` | {_cell(summary_of(place))} |" for name, place in places]
    return "\n".join(["| name | what it is |", "|---|---|", *rows])


def package(name: str) -> str:
    """A list of the modules of a package, those of packages in it beneath, and what each is for."""
    return _listed(one for one in modules() if f"{one}.".startswith(f"{name}."))


def others(_: str) -> str:
    """The same list of the modules that are in none of the packages with a section of their own."""
    apart = tuple(f"mstl.{name}." for name in SUBPACKAGES)
    return _listed(one for one in modules() if not f"{one}.".startswith(apart))


def settings(place: str) -> str:
    """What a dataclass of settings says of its keys, and a table of them with their defaults."""
    home, _, name = place.rpartition(".")
    kind = getattr(importlib.import_module(home), name)
    keys = [one for one in dataclasses.fields(kind) if one.name in kind.__annotations__]
    rows = [f"| `{one.name}` | `{_default(one)}` |" for one in keys]
    text = to_markdown(kind.__doc__.replace("\n    ", "\n"), targets=targets())
    return "\n".join([text.strip(), "", "| key | default |", "|---|---|", *rows])


INSERTS = {one.__name__: one for one in (readme, file, commands, names, package, others, settings)}


def _listed(names_of: Iterable[str]) -> str:
    names_of = list(names_of)
    least = min(name.count(".") for name in names_of)
    return "\n".join(
        f"{'  ' * (name.count('.') - least)}- [`{name}`](api/{name}.md): {modules()[name].summary}" for name in names_of
    )


def _section(text: str, title: str, source: str) -> str:
    _, found, rest = text.partition(f"\n## {title}\n")
    if not found:
        raise LookupError(f"{source} has no section '{title}'.")
    return rest.partition("\n## ")[0].strip()


def _place(link: str) -> str:
    for start, place in PLACES.items():
        if link.startswith(start):
            return place + link.removeprefix(start)
    return link if link.startswith(("#", "/")) else f"ROOT/{link}"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _default(one: dataclasses.Field) -> str:
    value = one.default_factory() if one.default is dataclasses.MISSING else one.default
    text = yaml.safe_dump(list(value) if isinstance(value, tuple) else value, default_flow_style=True)
    return text.partition("\n")[0]
