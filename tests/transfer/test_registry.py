"""Weights by name: the manifest and its errors, where files are looked for, what is downloaded, what is damaged."""
import hashlib
import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from mstl.errors import InputError, TransferError
from mstl.transfer import registry as module
from mstl.transfer.registry import fetch, locate, registry, shipped_folder, verify, weights_named

CONTENT = b"weights of a network"
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
ENTRY = {
    "name": "tiny", "file": "tiny.h5", "architecture": "2D U-Net", "licence": "MIT", "source": "here",
    "trained_on": "phantoms", "scores": "Dice 0.5", "url": "http://127.0.0.1:9/tiny.h5", "digest": SHA256,
}  # fmt: skip


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Folders in which files are looked for, none of the user's own: shipped, variable (not set), cached."""
    found = {name: tmp_path / name for name in ("shipped", "variable", "cached")}
    found["shipped"].mkdir()
    monkeypatch.setattr(module, "shipped_folder", lambda: found["shipped"])
    monkeypatch.setattr(module, "cache_folder", lambda: found["cached"])
    monkeypatch.delenv("MSTL_WEIGHTS", raising=False)
    return found


@pytest.fixture
def entry(folders):
    """Function that makes a manifest of one entry, the usual one with changes; None takes a key away."""

    def make(**changes):
        values = {key: value for key, value in (ENTRY | changes).items() if value is not None}
        (folders["shipped"] / "manifest.yaml").write_text(yaml.safe_dump([values]))

    make()
    return make


def put(folder: Path, content: bytes = CONTENT, name: str = "tiny.h5") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def test_an_entry_is_read_with_its_channels_in_order(entry):
    entry(modalities=["flair", "t1"], include="encoder")
    weights = registry()["tiny"]
    assert (weights.modalities, weights.include, weights.digest) == (("flair", "t1"), "encoder", SHA256)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"licence": None}, "Entry 1 of .* lacks licence"),
        ({"scores": ""}, "lacks scores"),
        ({"license": "MIT", "colour": "red"}, "unknown keys: colour, license. Known keys: name, file"),
        ({"scores": 0.5}, "scores must be text"),
        ({"modalities": "flair"}, "modalities must be .*a list"),
        ({"file": "../tiny.h5"}, "a name without folders is expected"),
        ({"digest": "sha256:12"}, "digest is 'sha256:12'; sha256: or md5:"),
        ({"url": None, "digest": None}, "neither url nor digest"),
    ],
)
def test_an_entry_that_is_wrong_is_named_in_one_line(entry, changes, message):
    entry(**changes)
    with pytest.raises(TransferError, match=message) as error:
        registry()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (yaml.safe_dump([ENTRY, ENTRY]), "two entries named 'tiny'"),
        ("name: tiny", "is not a list of entries"),
        ("- tiny", "Entry 1 of .* is not made of 'key: value' lines"),
        ("- [", "cannot be read as YAML"),
        (None, "does not exist: mstl is not completely installed"),
    ],
)
def test_a_manifest_that_is_wrong_is_named_in_one_line(folders, text, message):
    if text is not None:
        (folders["shipped"] / "manifest.yaml").write_text(text)
    with pytest.raises(TransferError, match=message) as error:
        registry()
    assert "\n" not in str(error.value)


def test_a_name_that_is_nearly_right_is_corrected(entry):
    with pytest.raises(InputError, match=r"No weights are named 'tinny'. Did you mean 'tiny'\?"):
        fetch("tinny")
    with pytest.raises(InputError, match="Known are tiny"):
        weights_named("quite another")


@pytest.mark.parametrize("places", [["shipped", "variable", "cached"], ["variable", "cached"], ["cached"]])
def test_files_are_looked_for_where_shipped_then_in_the_variable_then_in_the_cache(entry, folders, monkeypatch, places):
    monkeypatch.setenv("MSTL_WEIGHTS", str(folders["variable"]))
    for name in places:
        put(folders[name])
    assert fetch("tiny") == folders[places[0]] / "tiny.h5"
    where = {"variable": "MSTL_WEIGHTS"}.get(places[0], places[0])
    assert locate(weights_named("tiny")) == (where, folders[places[0]] / "tiny.h5")


