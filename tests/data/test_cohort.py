"""Cohorts: found on disk, selected and split by subject."""
from pathlib import Path

import numpy as np
import pytest

from mstl.data.case import Case
from mstl.data.cohort import Cohort
from mstl.data.volume import write_volume
from mstl.errors import InputError


def cohort_of(*names: str, modalities: tuple[str, ...] = ("flair",)) -> Cohort:
    """Cases from names such as "p1" or "p1_02", without masks."""
    parts = [name.partition("_") for name in names]
    return Cohort(Case(s, t, images={m: f"{s}{t}{m}.nii" for m in modalities}) for s, _, t in parts)


def tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def write_mask(path: Path, voxels: int, spacing: float = 1.0) -> Path:
    mask = np.zeros((8, 8, 8), np.uint8)
    mask.reshape(-1)[:voxels] = 1
    write_volume(path, mask, np.diag([spacing, spacing, spacing, 1]))
    return path


def test_a_cohort_is_a_sequence_whose_slices_are_cohorts():
    cohort = cohort_of("p1", "p2", "p3")
    assert cohort[1].name == "p2"
    assert cohort[1:] == cohort_of("p2", "p3")
    assert [case.name for case in cohort] == ["p1", "p2", "p3"]


def test_two_cases_of_one_name_are_an_error():
    with pytest.raises(InputError, match="Two cases are named p1_a"):
        Cohort([Case("p1", "a", images={"t1": "x"}), Case("p1_a", images={"t1": "y"})])


def test_subjects_are_named_once_in_order_of_appearance():
    assert cohort_of("p2_1", "p1", "p2_2").subjects == ("p2", "p1")


def test_modalities_are_those_of_every_case():
    first, second = cohort_of("p1", modalities=("t2", "flair")), cohort_of("p2", modalities=("flair", "t1"))
    mixed = Cohort([*first, *second])
    assert mixed.modalities == ("flair",)
    assert Cohort([]).modalities == ()


def test_require_names_the_first_case_that_lacks_a_modality_and_what_it_has():
    first, second = cohort_of("p1", modalities=("flair", "t1")), cohort_of("p2", modalities=("flair", "t2"))
    mixed = Cohort([*first, *second])
    mixed.require(("flair",))
    with pytest.raises(InputError, match="Case p2 has no t1, only flair, t2"):
        mixed.require(("flair", "t1"))
    with pytest.raises(InputError, match="'t1c' is unknown"):
        mixed.require(["t1c"])


def test_select_keeps_all_sessions_of_a_subject():
    cohort = cohort_of("p1_1", "p2", "p1_2", "p3")
    assert cohort.select(["p3", "p1"]) == cohort_of("p1_1", "p1_2", "p3")
    with pytest.raises(InputError, match="No case of subject p9 in this cohort of p1, p2, p3"):
        cohort.select(["p1", "p9"])


def test_sessions_of_a_subject_stay_on_one_side_of_every_split():
    cohort = cohort_of(*(f"p{subject}_{session}" for session in range(3) for subject in range(10)))
    for seed in range(5):
        sides = cohort.split(ratios=(0.6, 0.2, 0.2), seed=seed)
        assert [len(side) for side in sides] == [18, 6, 6]
        assert sorted(name for side in sides for name in side.subjects) == sorted(cohort.subjects)


def test_every_subject_is_tested_in_one_fold_and_trained_on_in_the_others():
    cohort = cohort_of(*(f"p{subject}_{session}" for session in range(2) for subject in range(7)))
    folds = cohort.folds(3, seed=4)
    assert sorted(name for _, test in folds for name in test.subjects) == sorted(cohort.subjects)
    for train, test in folds:
        assert not set(train.subjects) & set(test.subjects)
        assert len(train) + len(test) == len(cohort)


def test_a_side_left_empty_is_an_error_and_a_ratio_of_zero_a_wish():
    with pytest.raises(InputError, match="1 subject given"):
        cohort_of("p1_1", "p1_2").split(ratios=(0.5, 0.5))
    assert [len(side) for side in cohort_of("p1").split(ratios=(1, 0))] == [1, 0]


def test_lesion_volumes_are_ml_summed_over_sessions_and_zero_without_a_mask(tmp_path):
    masks = [write_mask(tmp_path / "a.nii", 100, 2.0), write_mask(tmp_path / "b.nii.gz", 50), None]
    cases = [Case("p1", str(i), images={"t1": "x"}, mask=mask) for i, mask in enumerate(masks)]
    empty = Case("p2", images={"t1": "x"}, mask=write_mask(tmp_path / "c.nii", 0))
    assert Cohort([*cases, empty]).lesion_volumes() == {"p1": pytest.approx(0.85), "p2": 0.0}


def test_a_split_is_balanced_by_the_masks(tmp_path):
    cases = [
        Case(f"p{i}", images={"t1": "x"}, mask=write_mask(tmp_path / f"{i}.nii", voxels))
        for i, voxels in enumerate((1, 400, 2, 500))
    ]
    for seed in range(5):
        for side in Cohort(cases).split(ratios=(0.5, 0.5), seed=seed):
            assert max(side.lesion_volumes().values()) >= 0.4


