"""An experiment: every setting of one training, flat, frozen, to YAML and back."""
from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import yaml

from mstl.errors import InputError
from mstl.files import write_text

SIDE_MULTIPLE = 32  # what five poolings need
LARGEST_SEED = 2**32 - 1
DECAYS = ("constant", "cosine")
GRADUAL = "gradual"
FREEZE_NORMS = ("freeze", "train")
SIDES = ("train_subjects", "validation_subjects", "test_subjects")


@dataclass(frozen=True)
class Training:
    """Settings of `mstl.fit`: the loss, the schedule, and which slices make a batch.

    Schedule: `learning_rate` stays ("constant") or falls to zero along a cosine (`decay: cosine`); it is
    multiplied by `plateau_factor` after each `plateau_patience` epochs without improvement, and the training
    stops after `stop_patience` such epochs (None: never). An epoch has `steps_per_epoch` batches (None: every
    slice once), its validation `validation_steps` (None: every slice). `batch_norm_momentum` (None: as built,
    0.99) says how long batch norm remembers: a training of a few hundred steps wants 0.9, or its moving
    statistics, which prediction uses, still hold the initial ones.

    Sampling: `keep` is "lesion", "balanced" or "all" slices; `crop` a side in pixels (None: whole slices);
    `augment` "none", "thesis", "strong" or "wide"; `context` neighbouring slices at each side as further channels;
    `workers` processes that prepare batches ahead.

    Freezing: `freeze` is a policy or a list of them, as of `mstl.freeze`; empty leaves the model's flags as they
    are, "none" lets all train. `freeze_norm: train` leaves normalisations of the frozen part training. `freeze:
    gradual` trains the head alone, and from the output's side one more block after each number of epochs in
    `unfreeze_epochs`.
    """

    loss: str = "bce_dice"
    learning_rate: float = 1e-3
    decay: str = "constant"
    plateau_patience: int | None = None
    plateau_factor: float = 0.2
    stop_patience: int | None = None
    epochs: int = 50
    steps_per_epoch: int | None = None
    validation_steps: int | None = None
    batch_norm_momentum: float | None = None
    batch_size: int = 16
    keep: str = "balanced"
    crop: int | None = None
    context: int = 0
    augment: str = "thesis"
    workers: int = 1
    seed: int = 0
    freeze: tuple[str, ...] = ()
    freeze_norm: str = "freeze"
    unfreeze_epochs: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self._set_freezing()
        if self.crop is not None and self.crop % SIDE_MULTIPLE:
            raise InputError(f"crop is {self.crop}; a multiple of {SIDE_MULTIPLE} is expected. Mend the experiment.")
        if self.seed > LARGEST_SEED:
            raise InputError(f"seed is {self.seed}; at most {LARGEST_SEED} is expected. Mend the experiment.")
        if self.decay not in DECAYS:
            raise InputError(f"decay is '{self.decay}'; expected one of {', '.join(DECAYS)}. Mend it.")
        for name in (one.name for one in fields(Training) if one.type.startswith("int")):
            value, least = getattr(self, name), 0 if name in ("seed", "context") else 1
            if value is not None and value < least:
                raise InputError(f"{name} is {value}; at least {least} is expected. Mend the experiment.")
        if not 0 <= self.learning_rate < math.inf:
            raise InputError(f"learning_rate is {self.learning_rate}; at least 0 is expected, such as 1e-3.")
        if not 0 < self.plateau_factor < 1:
            raise InputError(f"plateau_factor is {self.plateau_factor}; between 0 and 1 is expected, as 0.2.")

    def _set_freezing(self) -> None:
        for name, kind in (("freeze", str), ("unfreeze_epochs", int)):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, kind) else tuple(map(kind, value)))
        if self.freeze_norm not in FREEZE_NORMS:
            raise InputError(
                f"freeze_norm is '{self.freeze_norm}'; expected one of {', '.join(FREEZE_NORMS)}. Mend it."
            )
        gradual = GRADUAL in self.freeze
        if gradual and len(self.freeze) > 1:
            raise InputError(f"freeze is {list(self.freeze)}; '{GRADUAL}' stands alone. Mend the experiment.")
        if gradual != bool(self.unfreeze_epochs):
            raise InputError(
                f"freeze is {list(self.freeze)} and unfreeze_epochs {list(self.unfreeze_epochs)}; 'gradual' and its "
                "epochs are given together, as freeze: gradual and unfreeze_epochs: [5, 10]."
            )

    def training(self) -> dict:
        """The settings of `mstl.fit` alone, as its keyword arguments."""
        return {field.name: getattr(self, field.name) for field in fields(Training)}


