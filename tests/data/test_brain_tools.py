"""Brain extraction by other programs: small scripts on the PATH speak their command lines."""
import sys
import textwrap

import numpy as np
import pytest

from mstl.data.brain_tools import ToolError, found_tools, run_tool
from mstl.data.volume import Volume

FAKE = """
    import sys
    import nibabel as nib
    import numpy as np

    def write(scan, mask):
        image = nib.load(scan)
        data = np.asarray(image.dataobj) > 50
        nib.save(nib.Nifti1Image(data.astype(np.float32), image.affine), mask)

    words = sys.argv[1:]
    value = lambda name: words[words.index(name) + 1]
"""
SYNTHSTRIP = 'assert len(words) == 4; write(value("-i"), value("-m"))'
BET = """
    assert words[2:] == ["-m", "-n", "-R"]
    import os
    assert os.environ["FSLOUTPUTTYPE"] == "NIFTI_GZ" and max(nib.load(words[0]).header.get_zooms()) < 2.1
    write(words[0], words[1] + "_mask.nii.gz")
"""
HD_BET_1 = """
    if "--help" in words:
        print("-mode MODE -tta TTA"), sys.exit()
    assert (value("-mode"), value("-tta"), value("-device")) == ("fast", "0", "cpu")
    write(value("-i"), value("-o").replace(".nii.gz", "_mask.nii.gz"))
"""
HD_BET_2 = """
    if "--help" in words:
        print("--disable_tta --save_bet_mask"), sys.exit()
    assert "--disable_tta" in words and "--save_bet_mask" in words and value("-device") == "cpu"
    write(value("-i"), value("-o").replace(".nii.gz", "_bet.nii.gz"))
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Function that puts a program of that name on a PATH that holds no other of the kind."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def put(name: str, code: str) -> None:
        text = f"#!{sys.executable}\n{textwrap.dedent(FAKE)}\n{textwrap.dedent(code)}\n"
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)

    return put


@pytest.fixture
def image() -> Volume:
    """A bright box in noise, on a grid that is neither isotropic nor RAS."""
    data = np.random.default_rng(0).uniform(0, 10, (20, 24, 8)).astype(np.float32)
    data[5:15, 6:18, 2:6] = 100
    affine = np.diag([-1.0, 1.5, 4.0, 1.0])
    affine[:3, 3] = (30.0, -20.0, 7.0)
    return Volume(data, affine)


@pytest.mark.parametrize(
    ("tool", "code"), [("mri_synthstrip", SYNTHSTRIP), ("hd-bet", HD_BET_1), ("hd-bet", HD_BET_2), ("bet", BET)]
)
def test_each_tool_is_called_in_its_own_way_and_its_mask_lies_on_the_scan(install, image, tool, code):
    install(tool, code)
    assert found_tools() == [tool]
    mask = run_tool(tool, image)
    assert mask.data.dtype == np.uint8
    assert mask.grid.difference(image.grid) is None
    inside = image.data > 50
    overlap = 2 * np.count_nonzero(mask.data & inside) / (mask.data.sum() + inside.sum())
    assert overlap == 1 if tool != "bet" else overlap > 0.8  # bet sees voxels of 2 mm


def test_tools_are_offered_best_first(install):
    for name in ("bet", "hd-bet", "mri_synthstrip"):
        install(name, "")
    assert found_tools() == ["mri_synthstrip", "hd-bet", "bet"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ('print("loading"); sys.exit("no weights\\nCannot download")', "failed with exit code 1: Cannot download"),
        ("sys.exit(3)", "exit code 3: it said nothing"),
        ("", "wrote no brain.nii.gz"),
        ('nib.save(nib.Nifti1Image(np.ones((2, 2, 2), np.uint8), np.eye(4)), value("-m"))', "on another grid"),
        ('i = nib.load(value("-i")); nib.save(nib.Nifti1Image(np.zeros(i.shape, "u1"), i.affine), value("-m"))',
         "found no brain"),
        ('open(value("-m"), "w").write("no image")', "wrote a mask that cannot be read"),
        ("import time; time.sleep(60)", "took longer than 2 s"),
    ],
)  # fmt: skip
def test_a_tool_that_fails_is_named_in_one_line(install, image, code, message):
    install("mri_synthstrip", code)
    with pytest.raises(ToolError, match=message) as error:
        run_tool("mri_synthstrip", image, timeout_s=2 if "sleep" in code else 60)
    assert "mri_synthstrip" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_tool_that_is_absent_or_no_program_is_named(install, image, tmp_path):
    with pytest.raises(ToolError, match="bet is not on the PATH"):
        run_tool("bet", image)
    (tmp_path / "bin" / "bet").write_bytes(b"\0\0")
    (tmp_path / "bin" / "bet").chmod(0o755)
    with pytest.raises(ToolError, match="bet cannot be run"):
        run_tool("bet", image)
