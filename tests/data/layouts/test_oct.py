"""The OCT set as it was published, and as a tree of PNG files."""
import numpy as np
import pytest

from mstl.data.cohort import Cohort
from mstl.data.consensus import write_consensus
from mstl.data.indexing import index_scans
from mstl.data.layouts.oct import published_split
from mstl.data.volume import read_mask
from mstl.errors import InputError
from tests.pictures import fluid, grey, grow_oct, save, save_subject, subject_arrays


def test_images_and_masks_pair_by_name_and_the_number_says_whose_they_are(tmp_path):
    index = index_scans(grow_oct(tmp_path), layout="oct-dme")
    assert [case.name for case in index.cases] == ["Subject_01_img_0", "Subject_01_img_10", "Subject_02_img_11"]
    for case in index.cases:
        assert case.images["oct"].name == case.mask.name
        assert case.images["oct"].parent.name == "image_png_256_gray"
    assert not index.left_out


def test_by_image_every_image_is_a_subject_of_its_own_which_is_told(tmp_path):
    index = index_scans(grow_oct(tmp_path), layout="oct-dme", variant="by-image")
    assert [case.name for case in index.cases] == ["img_0", "img_10", "img_11"]
    assert any("images of one eye may stand on two sides" in note for note in index.notes)


def test_an_image_without_a_mask_is_a_case_and_a_mask_without_an_image_is_left_out(tmp_path):
    root = grow_oct(tmp_path)
    (root / "fluid_png_256_binary" / "img_0.png").unlink()
    (root / "image_png_256_gray" / "img_11.png").unlink()
    save(root / "previews" / "img_0.png", grey())
    index = index_scans(root, layout="oct-dme")
    assert [case.mask is None for case in index.cases] == [True, False]
    assert "Images without a mask of their name: 1 (img_0 for one)." in index.notes
    assert {(left.path.name, left.reason) for left in index.left_out} == {
        ("img_11.png", "no image of its case is here"),
        ("img_0.png", "its folder's name begins with none of image, fluid and mask"),
    }


def test_names_of_which_none_pair_are_an_error_that_shows_both(tmp_path):
    root = grow_oct(tmp_path)
    (root / "fluid_png_256_binary").rename(root / "masks")
    for path in (root / "masks").iterdir():
        path.rename(path.with_name(f"fluid_{path.name}"))
    with pytest.raises(InputError, match=r"No mask has the name of an image: .*fluid_img_0.* against .*img_0"):
        index_scans(root, layout="oct-dme")


def test_names_without_a_number_are_nobodys_and_are_taken_by_image(tmp_path):
    root = grow_oct(tmp_path, ["img_3", "left"])
    assert any("Images whose names end in no number" in note for note in index_scans(root, layout="oct-dme").notes)
    assert len(index_scans(root, layout="oct-dme", variant="by-image").cases) == 2


def test_folders_of_two_readers_are_two_raters(tmp_path):
    root = grow_oct(tmp_path)
    for path in (root / "image_png_256_gray").iterdir():
        save(root / "fluid_expert2" / path.name, fluid()[::-1] * 255)
    index = index_scans(root, layout="oct-dme", rater="2")
    assert set(index.raters["Subject_01_img_0"]) == {"1", "2"}
    assert np.array_equal(read_mask(index.cases[0].mask).data[..., 0], fluid()[::-1])


def test_of_an_original_file_the_sections_are_taken_that_an_expert_looked_at(tmp_path):
    save_subject(tmp_path / "Subject_07.mat")
    index = index_scans(tmp_path, layout="oct-dme", rater="1")
    assert [case.name for case in index.cases] == [f"Subject_07_bscan_{number:02d}" for number in (1, 2, 3)]
    assert [case.mask and case.mask.name for case in index.cases] == [
        "Subject_07.mat#manualFluid1:1", None, "Subject_07.mat#manualFluid1:3",
    ]  # fmt: skip
    never = [left.path.name for left in index.left_out if left.reason == "no expert annotated it"]
    assert never == ["Subject_07.mat#0", "Subject_07.mat#4"]


def test_a_cohort_of_sections_goes_through_its_csv(tmp_path):
    save_subject(tmp_path / "in" / "Subject_07.mat")
    cohort = Cohort.from_layout(tmp_path / "in", layout="oct-dme", rater="2")
    cohort.to_csv(tmp_path / "lists" / "cohort.csv")
    assert Cohort.from_csv(tmp_path / "lists" / "cohort.csv") == cohort
    assert set(cohort.lesion_volumes()) == {"Subject_07"}


@pytest.mark.parametrize("rule", ["majority", "staple"])
def test_masks_of_both_experts_become_one_picture(tmp_path, rule):
    save_subject(tmp_path / "Subject_07.mat")
    index = index_scans(tmp_path, layout="oct-dme", rater=rule)
    with pytest.warns(UserWarning, match="a single mask, kept as it is: 2"):
        cohort = write_consensus(index, tmp_path / "masks", rule=rule)
    assert cohort[0].mask.name == f"Subject_07_bscan_01_{rule}.png"
    arrays = subject_arrays()
    both = (arrays["manualFluid1"][..., 1] >= 0.3) & (arrays["manualFluid2"][..., 1] >= 0.3)
    assert np.array_equal(read_mask(cohort[0].mask).data[..., 0][both], np.ones(both.sum()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: [arrays.pop(f"manualFluid{n}") for n in (1, 2)], "has images; images and manualFluid1"),
        (lambda arrays: arrays.pop("images"), "has manualFluid1, manualFluid2; images"),
        (lambda arrays: arrays.update(manualFluid2=np.zeros((3, 4, 5))), r"manualFluid2 has shape \(3, 4, 5\), images"),
    ],
)
def test_an_original_file_that_is_not_as_published_is_an_error(tmp_path, change, message):
    arrays = subject_arrays()
    change(arrays)
    save_subject(tmp_path / "Subject_01.mat", arrays)
    with pytest.raises(InputError, match=message):
        index_scans(tmp_path, layout="oct-dme")


def test_other_matlab_files_are_left_out(tmp_path):
    save_subject(tmp_path / "Subject_01.mat")
    (tmp_path / "notes.mat").write_bytes(b"no such file")
    (left,) = [left for left in index_scans(tmp_path, layout="oct-dme").left_out if left.path.name == "notes.mat"]
    assert "Subject_01.mat" in left.reason


def test_a_published_split_is_read_and_must_name_each_image_once(tmp_path):
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "train.txt").write_text("img_0\nimg_10.png\r\n")
    (tmp_path / "splits" / "val.txt").write_text("img_11")
    assert published_split(tmp_path) == (("img_0", "img_10"), ("img_11",))
    (tmp_path / "splits" / "val.txt").write_text("img_0")
    with pytest.raises(InputError, match="lists image img_0 twice"):
        published_split(tmp_path)
    (tmp_path / "splits" / "val.txt").write_text("\n")
    with pytest.raises(InputError, match="lists no image"):
        published_split(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        published_split(tmp_path / "gone")


def test_the_real_set_is_found_whole_with_its_split(shared):
    root = shared / "data" / "oct_dme"
    cohort = Cohort.from_layout(root, layout="oct-dme", variant="by-image")
    train, validation = published_split(root)
    assert (len(cohort.select(train)), len(cohort.select(validation))) == (88, 22)
    with pytest.warns(UserWarning, match="there are also by-image"):
        by_subject = Cohort.from_layout(root, layout="oct-dme")
    assert [len(by_subject.select([subject])) for subject in by_subject.subjects] == [11] * 10
