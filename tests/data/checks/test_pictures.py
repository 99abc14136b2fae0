"""The doctor on pictures: what is of heads does not speak, what is wrong with images does."""
import numpy as np
import pytest

from mstl.data.case import Case
from mstl.data.check import check_cohort
from mstl.data.cohort import Cohort
from mstl.data.mend import mend_cohort
from mstl.data.volume import read_mask, write_volume
from tests.pictures import fluid, grey, save, save_subject

SIZE = (40, 48)


@pytest.fixture
def cohort(tmp_path):
    cases = []
    for number in range(5):
        image = save(tmp_path / "image" / f"{number}.png", grey(number, SIZE))
        mask = save(tmp_path / "mask" / f"{number}.png", fluid(SIZE) * (255 if number % 2 else 1))
        cases.append(Case(f"s{number}", images={"oct": image}, mask=mask))
    return Cohort(cases)


def found(cohort) -> set[tuple[str, str, str, str]]:
    return {(one.case, one.role, one.level, one.rule) for one in check_cohort(cohort)}


def test_sound_pictures_pass_without_a_word(cohort):
    assert found(cohort) == set()


CASES = {
    "a truncated image": (lambda case: case.images["oct"].write_bytes(b"\x89PNG\r\n"), "oct", "error", "unreadable"),
    "an image of colours": (
        lambda case: save(case.images["oct"], np.stack([grey(1, SIZE), grey(2, SIZE), grey(3, SIZE)], -1)),
        "oct", "error", "unreadable",
    ),
    "an image of one value": (lambda case: save(case.images["oct"], grey(1, SIZE) * 0), "oct", "error", "constant"),
    "a missing mask": (lambda case: case.mask.unlink(), "mask", "error", "missing"),
    "an empty mask": (lambda case: save(case.mask, fluid(SIZE) * 0), "mask", "note", "empty-mask"),
    "an inverted mask": (lambda case: save(case.mask, 1 - fluid(SIZE)), "mask", "error", "large-mask"),
    "a mask of another size": (lambda case: save(case.mask, fluid()), "mask", "error", "size-differs"),
    "a mask of greys": (lambda case: save(case.mask, grey(1, SIZE)), "mask", "error", "other-mask"),
    "a mask of 0 and 7": (lambda case: save(case.mask, fluid(SIZE) * 7), "mask", "error", "scaled-mask"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_fault_of_a_picture_is_found_and_nothing_else(cohort, name):
    plant, role, level, rule = CASES[name]
    plant(cohort[2])
    assert found(cohort) == {("s2", role, level, rule)}


def test_labels_of_a_mask_are_good_to_know(cohort):
    save(cohort[2].mask, fluid(SIZE) + fluid(SIZE)[::-1] * 2)
    assert {(level, rule) for _, _, level, rule in found(cohort)} == {("note", "labels-mask"), ("note", "rare-label")}


def test_the_same_image_twice_is_found(cohort):
    cohort[4].images["oct"].write_bytes(cohort[1].images["oct"].read_bytes())
    assert found(cohort) == {("s4", "oct", "error", "duplicate")}


def test_images_of_other_sizes_than_the_cohorts_are_told_once_a_size(cohort):
    for case in cohort[3:]:
        save(case.images["oct"], grey(int(case.name[1:])))
        save(case.mask, fluid())
    (finding,) = check_cohort(cohort)
    assert (finding.case, finding.rule, finding.level) == ("s3", "mixed-sizes", "warning")
    assert "12 x 16 pixels, like 1 more; 3 of the cohort have 40 x 48" in finding.message
    assert "--shape 40,48" in finding.message


def test_a_volume_beside_a_picture_is_an_error(cohort, tmp_path):
    write_volume(tmp_path / "m.nii.gz", fluid(SIZE)[..., np.newaxis], np.eye(4))
    mixed = Cohort([*cohort[:4], Case("s4", images=cohort[4].images, mask=tmp_path / "m.nii.gz")])
    assert found(mixed) == {("s4", "mask", "error", "several-kinds")}


def test_sections_of_a_matlab_file_are_judged_as_pictures(tmp_path):
    path = save_subject(tmp_path / "Subject_01.mat")
    case = Case("s", "1", images={"oct": f"{path}#1"}, mask=f"{path}#manualFluid1:1")
    assert found(Cohort([case])) == set()
    other = Case("s", "2", images={"oct": f"{path}#2"}, mask=f"{path}#manualFluid1:2")
    (finding,) = check_cohort(Cohort([case, other]))
    assert (finding.rule, finding.role) == ("unreadable", "mask")
    assert "not annotated" in finding.message


def test_a_mended_mask_of_a_picture_is_a_picture(cohort, tmp_path):
    save(cohort[2].mask, fluid(SIZE) * 7)
    mended, (fix,) = mend_cohort(cohort, check_cohort(cohort), tmp_path / "mended")
    assert fix.path.endswith("mask.png")
    assert np.array_equal(read_mask(mended[2].mask).data[..., 0], fluid(SIZE))
    assert found(mended) == set()


def test_the_real_set_has_nothing_worth_a_look_but_slices_without_fluid(shared):
    findings = check_cohort(Cohort.from_layout(shared / "data" / "oct_dme", layout="oct-dme", variant="by-image"))
    assert {one.level for one in findings} == {"note"}
    assert sum(one.rule == "empty-mask" for one in findings) == 32
