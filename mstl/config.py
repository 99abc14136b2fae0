"""An experiment: every setting of one training, flat, frozen, to YAML and back."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace

from mstl.config_checks import (
    ADAM,
    GAUSSIAN_PRIOR,
    GRADUAL,
    KERNEL_SETTINGS,
    KL_SETTINGS,
    NO_PRIOR,
    check_class_share,
    check_optimizer,
    check_pos_weight,
    check_prior,
    check_restarts,
    check_stop_rate,
)
from mstl.errors import InputError
from mstl.settings import (
    CohortSettings,
    check_counts,
    check_crop,
    check_decay,
    check_precision,
    check_rate,
    check_seed,
)

SIDE_MULTIPLE = 32  # what five poolings need
CROP_MULTIPLE = 16  # what four do: no model of ours has fewer
NOTHING = "none"
RANDOM = "random"
AUTO = "auto"
TWIN = "twin"  # folder, in the run of an experiment with `twin`, of the training from scratch
FREEZE_NORMS = ("freeze", "train")
FROM_ZERO = ("context", "kl_epochs", "restarts")  # whole numbers that may be 0


@dataclass(frozen=True)
class Training:
    """Settings of `mstl.fit`: the loss, the schedule, and which slices or patches make a batch.

    `loss` is a name of `mstl.training.losses` or, for several classes, `mstl.training.class_losses` ("auto":
    "bce_dice" or "ce_dice"); in these two the cross-entropy weighs `ce_weight` against Dice. In "weighted_bce" a
    lesion's voxel counts w = `pos_weight` times (None: as the training masks have background for each), so that masks
    are cut at w / (w + 1) where no other threshold is chosen, in validation too. Where the model has an auxiliary head,
    its loss counts `auxiliary_weight` times beside (0: not at all).

    `optimizer` is "adam" or "sgd", the latter with `momentum`.

    Schedule: `learning_rate` stays ("constant") or falls to zero along a cosine (`decay: cosine`) or as the power 0.9
    of the part of the epochs that remains (`decay: polynomial`); it is multiplied by `plateau_factor` after each
    `plateau_patience` epochs without improvement, and the training stops after `stop_patience` such epochs (None:
    never), or once plateaus have cut the rate below `stop_rate` (0: never). With `restarts` the cosine starts anew so
    many times, in cycles of equal length, and the weights that each cycle ends with are kept (Loshchilov and Hutter
    2017, arXiv 1608.03983).

    An epoch has `steps_per_epoch` batches (None: every slice once), its validation `validation_steps` (None: every
    slice). `batch_norm_momentum` (None: as built, 0.99) says how long batch norm remembers: a training of a few hundred
    steps wants 0.9, or its moving statistics, which prediction uses, still hold the initial ones.

    Every step takes `weight_decay` times the learning rate off each kernel (decoupled, Loshchilov and Hutter 2019,
    arXiv 1711.05101): with Adam 1 to 3 where a training of some hundred steps shall forget the noise that it began
    with. Where a publication adds w times the weights to the gradient of SGD, as PyTorch's `weight_decay` does, in the
    long run that takes as much off as w / (1 - `momentum`) here: 5e-4 there is 5e-3 here at momentum 0.9.

    Sampling of slices: `keep` is "lesion", "balanced", "brain" or "all"; `crop` a side in pixels (None: whole slices),
    around a lesion or, with `class_share`, anywhere, so that no class has more than that share of it; `context`
    neighbouring slices at each side as further channels; `window` the side of the square windows in which the model
    predicts (None: whole slices). Of volumes, for a 3D model: `patch` are sides (D, H, W) in voxels, one number a cube
    (none: whole volumes); `lesion_patches` is the share of patches around a lesion. `overlap` is that of neighbouring
    windows at prediction. Of both: `augment`, a name of `mstl.data.transforms` or `mstl.data.augment3d` ("auto":
    "thesis" for slices, "flips" for volumes); `workers` processes that prepare batches ahead.

    Every `preview_every` steps a sheet of a few fixed slices, their masks and what the model makes of them is written
    to the run's `previews` (None: never).

    `precision` is that of the computations: "float32", "mixed_bfloat16" or "mixed_float16"; weights, losses and
    probabilities are float32 in each.

    Freezing: `freeze` is a policy or a list of them, as of `mstl.freeze`; empty leaves the model's flags as they
    are, "none" lets all train. `freeze_norm: train` leaves normalisations of the frozen part training. `freeze:
    gradual` trains the head alone, and from the output's side one more block after each number of epochs in
    `unfreeze_epochs`.

    A Bayesian model may have a `prior`: "none", "gaussian" (independent weights of standard deviation `prior_sigma`),
    or the file or folder of `mstl pretrain kernel-prior`. The KL divergence from it counts `kl_weight` times, which is
    reached from 0 along a line over the first `kl_epochs` epochs; a step looks at `prior_kernels` kernels. With
    `prior_start` the kernels begin as draws of a learned prior, whatever they were before. Log variances learn at
    `variance_rate` times the learning rate. `loss: auto` is the cross-entropy then. See `mstl.training.variational`.
    """

    loss: str = AUTO
    ce_weight: float = 1.0
    pos_weight: float | None = None
    auxiliary_weight: float = 0.4
    optimizer: str = ADAM
    momentum: float = 0.9
    learning_rate: float = 1e-3
    decay: str = "constant"
    plateau_patience: int | None = None
    plateau_factor: float = 0.2
    stop_patience: int | None = None
    stop_rate: float = 0.0
    restarts: int = 0
    weight_decay: float = 0.0
    epochs: int = 50
    steps_per_epoch: int | None = None
    validation_steps: int | None = None
    batch_norm_momentum: float | None = None
    batch_size: int = 16
    keep: str = "balanced"
    crop: int | None = None
    class_share: float | None = None
    context: int = 0
    window: int | None = None
    patch: tuple[int, ...] = ()
    lesion_patches: float = 0.6
    overlap: float = 0.5
    augment: str = AUTO
    precision: str = "float32"
    workers: int = 1
    preview_every: int | None = None
    seed: int = 0
    freeze: tuple[str, ...] = ()
    freeze_norm: str = "freeze"
    unfreeze_epochs: tuple[int, ...] = ()
    prior: str = NO_PRIOR
    prior_sigma: float = 0.1
    kl_weight: float = 1.0
    kl_epochs: int = 0
    prior_kernels: int = 2048
    prior_start: bool = False
    variance_rate: float = 1.0

    def __post_init__(self) -> None:
        self._set_freezing()
        check_prior(self)
        check_decay(self.decay)
        whole = [one.name for one in fields(Training) if one.type.startswith("int")]
        check_counts(self, names=[name for name in whole if name not in ("seed", *FROM_ZERO)])
        check_counts(self, names=FROM_ZERO, least=0)
        check_crop(self.crop, multiple=CROP_MULTIPLE)
        self._set_patch()
        check_precision(self.precision)
        check_seed(self.seed)
        check_rate(self.learning_rate)
        if not 0 < self.plateau_factor < 1:
            raise InputError(f"plateau_factor is {self.plateau_factor}; between 0 and 1 is expected, as 0.2.")
        check_counts(self, names=["ce_weight", "stop_rate", "weight_decay", "auxiliary_weight"], least=0)
        for check in (check_optimizer, check_restarts, check_stop_rate, check_class_share, check_pos_weight):
            check(self)

    def _set_patch(self) -> None:
        sides = (self.patch,) if isinstance(self.patch, int) else tuple(self.patch)
        object.__setattr__(self, "patch", sides * 3 if len(sides) == 1 else sides)
        if len(self.patch) not in (0, 3) or any(side < 1 for side in self.patch):
            raise InputError(f"patch is {list(self.patch)}; three sides of at least 1 are expected, as [64, 64, 64].")
        if not 0 <= self.lesion_patches <= 1:
            raise InputError(f"lesion_patches is {self.lesion_patches}; between 0 and 1 is expected, as 0.6.")
        if not 0 <= self.overlap < 1:
            raise InputError(f"overlap is {self.overlap}; from 0 to below 1 is expected, as 0.5.")

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
class Experiment(Training, CohortSettings):
    """Settings of `mstl train`: those of `Training`, and where data (see `CohortSettings`) and model come from.

    A training without validation subjects keeps its last weights as its best.

    `model` is a name of `mstl.models`, `stem` and `model_options` are arguments of its builder. `init` says where
    its weights come from: "random", "imagenet", a name of `mstl weights list`, a Keras file, or a run's folder.
    What of the model they are for: `init_include` and `init_exclude` (groups such as encoder, or regexes);
    `init_match` the ways of matching, `init_rename` rules "regex => replacement" for names in the file,
    `init_mapping` pairs of the model's names and the file's, `init_adapt` rules for what differs in shape;
    `init_partial` accepts that some weights stay random. See `mstl.plan_transfer`.

    `twin` trains the same once more from scratch, for comparison: see `from_scratch`.
    """

    model: str = "unet-resnet34"
    stem: str = "conv1x1"
    model_options: dict = field(default_factory=dict)
    init: str = RANDOM
    init_include: tuple[str, ...] = ()
    init_exclude: tuple[str, ...] = ()
    init_match: tuple[str, ...] = ("name", "order")
    init_rename: tuple[str, ...] = ()
    init_mapping: dict = field(default_factory=dict)
    init_adapt: tuple[str, ...] = ()
    init_partial: bool = False
    twin: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set_init()
        self.set_sides()
        if self.twin and self.init == RANDOM and set(self.freeze) <= {NOTHING} and not self.has_learned_prior:
            raise InputError(
                "twin is true, but init is 'random' and nothing is frozen, so that the twin from scratch would be the "
                "same training. Give init, freeze or a learned prior, or leave twin out."
            )

    @property
    def has_learned_prior(self) -> bool:
        """Whether the weights' prior was learned from other networks."""
        return self.prior not in (NO_PRIOR, GAUSSIAN_PRIOR)

    def from_scratch(self) -> Experiment:
        """The same model, seed, split, settings and budget with random weights and nothing frozen; without a twin.

        A prior learned from other networks is left out too, a Gaussian one stays. `loss: auto` means the loss of a
        training without prior then: name it for both to have the same.
        """
        learned = ("prior", *KL_SETTINGS, *KERNEL_SETTINGS) if self.has_learned_prior else ()
        init = (one.name for one in fields(Experiment) if one.name.startswith("init"))
        defaults = {name: getattr(Experiment(), name) for name in (*init, *learned, "freeze_norm")}
        return replace(self, freeze=(NOTHING,), unfreeze_epochs=(), twin=False, **defaults)

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
