"""Strategies under one experiment: settings by name that are put over the common ones, in plain dictionaries."""
from __future__ import annotations

import difflib

from mstl.errors import InputError

STRATEGIES, STRATEGY = "strategies", "strategy"  # keys of a YAML file: all of them by name, and the chosen one


def named_strategies(values: dict, *, source: str) -> dict[str, dict]:
    """The settings of each strategy in the values of the file `source`, by name; empty where it has none.

    Raises `InputError` where they are anything but settings by name.
    """
    strategies = values.get(STRATEGIES) or {}
    if not isinstance(strategies, dict):
        raise InputError(f"strategies in {source} is {strategies!r}; 'NAME: {{key: value}}' is expected. Mend it.")
    for name, settings in strategies.items():
        if not isinstance(settings, dict | None):
            raise InputError(
                f"Strategy '{name}' in {source} is {settings!r}; settings of the form {{key: value}} are expected. "
                "Mend the file."
            )
    return {str(name): settings or {} for name, settings in strategies.items()}


def with_strategy(values: dict, *, source: str) -> dict:
    """The values of the file `source`, those of the strategy that its key `strategy` names over the common ones.

    What else it says of strategies is left out. Raises `InputError` where the file has strategies and none is named,
    or one is named that it lacks (the nearest is proposed).
    """
    strategies, name = named_strategies(values, source=source), values.get(STRATEGY)
    common = {key: value for key, value in values.items() if key not in (STRATEGIES, STRATEGY)}
    if name is None and not strategies:
        return common
    if not strategies:
        raise InputError(f"{source} has no strategies, but strategy '{name}' is asked for. Leave it out.")
    if name is None:
        raise InputError(
            f"{source} has the strategies {', '.join(strategies)}. Choose one: --strategy NAME of 'mstl train', "
            "--set strategy=NAME elsewhere."
        )
    if str(name) not in strategies:
        near = difflib.get_close_matches(str(name), strategies, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else f"It has {', '.join(strategies)}."
        raise InputError(f"Strategy '{name}' is unknown to {source}. {hint}")
    return common | strategies[str(name)]
