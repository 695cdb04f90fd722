"""Locations of results: a folder of this machine, or a prefix of a bucket (`s3://`, `gs://`).

Both kinds offer the same operations, with names relative to the location. A write replaces a whole file: a
reader sees the old one or the new one. Endpoint, region and keys of an object store come from the
environment variables of the provider's tools, and appear nowhere else, not even in messages.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.errors import AnalysisError
from analysis.results.temporary import delete_abandoned, temporary

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.fs import FileInfo, FileSystem

_SCHEMES = ("s3", "gs")
_KEYS_OF_S3 = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_DENIED = "access is denied; the keys in the environment need the right to list, read, write and delete there"
_NO_KEYS = (
    "there are no keys in the environment; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
)
_REASONS = {  # message of an object store -> explanation for users
    r"NO_SUCH_BUCKET|NoSuchBucket|ucket not found": "there is no such bucket; create it or correct its name",
    r"INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH|InvalidAccessKeyId|UNRECOGNIZED_CLIENT": (
        "the store does not know the keys in the environment; correct them"
    ),
    r"EXPIRED_TOKEN|ExpiredToken|REQUEST_EXPIRED": "the keys in the environment have expired; get new ones",
    r"ACCESS_DENIED|AccessDenied|PERMISSION_DENIED|HTTP status 403|UNAUTHENTICATED": _DENIED,
    r"HTTP status 301|PERMANENT_REDIRECT": "the bucket is in another region; set AWS_REGION",
    r"OAuth2 access token": ("there are no credentials for Google Cloud; set GOOGLE_APPLICATION_CREDENTIALS"),
    r"AWS Error (NETWORK_CONNECTION|SERVICE_UNAVAILABLE)|curlCode": (
        "its server does not answer (for a server other than AWS, check AWS_ENDPOINT_URL)"
    ),
    r"UNAVAILABLE|DEADLINE_EXCEEDED": "its server does not answer; check the network",
    r"SLOW_DOWN|THROTTLING|RESOURCE_EXHAUSTED": "the store asks for fewer requests",
}


class Unusable(OSError):
    """Something in a results location that is not a file of results; the message names it."""


class Store(ABC):
    """The files of a location.

    Attributes:
        name: The location as users write it; nothing in it is secret.
        readers: Files to read at once.
    """

    readers: int

    def __init__(self, name: str, filesystem: FileSystem, root: str) -> None:
        self.name = name
        self._filesystem = filesystem
        self._root = root

    def __str__(self) -> str:
        return self.name

    def at(self, file: str) -> str:
        """The address of a file; characters that a terminal would interpret or cannot show are escaped."""
        shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in file)
        return f"{self.name.rstrip('/')}/{shown}"

    def exists(self) -> bool:
        """Whether the folder exists, or the prefix has any objects."""
        from pyarrow.fs import FileType

        return bool(self._filesystem.get_file_info(self._root).type == FileType.Directory)

    def files(self, folder: str = "") -> dict[str, float]:
        """Names of all files below a folder, in order, and when each was last written (Unix time, s)."""
        from pyarrow.fs import FileSelector, FileType

        selected = FileSelector(self._path(folder), recursive=True, allow_not_found=True)
        try:
            entries: list[FileInfo] = self._filesystem.get_file_info(selected)
        except FileNotFoundError:  # another driver made the folder while pyarrow looked for it
            entries = self._filesystem.get_file_info(selected)
        start = len(self._root.rstrip("/")) + 1
        files = {i.path[start:]: (i.mtime_ns or 0) / 1e9 for i in entries if i.type == FileType.File}
        return dict(sorted(files.items()))

    def open(self, file: str) -> pa.NativeFile:
        """A file to read parts of; use `read` if it may be replaced meanwhile.

        Raises:
            FileNotFoundError: if the file does not exist.
            OSError: if the location cannot be read.
        """
        return self._filesystem.open_input_file(self._path(file))

    def read(self, file: str) -> pa.Buffer:
        """The whole content of a file at one moment, even while it is being replaced.

        Raises:
            FileNotFoundError: if the file does not exist.
            OSError: if the location cannot be read.
        """
        with self.open(file) as opened:
            return opened.read_buffer()

    @abstractmethod
    def sweep(self, folders: Iterable[str] = ()) -> None:
        """Delete temporary files of killed processes at the top and below some folders."""

    @abstractmethod
    def write(self, file: str, data: pa.Buffer | bytes) -> None:
        """Create or replace a file; a reader never sees half of it.

        Raises:
            OSError: if the location cannot be written; the file is then the old one or already the new one.
        """

    def delete(self, file: str) -> None:
        """Delete a file; a missing file is ignored."""
        try:
            self._filesystem.delete_file(self._path(file))
        except FileNotFoundError:
            return

    def _path(self, file: str) -> str:
        return f"{self._root}/{file}" if file else self._root


class Folder(Store):
    """A folder of a local or mounted file system.

    Temporary files are at its top, outside the tables: some readers take every file inside a table's folder.
    """

    # Decoding takes longer than the file system, and more threads than cores wait for the interpreter
    readers = min(4, os.cpu_count() or 1)

    def __init__(self, folder: Path) -> None:
        from pyarrow.fs import LocalFileSystem

        super().__init__(str(folder), LocalFileSystem(), str(folder))

    def files(self, folder: str = "") -> dict[str, float]:
        """As for every store, without the content of hidden folders.

        Raises:
            Unusable: for a link to a folder, which would be read twice or without end, and for pipes and
                other entries that are neither files nor folders.
        """
        written: dict[str, float] = {}
        waiting = [folder]
        while waiting:
            inside = waiting.pop()
            try:
                with os.scandir(self._path(inside)) as entries:
                    for entry in entries:
                        name = f"{inside}/{entry.name}" if inside else entry.name
                        if entry.is_dir(follow_symlinks=False):
                            if not entry.name.startswith("."):
                                waiting.append(name)
                            continue
                        with suppress(FileNotFoundError):  # deleted since it was listed
                            if self._is_file(name, entry):
                                written[name] = entry.stat().st_mtime
            except FileNotFoundError:
                continue
            except NotADirectoryError:
                raise Unusable(f"{self.at(inside)} is not a folder; move it out") from None
        return dict(sorted(written.items()))

    def _is_file(self, name: str, entry: os.DirEntry[str]) -> bool:
        """Whether an entry is a file to list; hidden entries that are not files are ignored."""
        why = _strange(entry)
        if why and not entry.name.startswith("."):
            raise Unusable(f"{self.at(name)} {why}; move it out")
        return not why

    def open(self, file: str) -> pa.NativeFile:
        mode = Path(self._path(file)).stat().st_mode
        if not stat.S_ISREG(mode):  # opening a pipe would wait for a writer
            raise Unusable(f"{self.at(file)} is not a regular file; move it out")
        return super().open(file)

    def write(self, file: str, data: pa.Buffer | bytes) -> None:
        path = Path(self._path(file))
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary(self._top(path.parent)) as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
            Path(opened.name).replace(path)

    def sweep(self, folders: Iterable[str] = ()) -> None:
        paths = [Path(self._path(file)) for folder in folders for file in self.files(folder)]
        with suppress(FileNotFoundError), os.scandir(self._path("")) as entries:
            paths += [Path(entry.path) for entry in entries if entry.is_file(follow_symlinks=False)]
        for path in paths:
            delete_abandoned(path)

    def _top(self, folder: Path) -> Path:
        """The folder for temporary files to be renamed into `folder`, on the same file system."""
        top = Path(self._path(""))
        return top if top.stat().st_dev == folder.stat().st_dev else folder


def _strange(entry: os.DirEntry[str]) -> str:
    """Why an entry of a folder is not a file of results; an empty text if it is one."""
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        return "has a name that is not UTF-8"
    try:
        if entry.is_file():
            return ""
        if entry.is_dir():
            return "is a link to a folder, which would be read twice"
    except OSError:  # a link to itself
        return "is a link to nothing"
    return "is a link to nothing" if entry.is_symlink() else "is neither a file nor a folder"


class Bucket(Store):
    """A prefix of a bucket; an object becomes visible when its upload is complete."""

    readers = 16  # it answers slowly, but many requests at a time

    def read(self, file: str) -> pa.Buffer:
        """As for a folder. An object has no handle: a reader asks first for the size and then for the bytes,
        so an object that was replaced in between is read again."""
        while True:
            content = super().read(file)
            if self._filesystem.get_file_info(self._path(file)).size in (content.size, None):
                return content

    def sweep(self, folders: Iterable[str] = ()) -> None:
        """Nothing to delete: an incomplete upload is not an object."""

    def write(self, file: str, data: pa.Buffer | bytes) -> None:
        with self._filesystem.open_output_stream(self._path(file)) as opened:
            opened.write(data)


def store_at(location: Path | str) -> Store:
    """The store at a path or an address; nothing is created there.

    Raises:
        AnalysisError: for an invalid address; one line that never repeats keys.
    """
    text = str(location)
    address = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):(/+)(.*)", text)
    if not address:
        return Folder(_expanded(text))
    scheme, slashes, rest = address[1].lower(), address[2], address[3]
    if scheme not in _SCHEMES:
        near = get_close_matches(scheme, _SCHEMES, 1, cutoff=0.5)
        valid = "give a folder, s3://bucket/prefix or gs://bucket/prefix"
        hint = f"did you mean {near[0]}://?" if near else valid
        raise AnalysisError(f"no results can be kept at '{scheme}://'; {hint}")
    if "@" in rest.split("/", 1)[0] or "?" in rest or "#" in rest:
        raise AnalysisError(
            f"an address is only {scheme}://bucket/prefix; keys, endpoint and region come from the "
            "environment (such as AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, AWS_REGION)"
        )
    bucket, _, prefix = rest.partition("/")
    parts = [part for part in prefix.split("/") if part]
    if len(slashes) != 2 or not bucket:
        raise AnalysisError(f"'{text}' names no bucket; write {scheme}://bucket/prefix")
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,220}", bucket) or any(part in (".", "..") for part in parts):
        raise AnalysisError(
            f"'{text}' is not an address in a bucket; bucket names have lower-case letters, digits, "
            f"'.', '_' and '-', and a prefix has no '.' or '..': {scheme}://bucket/prefix"
        )
    root = "/".join([bucket, *parts])
    return Bucket(f"{scheme}://{root}", _s3(bucket) if scheme == "s3" else _gcs(), root)


def _expanded(text: str) -> Path:
    """A path with its ~ expanded, which the shell does not do in --results=~/results."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise AnalysisError(f"'{text}' names no folder: there is no such user, or HOME is not set") from error


