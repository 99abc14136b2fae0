"""Pictures that cannot be used: one line that names file and remedy, exit code 1, the others ready."""
import re

import numpy as np
import pytest
import scipy.io
from PIL import Image

from mstl.data.cohort import Cohort
from mstl.data.prepared import PreparedCohort

NAMES = ("img_0", "img_11")  # of two subjects
SIDE = 32


@pytest.fixture
def tree(tmp_path):
    """Two images with masks of 0 and 1, each of another subject."""
    rng = np.random.default_rng(0)
    for name in NAMES:
        save(tmp_path / "image_gray" / f"{name}.png", rng.integers(1, 255, (SIDE, SIDE)))
        save(tmp_path / "fluid_binary" / f"{name}.png", np.eye(SIDE))
    return tmp_path


@pytest.fixture
def index(mstl):
    """Function that indexes a tree into its cohort.csv; returns exit code, output and error output."""
    return lambda root: mstl("index", root, "--layout", "oct-dme", "--out", root / "cohort.csv")


@pytest.fixture
def prepare(mstl, index):
    """Function that indexes a tree and prepares it."""

    def call(root, *options):
        assert index(root)[0] == 0
        return mstl("prepare", root / "cohort.csv", root / "out", "--modalities", "oct", *options)

    return call


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, np.uint8)).save(path)


def write_mat(folder, **arrays):
    folder.mkdir(exist_ok=True)
    scipy.io.savemat(folder / "Subject_01.mat", arrays)
    return folder


def arrays():
    """B-scans of which the first expert outlined fluid in number 1, found none in number 3; the second saw none."""
    images = np.random.default_rng(1).integers(1, 255, (20, 24, 5)).astype(np.uint8)
    fluid = np.full(images.shape, np.nan)
    fluid[..., [1, 3]] = 0
    fluid[3:9, 4:9, 1] = 1
    return {"images": images, "manualFluid1": fluid, "manualFluid2": np.full(images.shape, np.nan)}


def assert_one_line(ended, *parts):
    code, output, errors = ended
    line = errors.splitlines()[-1]
    assert (code, line.startswith("Error: ")) == (1, True)
    assert "Traceback" not in output + errors
    for part in parts:
        assert re.search(part, line), line


