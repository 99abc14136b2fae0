"""Wrong input at the command line: one line that names file and remedy, exit code 1, nothing half written."""
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mstl.cli import main
from mstl.data.cohort import Cohort
from mstl.data.prepared import PreparedCohort
from mstl.data.volume import read_volume, write_volume
from mstl.files import read_json


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def mstl(monkeypatch, capsys) -> Callable[..., Ended]:
    """Function that runs `mstl` with arguments, as the console script does."""

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["mstl", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture
def scans(tmp_path, make_case) -> Path:
    """Folder of a good case, a case that a test may spoil, and their cohort.csv."""
    folder = tmp_path / "scans"
    cases = [make_case(folder, "good", seed=1), make_case(folder, "bad", seed=2)]
    Cohort(cases).to_csv(folder / "cohort.csv")
    return folder


def assert_one_line(ended: Ended, file: Path, remedy: str) -> None:
    assert ended.code == 1
    assert ended.err.endswith("\n")
    assert ended.err.count("\n") == 1, ended.err
    assert ended.err.startswith("Error: ")
    assert str(file) in ended.err
    assert re.search(remedy, ended.err), ended.err
    assert "Traceback" not in ended.out + ended.err


def assert_nothing_half_written(folder: Path) -> None:
    """No temporary name below `folder`; every prepared case is whole."""
    assert not [path for path in folder.rglob(".*") if path.name != ".gitignore"]
    for record in folder.rglob("case.json"):
        assert {path.name for path in record.parent.iterdir()} == {"case.json", "image.npy", "mask.npy"}
        assert np.load(record.parent / "image.npy").shape[:3] == np.load(record.parent / "mask.npy").shape


def rewrite(path: Path, change: Callable) -> None:
    volume = read_volume(path, allow_constant=True)
    write_volume(path, change(np.array(volume.data)), volume.affine)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def into_4d(path: Path) -> None:
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.stack([image.get_fdata()] * 2, axis=-1), image.affine), path)


def crop(path: Path) -> None:
    nib.save(nib.load(path).slicer[:, :, 2:], path)


def flip_qform(path: Path) -> None:
    image = nib.load(path)
    image.set_qform(np.diag([-1, 1, 1, 1]) @ image.affine, code=1)
    nib.save(image, path)


def with_nan(data: np.ndarray) -> np.ndarray:
    return np.where(data > 200, np.nan, data).astype(np.float32)


FAULTS = {
    "a missing scan": ("flair", Path.unlink, "does not exist"),
    "a truncated scan": ("flair", truncate, "is truncated or damaged .* Copy or export it again"),
    "a truncated mask": ("mask", lambda path: path.write_bytes(b"\x1f\x8b"), "Copy or export it again"),
    "a 4D scan": ("t1", into_4d, r"has shape \(24, 28, 20, 2\); a 3D volume is expected\. Split it"),
    "scans on different grids": ("t1", crop, "lie on different grids .*--steps coregister"),
    "a mask on another grid": ("mask", crop, r"does not share the grid of .*--resample-masks"),
    "sform against qform": ("t1", flip_qform, "sform and qform differ by .* mm. Find out which one is right"),
    "NaN voxels": ("t1", lambda path: rewrite(path, with_nan), r"holds \d+ NaN .* Export it again"),
    "an all-zero modality": ("t1", lambda path: rewrite(path, np.zeros_like), "is 0 everywhere; .*leave it"),
    "a mask of labels": ("mask", lambda path: rewrite(path, lambda d: d * 4), "values 0, 4[,;] .*--binarise"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_cannot_be_used_leaves_its_case_out(mstl, scans, fault):
    role, spoil, remedy = FAULTS[fault]
    file = scans / "bad" / f"{role}.nii.gz"
    spoil(file)
    ended = mstl("prepare", scans / "cohort.csv", scans / "out")
    assert_one_line(ended, file, remedy)
    assert re.search(r"case +reason *\nbad ", ended.out)
    assert not (scans / "out" / "bad").exists()
    assert [case.name for case in PreparedCohort.open(scans / "out")] == ["good"]
    assert "bad" in (scans / "out" / "failures.csv").read_text()
    assert_nothing_half_written(scans)


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"scans on different grids"}))
def test_check_finds_the_file_and_ends_with_1(mstl, scans, fault):
    role, spoil, _ = FAULTS[fault]
    spoil(scans / "bad" / f"{role}.nii.gz")
    ended = mstl("check", scans / "cohort.csv")
    assert_one_line(ended, scans / "cohort.csv", "1, listed above. Mend")
    findings = read_json(scans / "check" / "check.json")["findings"]
    assert [(f["case"], f["role"]) for f in findings if f["level"] == "error"] == [("bad", role)]
    assert "bad" in ended.out


