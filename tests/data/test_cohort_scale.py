"""One histogram scale for a cohort: learned once, kept, laid on without preparing again, used for new scans."""
import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from mstl.data import prepare_case as prepare_case_module
from mstl.data.case import Case
from mstl.data.cohort import Cohort
from mstl.data.nyul import landmarks, standardise
from mstl.data.prepare import prepare
from mstl.data.prepared import PreparedCase, PreparedCohort
from mstl.data.volume import read_volume, write_volume
from mstl.errors import InputError, PreparationError

NYUL = {"normalise": "nyul"}


@pytest.fixture
def cases(tmp_path, make_case) -> list[Case]:
    """Four heads, as scanners with different gains and contrasts show them."""
    cases = [make_case(tmp_path / "scans", f"p{number}", seed=number) for number in range(4)]
    for number, case in enumerate(cases):
        flair = read_volume(case.images["flair"])
        bent = 10.0**number * (flair.data / 100.0) ** (1 + number / 4)
        write_volume(case.images["flair"], np.where(flair.data > 0, bent, 0).astype(np.float32), flair.affine)
    return cases


def values(case: PreparedCase, channel: int = 0) -> np.ndarray:
    """The values of the brain, without the few that are 0 in all channels."""
    image = np.asarray(case.image, dtype=np.float64)
    return image[np.any(image != 0, axis=-1)][:, channel]


