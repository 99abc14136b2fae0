"""Domains: a prepared folder and channels of it; what is not there is refused."""
import shutil

import numpy as np
import pytest

from mstl.data.prepared import PreparedCohort
from mstl.errors import InputError
from mstl.evaluation.domain import Domain, distinct_names


def test_a_folder_stands_for_all_its_channels(tiny_prepared):
    for what in (tiny_prepared, tiny_prepared.folder, str(tiny_prepared.folder)):
        domain = Domain.of(what)
        assert domain.modalities == ("flair", "t1")
        assert np.array_equal(domain.image(domain.cases[0]), domain.cases[0].image)


def test_modalities_behind_a_colon_choose_and_order_channels(tiny_prepared):
    domain = Domain.of(f"{tiny_prepared.folder}:t1, flair")
    case = domain.cases[0]
    assert np.array_equal(domain.image(case), np.asarray(case.image)[..., ::-1])
    assert Domain.of(f"{tiny_prepared.folder}:t1").image(case).shape == (*case.shape, 1)
    assert Domain.of(domain).modalities == domain.modalities
    assert Domain.of(domain, subjects=["ras"]).cases.subjects == ("ras",)


def test_a_folder_may_have_a_colon_in_its_name(tiny_prepared, tmp_path):
    shutil.copytree(tiny_prepared.folder, tmp_path / "site:one")
    assert Domain.of(tmp_path / "site:one").modalities == ("flair", "t1")
    assert Domain.of(f"{tmp_path}/site:one:t1").modalities == ("t1",)


def test_some_subjects_make_a_domain(tiny_prepared):
    assert Domain.of(str(tiny_prepared.folder), subjects=["pil"]).cases.subjects == ("pil",)


def test_names_tell_domains_apart(tiny_prepared, tmp_path):
    flair, t1 = Domain.of(f"{tiny_prepared.folder}:flair"), Domain.of(f"{tiny_prepared.folder}:t1")
    assert distinct_names(flair, t1) == ("out flair", "out t1")
    copied = tmp_path / "site" / "out"
    shutil.copytree(tiny_prepared.folder, copied)
    ours = tiny_prepared.folder.parent.name
    assert distinct_names(flair, Domain.of(f"{copied}:flair")) == (f"{ours}/out flair", "site/out flair")
    assert distinct_names(flair, flair) == ("out flair (A)", "out flair (B)")


@pytest.mark.parametrize(("behind", "words"), [
    (":t2", "has no t2, only flair, t1"),
    (":", "no modalities behind the colon"),
    (":t1,t1", "or one twice"),
    ("/nowhere", "is no prepared folder"),
    ("/nowhere:t1", "is no prepared folder"),
])
def test_what_is_not_there_is_refused(tiny_prepared, behind, words):
    with pytest.raises(InputError, match=words):
        Domain.of(f"{tiny_prepared.folder}{behind}")


def test_a_folder_without_cases_is_refused(tiny_prepared):
    empty = PreparedCohort([], folder=tiny_prepared.folder, preparation=tiny_prepared.preparation)
    with pytest.raises(InputError, match="holds no case; there is nothing to compare"):
        Domain.of(empty)


def test_unknown_subjects_are_refused(tiny_prepared):
    with pytest.raises(InputError, match="Subjects nobody are not in"):
        Domain.of(tiny_prepared, subjects=["nobody"])
