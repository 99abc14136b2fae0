"""Gradual unfreezing: the head trains first, then one more block from the output's side at each given epoch."""
from __future__ import annotations

from collections.abc import Sequence

from mstl._keras import keras
from mstl.errors import InputError
from mstl.models.groups import groups_of
from mstl.transfer.freezing import freeze_layers, knows_all


class GradualUnfreezing(keras.callbacks.Callback):
    """Train the head alone, and after each number of epochs in `epochs` one more block from the output's side.

    The blocks thaw in the order of `thawing_order`; those for which no epoch is given stay frozen. `epochs`
    counts finished epochs: (5, 10) thaws the last decoder block for the sixth epoch. norm "train" lets the
    normalisations of frozen blocks train all the time. What trains is a function of the epoch alone, so a
    resumed training goes on as one that was never stopped. The optimizer keeps its state; its step count too, so
    that Adam's first steps in a block just thawed are up to seven times the learning rate (its moments start at
    zero without their correction).

    Raises `InputError` for epochs that do not rise from 1, and where training begins for more epochs than blocks.

    Source: Howard and Ruder 2018, arXiv 1801.06146.
    """

    def __init__(self, epochs: Sequence[int], *, norm: str = "freeze") -> None:
        super().__init__()
        self.epochs, self.norm = tuple(epochs), norm
        if not self.epochs or self.epochs[0] < 1 or list(self.epochs) != sorted(set(self.epochs)):
            raise InputError(f"unfreeze_epochs are {list(self.epochs)}; rising numbers from 1 are expected, as 5, 10.")
        self.stage: int | None = None
        self._order: list[tuple[str, ...]] = []

    def set_model(self, model: keras.Model) -> None:
        """Divide `model` into blocks and freeze all but its head."""
        super().set_model(model)
        self._order = thawing_order(model)
        if len(self.epochs) >= len(self._order):
            raise InputError(
                f"unfreeze_epochs has {len(self.epochs)} numbers, model '{model.name}' {len(self._order) - 1} blocks "
                "before its head. Give fewer."
            )
        self._thaw(0)

    def build_optimizer(self) -> None:
        """Make the compiled model's optimizer know every variable that will ever train, before its first step."""
        self._thaw(len(self.epochs))
        if not knows_all(self.model):
            raise InputError(
                f"The optimizer of model '{self.model.name}' was built without layers that will thaw. "
                "Compile the model again before training."
            )
        self.model.optimizer.build(self.model.trainable_variables)
        self._thaw(0)

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Begin anew."""
        self.build_optimizer()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Thaw what is due before this epoch (from 0), and have the training step traced again."""
        stage = sum(epoch >= after for after in self.epochs)
        if stage != self.stage:
            self._thaw(stage)

    def _thaw(self, stage: int) -> None:
        frozen = {path for block in self._order[stage + 1 :] for path in block}
        freeze_layers(self.model, frozen, norm=self.norm)
        self.stage = stage
        if self.model._is_compiled:
            self.model._compiled_trainable_state.update(self.model._get_trainable_state())  # validation goes by these
            self.model.make_train_function(force=True)  # the old one was traced by the old flags


def thawing_order(model: keras.Model) -> list[tuple[str, ...]]:
    """Layer paths by block: head, last decoder block to decoder1, last encoder block to encoder1, stem."""
    groups = groups_of(model)
    blocks = [name for name in groups if name.startswith(("encoder", "decoder")) and name[-1].isdigit()]
    names = ["head", *reversed(blocks), "stem"]  # groups list the encoder's blocks first
    return [groups[name] for name in names if name in groups]