def test_scans_on_different_grids_are_a_warning_that_names_the_step(mstl, scans):
    crop(scans / "bad" / "t1.nii.gz")
    ended = mstl("check", scans / "cohort.csv")
    assert (ended.code, ended.err) == (0, "")
    (finding,) = [f for f in read_json(scans / "check" / "check.json")["findings"] if f["rule"] == "scan-grid"]
    assert (finding["case"], finding["level"]) == ("bad", "warning")
    assert "--steps coregister" in finding["message"]


def test_check_is_content_with_good_files(mstl, scans):
    ended = mstl("check", scans / "cohort.csv")
    assert (ended.code, ended.err) == (0, "")
    assert not [f for f in read_json(scans / "check" / "check.json")["findings"] if f["level"] == "error"]


def test_binarise_masks_is_the_remedy_that_works(mstl, scans):
    rewrite(scans / "bad" / "mask.nii.gz", lambda data: data * 4)
    refused = mstl("prepare", scans / "cohort.csv", scans / "out")
    assert "--binarise-masks" in refused.err
    assert mstl("prepare", scans / "cohort.csv", scans / "out", "--binarise-masks").code == 0
    assert all(set(np.unique(case.mask)) == {0, 1} for case in PreparedCohort.open(scans / "out"))


def test_resample_masks_is_the_remedy_that_works(mstl, scans):
    crop(scans / "bad" / "mask.nii.gz")
    assert mstl("prepare", scans / "cohort.csv", scans / "out", "--resample-masks").code == 0
    assert len(PreparedCohort.open(scans / "out")) == 2


def test_a_fault_met_by_a_second_process_is_one_line_too(mstl, scans):
    file = scans / "bad" / "t1.nii.gz"
    rewrite(file, with_nan)
    ended = mstl("prepare", scans / "cohort.csv", scans / "out", "--jobs", 2)
    assert_one_line(ended, file, "NaN")
    assert_nothing_half_written(scans)


GOOD = "good/flair.nii.gz,good/t1.nii.gz,good/mask.nii.gz"
TABLES = {
    "an unknown column": (f"subject,flare,t1,mask\ngood,{GOOD}\n", (), r"'flare' \(did you mean 'flair'\?\)"),
    "a modality that is asked for": (
        f"subject,flair,t1,mask\ngood,{GOOD}\n", ("--modalities", "flair,t2"), "has no t2, .*Ask for fewer",
    ),
    "two rows of one name": (f"subject,flair,t1,mask\np,{GOOD}\np,{GOOD}\n", (), "lines 2 and 3 .*Remove"),
    "no row": ("subject,flair\n", (), "lists no case. Add a line"),
}  # fmt: skip


@pytest.mark.parametrize("fault", TABLES)
def test_a_table_that_cannot_be_used_stops_prepare_before_it_writes(mstl, scans, fault):
    text, options, remedy = TABLES[fault]
    (scans / "cohort.csv").write_text(text)
    ended = mstl("prepare", scans / "cohort.csv", scans / "out", *options)
    assert_one_line(ended, scans / "cohort.csv", remedy)
    assert not (scans / "out").exists()


def test_a_missing_table_is_one_line(mstl, tmp_path):
    for command in (("check",), ("prepare", tmp_path / "out"), ("evaluate", tmp_path)):
        file = tmp_path / "nothing.csv"
        arguments = (command[0], file, *command[1:]) if command[0] != "evaluate" else (*command, file)
        assert_one_line(mstl(*arguments), file, "Check the path, or make it with 'mstl index'")


def test_fewer_subjects_than_the_split_needs_stop_train(mstl, scans):
    assert mstl("prepare", scans / "cohort.csv", scans / "out").code == 0
    experiment = scans / "experiment.yaml"
    experiment.write_text(f"prepared: {scans / 'out'}\nratios: [0.6, 0.2, 0.2]\n")
    ended = mstl("train", experiment, "--out", scans / "run")
    assert_one_line(ended, scans / "out", "2 subjects given, .* 3 sides .*Add subjects, or set a ratio to 0")
    assert not (scans / "run").exists()


