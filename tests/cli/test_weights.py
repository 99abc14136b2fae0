"""`mstl weights` as a person types it."""
import hashlib
import json
import sys

import pytest
import yaml

from mstl.cli import main
from mstl.transfer import registry

CONTENT = b"weights of a network"


@pytest.fixture
def mstl(monkeypatch, capsys):
    """Function that runs `mstl` with arguments and returns exit code, output and error output."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["mstl", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code or 0, *capsys.readouterr()

    return call


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Folder of a manifest with one entry whose file is shipped and one whose server does not exist."""
    common = {"architecture": "U-Net [2D]", "licence": "MIT", "source": "-", "trained_on": "-", "scores": "-"}
    digest = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    entries = [
        {"name": "near", "file": "near.h5", "digest": digest, **common},
        {"name": "far", "file": "far.h5", "url": "http://127.0.0.1:9/far.h5", **common},
    ]
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump(entries))
    (tmp_path / "near.h5").write_bytes(CONTENT)
    monkeypatch.setattr(registry, "shipped_folder", lambda: tmp_path)
    monkeypatch.setenv("MSTL_WEIGHTS", str(tmp_path / "own"))
    monkeypatch.setattr(registry, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path


def test_list_says_of_each_what_it_is_and_where(mstl, shipped):
    code, out, _ = mstl("weights", "list")
    assert code == 0
    near, far = (next(line for line in out.splitlines() if name in line) for name in ("near", "far"))
    assert all(word in near for word in ("U-Net [2D]", "MIT", "sha256", "shipped, 0.0 MB"))
    assert all(word in far for word in ("first use", "to fetch"))


def test_list_as_json_has_every_key_and_the_place(mstl, shipped):
    _, out, _ = mstl("weights", "list", "--json")
    near, far = json.loads(out)
    assert (near["where"], near["path"], near["bytes"]) == ("shipped", str(shipped / "near.h5"), len(CONTENT))
    assert (far["where"], far["licence"], far["modalities"]) == (None, "MIT", [])


def test_fetch_prints_the_path_alone(mstl, shipped):
    code, out, _ = mstl("weights", "fetch", "near")
    assert (code, out.strip()) == (0, str(shipped / "near.h5"))


@pytest.mark.parametrize(("name", "said"), [("far", "On a machine with a network download"), ("fra", "Did you mean")])
def test_fetch_that_cannot_be_ends_in_one_line(mstl, shipped, name, said):
    code, _, error = mstl("weights", "fetch", name)
    assert code == 1
    assert said in error
    assert len(error.strip().splitlines()) == 1


def test_verify_is_content_with_whole_files(mstl, shipped):
    code, out, _ = mstl("weights", "verify")
    assert code == 0
    assert [word for word in ("ok", "not here") if word in out] == ["ok", "not here"]


def test_verify_ends_in_exit_code_1_where_a_file_is_damaged(mstl, shipped):
    (shipped / "near.h5").write_bytes(b"damaged")
    code, out, error = mstl("weights", "verify")
    assert code == 1
    assert "damaged" in out
    assert "near.h5" in error
