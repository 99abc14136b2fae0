"""Pictures with the outlines of several raters."""
import numpy as np
import pytest
from PIL import Image

from mstl.colours import GREEN, ORANGE, SKY
from mstl.data.formats.pictures import PICTURE_AFFINE
from mstl.data.indexing import index_scans
from mstl.data.volume import write_volume
from mstl.errors import InputError
from mstl.evaluation.rater_overlays import RATERS, write_rater_overlays
from tests.evaluation.test_overlay import where
from tests.spots import spot


@pytest.fixture
def tree(tmp_path):
    """Two images of one eye, the first outlined by two experts, the second by one."""
    image, mask = spot((256, 256))
    folders = {"image_png": image, "fluid_rater1": mask, "fluid_rater2": np.roll(mask, 40, axis=1)}
    for folder, pixels in folders.items():
        for name in ("img_0", "img_1")[: 1 if folder.endswith("2") else 2]:
            write_volume(tmp_path / "tree" / folder / f"{name}.png", pixels.astype(np.uint8)[..., None], PICTURE_AFFINE)
    return tmp_path / "tree"


def index(tree):
    return index_scans(tree, layout="oct-dme", variant="by-subject")


def test_both_experts_and_the_prediction_are_drawn_where_both_looked(tree, tmp_path):
    mask = np.roll(spot((256, 256))[1], -40, axis=1).astype(np.uint8) * 255
    write_volume(tmp_path / "masks" / "Subject_01_img_0_prediction.png", mask[..., None], PICTURE_AFFINE)
    told = []
    options = {"raters": ("1", "2"), "predictions": tmp_path / "masks", "progress": told.append}
    out = write_rater_overlays(index(tree), tmp_path / "drawn", **options)
    assert told == ["Subject_01_img_0"]
    assert [path.name for path in out.iterdir()] == [f"Subject_01_img_0{RATERS}"]
    picture = np.asarray(Image.open(out / f"Subject_01_img_0{RATERS}"))
    middles = [np.argwhere(where(picture, colour)).mean(axis=0)[1] / 3 for colour in (SKY, ORANGE, GREEN)]
    np.testing.assert_allclose(np.diff(middles), 40, atol=5)


def test_without_predictions_only_experts_are_drawn(tree, tmp_path):
    out = write_rater_overlays(index(tree), tmp_path / "drawn", raters=("1", "2"))
    assert not where(np.asarray(Image.open(next(out.iterdir()))), SKY).any()


def test_a_missing_prediction_is_named_and_nothing_is_left(tree, tmp_path):
    (tmp_path / "masks").mkdir()
    with pytest.raises(InputError, match=r"lacks Subject_01_img_0_prediction"):
        write_rater_overlays(index(tree), tmp_path / "drawn", raters=("1", "2"), predictions=tmp_path / "masks")
    assert not list((tmp_path / "drawn").glob("*"))


def test_raters_without_a_common_picture_are_refused(tree, tmp_path):
    with pytest.raises(InputError, match="No picture has masks by raters 1, 3"):
        write_rater_overlays(index(tree), tmp_path / "drawn", raters=("1", "3"))
