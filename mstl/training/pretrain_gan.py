"""Self-supervised pre-training: scans without masks in, a generator that restores what was hidden out."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mstl._keras import keras
from mstl.config import RANDOM
from mstl.config_gan import GanExperiment, GanTraining
from mstl.data.corruption import Corruption
from mstl.data.prepared import PreparedCohort
from mstl.data.restoration import RestorationSampler
from mstl.data.sequences import SliceSequence
from mstl.data.slices import SliceSampler
from mstl.files import write_json
from mstl.models.pix2pix import discriminator
from mstl.models.synchronised import synchronise
from mstl.training.cluster import is_chief
from mstl.training.distribute import agree, check_batch, describe_strategy, own_folder, pick_strategy
from mstl.training.environment import environment
from mstl.training.gan import Pix2Pix
from mstl.training.gan_run import BASELINES, GanRun, build_generator
from mstl.training.loop import run_epochs
from mstl.training.precision import precision
from mstl.training.recorder import RunRecorder
from mstl.training.restoration_scores import baseline_fills, is_signed, scale_of, score_fills
from mstl.training.run import STATE, TRANSFER
from mstl.training.run_folder import check_apart, holds_weights, open_run_folder, subjects_of
from mstl.training.schedule import decayed, has_ended, monitored
from mstl.training.sheets import SampleSheets, sample_batch
from mstl.training.state import load_state
from mstl.transfer.initial import initialise
from mstl.transfer.origin import describe_origins

SAMPLES = 6  # slices on a sheet


def pretrain_gan(
    train: PreparedCohort,
    validation: PreparedCohort | None = None,
    *,
    out: str | Path,
    test: PreparedCohort | None = None,
    init: str = RANDOM,
    resume: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **settings,
) -> GanRun:
    """Train a generator to restore hidden parts of the slices of `train`, into the folder `out`.

    Cases need no masks; where they have some these are not opened. validation: says which epoch is best, by the mean
    absolute error of its hidden pixels in the brain; without it the last is. test: never read, only noted. init: the
    generator's first weights, as of `mstl.transfer.initial.initialise`. It runs under the strategy that
    `mstl.training.distribute.pick_strategy` picks, or that is open. resume: go on from the last finished epoch;
    ends with the weights of a training never stopped. settings: see `mstl.config_gan.GanTraining`.

    Raises `InputError` for cases that were not prepared to [0, 1], a crop that the generator cannot take, a subject on
    two sides, an `out` that is not empty, or a `resume` with other settings; `TrainingError` at the first loss that
    is not finite, naming the batch's cases.

    Source: Pathak et al. 2016, arXiv 1604.07379, with the networks of Isola et al. 2017, arXiv 1611.07004; without a
    discriminator Vincent et al. 2010, JMLR 11:3371.
    """
    training = GanTraining(**settings)
    sides = {"train": train, "validation": validation, "test": test}
    check_apart(sides)
    strategy = pick_strategy()
    check_batch(strategy, training.batch_size)
    sampler = restoration_sampler(train, training)
    held_out = None if validation is None else _validation_batches(validation, training)
    experiment = GanExperiment(
        **training.training(), **subjects_of(sides), prepared=str(train.folder.resolve()), init=init
    )
    facts = environment([*train, *(validation or ())], seed=training.seed)
    facts["distribution"] = describe_strategy(strategy, batch_size=training.batch_size, precision=training.precision)
    begun = {"preparation": train.preparation, "environment": facts}
    resumed, history = holds_weights(out, experiment, resume=resume), []
    with own_folder(out, resume=resume) as folder, strategy.scope():
        with precision(training.precision):
            gan = _build(experiment, preparation=train.preparation, resumed=resumed)
        open_run_folder(folder, experiment, **begun, resume=resume)
        if resumed:
            history = load_state(folder / STATE, gan)
        else:
            write_json(folder / TRANSFER, describe_origins(gan.generator))
            _write_baselines(folder, held_out, training)
        agree(strategy, out, {**experiment.to_dict(), "prepared": ""}, facts["inputs"], len(history))
        if not has_ended(training, monitored(history)):
            sheets = _sheets(folder, sampler if held_out is None else held_out.sampler, training, train.preparation)
            recorder = GanRecorder(folder, training, history)
            run_epochs(gan, sampler, held_out, recorder, before=[sheets], after=callbacks)
    return GanRun(out)


def _write_baselines(folder: Path, held_out: SliceSequence | None, training: GanTraining) -> None:
    """Write how well what learns nothing restores the validation slices."""
    if held_out is not None and is_chief():
        fills, scores = baseline_fills(training), ("hidden_mae", "hidden_ssim")  # they know what is brain
        write_json(folder / BASELINES, score_fills(held_out, fills, scale=scale_of(training), scores=scores))


def restoration_sampler(
    cases: PreparedCohort, training: GanTraining, *, validation: bool = False
) -> RestorationSampler:
    """Batches of corrupted slices of `cases`; those of a validation are whole slices as they are."""
    crop = None if training.crop is None else (training.crop, training.crop)
    slices = SliceSampler(
        cases,
        batch_size=training.batch_size,
        keep="brain",
        labels=False,
        shuffle=not validation or training.validation_steps is not None,
        seed=training.seed,
        augment=None if validation else training.augment,
        crop=None if validation else crop,
        multiple_of=training.side_multiple,
        steps_per_epoch=training.validation_steps if validation else training.steps_per_epoch,
    )
    corruption = Corruption(training.corruption, tile=training.tile, fill=training.fill, share=training.share)
    return RestorationSampler(slices, corruption=corruption, signed=is_signed(training))


def _validation_batches(cases: PreparedCohort, training: GanTraining) -> SliceSequence:
    """Every slice with brain in order, or the same random draw of `validation_steps` batches in every epoch."""
    return SliceSequence(restoration_sampler(cases, training, validation=True), advance=False)


def _build(experiment: GanExperiment, *, preparation: dict, resumed: bool) -> Pix2Pix:
    """The networks, compiled, their weights drawn by the seed; the generator's from `init`, unless a state follows."""
    keras.utils.set_random_seed(experiment.seed)
    channels = len(preparation["modalities"])
    network, judge = build_generator(experiment, channels=channels), None
    if experiment.adversarial_weight:
        judge = discriminator(image_shape=(None, None, channels), out_channels=channels, width=experiment.width)
    if not resumed:
        held_out = (*experiment.validation_subjects, *experiment.test_subjects)
        known = {"preparation": preparation, "held_out": held_out}
        initialise(network, experiment.init, model_name=f"{experiment.generator}-generator", **known)
    names = ("adversarial_weight", "l1_weight", "hidden_weight", "discriminator_weight")
    weights = {name: getattr(experiment, name) for name in names}
    gan = Pix2Pix(network, judge, scale=scale_of(experiment), **weights)
    if gan.distribute_strategy.num_replicas_in_sync > 1:
        for one in gan.networks:
            synchronise(one)
    gan.compile(*(keras.optimizers.Adam(experiment.learning_rate, beta_1=experiment.beta_1) for _ in gan.networks))
    return gan


def _sheets(out: Path, sampler: RestorationSampler, training: GanTraining, preparation: dict) -> SampleSheets:
    corrupted, target, names = sample_batch(sampler, SAMPLES)
    look = {"names": names, "modalities": preparation["modalities"]}
    return SampleSheets(out, corrupted, target, every=training.sample_every, **look)


class GanRecorder(RunRecorder):
    """The recorder of a pre-training: one learning rate for all optimizers, and the generator's weights kept."""

    def set_rate(self, epoch: int) -> None:
        """Set the rate that the decay has for `epoch`."""
        for optimizer in self.model.optimizers:
            optimizer.learning_rate.assign(decayed(self.settings, epoch=epoch))

    def network(self) -> keras.Model:
        """The generator."""
        return self.model.generator