@dataclass(frozen=True)
class Experiment(Training):
    """Settings of `mstl train`: those of `Training`, and where data and model come from.

    `prepared` is a folder of `mstl prepare`. Subjects are given by name (`train_subjects`,
    `validation_subjects`, `test_subjects`) or, where `train_subjects` is empty, drawn by `ratios` and `seed`.
    A training without validation subjects keeps its last weights as its best.

    `model` is a name of `mstl.models`, `stem` and `model_options` are arguments of its builder. `init` says where
    its weights come from: "random", "imagenet", a name of `mstl weights list`, a Keras file, or a run's folder.
    What of the model they are for: `init_include` and `init_exclude` (groups such as encoder, or regexes);
    `init_match` the ways of matching, `init_rename` rules "regex => replacement" for names in the file,
    `init_mapping` pairs of the model's names and the file's, `init_adapt` rules for what differs in shape;
    `init_partial` accepts that some weights stay random. See `mstl.plan_transfer`.
    """

    prepared: str = "prepared"
    train_subjects: tuple[str, ...] = ()
    validation_subjects: tuple[str, ...] = ()
    test_subjects: tuple[str, ...] = ()
    ratios: tuple[float, ...] = (0.6, 0.2, 0.2)
    model: str = "unet-resnet34"
    stem: str = "conv1x1"
    model_options: dict = field(default_factory=dict)
    init: str = "random"
    init_include: tuple[str, ...] = ()
    init_exclude: tuple[str, ...] = ()
    init_match: tuple[str, ...] = ("name", "order")
    init_rename: tuple[str, ...] = ()
    init_mapping: dict = field(default_factory=dict)
    init_adapt: tuple[str, ...] = ()
    init_partial: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set_init()
        for name in SIDES:
            value = getattr(self, name)
            value = value.split(",") if isinstance(value, str) else value
            names = (str(item).strip() for item in value or ())
            object.__setattr__(self, name, tuple(item for item in names if item))
        object.__setattr__(self, "ratios", tuple(self.ratios))
        named = [subject for side in SIDES for subject in getattr(self, side)]
        twice = sorted({subject for subject in named if named.count(subject) > 1})
        if twice:
            raise InputError(f"Subjects {', '.join(twice)} stand on two sides of the split. Name each once.")
        if named and not self.train_subjects:
            raise InputError("Subjects are named but no train_subjects. Name them too, or none.")

    def _set_init(self) -> None:
        for name in ("init_include", "init_exclude", "init_match", "init_rename", "init_adapt"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        rename_rules(self.init_rename)

    def init_options(self) -> dict:
        """The settings of `mstl.plan_transfer`, as its keyword arguments; raises `InputError` for a rule amiss."""
        return {
            "include": list(self.init_include) or None,
            "exclude": list(self.init_exclude) or None,
            "match": list(self.init_match),
            "mapping": self.init_mapping or None,
            "rename": rename_rules(self.init_rename),
            "adapt": list(self.init_adapt) or "error",
        }

    @classmethod
    def load(cls, path: str | Path, *, changes: Iterable[str] = ()) -> Experiment:
        """Read a YAML file and apply `changes` of the form "key=value" (the value is YAML too).

        Raises `InputError` for a file that cannot be read, a key that does not exist (the nearest one is
        proposed) or a value of another kind than the default's.
        """
        values = _read_yaml(Path(path))
        for change in changes:
            key, separator, value = change.partition("=")
            if not separator:
                raise InputError(f"--set {change} is not of the form key=value, such as --set epochs=20.")
            key = key.strip()
            names = key in SIDES and not value.lstrip().startswith("[")  # subject 04 is a name, not the number 4
            values[key] = value if names else _parse_yaml(value, f"--set {change}")
        return cls.from_dict(values, source=str(path))

    @classmethod
    def from_dict(cls, values: dict, *, source: str = "the experiment") -> Experiment:
        """Build from a dictionary; raises `InputError` as `load` does."""
        known = {field.name: field for field in fields(cls)}
        typed = {}
        for key, value in values.items():
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                hint = f"Did you mean '{near[0]}'?" if near else f"Known keys: {', '.join(known)}."
                raise InputError(f"Key '{key}' in {source} is unknown. {hint}")
            typed[key] = _typed(key, value, known[key].type, source)
        return cls(**typed)

    def to_dict(self) -> dict:
        """Plain values for YAML: tuples become lists."""
        values = asdict(self).items()
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values}

    def save(self, path: str | Path) -> None:
        """Write as YAML, whole or not at all."""
        write_text(path, yaml.safe_dump(self.to_dict(), sort_keys=False))


def rename_rules(texts: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of regex and replacement from texts "regex => replacement"; raises `InputError` for another form."""
    rules = [tuple(part.strip() for part in text.split("=>")) for text in texts]
    wrong = [text for text, parts in zip(texts, rules, strict=True) if len(parts) != 2]
    if wrong:
        raise InputError(f"Rename rule '{wrong[0]}' is not of the form 'regex => replacement'. Mend it.")
    return rules


def input_channels(modalities: int, *, context: int) -> int:
    """Channels of a model's input: each modality in the slice and in `context` neighbours at each side."""
    return modalities * (1 + 2 * context)


def _read_yaml(path: Path) -> dict:
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


def _parse_yaml(text: str, source: str) -> object:
    try:
        return yaml.safe_load(text)
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
