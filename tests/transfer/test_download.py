"""Downloads from a server on this machine: whole, resumed, refused, damaged, zipped."""
import hashlib
import io
import os
import threading
import time
import zipfile

import numpy as np
import pytest

from mstl.errors import TransferError
from mstl.transfer.download import DownloadError, alone, download

CONTENT = np.random.default_rng(0).bytes(1_000_000)
BLOCK = 1 << 16
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


def zipped(compression: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def files_in(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("digest", [DIGEST, MD5, None], ids=["sha256", "md5", "none"])
def test_a_file_comes_whole_and_leaves_nothing_beside_it(server, tmp_path, digest):
    download(server.serve("a.h5", CONTENT), tmp_path / "a.h5", digest=digest)
    assert (tmp_path / "a.h5").read_bytes() == CONTENT
    assert files_in(tmp_path) == {"a.h5"}


def test_progress_is_told_how_much_is_here_and_how_much_is_expected(server, tmp_path):
    seen = []
    download(server.serve("a.h5", CONTENT), tmp_path / "a.h5", progress=lambda *step: seen.append(step))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [here for here, _ in seen] == sorted(here for here, _ in seen)


def test_a_file_with_another_checksum_is_removed_and_the_error_says_so(server, tmp_path):
    with pytest.raises(TransferError, match=f"not the file expected, whose checksum is {DIGEST}") as error:
        download(server.serve("a.h5", CONTENT[:-1]), tmp_path / "a.h5", digest=DIGEST)
    assert not isinstance(error.value, DownloadError)
    assert "\n" not in str(error.value)
    assert files_in(tmp_path) == set()


def test_a_file_that_is_here_survives_a_download_that_fails(server, tmp_path):
    (tmp_path / "a.h5").write_bytes(b"old")
    with pytest.raises(TransferError):
        download(server.serve("a.h5", b"wrong"), tmp_path / "a.h5", digest=DIGEST)
    assert (tmp_path / "a.h5").read_bytes() == b"old"


def test_a_missing_page_is_named(server, tmp_path):
    with pytest.raises(DownloadError, match=r"^the server answers 404 Not Found$"):
        download(server.url("none.h5"), tmp_path / "a.h5")
    assert files_in(tmp_path) == set()


def test_a_server_that_is_gone_is_no_connection(server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(DownloadError, match=r"^no connection$"):
        download(server.url("a.h5"), tmp_path / "a.h5")


def test_a_server_that_is_silent_is_not_waited_for_without_end(server, tmp_path, monkeypatch):
    monkeypatch.setattr("mstl.transfer.download._SECONDS", 0.2)
    monkeypatch.setattr(server, "finish_request", lambda *_: time.sleep(1))
    with pytest.raises(DownloadError, match=r"^no answer within 0\.2 seconds$"):
        download(server.url("a.h5"), tmp_path / "a.h5")


def test_a_connection_that_breaks_off_is_taken_up_where_it_stopped(server, tmp_path):
    server.cuts = [4 * BLOCK, BLOCK]
    download(server.serve("a.h5", CONTENT), tmp_path / "a.h5", digest=DIGEST)
    assert server.asked == [("/a.h5", None), ("/a.h5", f"bytes={4 * BLOCK}-"), ("/a.h5", f"bytes={5 * BLOCK}-")]
    assert files_in(tmp_path) == {"a.h5"}


def test_what_came_is_kept_for_the_next_call(server, tmp_path):
    url = server.serve("a.h5", CONTENT)
    server.cuts = [3 * BLOCK] * 3
    with pytest.raises(DownloadError, match="broke off; what came is kept"):
        download(url, tmp_path / "a.h5", digest=DIGEST)
    assert not (tmp_path / "a.h5").exists()
    download(url, tmp_path / "a.h5", digest=DIGEST)
    assert server.asked[-1] == ("/a.h5", f"bytes={9 * BLOCK}-")
    assert (tmp_path / "a.h5").read_bytes() == CONTENT


def test_a_file_that_changed_at_its_source_is_not_sewn_to_the_part_that_came_before(server, tmp_path):
    url = server.serve("a.h5", bytes(len(CONTENT)))
    server.cuts = [3 * BLOCK] * 3
    with pytest.raises(DownloadError):
        download(url, tmp_path / "a.h5")
    server.serve("a.h5", CONTENT)
    download(url, tmp_path / "a.h5")
    assert (tmp_path / "a.h5").read_bytes() == CONTENT


def test_a_server_that_tells_no_version_is_asked_for_the_whole_again(server, tmp_path):
    server.cuts, server.versions = [3 * BLOCK], False
    download(server.serve("a.h5", CONTENT), tmp_path / "a.h5", digest=DIGEST)
    assert server.asked == [("/a.h5", None), ("/a.h5", None)]


def test_a_part_that_is_longer_than_the_file_is_dropped(server, tmp_path):
    url = server.serve("a.h5", CONTENT)
    server.cuts = [3 * BLOCK] * 3
    with pytest.raises(DownloadError):
        download(url, tmp_path / "a.h5")
    part = next(tmp_path.glob("*.part"))
    part.write_bytes(CONTENT + CONTENT)
    download(url, tmp_path / "a.h5", digest=DIGEST)
    assert server.asked[-2:] == [("/a.h5", f"bytes={2 * len(CONTENT)}-"), ("/a.h5", None)]


def test_only_the_named_member_leaves_an_archive(server, tmp_path):
    archive = zipped(**{"model/a.h5": CONTENT, "model/b.h5": b"b", "../outside.h5": b"evil", "model/a.h5.txt": b"no"})
    folder = tmp_path / "cache"
    folder.mkdir()
    download(server.serve("all.zip", archive), folder / "a.h5", member="model/a.h5", digest=DIGEST)
    assert (folder / "a.h5").read_bytes() == CONTENT
    assert {name.split("-")[-1] for name in files_in(folder)} == {"a.h5", "all.zip"}
    assert files_in(tmp_path) == {"cache"}


def test_an_archive_is_downloaded_once_for_all_its_members(server, tmp_path):
    url = server.serve("all.zip", zipped(a=b"a", b=b"b"))
    download(url, tmp_path / "a.h5", member="a")
    download(url, tmp_path / "b.h5", member="b")
    assert (tmp_path / "b.h5").read_bytes() == b"b"
    assert len(server.asked) == 1


def test_a_member_that_leads_out_of_the_folder_lands_in_the_target(server, tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    download(server.serve("all.zip", zipped(**{"../outside.h5": b"evil"})), folder / "a.h5", member="../outside.h5")
    assert (folder / "a.h5").read_bytes() == b"evil"
    assert files_in(tmp_path) == {"cache"}


def test_a_member_with_another_checksum_is_not_left_behind(server, tmp_path):
    with pytest.raises(TransferError, match="not the file expected"):
        download(server.serve("all.zip", zipped(a=b"wrong")), tmp_path / "a.h5", member="a", digest=DIGEST)
    assert not (tmp_path / "a.h5").exists()


def test_an_archive_without_the_member_is_an_error(server, tmp_path):
    with pytest.raises(DownloadError, match=r"has no member model/a\.h5"):
        download(server.serve("all.zip", zipped(b=b"b")), tmp_path / "a.h5", member="model/a.h5")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, None])
def test_an_archive_that_cannot_be_read_is_removed(server, tmp_path, compression):
    content = bytearray(b"<html>" * 1000 if compression is None else zipped(compression, a=CONTENT))
    content[2000:2100] = bytes(100)
    url = server.serve("all.zip", bytes(content))
    with pytest.raises(DownloadError, match="not a zip archive that can be read"):
        download(url, tmp_path / "a.h5", member="a")
    assert files_in(tmp_path) == set()


@pytest.mark.skipif(os.name == "nt", reason="locks are POSIX")
def test_two_downloads_of_one_address_wait_for_each_other(tmp_path):
    order = []

    def second():
        with alone(tmp_path / "cache", "http://a/b"):
            order.append("second")

    with alone(tmp_path / "cache", "http://a/b"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
