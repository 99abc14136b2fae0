"""Reports of pictures: whole images, no sides of a patient, sizes in pixels."""
import re
from types import SimpleNamespace

import numpy as np
import pytest

from mstl.data.cohort import Cohort
from mstl.data.formats.pictures import PICTURE_AFFINE
from mstl.data.prepare import prepare
from mstl.data.volume import read_mask, write_volume
from mstl.evaluation.evaluate import evaluate
from mstl.files import write_json
from mstl.reporting.cases import read_case
from mstl.reporting.figures import qc_sheet
from mstl.reporting.page import write_report
from mstl.reporting.pictures import picture_sheet, pooled_sentence
from tests.reporting.conftest import make_run
from tests.spots import SIZE, spot, write_pictures


@pytest.fixture(scope="module")
def eyes(tmp_path_factory) -> SimpleNamespace:
    """A run, and its predictions of three pictures, off by two columns, with probabilities and scores."""
    root = tmp_path_factory.mktemp("eyes")
    cohort = write_pictures(root / "in", white=255)
    out = root / "predictions"
    for case in cohort:
        found = np.roll(read_mask(case.mask).data, 2, axis=1)
        write_volume(out / f"{case.name}_prediction.png", found * 255, PICTURE_AFFINE)
        write_volume(out / f"{case.name}_probability.png", found * np.uint16(60000), PICTURE_AFFINE)
        write_json(out / f"{case.name}.json", {"threshold": 0.5})
    evaluate(out, cohort, out=root / "scores.csv")
    return SimpleNamespace(run=make_run(root / "run"), cohort=cohort, predictions=out, scores=root / "scores.csv")


def test_a_picture_is_read_upright_with_its_masks(eyes):
    shown = read_case(eyes.cohort[0], eyes.predictions)
    image, mask = spot(seed=0)
    assert shown.is_picture
    assert np.array_equal(shown.image[0], image)
    assert np.array_equal(shown.reference[0], mask > 0)
    assert shown.probability.max() == pytest.approx(60000 / 65535)


def test_the_report_shows_images_and_pixels_and_neither_planes_nor_sides(eyes, tmp_path):
    path = write_report(
        eyes.run, predictions=eyes.predictions, cohort=eyes.cohort, scores=eyes.scores, out=tmp_path / "report.html"
    )
    page = path.read_text()
    assert page.count('<figure id="case-') == 3
    for text in ("HD95 pixels", "Reference pixels", "Lesion areas", "Pooled over 3 images", "Each image plain"):
        assert text in page
    for text in ("Patient right", "Reference ml", 'id="viewer"', "Hausdorff mm", "Lesion volumes"):
        assert text not in page
    table = page[page.index('<table id="score-table"') :]
    sizes = [int(size) for size in re.findall(r'data-value="(\d+)\.0">\d+</td>', table[: table.index("</tbody>")])]
    truth = [int(read_mask(case.mask).data.sum()) for case in eyes.cohort]
    assert set(truth) <= set(sizes)


def test_a_sheet_has_the_image_plain_and_outlined():
    image, mask = spot()
    figure = picture_sheet(image[None], mask[None], mask[None], title="a")
    plain, outlined = figure.axes
    assert len(plain.collections) == 0
    assert len(outlined.collections) == 2
    assert not plain.texts
    assert plain.get_xlim() == (-0.5, SIZE[1] - 0.5)
    assert f"reference {mask.sum()} pixels" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_prepared_picture_is_looked_over_without_sides_of_a_patient(eyes, tmp_path):
    case = prepare(Cohort(eyes.cohort[:1]), tmp_path / "out")[0]
    figure = qc_sheet(case)
    assert not figure.axes[0].texts
    assert figure.legends[0].get_texts()[0].get_text() == f"mask {case.lesion_voxels[0]} pixels"


def test_labels_have_a_panel_of_the_reference_and_one_of_the_prediction():
    image, mask = spot()
    figure = picture_sheet(image[None], mask[None] * 2, mask[None] * 4, title="a", labels=(2, 4))
    assert [len(axes.collections) for axes in figure.axes] == [0, 1, 2]
    assert len(picture_sheet(image[None], None, mask[None] * 4, title="a", labels=(2, 4)).axes) == 2


def test_pooled_scores_are_told_only_where_they_stand_beside(eyes, tmp_path):
    assert pooled_sentence(eyes.scores).startswith("Pooled over 3 images")
    assert pooled_sentence(tmp_path / "scores.csv") == pooled_sentence(None) == ""