def test_a_wrong_experiment_stops_train(mstl, tmp_path):
    experiment = tmp_path / "experiment.yaml"
    assert_one_line(mstl("train", experiment), experiment, "does not exist. Check the path")
    experiment.write_text("epoch: 3\n")
    assert_one_line(mstl("train", experiment), experiment, "Did you mean 'epochs'")
    experiment.write_text(f"prepared: {tmp_path}\n")
    assert_one_line(mstl("train", experiment), tmp_path, "is no prepared folder .*'mstl prepare'")


def test_an_output_folder_that_is_not_empty_is_left_as_it_is(mstl, scans):
    (scans / "out").mkdir()
    (scans / "out" / "thesis.txt").write_text("mine")
    ended = mstl("prepare", scans / "cohort.csv", scans / "out")
    assert_one_line(ended, scans / "out", "exists and is not empty. Choose a new folder, or remove it first")
    assert [path.name for path in (scans / "out").iterdir()] == ["thesis.txt"]


def test_a_message_that_looks_like_markup_or_is_very_long_stays_one_line(mstl, tmp_path):
    file = tmp_path / ("[red]" + "x" * 150) / "[/bold].csv"
    assert_one_line(mstl("check", file), file, "does not exist")


@contextmanager
def room_for(size: int):
    """Within, no file can grow beyond `size` bytes: the system refuses the write as on a full disk."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))  # Python ignores SIGXFSZ: a write raises OSError
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


IMAGE = 128 + 13 * 32 * 32 * 2  # bytes of image.npy with one modality


@pytest.mark.parametrize("size", [0, 100, 1000, 20_000, IMAGE - 3000, IMAGE - 1])
def test_a_full_disk_stops_prepare_and_the_next_run_goes_on(mstl, scans, size):
    command = ("prepare", scans / "cohort.csv", scans / "out", "--modalities", "flair")
    with room_for(size):
        ended = mstl(*command)
    assert_one_line(ended, scans / "out", "Cannot write .* Free some space or choose another output folder")
    assert not (scans / "out" / "good").exists()
    assert_nothing_half_written(scans)
    assert mstl(*command).code == 0
    assert (scans / "out" / "good" / "image.npy").stat().st_size == IMAGE


def test_a_full_disk_stops_index_and_the_old_table_stays(mstl, scans):
    before = (scans / "cohort.csv").read_bytes()
    patterns = ("--pattern", "flair={subject}/flair.nii.gz", "--pattern", "t1={subject}/t1.nii.gz")
    with room_for(len(before) // 2):
        ended = mstl("index", scans, *patterns, "--out", scans / "cohort.csv")
    assert_one_line(ended, scans / "cohort.csv", "Cannot write .*Free some space")
    assert (scans / "cohort.csv").read_bytes() == before
    assert_nothing_half_written(scans)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("missing", [1, 2000])
def test_a_full_disk_leaves_no_half_volume(tmp_path, name, missing):
    data = np.random.default_rng(0).integers(0, 9999, (20, 20, 20)).astype(np.int16)
    write_volume(tmp_path / "whole" / name, data, np.eye(4))
    size = (tmp_path / "whole" / name).stat().st_size
    with room_for(size - missing), pytest.raises(ValueError, match=r"Cannot write .*Free some space"):
        write_volume(tmp_path / "full" / name, data, np.eye(4))
    assert not any((tmp_path / "full").iterdir())


@pytest.mark.parametrize(
    "arguments",
    [("nosuch",), ("prepare",), ("check",), ("check", "a", "--nosuch"), ("prepare", "a", "b", "--jobs", "x")],
)
def test_wrong_usage_ends_with_2(mstl, arguments):
    ended = mstl(*arguments)
    assert ended.code == 2
    assert "Usage: mstl" in ended.err
    assert "Traceback" not in ended.err


def loaded_after(code: str) -> str:
    """Which heavy modules a fresh Python has loaded after `code`."""
    heavy = "('tensorflow', 'tf_keras', 'keras', 'torch')"
    code += f"\nimport sys\nprint('LOADED', [name for name in {heavy} if name in sys.modules])"
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("arguments", [["--help"], ["prepare", "--help"], ["check"]])
def test_help_and_check_load_no_tensorflow(tiny_cohort, arguments):
    if arguments == ["check"]:
        arguments = ["check", str(tiny_cohort[0].mask.parents[1] / "cohort.csv")]
    code = (
        f"import sys\nsys.argv = {['mstl', *arguments]!r}\n"
        "from mstl.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
    )
    assert loaded_after(code) == "LOADED []"


def test_importing_mstl_loads_no_tensorflow():
    assert loaded_after("import mstl; mstl.Cohort; mstl.prepare; mstl.Experiment") == "LOADED []"
