"""Kernels trained on and kernels held out."""
from pathlib import Path

import numpy as np
import pytest

from mstl.config_kernel_prior import KernelPriorTraining
from mstl.errors import InputError
from mstl.training.kernel_shares import Shares, divide
from mstl.training.kernels import Kernels, NetworkFile


def kernels_of(counts, runs) -> Kernels:
    """Each kernel holds the number of its network, and one of its own."""
    owners = np.repeat(np.arange(len(counts)), counts)
    values = np.zeros((len(owners), 3, 3, 3), np.float32)
    values[:, 0, 0, 0], values[:, 0, 0, 1] = owners, np.arange(len(owners))
    files = tuple(NetworkFile(Path(f"{run}/minimum{index}.h5"), Path(run)) for index, run in enumerate(runs))
    return Kernels(("conv",), values, owners, files, (0,) * len(counts))


def owners(part):
    return part[:, 0, 0, 0].astype(int)


def numbers(part):
    return part[:, 0, 0, 1].astype(int).tolist()


def test_all_minima_of_a_training_are_on_one_side():
    kernels = kernels_of([50] * 12, [run for run in "abcdef" for _ in range(2)])
    shares = divide(kernels, KernelPriorTraining(held_out=0.3), seed=1)
    assert shares.unit == "trainings"
    held_out = set(owners(shares.held_out) // 2)
    assert len(held_out) == 2
    assert held_out.isdisjoint(set(owners(shares.train) // 2))
    assert len(shares.train) + len(shares.held_out) == 600


def test_one_training_is_always_left_to_learn_from():
    shares = divide(kernels_of([60] * 5, "abcde"), KernelPriorTraining(held_out=0.99), seed=1)
    assert len(set(owners(shares.train))) == 1
    assert len(set(owners(shares.held_out))) == 4


@pytest.mark.parametrize("settings", [{"kernels_per_group": 1}, {"held_out": 0.9}])
def test_too_few_kernels_to_train_on_are_an_error_that_says_what_to_change(settings):
    with pytest.raises(InputError, match=r"100 kernels of layer conv .* left to train .*kernels_per_group.*held_out"):
        divide(kernels_of([100], "a"), KernelPriorTraining(**settings), seed=0)


def test_of_few_trainings_kernels_are_held_out():
    shares = divide(kernels_of([50] * 4, "abcd"), KernelPriorTraining(held_out=0.2), seed=0)
    assert (shares.unit, len(shares.held_out), len(shares.train)) == ("kernels", 40, 160)
    assert sorted(numbers(shares.train) + numbers(shares.held_out)) == list(range(200))


def test_no_more_kernels_than_asked_for_are_drawn_and_evenly():
    kernels = kernels_of([10, 400, 400, 400, 400, 400], "abcdef")
    for seed in range(4):
        shares = divide(kernels, KernelPriorTraining(kernels_per_group=500, held_out=0.17), seed=seed)
        counts = np.bincount(owners(shares.train), minlength=6)
        assert counts.sum() == 500
        full = [count for network, count in enumerate(counts) if count and network != 0]
        assert max(full) - min(full) <= 1
        assert counts[0] in (0, 10)
        assert len(shares.held_out) in (10, 85)


def test_a_seed_says_what_is_drawn():
    kernels = kernels_of([200] * 5, "abcde")
    drawn = [divide(kernels, KernelPriorTraining(kernels_per_group=100), seed=seed) for seed in (1, 1, 2)]
    assert numbers(drawn[0].train) == numbers(drawn[1].train)
    assert numbers(drawn[0].train) != numbers(drawn[2].train)


def test_the_gaussian_density_is_that_of_independent_elements():
    rng = np.random.default_rng(0)
    train, held_out = rng.normal(0.3, 0.5, (2, 20_000, 3, 3, 3))
    density = Shares(train, held_out, "kernels").gaussian_density(2.0)
    assert density == pytest.approx(-27 * (np.log(0.25) + 0.5 * np.log(2 * np.pi) + 0.5), abs=0.1)
