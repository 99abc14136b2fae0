"""Samples of domains: as many of every subject, in the brain, at places that the seed draws."""
import shutil
from dataclasses import replace

import numpy as np
import pytest

from mstl.data.cohort import Cohort
from mstl.data.prepare import prepare
from mstl.data.prepared import PreparedCohort
from mstl.errors import InputError
from mstl.evaluation.domain import Domain
from mstl.evaluation.domain_features import Features, domain_samples
from mstl.models.tree import layers_of
from mstl.training.run import Run


@pytest.fixture(scope="module")
def flair(tiny_prepared):
    return Domain.of(f"{tiny_prepared.folder}:flair")


@pytest.fixture(scope="module")
def t1(tiny_prepared):
    return Domain.of(f"{tiny_prepared.folder}:t1")


def test_every_subject_gives_as_many_patches_all_in_the_brain(flair, t1):
    features = Features(patch=(2, 3, 4), samples=7)
    for samples, name in zip(domain_samples(flair, t1, features), ("out flair", "out t1"), strict=True):
        assert samples.values.shape == (21, 24)
        assert samples.values.dtype == np.float32
        assert [samples.subjects.count(subject) for subject in flair.cases.subjects] == [7, 7, 7]
        assert (samples.values != 0).all()
        assert samples.name == name


def test_patches_are_cut_from_the_image(flair, t1):
    samples, _ = domain_samples(flair, t1, Features(patch=(1, 2, 2), samples=5))
    image = flair.image(flair.cases[0])[..., 0].astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(image, (1, 2, 2)).reshape(-1, 4)
    for patch in samples.values[:5]:
        assert (windows == patch).all(axis=1).any()


def test_the_seed_draws_the_places_and_each_domain_its_own(flair):
    def drawn(seed):
        both = domain_samples(flair, flair, Features(patch=(2, 2, 2), samples=5, seed=seed))
        return [samples.values for samples in both]

    first, again, other = drawn(0), drawn(0), drawn(1)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1])


def test_sessions_of_a_subject_share_its_samples(make_case, tmp_path):
    cases = [replace(make_case(tmp_path / str(number), "one", seed=number), session=str(number)) for number in range(3)]
    prepared = prepare(Cohort(cases), tmp_path / "prepared", modalities=("flair",))
    done = []
    samples, _ = domain_samples(Domain.of(prepared), Domain.of(prepared), Features(patch=(1, 1, 1), samples=5),
                                progress=done.append)  # fmt: skip
    assert samples.subjects == ("one",) * 5
    assert done == [case.name for case in prepared] * 2


def test_holes_of_zeros_in_the_brain_are_brain(tiny_prepared, tmp_path):
    shutil.copytree(tiny_prepared.folder, tmp_path / "out")
    case = PreparedCohort.open(tmp_path / "out")[0]
    image = np.array(case.image)
    before = case.brain
    middle = tuple(side // 2 for side in case.shape)
    image[middle] = 0
    np.save(case.folder / "image.npy", image)
    assert before[middle]
    assert np.array_equal(case.brain, before)


def test_a_layer_gives_a_row_a_slice_that_shows_brain(tiny_prepared, small_run):
    both = Domain.of(tiny_prepared)
    samples, other = domain_samples(both, both, Features(f"{small_run}:encoder2_relu2", samples=4))
    assert samples.values.shape == other.values.shape == (12, 4)


def test_unasked_a_layer_takes_no_more_slices_than_the_flattest_case_has(tiny_prepared, small_run):
    both = Domain.of(tiny_prepared)
    fewest = min(np.count_nonzero(case.brain_voxels) for case in both.cases)
    samples, _ = domain_samples(both, both, Features(f"{small_run}:encoder1_relu1"))
    assert fewest < 32
    assert len(samples.values) == 3 * fewest


def test_a_layer_of_a_3d_model_sees_patches_around_brain(write_run, tiny_prepared, tmp_path):
    options = {"model": "unet3d-classic", "patch": (8, 8, 8), "model_options": {"filters": (2, 3)}}
    run = write_run(tmp_path / "run", tiny_prepared.preparation, **options)
    layer = list(layers_of(Run(run).model()))[1]
    both = Domain.of(tiny_prepared)
    samples, _ = domain_samples(both, both, Features(f"{run}:{layer}", samples=2))
    assert samples.values.shape == (6, 2)
    assert np.unique(samples.values, axis=0).shape == (6, 2)


@pytest.mark.parametrize(("options", "words"), [
    ({"patch": (2, 2)}, "three sides of at least 1 voxel"),
    ({"patch": (0, 2, 2)}, "three sides of at least 1 voxel"),
    ({"samples": 0}, "samples is 0"),
    ({"seed": -1}, "seed is -1"),
])
def test_features_that_cannot_be_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        Features(**options)


@pytest.mark.parametrize(("features", "words"), [
    (Features("textures"), "neither 'intensities' nor RUN:LAYER"),
    (Features("run:"), "neither 'intensities' nor RUN:LAYER"),
    (Features("nowhere:conv1"), "is not a run"),
    (Features(patch=(30, 30, 30)), "has room for 0 patches"),
    (Features(patch=(1, 1, 1), samples=10**6), "1000000 are wanted. Take fewer samples"),
])
def test_samples_that_cannot_be_had_are_refused(flair, t1, features, words):
    with pytest.raises(InputError, match=words):
        domain_samples(flair, t1, features)


def test_more_slices_than_a_case_has_are_refused(tiny_prepared, small_run):
    both = Domain.of(tiny_prepared)
    with pytest.raises(InputError, match="slices in its brain, 99 are wanted"):
        domain_samples(both, both, Features(f"{small_run}:encoder1_relu1", samples=99))


def test_domains_of_other_numbers_of_channels_are_refused(flair, tiny_prepared, small_run):
    with pytest.raises(InputError, match=r"out flair has 1 channels, out flair\+t1 2; as many of both"):
        domain_samples(flair, Domain.of(tiny_prepared), Features())
    with pytest.raises(InputError, match="The scans give 1 channels"):
        domain_samples(flair, flair, Features(f"{small_run}:encoder1_relu1"))
