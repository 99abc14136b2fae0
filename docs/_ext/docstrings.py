"""Docstrings as Markdown: lines that explain parameters become a list, names of mstl become links."""
from __future__ import annotations

import re
from collections.abc import Collection, Mapping

EXPLAINED = re.compile(r"((?:\w+)(?:, \w+)*): (.*)")
CLOSING = ("Returns ", "Raises ", "Source: ")
CODE = re.compile(r"(`[^`]*`)")
NAME = re.compile(r"`((?:mstl\.)?\w+(?:\.\w+)*)`")


def to_markdown(text: str, *, parameters: Collection[str] = (), targets: Mapping[str, str] | None = None) -> str:
    """A docstring without indentation as Markdown.

    `parameters` are the names that a line "name: what it is" explains, `targets` the dotted places in the reference of
    names that stand in backticks.
    """
    lines, explaining = [], False
    for line in text.splitlines():
        if (match := EXPLAINED.fullmatch(line)) and set(match[1].split(", ")) <= set(parameters):
            names = ", ".join(f"`{name}`" for name in match[1].split(", "))
            lines += ["", f"- {names}: {match[2]}"] if not explaining else [f"- {names}: {match[2]}"]
            explaining = True
            continue
        if not line.strip() or line.startswith(CLOSING):
            lines += [""] if explaining else []
            explaining = False
        lines.append(f"  {line}" if explaining else line)
    return "".join(_part(part, targets or {}) for part in CODE.split("\n".join(lines)))


def _part(text: str, targets: Mapping[str, str]) -> str:
    """What stands in backticks, linked where it is a name, or the text between, in which < and * are themselves."""
    if text.startswith("`"):
        return NAME.sub(lambda found: _linked(found[1], targets), text)
    return re.sub(r"([<*])", r"\\\1", text)


def _linked(name: str, targets: Mapping[str, str]) -> str:
    return f"{{py:obj}}`{name} <{targets[name]}>`" if name in targets else f"`{name}`"
