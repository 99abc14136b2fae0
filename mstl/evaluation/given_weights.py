"""Predictors of given weights: of a run, of a Keras file for a network that is named, of published weights."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mstl._keras import keras
from mstl.data.prepared import PreparedCohort
from mstl.errors import InputError
from mstl.evaluation.predictor import Predictor, window_for
from mstl.training.build import model_named
from mstl.training.run import Run
from mstl.transfer.initial import known_subjects, other_images
from mstl.transfer.plan import transfer_weights
from mstl.transfer.registry import registry
from mstl.transfer.source import IMAGENET, Source, find_source


@dataclass(frozen=True, eq=False)
class GivenWeights:
    """Opens checkpoints for `cases`: the predictor of each, and sentences on what its weights know.

    `own` is the predictor of the network that files of weights are for, which each file fills anew, and `name` is that
    network's, "" where mstl has none for it; None where there are only runs, which know their network.
    """

    cases: PreparedCohort
    own: Predictor | None = None
    name: str = ""

    @classmethod
    def of(cls, cases: PreparedCohort, model: str | keras.Model | None, *, options: Sequence[str] = ()) -> GivenWeights:
        """For files of the network `model`: a name (see `model_named`), a `keras.Model`, which is copied, or None.

        Raises `InputError` where it cannot be built.
        """
        if model is None:
            return cls(cases)
        if isinstance(model, keras.Model):
            return cls(cases, Predictor(keras.models.clone_model(model)))
        built, experiment = model_named(model, options=options, preparation=cases.preparation)
        if experiment is None:
            return cls(cases, Predictor(built), model)
        view = {"window": window_for(built, experiment), "overlap": experiment.overlap}
        return cls(cases, Predictor(built, experiment.context, **view), experiment.model)

    def __call__(self, checkpoint: str | Path | Run) -> tuple[Predictor, tuple[str, ...]]:
        """The predictor of a run, its folder, a Keras file or a published name; valid until the next one is opened.

        Raises `InputError` where it means nothing, has no network, or does not fill the whole of it.
        """
        if isinstance(checkpoint, Run) or Path(checkpoint).is_dir():
            run = checkpoint if isinstance(checkpoint, Run) else Run(checkpoint)
            return Predictor.of_run(run), self._notes(find_source(str(run.folder)))
        source = self._file(str(checkpoint))
        transfer_weights(source.path, self.own.model)
        return self.own, self._notes(source)

    def _file(self, word: str) -> Source:
        """The file that `word` means; nothing is fetched that could not be used."""
        published = {} if Path(word).exists() else registry()
        if word == IMAGENET or (word in published and published[word].include):
            raise InputError(
                f"{word} is weights of an encoder alone, which segments nothing before it is trained. Train with "
                f"init: {word}."
            )
        if self.own is None and (word in published or Path(word).exists()):
            raise InputError(
                f"{word} is a file of weights, which does not say what network it is for. Give model (--model): a name "
                "such as unet-small, an EXPERIMENT.yaml, or a run's folder."
            )
        return find_source(word, model_name=self.name)

    def _notes(self, source: Source) -> tuple[str, ...]:
        return *other_images(source, self.cases.preparation), *known_subjects(source, self.cases.subjects)