def images(prepared: PreparedCohort) -> dict[str, bytes]:
    return {case.name: (case.folder / "image.npy").read_bytes() for case in prepared}


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Largest distance of the deciles."""
    return float(np.abs(np.percentile(first, range(5, 100, 10)) - np.percentile(second, range(5, 100, 10))).max())


def test_histograms_of_different_scanners_become_alike(tmp_path, cases):
    before = prepare(Cohort(cases), tmp_path / "zscore")
    after = prepare(Cohort(cases), tmp_path / "nyul", **NYUL)
    apart = [max(distance(values(a), values(b)) for a, b in combinations(side, 2)) for side in (before, after)]
    assert apart[1] < 0.02
    assert apart[1] < apart[0] / 3


def test_the_image_is_what_standardise_makes_of_the_scan(tmp_path, cases):
    prepared = prepare(Cohort(cases), tmp_path / "out", **NYUL)
    scale = prepared.preparation["landmarks"]
    for case in prepared:
        for channel, name in enumerate(case.modalities):
            brain = np.any(np.asarray(case.image) != 0, axis=-1)
            marks = case.record["landmarks"][name]
            again = standardise(np.asarray(case.image[..., channel], dtype=np.float64), brain, scale[name])
            np.testing.assert_allclose(again, case.image[..., channel], atol=5e-3)
            assert len(marks) == 11
            np.testing.assert_allclose(landmarks(case.image[..., channel], brain), scale[name], atol=5e-3)


def test_the_scale_is_kept_and_a_case_that_is_added_changes_no_other(tmp_path, cases):
    first = prepare(Cohort(cases[:3]), tmp_path / "out", **NYUL)
    kept, stamps = first.preparation["landmarks"], [case.folder.stat().st_mtime_ns for case in first]
    second = prepare(Cohort(cases), tmp_path / "out", **NYUL)
    assert second.preparation["landmarks"] == kept
    assert [case.folder.stat().st_mtime_ns for case in second][:3] == stamps
    assert prepare(Cohort(cases), tmp_path / "fresh", **NYUL).preparation["landmarks"] != kept


def test_a_scale_that_is_given_makes_the_same_bytes_as_the_one_that_was_learned(tmp_path, cases):
    learned = prepare(Cohort(cases), tmp_path / "out", **NYUL)
    given = prepare(Cohort(cases), tmp_path / "given", **NYUL, landmarks=learned.preparation["landmarks"])
    assert images(given) == images(learned)
    assert given.preparation == learned.preparation


def test_two_jobs_learn_the_same_scale_as_one(tmp_path, cases):
    one, two = (prepare(Cohort(cases), tmp_path / str(jobs), jobs=jobs, **NYUL) for jobs in (1, 2))
    assert one.preparation == two.preparation
    assert images(one) == images(two)


def test_scans_are_read_once_and_a_run_that_was_stopped_goes_on_where_it_was(tmp_path, cases, monkeypatch):
    expected = images(prepare(Cohort(cases), tmp_path / "expected", **NYUL))
    read, laid = [], []
    read_scans, on_scale = prepare_case_module.read_scans, prepare_case_module.on_scale

    def counted(case, preparation):
        read.append(case.name)
        return read_scans(case, preparation)

    def stopped(*arguments):
        laid.append(arguments)
        if len(laid) == 2:
            raise KeyboardInterrupt
        return on_scale(*arguments)

    monkeypatch.setattr(prepare_case_module, "read_scans", counted)
    monkeypatch.setattr(prepare_case_module, "on_scale", stopped)
    for progress in (_stop_at_p1, None):  # stopped while cases are read, then while the scale is laid on
        with pytest.raises(KeyboardInterrupt):
            prepare(Cohort(cases), tmp_path / "out", **NYUL, progress=progress)
        with pytest.raises(InputError, match="is not finished"):
            PreparedCohort.open(tmp_path / "out")
    done = prepare(Cohort(cases), tmp_path / "out", **NYUL)
    assert images(done) == expected
    assert read == ["p0", "p1", "p2", "p3"]


def _stop_at_p1(name: str) -> None:
    if name == "p1":
        raise KeyboardInterrupt


def test_the_scale_is_learned_from_the_cases_that_are_ready(tmp_path, cases):
    mask = cases[0].mask.read_bytes()
    cases[0].mask.unlink()
    with pytest.raises(PreparationError, match="1 of 4"):
        prepare(Cohort(cases), tmp_path / "out", **NYUL)
    ready = PreparedCohort.open(tmp_path / "out")
    assert images(ready) == images(prepare(Cohort(cases[1:]), tmp_path / "three", **NYUL))
    cases[0].mask.write_bytes(mask)
    whole = prepare(Cohort(cases), tmp_path / "out", **NYUL)
    assert len(whole) == 4
    assert whole.preparation == ready.preparation


def test_where_no_case_is_ready_no_scale_is_learned(tmp_path, cases):
    cases[0].mask.unlink()
    with pytest.raises(PreparationError, match="does not exist"):
        prepare(Cohort(cases[:1]), tmp_path / "out", **NYUL)
    assert json.loads((tmp_path / "out" / "preparation.json").read_text())["landmarks"] is None


def test_other_parameters_learn_a_scale_of_their_own(tmp_path, cases):
    first = prepare(Cohort(cases), tmp_path / "out", **NYUL)
    other = prepare(Cohort(cases), tmp_path / "out", **NYUL, spacing=2.0)
    assert other.preparation["landmarks"] != first.preparation["landmarks"]
    assert images(other) == images(prepare(Cohort(cases), tmp_path / "fresh", **NYUL, spacing=2.0))


def test_the_record_names_landmarks_and_both_steps(tmp_path, cases):
    case = prepare(Cohort(cases[:2]), tmp_path / "out", **NYUL)[0]
    assert [step["name"] for step in case.record["steps"]][-2:] == ["normalise", "standardise"]
    assert case.record["steps"][-1]["landmarks"] == case.record["preparation"]["landmarks"]
    assert set(case.record["landmarks"]) == {"flair", "t1"}


def test_a_scan_without_a_histogram_is_an_error_that_names_the_file(tmp_path, cases):
    flair = read_volume(cases[0].images["flair"])
    flat = np.where(flair.data > 0, 9, 0).astype(np.int16)
    flat[12, 13, 10] = 50
    write_volume(cases[0].images["flair"], flat, flair.affine)
    with pytest.raises(InputError, match=r"p0/flair\.nii\.gz: The scan is 9 in 98 of 100 voxels"):
        prepare(Cohort(cases[:1]), tmp_path / "out", **NYUL)


SCALE = list(np.linspace(0, 1, 11))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"landmarks": {"flair": SCALE}}, "normalisation 'zscore' has none. Use 'nyul'"),
        ({**NYUL, "landmarks": {"flair": SCALE}}, "landmarks of t1 are None; 11 rising numbers"),
        ({**NYUL, "landmarks": {"flair": SCALE, "t1": SCALE[1:]}}, "11 rising numbers"),
        ({**NYUL, "landmarks": {"flair": SCALE, "t1": SCALE[::-1]}}, "11 rising numbers"),
        ({**NYUL, "landmarks": {"flair": SCALE, "t1": [0.0] * 11}}, "11 rising numbers"),
    ],
)
def test_landmarks_that_cannot_be_used_are_errors_before_anything_is_written(tmp_path, cases, parameters, message):
    with pytest.raises(InputError) as caught:
        prepare(Cohort([replace(case, mask=None) for case in cases]), tmp_path / "out", **parameters)
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_voxel_far_brighter_than_all_others_stays_finite(tmp_path, cases):
    flair = read_volume(cases[0].images["flair"])
    spiked = flair.data.copy()
    spiked[12, 13, 10] = 1e30
    write_volume(cases[0].images["flair"], spiked, flair.affine)
    write_volume(tmp_path / "brain.nii.gz", (flair.data > 0).astype(np.uint8), flair.affine)
    cohort = Cohort([replace(cases[0], brain_mask=tmp_path / "brain.nii.gz"), *cases[1:]])
    image = np.asarray(prepare(cohort, tmp_path / "out", **NYUL)[0].image)
    assert np.isfinite(image).all()