def test_a_file_is_downloaded_once_into_the_cache(entry, folders, server):
    entry(url=server.serve("tiny.h5", CONTENT))
    assert locate(weights_named("tiny")) is None
    assert fetch("tiny") == fetch("tiny") == folders["cached"] / "tiny.h5"
    assert (folders["cached"] / "tiny.h5").read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_download_goes_into_the_folder_of_the_variable(entry, folders, server, monkeypatch):
    monkeypatch.setenv("MSTL_WEIGHTS", str(folders["variable"]))
    entry(url=server.serve("tiny.h5", CONTENT))
    assert fetch("tiny") == folders["variable"] / "tiny.h5"
    assert not folders["cached"].exists()


def test_a_member_of_an_archive_is_fetched(entry, folders, server):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("model/tiny.h5", CONTENT)
    entry(url=server.serve("all.zip", buffer.getvalue()), member="model/tiny.h5")
    assert fetch("tiny").read_bytes() == CONTENT


@pytest.mark.parametrize("member", [None, "model/tiny.h5"])
def test_without_a_network_the_error_says_what_to_get_from_where_and_where_to_put_it(entry, folders, server, member):
    server.shutdown()
    server.server_close()
    entry(url=server.url("tiny.h5"), member=member)
    with pytest.raises(TransferError) as error:
        fetch("tiny")
    said = str(error.value)
    assert said.startswith("tiny cannot be downloaded: no connection.")
    for part in (server.url("tiny.h5"), str(folders["cached"]), "as tiny.h5", "MSTL_WEIGHTS", member or "download"):
        assert part in said
    assert "\n" not in said


def test_a_page_that_is_gone_is_told_with_the_way_by_hand(entry, server):
    entry(url=server.url("tiny.h5"))
    with pytest.raises(TransferError, match=r"the server answers 404 Not Found\. On a machine with a network download"):
        fetch("tiny")


def test_a_download_with_another_checksum_is_removed(entry, folders, server):
    entry(url=server.serve("tiny.h5", b"something else"))
    with pytest.raises(TransferError, match="is not the file expected"):
        fetch("tiny")
    assert list(folders["cached"].glob("*.h5")) == []


def test_a_download_that_broke_off_goes_on_at_the_next_call(entry, server):
    big = bytes(range(256)) * 2048
    entry(url=server.serve("tiny.h5", big), digest=f"sha256:{hashlib.sha256(big).hexdigest()}")
    server.cuts = [1 << 17] * 3
    with pytest.raises(TransferError, match="the connection broke off"):
        fetch("tiny")
    assert fetch("tiny").read_bytes() == big
    assert server.asked[-1][1] == f"bytes={3 << 17}-"


def test_a_file_without_a_published_checksum_is_held_to_the_one_of_its_first_use(entry, folders, server):
    entry(url=server.serve("tiny.h5", CONTENT), digest=None)
    path = fetch("tiny")
    record = path.with_name("tiny.h5.sha256")
    assert record.read_text() == f"{SHA256.removeprefix('sha256:')}  tiny.h5\n"
    path.unlink()
    server.serve("tiny.h5", b"something else")
    with pytest.raises(TransferError, match=f"whose checksum is {SHA256}"):
        fetch("tiny")
    assert not path.exists()


def test_a_file_put_there_by_hand_is_recorded_at_its_first_use(entry, folders):
    entry(digest=None)
    put(folders["cached"])
    assert [row.state for row in verify()] == ["unknown"]
    fetch("tiny")
    assert [row.state for row in verify()] == ["ok"]
    put(folders["cached"], b"changed")
    assert [row.state for row in verify()] == ["damaged"]


