"""What is tested was never learned from: names do not matter, files and voxels do."""
import shutil

import numpy as np
import pytest

from mstl.compare.leakage import check_leakage, learns_from_target
from mstl.data.cohort import Cohort
from mstl.data.prepare import prepare
from mstl.data.prepared import PreparedCohort
from mstl.errors import InputError
from mstl.files import read_json, write_json


@pytest.fixture
def copied(prepared, tmp_path):
    """The prepared heads, free to be changed."""
    return shutil.copytree(prepared.folder, tmp_path / "copied")


def without_sources(case) -> None:
    """Forget which files a prepared case came from."""
    record = read_json(case / "case.json")
    record["sources"] = {role: {**source, "sha256": str(case)} for role, source in record["sources"].items()}
    write_json(case / "case.json", record)


def test_cohorts_that_share_no_scan_leak_nothing(study_of, prepared, other):
    study = study_of(sources={"others": {"prepared": str(other.folder)}})
    check_leakage(study, prepared)
    assert not learns_from_target(study.sources["others"], study)


def test_a_source_of_the_targets_own_scans_is_one_that_leaves_the_tested_out(study_of, prepared):
    study = study_of(sources={"others": {"command": "pretrain gan"}})
    check_leakage(study, prepared)
    assert learns_from_target(study.sources["others"], study)


def test_one_scan_under_two_names_is_leakage(study_of, copied):
    image = np.load(copied / "s1" / "image.npy")
    np.save(copied / "s4" / "image.npy", image)
    for name in ("s1", "s4"):
        without_sources(copied / name)
    with pytest.raises(InputError, match="Leakage: subjects s1, s4 have the same scan"):
        check_leakage(study_of(sources={}, strategies={"a": {}, "b": {"freeze": "encoder"}}),
                      PreparedCohort.open(copied))  # fmt: skip


def test_a_source_with_a_scan_of_the_target_is_leakage_under_another_name_and_preparation(
    study_of, prepared, cohort, tmp_path
):
    scan = cohort[3]
    renamed = Cohort([type(scan)(subject="stranger", images=scan.images, mask=scan.mask)])
    theirs = prepare(renamed, tmp_path / "theirs", modalities=("t1",), normalise="minmax")
    study = study_of(sources={"others": {"prepared": str(theirs.folder)}})
    with pytest.raises(InputError, match=r"stranger of source 'others' .* scan of the target's subject s3"):
        check_leakage(study, prepared)


def test_a_run_that_saw_the_target_is_leakage(study_of, prepared, tmp_path):
    files = {role: source["sha256"] for role, source in prepared[5].record["sources"].items()}
    write_json(tmp_path / "run" / "environment.json", {"inputs": {"anybody": files}})
    study = study_of(strategies={"scratch": {}, "begun": {"init": str(tmp_path / "run")}}, sources={})
    with pytest.raises(InputError, match=r"'begun' begins with .* trained on a scan of the target's subject s5"):
        check_leakage(study, prepared)


def test_equal_masks_are_no_leakage(study_of, prepared, tmp_path):
    mask = prepared[0].record["sources"]["mask"]["sha256"]
    write_json(tmp_path / "run" / "environment.json", {"inputs": {"a": {"mask": mask}}})
    check_leakage(study_of(strategies={"scratch": {}, "begun": {"init": str(tmp_path / "run")}}, sources={}), prepared)