FAULTS = {
    "an image in colours": ("image_gray", lambda path: save(path, np.arange(SIDE * SIDE * 3).reshape(SIDE, SIDE, 3)),
                            "shows colours; grey is expected"),
    "a truncated image": ("image_gray", lambda path: path.write_bytes(path.read_bytes()[:-300]),
                          "is truncated or damaged .* Copy or export it again"),
    "no image at all": ("image_gray", lambda path: path.write_bytes(b"GIF89a" + bytes(90)), "cannot be read as a pict"),
    "a mask of another size": ("fluid_binary", lambda path: save(path, np.eye(16)), r"16 x 16 .*32 x 32"),
    "a mask of greys": ("fluid_binary", lambda path: save(path, np.arange(SIDE**2).reshape(SIDE, SIDE) % 255),
                        "holds values 0, 1, 2.*--binarise-masks"),
    "a mask in colours": ("fluid_binary", lambda path: save(path, np.arange(SIDE**2 * 3).reshape(SIDE, SIDE, 3)),
                          "shows colours"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_picture_that_cannot_be_used_leaves_its_case_out(prepare, tree, fault):
    folder, spoil, message = FAULTS[fault]
    file = tree / folder / f"{NAMES[1]}.png"
    spoil(file)
    assert_one_line(prepare(tree), re.escape(str(file)), message, "1 of 2 cases could not be prepared")
    assert [case.subject for case in PreparedCohort.open(tree / "out")] == ["Subject_01"]


def test_images_of_mixed_sizes_are_named_with_the_option_that_takes_them(prepare, mstl, tree):
    for folder in ("image_gray", "fluid_binary"):
        save(tree / folder / f"{NAMES[1]}.png", np.kron(np.eye(24), [[1, 2], [0, 1]]) > 0)
    assert_one_line(prepare(tree), r"img_0\.png", r"img_11\.png", "32 x 32 pixels", "48 x 48", "--shape 32,32")
    assert not (tree / "out").exists() or not list((tree / "out").glob("Subject*"))
    assert prepare(tree, "--shape", "64,64")[0] == 0
    assert [case.shape for case in PreparedCohort.open(tree / "out")] == [(1, 64, 64)] * 2


def test_names_that_do_not_pair_at_all_are_an_error(index, tree):
    for name in NAMES:
        (tree / "fluid_binary" / f"{name}.png").rename(tree / "fluid_binary" / f"mask of {name}.png")
    assert_one_line(index(tree), "No mask has the name of an image", r"img_0\.png", "Name masks as their images")
    assert not (tree / "cohort.csv").exists()


def test_one_name_that_does_not_pair_is_told_and_its_image_has_no_mask(index, tree):
    (tree / "fluid_binary" / f"{NAMES[1]}.png").rename(tree / "fluid_binary" / "img_12.png")
    code, output, errors = index(tree)
    assert code == 0
    assert "Images without a mask of their name: 1 (img_11 for one)" in errors
    assert "Left out 1: no image of its case is here (fluid_binary/img_12.png)" in output
    assert [case.mask is None for case in Cohort.from_csv(tree / "cohort.csv")] == [False, True]


KEYS = {
    "no images": ({"images": None}, r"Subject_01\.mat has manualFluid1, manualFluid2; images and .* expected"),
    "no masks": ({"manualFluid1": None, "manualFluid2": None}, r"Subject_01\.mat has images; .* expected"),
    "another shape": ({"manualFluid1": np.zeros((9, 24, 5))}, r"has shape \(9, 24, 5\), images \(20, 24, 5\)"),
}


@pytest.mark.parametrize("fault", KEYS)
def test_a_mat_file_without_its_keys_or_of_other_shapes_is_one_line(index, tmp_path, fault):
    change, message = KEYS[fault]
    given = {name: array for name, array in (arrays() | change).items() if array is not None}
    assert_one_line(index(write_mat(tmp_path / "mat", **given)), message, "ownload it again")


def test_a_file_that_is_no_mat_file_is_one_line(index, tmp_path):
    (tmp_path / "Subject_01.mat").write_bytes(b"x" * 500)
    assert_one_line(index(tmp_path), r"Subject_01\.mat cannot be read as a MATLAB file")


def test_sections_that_nobody_annotated_are_left_out_and_never_taken_for_empty(prepare, mstl, tmp_path):
    folder = write_mat(tmp_path / "mat", **arrays())
    assert prepare(folder)[0] == 0
    cases = PreparedCohort.open(folder / "out")
    assert [(case.name, sum(case.lesion_voxels)) for case in cases] == [("Subject_01_bscan_01", 30),
                                                                       ("Subject_01_bscan_03", 0)]  # fmt: skip
    ended = mstl("agreement", folder, "--layout", "oct-dme", "--out", folder / "agreement.csv")
    assert_one_line(ended, "needs masks by two raters. There are masks by 1")


def test_a_set_that_nobody_annotated_is_one_line_that_says_so(index, tmp_path):
    given = arrays() | {"manualFluid1": np.full((20, 24, 5), np.nan)}
    ended = index(write_mat(tmp_path / "mat", **given))
    assert_one_line(ended, r"Subject_01\.mat#0 for one was left out: no expert annotated it")


def test_a_mask_that_was_not_annotated_is_refused_where_it_is_named(mstl, tmp_path):
    write_mat(tmp_path, **arrays())
    table = tmp_path / "cohort.csv"
    table.write_text("subject,oct,mask\np,Subject_01.mat#0,Subject_01.mat#manualFluid1:0\n", encoding="utf-8")
    ended = mstl("prepare", table, tmp_path / "out", "--modalities", "oct")
    assert_one_line(ended, "holds only NaN in section 0 of manualFluid1: it was not annotated, which is not empty")


@pytest.mark.parametrize("step", ["n4", "mni", "brain"])
def test_steps_of_brains_are_refused(prepare, tree, step):
    assert_one_line(prepare(tree, "--steps", step), r"img_0\.png is a picture; the steps .* are for scans of heads")


def test_phantoms_of_eyes_refuse_what_only_heads_have(mstl, tmp_path):
    code, _, error = mstl("phantom", tmp_path / "out", "--disease", "dme", "--scanner", "quick", "--jobs", 2)
    assert code == 1
    assert "--scanner, --jobs does nothing with --disease dme" in error
    assert not (tmp_path / "out").exists()