@pytest.mark.parametrize("place", ["shipped", "variable"])
def test_a_damaged_file_that_is_not_in_the_cache_is_an_error_and_stays(entry, folders, monkeypatch, place):
    monkeypatch.setenv("MSTL_WEIGHTS", str(folders["variable"]))
    path = put(folders[place], b"damaged")
    with pytest.raises(TransferError, match=f"{re.escape(str(path))} is damaged.*mstl weights fetch tiny"):
        fetch("tiny")
    assert path.read_bytes() == b"damaged"


def test_a_damaged_file_in_the_cache_is_downloaded_again(entry, folders, server):
    entry(url=server.serve("tiny.h5", CONTENT))
    put(folders["cached"], b"damaged")
    assert fetch("tiny").read_bytes() == CONTENT


def test_a_shipped_file_that_is_missing_asks_for_a_new_installation(entry):
    entry(url=None)
    with pytest.raises(TransferError, match="Install mstl again"):
        fetch("tiny")


def test_a_folder_that_cannot_be_written_to_is_named(entry, folders, server):
    entry(url=server.serve("tiny.h5", CONTENT))
    folders["cached"].write_text("a file where the folder should be")
    with pytest.raises(TransferError, match=r"Cannot write to .*cached.*MSTL_WEIGHTS"):
        fetch("tiny")


def test_verify_lists_every_copy_and_what_is_not_here(entry, folders, monkeypatch):
    monkeypatch.setenv("MSTL_WEIGHTS", str(folders["variable"]))
    assert [(row.state, row.path) for row in verify()] == [("not here", None)]
    put(folders["variable"])
    put(folders["cached"], b"damaged")
    assert [(row.where, row.state) for row in verify()] == [("MSTL_WEIGHTS", "ok"), ("cached", "damaged")]


def test_the_manifest_of_mstl_is_valid_and_downloads_are_encrypted():
    known = registry()
    assert {"imagenet-resnet34", "imagenet-vgg16", "lst-ai-a"} <= set(known)
    assert all(weights.url.startswith("https://") for weights in known.values() if weights.url)
    assert len({weights.file for weights in known.values()}) == len(known)


def test_every_file_that_is_shipped_is_in_the_manifest_with_its_checksum():
    states = {row.path.name: row.state for row in verify() if row.where == "shipped"}
    assert states == {path.name: "ok" for path in shipped_folder().glob("*.h5")}
    assert all(weights.digest.startswith("sha256:") for weights in registry().values() if weights.file in states)


def test_every_entry_has_a_card():
    cards = (shipped_folder() / "README.md").read_text(encoding="utf-8")
    for weights in registry().values():
        assert re.search(rf"^## .*`{weights.name}`", cards, flags=re.MULTILINE), weights.name


def test_the_digests_of_imagenet_are_those_that_keras_and_segmentation_models_use():
    from classification_models.weights import WEIGHTS_COLLECTION

    published = next(
        item for item in WEIGHTS_COLLECTION
        if (item["model"], item["dataset"], item["include_top"]) == ("resnet34", "imagenet", False)
    )  # fmt: skip
    weights = registry()["imagenet-resnet34"]
    assert (weights.url, weights.digest) == (published["url"], f"md5:{published['md5']}")


def test_the_registry_loads_no_tensorflow_and_no_pooch_until_it_is_asked():
    code = "import sys, mstl.transfer.registry; print([n for n in ('tensorflow', 'pooch') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_installation_holds_the_manifest_the_cards_and_every_shipped_file(tmp_path):
    root = Path(__file__).parents[2]
    build = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(tmp_path)]
    subprocess.run(build, cwd=root, check=True, capture_output=True)
    expected = {path.name for path in (root / "weights").iterdir() if path.suffix in (".yaml", ".md", ".h5")}
    assert {path.name for path in (tmp_path / "mstl" / "weights").iterdir()} == expected
    code = "import mstl.transfer.registry as r; print(r.shipped_folder())"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == (tmp_path / "mstl" / "weights").resolve()
