"""Settings in YAML, there and back; what every experiment states of its cases; checks of single values."""
from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import yaml

from mstl.errors import InputError
from mstl.files import write_text
from mstl.strategies import STRATEGY, named_strategies, with_strategy

if TYPE_CHECKING:
    from typing import Self  # from Python 3.11

SIDES = ("train_subjects", "validation_subjects", "test_subjects")
NAMES_FILE = ".txt"  # how the path of a file of subjects' names ends
DECAYS = ("constant", "cosine", "polynomial")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
LARGEST_SEED = 2**32 - 1
PRETRAINING = "pretraining"  # the key of an experiment that is not one of 'mstl train'


@dataclass(frozen=True)
class Settings:
    """How a flat frozen dataclass of settings is read from YAML and written to it."""

    KIND: ClassVar[str] = ""  # what of `mstl pretrain` it is for; empty: for `mstl train`
    NAMES: ClassVar[tuple[str, ...]] = ()  # keys that --set takes as names, even where they look like numbers

    @classmethod
    def load(cls, path: str | Path, *, strategy: str | None = None, changes: Iterable[str] = ()) -> Self:
        """Read a YAML file and apply `changes` of the form "key=value" (the value is YAML too).

        A file may have `strategies: {NAME: {key: value, ...}, ...}`: the settings of the one that `strategy`, or its
        key `strategy`, names are put over the common ones, and `changes` over both.

        Raises `InputError` for a file that cannot be read, a key that does not exist (the nearest one is
        proposed) or a value of another kind than the default's; and for a strategy that the file lacks, or none
        where it has some.
        """
        given = ({} if strategy is None else {STRATEGY: strategy}) | cls.changes(changes)
        chosen = {STRATEGY: given.pop(STRATEGY)} if STRATEGY in given else {}
        values = with_strategy(read_yaml(Path(path)) | chosen, source=str(path))
        return cls.from_dict(values | given, source=str(path))

    @classmethod
    def changes(cls, texts: Iterable[str]) -> dict:
        """Values by key of texts "key=value", in which the value is YAML; raises `InputError` for another form."""
        given = {}
        for text in texts:
            key, separator, value = text.partition("=")
            if not separator:
                raise InputError(f"--set {text} is not of the form key=value, such as --set epochs=20.")
            key = key.strip()
            names = key in cls.NAMES and not value.lstrip().startswith("[")  # subject 04 is a name, not the number 4
            given[key] = value if names else _parse_yaml(value, f"--set {text}")
        return given

    @classmethod
    def command(cls) -> str:
        """The command that such settings are for."""
        return command_of(cls.KIND)

    @classmethod
    def from_dict(cls, values: dict, *, source: str = "the experiment") -> Self:
        """Build from a dictionary; raises `InputError` as `load` does, and where it is one for another command."""
        if (kind := values.get(PRETRAINING, cls.KIND)) != cls.KIND:
            raise InputError(
                f"{source} has {PRETRAINING}: {kind}. It is one for 'mstl pretrain {kind}', not for "
                f"'{cls.command()}'."
            )
        known = {field.name: field for field in fields(cls)}
        typed = {}
        for key, value in values.items():
            if key == PRETRAINING:
                continue
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                hint = f"Did you mean '{near[0]}'?" if near else f"Known keys: {', '.join(known)}."
                raise InputError(f"Key '{key}' in {source} is unknown to '{cls.command()}'. {hint}")
            typed[key] = _typed(key, value, known[key].type, source)
        return cls(**typed)

    def to_dict(self) -> dict:
        """Plain values for YAML: tuples become lists."""
        kind = {PRETRAINING: self.KIND} if self.KIND else {}
        values = asdict(self).items()
        return kind | {key: list(value) if isinstance(value, tuple) else value for key, value in values}

    def save(self, path: str | Path) -> None:
        """Write as YAML, whole or not at all."""
        write_text(path, yaml.safe_dump(self.to_dict(), sort_keys=False))


@dataclass(frozen=True)
class CohortSettings(Settings):
    """Settings with prepared cases and their split.

    `prepared` is a folder of `mstl prepare`. Subjects are given by name (`train_subjects`, `validation_subjects`,
    `test_subjects`), each side also as a text file of names, one a line, whose path ends in .txt; or, where
    `train_subjects` is empty, they are drawn by `ratios` and the seed. `set_sides`, which
    subclasses call when they are made, raises `InputError` for a subject on two sides, and for subjects named
    without those to train on.
    """

    NAMES: ClassVar[tuple[str, ...]] = SIDES

    prepared: str = "prepared"
    train_subjects: tuple[str, ...] = ()
    validation_subjects: tuple[str, ...] = ()
    test_subjects: tuple[str, ...] = ()
    ratios: tuple[float, ...] = (0.6, 0.2, 0.2)

    def set_sides(self) -> None:
        """Bring the names of subjects into one form, and check them."""
        for name in SIDES:
            object.__setattr__(self, name, _names_of(name, getattr(self, name)))
        object.__setattr__(self, "ratios", tuple(self.ratios))
        named = [subject for side in SIDES for subject in getattr(self, side)]
        twice = sorted({subject for subject in named if named.count(subject) > 1})
        if twice:
            raise InputError(f"Subjects {', '.join(twice)} stand on two sides of the split. Name each once.")
        if named and not self.train_subjects:
            raise InputError("Subjects are named but no train_subjects. Name them too, or none.")


