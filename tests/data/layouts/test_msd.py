"""The Medical Segmentation Decathlon: 4D images by the names of its listing."""
import json
from pathlib import Path

import numpy as np
import pytest

from mstl.data.cohort import Cohort
from mstl.data.indexing import index_scans
from mstl.data.volume import read_volume
from mstl.errors import InputError
from tests.trees import grow, plant

BRAIN = {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"}


def write_listing(task: Path, modality: dict, *, name: str = "BRATS", training=("BRATS_001",), test=()) -> None:
    task.mkdir(parents=True, exist_ok=True)
    listing = {
        "name": name, "modality": modality, "test": [f"./imagesTs/{case}.nii.gz" for case in test],
        "training": [
            {"image": f"./imagesTr/{case}.nii.gz", "label": f"./labelsTr/{case}.nii.gz"} for case in training
        ],
    }  # fmt: skip
    (task / "dataset.json").write_text(json.dumps(listing))


@pytest.mark.parametrize("start", ["", "Task01_BrainTumour"])
def test_the_volumes_of_a_4d_image_are_the_modalities_of_the_listing(tmp_path, start):
    task = tmp_path / "Task01_BrainTumour"
    write_listing(task, BRAIN, test=["BRATS_002"])
    plant(task / "imagesTr/BRATS_001.nii.gz", "flair", "t1", "t1ce", "t2")
    plant(task / "labelsTr/BRATS_001.nii.gz", "mask")
    plant(task / "imagesTs/BRATS_002.nii.gz", "flair", "t1", "t1ce", "t2")
    grow(task, "imagesTr/._BRATS_001.nii.gz", "imagesTr/extra.nii.gz")
    index = index_scans(tmp_path / start, layout="msd")
    assert [case.name for case in index.cases] == ["BRATS_001", "BRATS_002"]
    assert {column: path.name for column, path in index.cases[0].images.items()} == {
        "flair": "BRATS_001.nii.gz#0", "t1": "BRATS_001.nii.gz#1",
        "t1ce": "BRATS_001.nii.gz#2", "t2": "BRATS_001.nii.gz#3",
    }  # fmt: skip
    assert index.cases[1].mask is None
    assert [(item.path.name, item.reason) for item in index.left_out] == [
        ("extra.nii.gz", "not listed in dataset.json")
    ]


def test_a_cohort_of_volumes_of_4d_images_is_written_read_and_opened(tmp_path):
    write_listing(tmp_path / "task", BRAIN)
    plant(tmp_path / "task/imagesTr/BRATS_001.nii.gz", "flair", "t1", "t1ce", "t2")
    plant(tmp_path / "task/labelsTr/BRATS_001.nii.gz", "mask")
    plant(tmp_path / "t1ce.nii.gz", "t1ce")
    Cohort.from_layout(tmp_path, layout="msd").to_csv(tmp_path / "cohort.csv")
    case = Cohort.from_csv(tmp_path / "cohort.csv")[0]
    assert np.array_equal(read_volume(case.images["t1ce"]).data, read_volume(tmp_path / "t1ce.nii.gz").data)


def test_volumes_of_other_modalities_are_left_out_with_a_note(tmp_path):
    write_listing(tmp_path, {"0": "T2", "1": "ADC"})
    grow(tmp_path, "imagesTr/BRATS_001.nii.gz", "labelsTr/BRATS_001.nii.gz")
    index = index_scans(tmp_path, layout="msd")
    assert index.cases[0].modalities == ("t2",)
    assert any("ADC are left out" in note for note in index.notes)


def test_images_and_labels_that_are_listed_but_missing_are_told(tmp_path):
    write_listing(tmp_path, BRAIN, training=["BRATS_001", "BRATS_002"])
    grow(tmp_path, "imagesTr/BRATS_001.nii.gz")
    index = index_scans(tmp_path, layout="msd")
    assert [case.name for case in index.cases] == ["BRATS_001"]
    assert [item.path.name for item in index.left_out] == ["BRATS_001.nii.gz", "BRATS_002.nii.gz"]


def test_a_task_of_another_organ_is_an_error_that_names_its_modality(tmp_path):
    write_listing(tmp_path, {"0": "CT"}, name="Spleen")
    with pytest.raises(InputError, match=r"task Spleen has modality CT; brain MRI is needed .*Task01_BrainTumour"):
        index_scans(tmp_path, layout="msd")


def test_no_listing_and_two_listings_are_an_error(tmp_path):
    with pytest.raises(InputError, match=r"no dataset\.json"):
        index_scans(tmp_path, layout="msd")
    for task in ("Task01_BrainTumour", "Task09_Spleen"):
        write_listing(tmp_path / task, BRAIN)
    with pytest.raises(InputError, match=r"2 files dataset\.json.* Give the folder of one task"):
        index_scans(tmp_path, layout="msd")


@pytest.mark.parametrize("text", ["[]", "{}", '{"modality": {"a": "T1"}, "training": []}', '{"modality": {}}', "3",
                                  '{"modality": {"0": "T1"}, "training": [{"label": "x"}]}', "{",
                                  '{"modality": {"0": "T1"}, "training": [{"image": 3}], "test": 4}',
                                  '{"modality": {"0": 1}, "training": [{"image": ["x"], "label": {}}]}'])  # fmt: skip
def test_a_listing_of_another_kind_is_an_error_that_names_it(tmp_path, text):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(InputError, match=r"dataset\.json"):
        index_scans(tmp_path, layout="msd")


def test_a_listing_whose_images_are_all_missing_is_an_error(tmp_path):
    write_listing(tmp_path, BRAIN)
    with pytest.raises(InputError, match="lists 1 images; none is there"):
        index_scans(tmp_path, layout="msd")
