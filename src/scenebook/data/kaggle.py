"""Kaggle's own client: which address an archive has, and whether the client has unpacked it here before.

Its way of downloading is not used: it has no time limit for the first answer, no retries, and unpacks straight into the
folder that it takes for complete later on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests

from scenebook.core.errors import DownloadError
from scenebook.data.transfer import Limits, Request, request_url, set_limits


def request_archive(handle: str, what: str, limits: Limits) -> Request:
    """Returns the request for a data set's archive: asked of Kaggle, which sends on to a storage that can go on.

    Args:
        handle: `owner/name/versions/number`. Public data sets need no account; stored credentials are sent along.
        what: What is downloaded, for people to read.
        limits: When to give up on Kaggle's answer.
    """

    def request(session: requests.Session, headers: Mapping[str, str]) -> requests.Response:
        with ExitStack() as stack:
            client = stack.enter_context(_open_client(what, limits))
            answer: requests.Response = client.datasets.dataset_api_client.download_dataset(_name_archive(handle))
            if "Range" not in headers or not answer.history:  # without a redirect there is only this answer
                stack.pop_all()  # the client stays open: the archive is read through it
                return answer
            answer.close()
        return request_url(answer.url)(session, headers)

    return request


@contextmanager
def _open_client(what: str, limits: Limits) -> Iterator[Any]:
    from kagglehub.clients import build_kaggle_client

    try:
        client = build_kaggle_client()
    except ValueError as error:  # a credentials file that it cannot read
        raise DownloadError(what, str(error).rstrip(".")) from error
    with client:
        set_limits(client.http_client()._session, limits)  # the client has no setting for time limits
        yield client


def _name_archive(handle: str) -> Any:
    from kagglehub.handle import parse_dataset_handle
    from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest

    parsed = parse_dataset_handle(handle)
    request = ApiDownloadDatasetRequest()
    request.owner_slug, request.dataset_slug = parsed.owner, parsed.dataset
    request.dataset_version_number = parsed.version
    return request


def find_unpacked(handle: str) -> Path | None:
    """Returns the folder into which the client has unpacked a data set before, if it calls it complete."""
    from kagglehub.cache import Cache
    from kagglehub.handle import parse_dataset_handle

    found = Cache().load_from_cache(parse_dataset_handle(handle))
    return Path(found) if found else None