def test_a_cohort_survives_its_csv(tmp_path):
    tree(tmp_path, "a.nii", "b.nii", "m.nii")
    cohort = Cohort(
        [Case("p1", "1", "set", {"t1": tmp_path / "a.nii"}), Case("p2", images={"t2": tmp_path / "b.nii"})]
    )
    cohort.to_csv(tmp_path / "lists" / "cohort.csv")
    assert Cohort.from_csv(tmp_path / "lists" / "cohort.csv") == cohort


def test_patterns_find_cases_by_subject_and_session(tmp_path):
    tree(tmp_path, "p2/1/flair.nii.gz", "p2/1/les.nii.gz", "p1/2/flair.nii.gz", "p1/1/flair.nii.gz")
    patterns = {"flair": "{subject}/{session}/flair.nii.gz", "mask": "{subject}/{session}/les.nii.gz"}
    cohort = Cohort.from_glob(tmp_path, patterns=patterns, dataset="ours")
    assert [case.name for case in cohort] == ["p1_1", "p1_2", "p2_1"]
    assert cohort[2].mask == tmp_path / "p2/1/les.nii.gz"
    assert cohort[0].mask is None
    assert {case.dataset for case in cohort} == {"ours"}


def test_a_case_found_without_a_modality_is_kept(tmp_path):
    tree(tmp_path, "p1/flair.nii", "p1/t1.nii", "p2/flair.nii")
    cohort = Cohort.from_glob(tmp_path, patterns={"flair": "{subject}/flair.nii", "t1": "{subject}/t1.nii"})
    assert [case.modalities for case in cohort] == [("flair", "t1"), ("flair",)]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ({"flair": "{subject}/fl.nii"}, r"No file below .* matches flair pattern '\{subject\}/fl\.nii'"),
        ({"flair": "{subject}/flair.nii", "mask": "{subject}/m.nii"}, "matches mask pattern"),
        ({"flar": "{subject}/flair.nii"}, "'flar' takes no pattern .did you mean 'flair'"),
        ({"mask": "{subject}/flair.nii"}, "No pattern of an image"),
        ({}, "No pattern of an image"),
        ({"flair": "{subject}/flair.nii", "t1": "{subject}/{session}.nii"}, "Some patterns have {session}"),
        ({"flair": "{subject}/*.nii"}, r"Two files match flair .*flair\.nii and .*t1\.nii"),
    ],
)
def test_patterns_that_find_too_little_or_too_much_are_an_error(tmp_path, patterns, expected):
    tree(tmp_path, "p1/flair.nii", "p1/t1.nii")
    with pytest.raises(InputError, match=expected):
        Cohort.from_glob(tmp_path, patterns=patterns)


def test_a_root_that_is_no_folder_is_an_error(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        Cohort.from_glob(tmp_path / "none", patterns={"t1": "{subject}/t1.nii"})
    with pytest.raises(InputError, match="is not a folder"):
        Cohort.from_layout(tmp_path / "none", layout="open-ms")


@pytest.mark.parametrize("start", ["", "cross_sectional", "cross_sectional/MNI"])
def test_open_ms_is_found_from_its_repository_or_a_folder_within(tmp_path, start):
    names = ("FLAIR", "T1", "T1POST", "T2", "GOLD_STANDARD")
    mni = "cross_sectional/MNI/patient{}/{}_N4_regtoMNI.nii.gz"
    tree(tmp_path, *(mni.format(number, name) for number in ("01", "30") for name in names))
    tree(tmp_path, "cross_sectional/raw/patient01/FLAIR.nii.gz", "cross_sectional/LICENSE.txt")
    cohort = Cohort.from_layout(tmp_path / start, layout="open-ms")
    assert [case.name for case in cohort] == ["patient01", "patient30"]
    assert cohort[1].files == {
        column: tmp_path / mni.format("30", name)
        for column, name in zip(("flair", "t1", "t1ce", "t2", "mask"), names, strict=True)
    }


def test_a_folder_without_the_layout_is_an_error_that_says_what_was_sought(tmp_path):
    with pytest.raises(InputError, match=r"laid out as open-ms .*FLAIR_\*\.nii\.gz"):
        Cohort.from_layout(tmp_path, layout="open-ms")


def test_the_real_open_ms_tree_gives_two_subjects_with_everything(shared):
    cohort = Cohort.from_layout(shared / "data" / "open_ms_data", layout="open-ms")
    assert cohort.subjects == ("patient07", "patient19")
    assert cohort.modalities == ("flair", "t1", "t1ce", "t2")
    assert {case.dataset for case in cohort} == {"open-ms"}
    assert cohort.lesion_volumes() == {
        "patient07": pytest.approx(1.3, abs=0.05), "patient19": pytest.approx(49.8, abs=0.05)
    }
