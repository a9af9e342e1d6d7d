"""The Hugging Face hub, or a mirror that speaks its protocol: what a repository holds, and the bytes of its files.

`huggingface_hub` gives the metadata, addresses, headers, connections and errors. Its own download functions are not used: they verify no
checksum, refuse plain HTTP for files over 50 GB, and hand those to another protocol (xet) that bypasses the endpoint. A content network
serves such files in ranges, so this module asks for ranges. The library reads its environment when it is imported, and takes half a
second for it: import this module only to pull.
What this module does not do: retry (`TransientError` says that it may help), or write files.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import httpx2  # huggingface_hub's HTTP library, for the names of its errors
from huggingface_hub import HfApi, get_session, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]  # public, but not in an __all__

from engine.plain import plain
from engine.pull import ChoiceError, PullError, RemoteFile, Repository, TryAgainError

PUBLIC: Final = "https://huggingface.co"
_TIMEOUT_SECONDS: Final = 30.0
_LONGEST_WAIT: Final = 300.0
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_BLOB: Final = re.compile(r"[0-9a-f]{40}")


class TransientError(Exception):
    """It may work in a moment. `final` is what to raise when it does not; `retry_after` is the hub's wish in seconds."""

    def __init__(self, final: PullError, retry_after: float | None = None) -> None:
        super().__init__(str(final))
        self.final = final
        self.retry_after = retry_after


@dataclass(frozen=True)
class Body:
    """Bytes of a file from `start` on. A server may ignore what was asked for and start at 0."""

    start: int
    chunks: Iterator[bytes]


class _Response(Protocol):
    """As much of a response as is needed here."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> httpx2.Headers: ...


class Hub:
    """The hub at `endpoint`, asked with `token` or without one. Nothing is sent that identifies more than kimicode and the library."""

    def __init__(self, endpoint: str = PUBLIC, token: str | None = None) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._token = token or False
        self._api = HfApi(endpoint=self._endpoint, token=self._token, library_name="kimicode")

    def repository(self, name: str, revision: str | None) -> Repository:
        """What `name` holds at `revision` (default: its main branch). Raises `PullError` or `TransientError`."""
        with self._translated(name, revision):
            try:
                info = self._api.model_info(name, revision=revision, files_metadata=True, timeout=_TIMEOUT_SECONDS)
                files = tuple(self._file(sibling) for sibling in info.siblings or ())
            except HFValidationError:
                raise ChoiceError(f"{name} is not a repository's name: give OWNER/NAME") from None
            except HfHubHTTPError:
                raise  # some of them are ValueErrors too
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise self._strange(f"{type(error).__name__} in its answer about {name}") from None
            if not info.sha or not _BLOB.fullmatch(info.sha):
                raise self._strange(f"{name} has no commit")
            return Repository(name, info.sha, files)

    @contextmanager
    def body(self, repository: Repository, file: RemoteFile, start: int, end: int) -> Iterator[Body]:
        """Bytes `start` to `end` of the file. Raises `PullError` or `TransientError`, also while the chunks are read."""
        url = hf_hub_url(repository.name, file.path, revision=repository.commit, endpoint=self._endpoint)
        headers = build_hf_headers(
            token=self._token,
            library_name="kimicode",
            headers={"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"},
        )
        with (
            self._translated(repository.name, repository.commit),
            get_session().stream("GET", url, headers=headers, timeout=_TIMEOUT_SECONDS) as response,
        ):
            if response.history and response.status_code in (401, 403):
                # The content network's links are valid for an hour or so; the next request gets a new one.
                raise TransientError(TryAgainError(f"the link to {file.path} was refused ({response.status_code}): try again"))
            hf_raise_for_status(response)
            yield Body(self._first_byte(response, start), response.iter_bytes())

    def _first_byte(self, response: _Response, start: int) -> int:
        if response.status_code != 206:
            return 0
        span = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        if span is None or int(span[1]) != start:
            raise TransientError(self._strange("it sent another range than was asked for"))
        return start

    def _file(self, sibling: RepoSibling) -> RemoteFile:
        size, digest = (sibling.lfs.size, sibling.lfs.sha256) if sibling.lfs else (sibling.size, sibling.blob_id)
        if (
            not isinstance(size, int)
            or size < 0
            or not isinstance(digest, str)
            or not (_SHA256 if sibling.lfs else _BLOB).fullmatch(digest)
        ):
            raise self._strange(f"no size or checksum of {sibling.rfilename!r}")
        return RemoteFile(sibling.rfilename, size, digest)

    def _strange(self, what: str) -> PullError:
        return PullError(plain(f"{self._endpoint} does not answer as a hub does: {what}; check HF_ENDPOINT, or the proxy between"))

    @contextmanager
    def _translated(self, name: str, revision: str | None) -> Iterator[None]:
        try:
            yield
        except GatedRepoError:
            raise PullError(f"{name} is gated: accept its terms at {self._endpoint}/{name}, and set HF_TOKEN to a token of yours") from None
        except RevisionNotFoundError:
            raise ChoiceError(
                f"{name} has no revision {plain(revision or 'main')!r}: leave --revision out, or give a branch or commit"
            ) from None
        except RepositoryNotFoundError:
            how = "HF_TOKEN may not read it" if self._token else "if it is private or gated, set HF_TOKEN"
            raise ChoiceError(f"{self._endpoint} has no model repository {name}: check the name; {how}") from None
        except RemoteEntryNotFoundError:
            raise TryAgainError(f"a file of {name} is gone from {self._endpoint}: run the command again") from None
        except OfflineModeIsEnabled:
            raise PullError("HF_HUB_OFFLINE is set: unset it to pull") from None
        except HfHubHTTPError as error:
            raise self._status(name, error.response) from None
        except httpx2.ConnectError as error:
            message = f"can't reach {self._endpoint} ({plain(str(error))}): check the connection, the proxy, or HF_ENDPOINT"
            raise TransientError(PullError(message)) from None
        except httpx2.RequestError as error:
            what = plain(str(error)) or type(error).__name__
            raise TransientError(TryAgainError(f"the connection to {self._endpoint} failed ({what}): run the command again")) from None
        except httpx2.InvalidURL as error:
            raise PullError(f"{plain(self._endpoint)} is not an address ({plain(str(error))}): correct HF_ENDPOINT") from None

    def _status(self, name: str, response: _Response) -> PullError | TransientError:
        status = response.status_code
        if status in (401, 403):
            does = "does not accept HF_TOKEN for" if self._token else "wants a token for"
            return PullError(
                f"{self._endpoint} {does} {name} ({status}): accept its terms there, and set HF_TOKEN to a token that may read it"
            )
        if status in (408, 429) or status >= 500:
            busy = "is rate limited" if status == 429 else "has trouble"
            after = response.headers.get("Retry-After", "")
            wish = min(float(after), _LONGEST_WAIT) if after.isascii() and after.isdigit() else None
            return TransientError(TryAgainError(f"{self._endpoint} {busy} ({status}): run the command again later"), wish)
        return PullError(f"{self._endpoint} answered {status} for {name}: check the name and HF_ENDPOINT")
