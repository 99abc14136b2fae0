"""The reference of the command line: a section for each command, read from the Typer app itself."""
from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_origin

PLACEHOLDERS = {Path: "PATH", int: "NUMBER", float: "NUMBER", str: "TEXT"}
SPECIAL = "\\`*[]<>{}|"


def command_sections() -> str:
    """Every command, in the order of `mstl --help`, those of groups under their full name."""
    import typer

    from mstl.cli import app

    return "\n\n".join(_section(name, command) for name, command in named_commands(typer.main.get_command(app)))


def named_commands(group, *before: str) -> Iterator[tuple[str, object]]:
    """Every command below a group of commands, by its full name, as "mstl weights list"."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from named_commands(command, *before, name)
        else:
            yield " ".join(["mstl", *before, name]), command


def _section(name: str, command) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    usage = [name, *map(_usage, arguments), *(f"{one.opts[0]} {_placeholder(one)}" for one in options if one.required)]
    parts = [f"## {name}", _escaped(command.help or ""), f"```text\n{' '.join([*usage, '[OPTIONS]'])}\n```"]
    rows = [f"| `{_shown(one)}` | {_about(one)} |" for one in (*arguments, *options)]
    return "\n\n".join([*parts, *(["\n".join(["| argument, option | meaning |", "|---|---|", *rows])] if rows else [])])


def _usage(argument) -> str:
    text = _shown(argument)
    return text if argument.required else f"[{text}]"


def _shown(parameter) -> str:
    """An argument by the name that help shows, an option with what it takes."""
    if parameter.param_type_name == "argument":
        return (parameter.metavar or parameter.name.upper()) + ("..." if parameter.nargs == -1 else "")
    return parameter.opts[0] if parameter.is_flag else f"{parameter.opts[0]} {_placeholder(parameter)}"


def _placeholder(parameter) -> str:
    kind = parameter.type_descriptor.annotation
    while get_origin(kind) in (list, types.UnionType):
        kind = get_args(kind)[0]
    return PLACEHOLDERS[kind]


def _about(parameter) -> str:
    text = _escaped(parameter.help or "")
    if parameter.required:
        return f"{text} Required."
    value = parameter.default
    told = parameter.show_default and value not in (None, "", False, [], ())
    return f"{text} Default: `{value}`." if told else text


def _escaped(text: str) -> str:
    return "".join(f"\\{letter}" if letter in SPECIAL else letter for letter in text)
