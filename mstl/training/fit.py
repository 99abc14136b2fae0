"""Training: prepared cases and a model in, a run folder out; killed at any moment, it can go on exactly."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mstl._keras import keras, tf
from mstl.config import AUTO, GAUSSIAN_PRIOR, NO_PRIOR, Experiment, Training, input_channels
from mstl.config_checks import SGD
from mstl.data.prepared import PreparedCohort
from mstl.errors import InputError
from mstl.files import write_json
from mstl.models import recipe_of
from mstl.models.bayesian_conv3d import bayesian_layers
from mstl.models.sides import is_volumetric
from mstl.models.synchronised import synchronise
from mstl.models.tree import tensors_of
from mstl.training.auxiliary import auxiliary_loss, check_auxiliary
from mstl.training.batches import preview_sampler, training_batches
from mstl.training.cluster import is_chief
from mstl.training.distribute import agree, check_batch, describe_strategy, own_folder
from mstl.training.environment import environment
from mstl.training.frozen import FreezeProof, freeze_for
from mstl.training.loop import run_epochs
from mstl.training.losses import POSITIVELY_WEIGHTED, get_loss
from mstl.training.metrics import training_metrics
from mstl.training.pos_weight import even_cut, pos_weight_of
from mstl.training.posterior_adam import PosteriorAdam
from mstl.training.posterior_guard import PosteriorGuard
from mstl.training.precision import check_built
from mstl.training.previews import Previews
from mstl.training.recorder import RunRecorder
from mstl.training.run import CUSTOM_MODEL, FREEZE, STATE, TRANSFER, Run
from mstl.training.run_folder import Sides, check_apart, open_run_folder, subjects_of
from mstl.training.schedule import has_ended, monitored
from mstl.training.state import load_state
from mstl.training.variational import KLSchedule, variational
from mstl.training.weight_prior import prior_file, prior_for
from mstl.transfer.gradual import GradualUnfreezing
from mstl.transfer.origin import describe_origins, origins_of

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def fit(
    model: keras.Model,
    train: PreparedCohort,
    validation: PreparedCohort | None = None,
    *,
    out: str | Path,
    test: PreparedCohort | None = None,
    resume: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **settings,
) -> Run:
    """Train `model` on slices or patches of `train` and return the run, written to the folder `out`.

    model: images `(N, H, W, C)` or volumes `(N, D, H, W, C)` to probabilities `(N, ..., K)`; compiled here.
    One output channel is for masks of 0 and 1, more are background and each class.
    validation: chooses the best weights by the pooled Dice of its voxels, with several classes the mean over them;
    without it the last are the best.
    test: never read, only noted in the run, so that `mstl predict` and the report know who was held out.
    resume: go on from the last finished epoch of `out`; ends with the weights of a training never stopped.
    settings: see `mstl.config.Training`. A model built in the scope of a `tf.distribute` strategy is trained under it,
    see `mstl.training.distribute`: batch norm takes its statistics from the batch of all replicas then. A Bayesian
    model with a `prior` is trained as `mstl.training.variational` has it; the run keeps the weights of the model alone.

    Raises `InputError` where cases lack masks, a subject is on two sides, `out` is not empty, or `resume`
    finds other settings; `TrainingError` at the first loss that is not finite, naming the batch's cases, and where
    a frozen tensor has changed (the run's `freeze.json` has the hashes of all).
    """
    training = Training(**settings)
    sides = {"train": train, "validation": validation, "test": test}
    check_apart(sides)
    _check_masks({"train": train, "validation": validation})
    _check_model(model, train, training)
    weight = _pos_weight(model, train, training)
    loss = _loss(model, training, pos_weight=weight)  # this and the next may refuse: before the folder
    sampler, held_out = training_batches(model, train, validation, training)
    report, thawing = freeze_for(model, training)
    strategy = model.distribute_strategy
    with strategy.scope():
        prior = prior_for(model, training)
    facts = _facts(strategy, train, validation, training) | ({} if weight is None else {"pos_weight": weight})
    experiment = _experiment(model, training, sides)
    begun = {"preparation": train.preparation, "environment": facts}
    with own_folder(out, resume=resume) as folder, strategy.scope():
        open_run_folder(folder, experiment, **begun, resume=resume)
        trained = model if prior is None else variational(model, prior, train, training)
        _compile(trained, model, training, loss, labels=train.labels, threshold=even_cut(weight))
        if thawing:
            thawing.build_optimizer()
        own = _own_callbacks(training, thawing) + _previews(model, folder, validation or train, training)
        proof = FreezeProof(folder / FREEZE, trained, report)
        history = _begin(folder, trained, model, training, proof)
        agree(strategy, out, {**experiment.to_dict(), "prepared": ""}, facts["inputs"], len(history))
        proof.begin()
        if not has_ended(training, monitored(history)):
            recorder = RunRecorder(folder, training, history)
            with auxiliary_loss(trained, loss, weight=training.auxiliary_weight):
                run_epochs(trained, sampler, held_out, recorder, after=[*own, *callbacks, proof])
        proof.end()
    return Run(out, model=model)


def _pos_weight(model: keras.Model, train: PreparedCohort, training: Training) -> float | None:
    """The weight of a lesion's voxel: given, or computed for the loss that has one."""
    if training.pos_weight is None and training.loss in POSITIVELY_WEIGHTED:
        return pos_weight_of(train, keep="all" if is_volumetric(model) else training.keep)
    return training.pos_weight


def _own_callbacks(training: Training, thawing: GradualUnfreezing | None) -> list[keras.callbacks.Callback]:
    """What the settings ask for in the course of a training."""
    of_prior = [KLSchedule(training), PosteriorGuard()] if training.prior != NO_PRIOR else []
    return [*([thawing] if thawing else []), *of_prior]


def _previews(model: keras.Model, folder: Path, cases: PreparedCohort, training: Training) -> list[Previews]:
    """What draws previews of `cases`, on the one that writes, where they are asked for."""
    if training.preview_every is None or not is_chief():
        return []
    sampler, modalities = preview_sampler(model, cases, training), cases.preparation["modalities"]
    return [Previews(folder, sampler, every=training.preview_every, modalities=modalities)]


def _facts(
    strategy: tf.distribute.Strategy, train: PreparedCohort, validation: PreparedCohort | None, training: Training
) -> dict:
    """What the training runs on."""
    distribution = describe_strategy(strategy, batch_size=training.batch_size, precision=training.precision)
    cases = [*train, *(validation or ())]
    return environment(cases, seed=training.seed, prior=prior_file(training)) | {"distribution": distribution}


def _loss(model: keras.Model, training: Training, *, pos_weight: float | None) -> Loss:
    """The loss of the settings; with a prior "auto" is minus a log likelihood, which the divergence belongs to."""
    classes, name = model.output_shape[-1], training.loss
    if training.prior != NO_PRIOR and name == AUTO:
        name = "bce" if classes == 1 else "ce"
    return get_loss(name, num_classes=classes, ce_weight=training.ce_weight, pos_weight=pos_weight)


def _compile(
    trained: keras.Model, model: keras.Model, training: Training, loss: Loss, *, labels: tuple[int, ...],
    threshold: float,
) -> None:
    """Make `trained`, which is `model` or holds it, ready to train."""
    _set_batch_norm(model, training)
    metrics = training_metrics(num_classes=model.output_shape[-1], labels=labels, threshold=threshold)
    trained.compile(_optimizer(model, training), loss, metrics)


def _optimizer(model: keras.Model, training: Training) -> keras.optimizers.Optimizer:
    rate, decay = training.learning_rate, training.weight_decay or None
    if training.prior != NO_PRIOR:
        variances = [layer.log_variance for layer in bayesian_layers(model).values()]
        return PosteriorAdam(rate, variances=variances, variance_rate=training.variance_rate)
    if training.optimizer == SGD:
        optimizer = keras.optimizers.SGD(rate, momentum=training.momentum, weight_decay=decay)
    else:
        optimizer = keras.optimizers.Adam(rate, weight_decay=decay)
    if decay:
        optimizer.exclude_from_weight_decay(_all_but_kernels(model))
    return optimizer


def _all_but_kernels(model: keras.Model) -> list[tf.Variable]:
    return [tensor.value for tensor in tensors_of(model).values() if not tensor.variable.endswith("kernel")]


def _begin(
    folder: Path, trained: keras.Model, model: keras.Model, training: Training, proof: FreezeProof
) -> list[dict]:
    """The history of the state that is gone on from; without one note where the weights came from, and none."""
    if (folder / STATE).exists():
        proof.resume()
        return load_state(folder / STATE, trained)
    write_json(folder / TRANSFER, describe_origins(model))
    if training.prior_start:
        trained.prior.start(seed=training.seed)
    return []


def _set_batch_norm(model: keras.Model, training: Training) -> None:
    """Let batch norm look at the images of all replicas, and remember as long as `training` has it."""
    if model.distribute_strategy.num_replicas_in_sync > 1:
        synchronise(model)
    if training.batch_norm_momentum is None:
        return
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = training.batch_norm_momentum


def _check_model(model: keras.Model, train: PreparedCohort, training: Training) -> None:
    modalities = train.preparation["modalities"]
    channels = input_channels(len(modalities), context=training.context)
    given, classes = model.input_shape[-1], model.output_shape[-1]
    if given != channels:
        raise InputError(
            f"The model takes {given} channels, the prepared cases have {channels} ({', '.join(modalities)}, "
            f"context {training.context}). Build the model with channels={channels}."
        )
    _check_classes(classes, train)
    check_batch(model.distribute_strategy, training.batch_size)
    check_built(model, precision=training.precision)
    check_auxiliary(model, training)


def _check_classes(classes: int, train: PreparedCohort) -> None:
    """Raise `InputError` where a model of that many output channels is not for the masks of `train`."""
    labels = train.labels or (1,)
    fitting = (1, 2) if len(labels) == 1 else (len(labels) + 1,)
    if classes not in fitting:
        raise InputError(
            f"The model gives {classes} channels; masks of {', '.join(map(str, (0, *labels)))} need {fitting[-1]}. "
            f"Build it with num_classes={fitting[0]}."
        )
    totals = np.sum([case.class_voxels for case in train], axis=0)
    absent = [str(label) for label, total in zip(labels, totals, strict=True) if not total]
    if absent and train.labels:
        raise InputError(
            f"No training case has a voxel of label {', '.join(absent)}, so it cannot be learned. Add cases that have "
            "it to the training subjects, or prepare without it (--labels)."
        )


def _check_masks(sides: Sides) -> None:
    for side, cases in sides.items():
        for case in cases or ():
            if not case.has_mask:
                raise InputError(f"Case {case.name} in {side} has no mask. Add one to the cohort, or leave it out.")


def _experiment(model: keras.Model, training: Training, sides: Sides) -> Experiment:
    if training.prior not in (NO_PRIOR, GAUSSIAN_PRIOR):
        training = replace(training, prior=str(Path(training.prior).resolve()))
    recipe = {"model": CUSTOM_MODEL} | (recipe_of(model) or {})
    told = {name: recipe.pop(name) for name in ("model", "stem") if name in recipe}
    recipe.pop("channels", None)  # the cases tell
    return Experiment(
        **training.training(),
        **subjects_of(sides),
        prepared=str(sides["train"].folder.resolve()),
        **told,
        model_options={name: list(value) if isinstance(value, tuple) else value for name, value in recipe.items()},
        **_init_settings(model),
    )


def _init_settings(model: keras.Model) -> dict:
    """The keys of an experiment that say where the model's weights came from, by the last transfer."""
    if not (origins := origins_of(model)):
        return {}
    options = origins[-1].options
    return {
        "init": origins[-1].init,
        "init_include": options["include"] or (),
        "init_exclude": options["exclude"] or (),
        "init_match": options["match"],
        "init_rename": [" => ".join(rule) for rule in options["rename"]],
        "init_mapping": options["mapping"] or {},
        "init_adapt": () if options["adapt"] == "error" else options["adapt"],
        "init_partial": options["allow_partial"],
    }