def reason(error: OSError) -> str:
    """Why a location cannot be read or written, for users, without secrets."""
    if isinstance(error, Unusable):
        return str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space"
    text = str(error)
    if not re.search(r"AWS Error|google::cloud|HTTP status", text):
        return os.strerror(error.errno) if error.errno else type(error).__name__
    for pattern, meaning in _REASONS.items():
        if re.search(pattern, text):
            return _NO_KEYS if meaning == _DENIED and "AWS" in text and _keyless() else meaning
    code = re.search(r"AWS Error (\w+)|Status\((\w+)", text)
    return f"the store answered {code[1] or code[2]}" if code else "the store answered with an error"


def _keyless() -> bool:
    """Whether this machine has no settings for keys."""
    files = ("~/.aws/credentials", "~/.aws/config")
    named = any(os.environ.get(name) for name in _KEYS_OF_S3)
    return not named and not any(Path(file).expanduser().exists() for file in files)


def _s3(bucket: str) -> FileSystem:
    """A client that gives up after seconds; callers that can wait longer show that they wait."""
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem, resolve_s3_region

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region and not endpoint:
        try:
            region = resolve_s3_region(bucket)
        except OSError:
            region = None  # the first request raises the error
    return S3FileSystem(
        region=region or ("us-east-1" if endpoint else None),
        scheme="http" if endpoint.startswith("http://") else "https",
        endpoint_override=endpoint.rpartition("://")[2].rstrip("/") or None,
        connect_timeout=5,
        request_timeout=10,
        allow_delayed_open=True,  # small files are one request
        background_writes=False,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=3),
    )


def _gcs() -> FileSystem:
    from datetime import timedelta

    from pyarrow.fs import GcsFileSystem

    return GcsFileSystem(retry_time_limit=timedelta(seconds=15))
