"""Downloads that go on where they stopped, are checked before they are used, and are whole or absent."""
from __future__ import annotations

import functools
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mstl.errors import InputError, TransferError
from mstl.files import whole_file

Progress = Callable[[int, int | None], None]
_ATTEMPTS = 3
_SECONDS = 30.0  # without a byte from the server
_BLOCK = 1 << 16  # what a broken connection may lose


class DownloadError(TransferError):
    """A file could not be had from its address; the message is the reason, without a full stop."""


def download(
    url: str, target: Path, *, digest: str | None = None, member: str = "", progress: Progress | None = None
) -> None:
    """Write the file at `url`, or `member` of the zip archive there, to `target`.

    `digest` is "sha256:..." or "md5:..." of `target`; None checks nothing. `progress` is called with the bytes
    that are here and the bytes expected, None where the server does not say. What an interrupted download got is
    kept beside `target` and used by the next, if the server's file is still the same. A zip archive is kept too.
    Raises `DownloadError` where the file cannot be had, another `InputError` where it is not the one expected or
    cannot be written; `target` is then absent or as it was.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")  # else it writes to stderr at every download
    name = pooch.utils.unique_file_name(url)
    partial = target.with_name(f"{name}.part")
    downloader = functools.partial(_download, partial=partial, progress=progress)
    known, file = (None, name) if member else (digest, target.name)
    try:
        path = Path(pooch.retrieve(url, known, fname=file, path=target.parent, downloader=downloader))
        if member:
            _extract(path, member, target, digest)
    except requests.RequestException as error:
        raise DownloadError(_reason(error)) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise TransferError(f"Cannot write {target}: {reason}. Free some space or choose another folder.") from error
    except InputError:
        raise
    except ValueError as error:
        raise _not_the_same(url, digest) from error


@contextmanager
def alone(folder: Path, url: str) -> Iterator[None]:
    """Let one process at a time fetch `url` into `folder`; others wait, where the file system has locks."""
    import pooch

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{pooch.utils.unique_file_name(url)}.lock").open("a") as stream:
        with suppress(ImportError, OSError):
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _download(url: str, output_file: str, _pooch: object, *, partial: Path, progress: Progress | None) -> None:
    """A downloader for pooch: gather the bytes in `partial`, then move it to `output_file`."""
    from requests.exceptions import ChunkedEncodingError

    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _append(url, partial, progress)
            break
        except ChunkedEncodingError:
            if attempt == _ATTEMPTS:
                raise
    os.replace(partial, output_file)
    _version_of(partial).unlink(missing_ok=True)


def _append(url: str, partial: Path, progress: Progress | None) -> None:
    """Add to `partial` what it lacks; raises `ChunkedEncodingError` where the connection ends too early."""
    import requests

    version = _version_of(partial)
    headers = {"Accept-Encoding": "identity"}
    start = partial.stat().st_size if partial.is_file() and version.is_file() else 0
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": version.read_text(encoding="utf-8")}
    with requests.get(url, headers=headers, stream=True, timeout=_SECONDS) as response:
        if start and not _fits(response, start):
            partial.unlink()
            raise requests.exceptions.ChunkedEncodingError("the server does not have the missing part")
        response.raise_for_status()
        _remember_version(version, response)
        _write(response, partial, start if response.status_code == 206 else 0, progress)


def _write(response, partial: Path, start: int, progress: Progress | None) -> None:
    """Write the body of an answer from byte `start` of `partial` on, and compare its length with the one announced."""
    from requests.exceptions import ChunkedEncodingError

    length = response.headers.get("Content-Length")
    total = None if length is None else start + int(length)
    with partial.open("ab" if start else "wb") as stream:
        for block in response.iter_content(_BLOCK):
            stream.write(block)
            if progress:
                progress(stream.tell(), total)
        here = stream.tell()
    if total not in (None, here):
        raise ChunkedEncodingError(f"{here} of {total} bytes came")


def _fits(response, start: int) -> bool:
    """Whether the answer to a request from byte `start` on can be used: the rest, the whole, or an error to raise."""
    if response.status_code == 206:
        return response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
    return response.status_code != 416


def _version_of(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.version")


def _remember_version(path: Path, response) -> None:
    """Keep what tells this version of the server's file from another; without it nothing can be continued."""
    etag = response.headers.get("ETag", "")
    version = response.headers.get("Last-Modified", "") if etag.startswith("W/") or not etag else etag
    if version:
        path.write_text(version, encoding="utf-8")
    else:
        path.unlink(missing_ok=True)


def _extract(archive: Path, member: str, target: Path, digest: str | None) -> None:
    """Copy one member of a zip archive to `target`; no other is touched and no path in the archive is used."""
    import pooch

    try:
        with whole_file(target) as temporary:
            with zipfile.ZipFile(archive) as opened, opened.open(member) as source, temporary.open("wb") as copy:
                shutil.copyfileobj(source, copy, _BLOCK)
            algorithm, _, value = (digest or "").partition(":")
            if digest and pooch.file_hash(temporary, alg=algorithm) != value:
                raise _not_the_same(f"{member} in {archive}", digest)
    except KeyError:
        raise DownloadError(f"the archive {archive} has no member {member}") from None
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError) as error:
        archive.unlink()
        raise DownloadError(f"what came is not a zip archive that can be read ({error})") from error


def _not_the_same(what: str, digest: str | None) -> TransferError:
    return TransferError(
        f"What came from {what} is not the file expected, whose checksum is {digest}: it was damaged on its way or "
        "changed at its source. It was removed; try again, and ask its publisher if that does not help."
    )


def _reason(error) -> str:
    """Why a request failed, in words for a person."""
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError):
        return f"the server answers {error.response.status_code} {error.response.reason}".rstrip()
    if isinstance(error, exceptions.SSLError):
        return "the server's certificate cannot be verified (behind a proxy, set REQUESTS_CA_BUNDLE)"
    if isinstance(error, exceptions.Timeout):
        return f"no answer within {_SECONDS:g} seconds"
    if isinstance(error, exceptions.ChunkedEncodingError):
        return "the connection broke off; what came is kept, and the next attempt goes on from there"
    if isinstance(error, exceptions.ConnectionError):
        return "no connection"
    return str(error)
