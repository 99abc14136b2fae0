"""Which settings of a training go together: the optimizer's, the schedule's, the prior's, the slices'."""
from __future__ import annotations

import math
from dataclasses import fields

from mstl.errors import InputError

ADAM, SGD = "adam", "sgd"
OPTIMIZERS = (ADAM, SGD)
GRADUAL = "gradual"
NO_PRIOR, GAUSSIAN_PRIOR = "none", "gaussian"
KL_SETTINGS, GAUSSIAN_SETTINGS = ("kl_weight", "kl_epochs", "variance_rate"), ("prior_sigma",)
KERNEL_SETTINGS = ("prior_kernels", "prior_start")


def check_optimizer(training: object) -> None:
    """Raise `InputError` for an optimizer that does not exist, and settings that are not for it."""
    if training.optimizer not in OPTIMIZERS:
        raise InputError(f"optimizer is '{training.optimizer}'; expected one of {', '.join(OPTIMIZERS)}. Mend it.")
    if not 0 <= training.momentum < 1:
        raise InputError(f"momentum is {training.momentum}; from 0 to below 1 is expected, as 0.9.")
    if training.optimizer == ADAM and training.momentum != _default(training, "momentum"):
        raise InputError(f"momentum is {training.momentum}, but it is for optimizer: sgd. Give that, or leave it out.")
    if training.optimizer != ADAM and training.prior != NO_PRIOR:
        raise InputError(
            f"optimizer is '{training.optimizer}' and prior '{training.prior}'; a posterior is learned by adam. Leave "
            "one of them out."
        )


def check_restarts(training: object) -> None:
    """Raise `InputError` where the learning rate cannot start anew so many times."""
    if not training.restarts:
        return
    if training.decay != "cosine" or training.plateau_patience or training.stop_patience:
        raise InputError(
            f"restarts is {training.restarts}; it is for decay: cosine without plateau_patience and stop_patience, so "
            "that every cycle reaches its minimum. Set them so, or leave restarts out."
        )
    if training.epochs % (training.restarts + 1):
        raise InputError(
            f"restarts is {training.restarts}, which makes {training.restarts + 1} cycles of equal length, and epochs "
            f"is {training.epochs}. Give a multiple of {training.restarts + 1} epochs."
        )


def check_stop_rate(training: object) -> None:
    """Raise `InputError` where the learning rate cannot fall to `stop_rate`."""
    if training.stop_rate and (training.plateau_patience is None or training.stop_rate > training.learning_rate):
        raise InputError(
            f"stop_rate is {training.stop_rate}; it is for a learning_rate above it ({training.learning_rate}) that "
            "falls by plateau_patience. Give them, or leave stop_rate out."
        )


def check_prior(training: object) -> None:
    """Raise `InputError` for values that no prior has, and settings that are for another one."""
    if not 0 < training.prior_sigma < math.inf:
        raise InputError(f"prior_sigma is {training.prior_sigma}; a number above 0 is expected, as 0.1.")
    if not 0 <= training.kl_weight < math.inf:
        raise InputError(f"kl_weight is {training.kl_weight}; at least 0 is expected, as 1.")
    if not 0 <= training.variance_rate < math.inf:
        raise InputError(f"variance_rate is {training.variance_rate}; at least 0 is expected, as 10.")
    if training.prior != NO_PRIOR and GRADUAL in training.freeze:
        raise InputError(f"freeze is '{GRADUAL}' and prior '{training.prior}', which do not go together. Give one.")
    if training.prior != NO_PRIOR and training.weight_decay:
        raise InputError(f"weight_decay is {training.weight_decay}, but weights have a prior already. Leave it out.")
    foreign = {NO_PRIOR: KL_SETTINGS + KERNEL_SETTINGS + GAUSSIAN_SETTINGS, GAUSSIAN_PRIOR: KERNEL_SETTINGS}
    for name in foreign.get(training.prior, GAUSSIAN_SETTINGS):
        if getattr(training, name) != _default(training, name):
            raise InputError(
                f"{name} is {getattr(training, name)}, but prior is '{training.prior}', which has no use for it. Give "
                f"the prior that it is meant for, or leave {name} out."
            )


def check_class_share(training: object) -> None:
    """Raise `InputError` where no crop can keep the share of its classes, or there is no crop."""
    share = training.class_share
    if share is None:
        return
    if not 0 < share < 1:
        raise InputError(f"class_share is {share}; between 0 and 1 is expected, as 0.75.")
    if training.crop is None:
        raise InputError(f"class_share is {share}, but slices are not cropped. Give crop too, or leave it out.")


def check_pos_weight(training: object) -> None:
    """Raise `InputError` where `pos_weight` is no weight."""
    weight = training.pos_weight
    if weight is not None and not 0 < weight < math.inf:
        raise InputError(f"pos_weight is {weight}; a number above 0 is expected, as 25.")


def _default(training: object, name: str) -> object:
    return next(one.default for one in fields(training) if one.name == name)
