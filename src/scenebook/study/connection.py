"""The connection to a dask scheduler that is there, and what is checked of its workers before they are given tasks."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import TypeVar

from distributed import Client, LocalCluster, Security

from scenebook.core.errors import InputError
from scenebook.core.progress import print_progress
from scenebook.core.project import SCHEDULER_ADDRESS
from scenebook.core.wording import count_noun, join_names

PACKAGES = ("scenebook", "tensorflow")
"""What every worker must have in the same version as this process."""

_Closable = TypeVar("_Closable", LocalCluster, Client)


@contextmanager
def closing_quietly(opened: _Closable) -> Iterator[_Closable]:
    """Closes it at the end. Where that takes too long for dask, the work was done all the same."""
    try:
        yield opened
    finally:
        with suppress(TimeoutError):
            opened.close()


@contextmanager
def connect(address: str, must_see: Sequence[Path], timeout: float) -> Iterator[Client]:
    """Connects to a scheduler whose workers can do what a study needs; `cluster.open_cluster` says what that is."""
    with _without_tracebacks(), closing_quietly(_call(address, timeout)) as client:
        _await_worker(client, address, timeout)
        for worker, count in client.nthreads().items():
            if count != 1:
                # dask would run as many tasks at once, in one process: several trainings in one TensorFlow.
                raise InputError(
                    "Expected workers of one thread each, so that each runs one task at a time.",
                    received={"worker": worker, "nthreads": count},
                    advice=f"Start workers with `dask worker {address} --nthreads 1`, "
                    "and more of them with --nworkers.",
                )
        _check_surroundings(client, must_see)
        yield client


@contextmanager
def _without_tracebacks() -> Iterator[None]:
    """Keeps dask's client from logging, with pages of calls, what our own errors say."""
    logger = logging.getLogger("distributed.client")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _call(address: str, timeout: float) -> Client:
    if not re.fullmatch(SCHEDULER_ADDRESS, address):
        raise InputError(
            "Expected the address of a dask scheduler, tcp://host:port or tls://host:port.",
            received={"scheduler": address},
            advice="The scheduler prints its address when it starts.",
        )
    tls = Security().get_tls_config_for_role("client")
    files = {name: value for name, value in tls.items() if name != "ciphers"} if address.startswith("tls:") else {}
    try:
        return Client(address, timeout=timeout, set_as_default=False)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"Expected a dask scheduler that answers within {timeout:g} s.",
            received={"scheduler": address, **files, "error": _flatten(error)},
            advice="Check that it runs and can be reached from here, and that both sides use TLS with certificates of "
            "the same authority, or neither does. PEM files are named in the environment: "
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT and "
            "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY.",
        ) from error


def _flatten(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _await_worker(client: Client, address: str, timeout: float) -> None:
    if not client.nthreads():
        print_progress(f"no worker is connected to {address} yet; waiting {timeout:g} s for the first")
    try:
        client.wait_for_workers(1, timeout=timeout)
    except TimeoutError as error:
        raise InputError(
            f"Expected a worker at the dask scheduler within {timeout:g} s.",
            received={"scheduler": address, "workers": 0},
            advice=f"Start some, each with `dask worker {address} --nthreads 1`.",
        ) from error


def _check_surroundings(client: Client, must_see: Sequence[Path]) -> None:
    """Checks on every worker what only shows in the middle of a study otherwise."""
    here, _ = describe_surroundings([])
    answers = client.run(describe_surroundings, [str(path) for path in must_see], on_error="return")
    same = "Install the same environment on all machines, and start the worker in it."
    for worker, answer in answers.items():
        if isinstance(answer, BaseException):
            raise InputError(
                "Expected every worker to have scenebook installed.",
                received={"worker": worker, "error": _flatten(answer)},
                advice=same,
            )
        versions, missing = answer
        differing = {name: version for name, version in versions.items() if version != here[name]}
        if differing:
            wanted = join_names([f"{name} {here[name]}" for name in differing])
            raise InputError(
                f"Expected every worker to have the versions of this process: {wanted}.",
                received={"worker": worker, **differing},
                advice=same,
            )
        if missing:
            raise InputError(
                f"Expected every worker to see {count_noun(len(must_see), 'path')} of this machine.",
                received={"worker": worker, "missing": missing},
                advice="Put the run directory and the images on a file system that all machines share, under the "
                "same path on each.",
            )


def describe_surroundings(paths: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Returns the versions that the process has which calls it, and which of these paths it does not see."""
    versions = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for name in PACKAGES:
        versions[name] = next((found.version for found in metadata.distributions(name=name)), "none")
    return versions, [path for path in paths if not os.path.exists(path)]
