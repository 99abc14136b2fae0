"""A case knows its name, its modalities and its files, and refuses what cannot work."""
import pickle
from pathlib import Path

import pytest

from mstl.data.case import Case, check_modalities
from mstl.errors import InputError


def test_the_name_joins_subject_and_session():
    assert Case("p1", images={"t1": "a"}).name == "p1"
    assert Case("p1", "02", images={"t1": "a"}).name == "p1_02"


def test_modalities_and_files_come_in_one_order_as_paths():
    case = Case("p1", images={"t2": "b.nii", "flair": "a.nii"}, brain_mask="c.nii")
    assert case.modalities == ("flair", "t2")
    assert case.files == {"flair": Path("a.nii"), "t2": Path("b.nii"), "brain_mask": Path("c.nii")}
    assert case.mask is None


def test_of_files_is_the_inverse_of_files():
    case = Case("p1", "1", "set", {"t1": "a.nii"}, "m.nii", "b.nii")
    assert Case.of_files(case.files, subject="p1", session="1", dataset="set") == case


def test_a_case_can_be_hashed_and_sent_to_another_process():
    case = Case("p1", images={"t1": "a.nii"})
    assert {case: 1}[pickle.loads(pickle.dumps(case))] == 1


@pytest.mark.parametrize("name", ["a/b", "a\\b", "..", ".hidden", "a:b", "a*", " a", "a\n", 'a"'])
def test_a_name_that_is_unsafe_in_file_names_is_an_error(name):
    with pytest.raises(InputError, match=r"Subject .* cannot be part of a file name"):
        Case(name, images={"t1": "a"})
    with pytest.raises(InputError, match=r"Session .* cannot be part of a file name"):
        Case("p1", name, images={"t1": "a"})


def test_a_case_without_subject_is_an_error():
    with pytest.raises(InputError, match="no subject"):
        Case("", images={"t1": "a"})


def test_a_case_without_image_is_an_error_that_names_it():
    with pytest.raises(InputError, match="p1_02 has no image"):
        Case("p1", "02", mask="m.nii")


def test_an_unknown_modality_is_an_error_that_proposes_the_nearest():
    with pytest.raises(InputError, match=r"'FLAIR' is unknown \(did you mean 'flair'"):
        Case("p1", images={"FLAIR": "a"})
    with pytest.raises(InputError, match=r"'pd' is unknown\. Use flair, t1, t1ce, t2"):
        check_modalities(["t1", "pd"])