def _names_of(side: str, value: str | Iterable[object] | None) -> tuple[str, ...]:
    """Names of the subjects of a side, which may stand in one text with commas, or in files."""
    items = value.split(",") if isinstance(value, str) else value or ()
    names = (str(item).strip() for item in items)
    return tuple(subject for name in names if name for subject in _names_in(side, name))


def _names_in(side: str, item: str) -> tuple[str, ...]:
    """The name of a subject itself, of a text file the names in its lines; raises `InputError` where it has none."""
    if not item.endswith(NAMES_FILE):
        return (item,)
    try:
        lines = Path(item).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InputError(f"{side} is the file {item}, which cannot be read: {reason}. Check the path.") from error
    names = tuple(line.strip() for line in lines if line.strip())
    if not names:
        raise InputError(f"{side} is the file {item}, which is empty. Write a subject's name into each line.")
    return names


def check_counts(settings: object, *, names: Iterable[str], least: int = 1) -> None:
    """Raise `InputError` where one of the numbers `names` of `settings` is below `least` or not finite; None is any."""
    for name in names:
        value = getattr(settings, name)
        if value is not None and not least <= value < math.inf:
            raise InputError(f"{name} is {value}; at least {least} is expected. Mend the experiment.")


def check_seed(seed: int) -> None:
    """Raise `InputError` where `seed` is no number of 32 bits."""
    if not 0 <= seed <= LARGEST_SEED:
        wanted = "at least 0" if seed < 0 else f"at most {LARGEST_SEED}"
        raise InputError(f"seed is {seed}; {wanted} is expected. Mend the experiment.")


def check_crop(crop: int | None, *, multiple: int) -> None:
    """Raise `InputError` where `crop` is no multiple of `multiple` pixels; None is no crop."""
    if crop is not None and crop % multiple:
        raise InputError(f"crop is {crop}; a multiple of {multiple} is expected. Mend the experiment.")


def check_decay(decay: str) -> None:
    """Raise `InputError` where `decay` is no way for the learning rate to fall."""
    if decay not in DECAYS:
        raise InputError(f"decay is '{decay}'; expected one of {', '.join(DECAYS)}. Mend it.")


def check_precision(precision: str) -> None:
    """Raise `InputError` where `precision` is no policy of computing."""
    if precision not in PRECISIONS:
        raise InputError(f"precision is '{precision}'; expected one of {', '.join(PRECISIONS)}. Mend it.")


def check_rate(rate: float) -> None:
    """Raise `InputError` where the learning rate is negative or not finite."""
    if not 0 <= rate < math.inf:
        raise InputError(f"learning_rate is {rate}; at least 0 is expected, such as 1e-3.")


def command_of(kind: str) -> str:
    """The command that an experiment of this `KIND` is for."""
    return f"mstl pretrain {kind}" if kind else "mstl train"


def strategies_of(path: str | Path) -> tuple[str, ...]:
    """Names of the strategies in an experiment's file, see `Settings.load`; empty where it has none."""
    return tuple(named_strategies(read_yaml(Path(path)), source=str(path)))


def read_yaml(path: Path) -> dict:
    """The keys and values of a YAML file, none where it is empty; raises `InputError` for anything else."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"Experiment {path} does not exist. Check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Experiment {path} cannot be read as text ({error}). Check the path.") from error
    values = _parse_yaml(text, f"Experiment {path}")
    if values is None:
        return {}
    if not isinstance(values, dict):
        kind = type(values).__name__
        raise InputError(f"Experiment {path} is a {kind}; lines of 'key: value' are expected. Mend the file.")
    return values


class _Loader(yaml.SafeLoader):
    """Safe YAML without doubles: where a key stands twice, such as a strategy's name, YAML would take the last."""

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        """The node of a mapping, whose keys are checked before others are merged into it."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"'{key.value}' stands twice", problem_mark=key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return node


def _parse_yaml(text: str, source: str) -> object:
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2021-99-99
        reason = " ".join(str(error).split())
        raise InputError(f"{source} cannot be read as YAML ({reason}). Mend it.") from error


def _typed(key: str, value: object, kind: str, source: str) -> object:
    """`value` as the field's annotation wants it; YAML reads 1e-3 as text, which a float field accepts."""
    if value is None and "None" in kind:
        return None
    try:
        return _READERS[kind.split(" | ")[0]](value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{key} in {source} is {value!r}; {kind} is expected. Mend the value.") from None


def _fraction(value: object) -> float:
    return float(_of_kind(value, (int, float, str)))


def _whole(value: object) -> int:
    if _fraction(value) != int(value):
        raise ValueError
    return int(value)


def _yes_or_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _of_kind(value: object, kinds: type | tuple[type, ...]) -> object:
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise TypeError
    return value


_READERS = {
    "float": _fraction,
    "int": _whole,
    "bool": _yes_or_no,
    "dict": lambda value: _of_kind(value, dict),
    "str": lambda value: _of_kind(value, str),
    "tuple[str, ...]": lambda value: _of_kind(value, (str, list, tuple)),
    "tuple[int, ...]": lambda value: tuple(map(_whole, value if isinstance(value, (list, tuple)) else [value])),
    "tuple[float, ...]": lambda value: tuple(map(_fraction, _of_kind(value, (list, tuple)))),
}
