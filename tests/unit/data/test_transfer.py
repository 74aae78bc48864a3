"""Downloads from a real server on this machine that cuts, stalls, lies and refuses."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from scenebook.core.errors import DownloadError
from scenebook.data.transfer import CHUNK_BYTES, Limits, fetch, locked, request_url
from tests.loopback import Loopback, serve

PIECE = 12 * CHUNK_BYTES
CONTENT = random.Random(0).randbytes(500_000)
QUICK = Limits(connect=0.5, answer=5, silence=0.4, tries=3, pause=0.01)


@pytest.fixture
def site() -> Iterator[Loopback]:
    with serve() as loopback:
        loopback.files["/file"] = CONTENT
        yield loopback


def get(site: Loopback, target: Path, limits: Limits = QUICK, path: str = "/file") -> None:
    fetch(request_url(site.url + path), target, what="the file", limits=limits)


def list_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_and_nothing_else_is_left(site: Loopback, tmp_path: Path) -> None:
    get(site, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert list_names(tmp_path) == ["file"]


def test_progress_is_printed_with_bytes_and_rate(
    site: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    get(site, tmp_path / "file")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("» the file: 0.5 of 0.5 MB, ")
    assert shown.err.endswith(" MB/s\n")


def test_a_download_that_is_cut_goes_on_where_it_was(site: Loopback, tmp_path: Path) -> None:
    site.faults["/file"] = [f"cut {PIECE}", f"cut {PIECE}"]
    get(site, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert site.starts("/file") == ["", f"bytes={PIECE}-", f"bytes={2 * PIECE}-"]


def test_more_cuts_than_tries_are_no_failure_as_long_as_bytes_come(site: Loopback, tmp_path: Path) -> None:
    site.faults["/file"] = [f"cut {CHUNK_BYTES}"] * 8
    get(site, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_that_stalls_is_left_and_asked_again(site: Loopback, tmp_path: Path) -> None:
    site.faults["/file"] = [f"stall {PIECE}"]
    get(site, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert site.starts("/file") == ["", f"bytes={PIECE}-"]


def test_the_next_call_goes_on_where_a_failed_one_ended(site: Loopback, tmp_path: Path) -> None:
    site.faults["/file"] = [f"cut {PIECE}", "cut 0", "cut 0", "cut 0"]
    with pytest.raises(DownloadError, match=r"The connection was cut\. 0\.2 MB are kept; the next try goes on"):
        get(site, tmp_path / "file")
    assert not (tmp_path / "file").exists()
    get(site, tmp_path / "file")
    assert site.starts("/file")[-1] == f"bytes={PIECE}-"
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert list_names(tmp_path) == ["file"]


def test_a_file_that_was_changed_meanwhile_starts_anew(site: Loopback, tmp_path: Path) -> None:
    site.faults["/file"] = [f"cut {PIECE}", "cut 0", "cut 0", "cut 0"]
    with pytest.raises(DownloadError, match="cut"):
        get(site, tmp_path / "file")
    site.files["/file"] = CONTENT[::-1]
    get(site, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT[::-1]


def test_a_server_that_ignores_ranges_sends_all_again(site: Loopback, tmp_path: Path) -> None:
    site.ranges = False
    site.faults["/file"] = [f"cut {PIECE}"]
    get(site, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_that_starts_anew_and_is_cut_at_the_same_place_is_given_up(site: Loopback, tmp_path: Path) -> None:
    site.ranges = False
    site.faults["/file"] = [f"cut {PIECE}"] * 50
    with pytest.raises(DownloadError, match="cut"):
        get(site, tmp_path / "file")
    assert len(site.asked) < 10


@pytest.mark.parametrize("note", ["", "no JSON", "[]", '{"validator": null, "total": 500000}'])
def test_a_part_of_unknown_origin_is_not_gone_on_with(site: Loopback, tmp_path: Path, note: str) -> None:
    (tmp_path / "file.part").write_bytes(b"something else")
    if note:
        (tmp_path / "file.part.json").write_text(note)
    get(site, tmp_path / "file")
    assert site.starts("/file") == [""]
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("fault", ["place", "tag"])
def test_a_range_of_something_else_is_not_glued_on(site: Loopback, tmp_path: Path, fault: str) -> None:
    site.checksums = False
    site.faults["/file"] = [f"cut {PIECE}", fault]
    get(site, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert site.starts("/file") == ["", f"bytes={PIECE}-", ""]


def test_a_range_that_is_shorter_than_asked_for_is_gone_on_with(site: Loopback, tmp_path: Path) -> None:
    site.checksums = False
    site.faults["/file"] = [f"cut {PIECE}", f"piece {PIECE}"]
    get(site, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert site.starts("/file")[-1] == f"bytes={2 * PIECE}-"


def test_a_range_that_the_server_cannot_give_starts_anew(site: Loopback, tmp_path: Path) -> None:
    site.faults["/file"] = [f"cut {PIECE}", "416"]
    get(site, tmp_path / "file")
    assert site.starts("/file") == ["", f"bytes={PIECE}-", ""]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_errors_of_the_server_that_may_pass_are_tried_again(site: Loopback, tmp_path: Path) -> None:
    site.faults["/file"] = ["500", "503"]
    get(site, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_an_error_of_the_server_that_stays_is_named(site: Loopback, tmp_path: Path) -> None:
    site.faults["/file"] = ["500"] * 3
    with pytest.raises(DownloadError, match=r"^The download of the file failed\. The server answered 500 Internal"):
        get(site, tmp_path / "file")
    assert len(site.asked) == 3


def test_a_refusal_is_not_repeated(site: Loopback, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="The server answered 404 Not Found") as caught:
        get(site, tmp_path / "file", path="/other")
    assert caught.value.status == 404
    assert len(site.asked) == 1
    assert list_names(tmp_path) == []


def test_wrong_bytes_are_thrown_away_and_asked_for_again(site: Loopback, tmp_path: Path) -> None:
    site.faults["/file"] = ["wrong"]
    get(site, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_that_goes_on_sending_wrong_bytes_is_given_up(site: Loopback, tmp_path: Path) -> None:
    site.faults["/file"] = ["wrong"] * 3
    with pytest.raises(DownloadError, match="does not have the checksum"):
        get(site, tmp_path / "file")
    assert list_names(tmp_path) == []


def test_a_redirect_is_followed_and_going_on_too(site: Loopback, tmp_path: Path) -> None:
    site.redirects["/old"] = "/file"
    site.faults["/file"] = [f"cut {PIECE}"]
    get(site, tmp_path / "file", path="/old")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert site.starts("/file") == ["", f"bytes={PIECE}-"]


@pytest.mark.parametrize("size", [len(CONTENT) - 1, 10])
def test_a_file_that_is_too_large_is_refused(site: Loopback, tmp_path: Path, size: int) -> None:
    with pytest.raises(DownloadError, match="larger than"):
        get(site, tmp_path / "file", Limits(**{**vars(QUICK), "size": size}))
    assert list_names(tmp_path) == []


def test_a_server_that_never_answers_is_left_in_time(site: Loopback, tmp_path: Path) -> None:
    site.faults["/file"] = ["hang"] * 9
    started = time.monotonic()
    with pytest.raises(DownloadError, match=r"There was no answer within 0\.4 s"):
        get(site, tmp_path / "file", Limits(connect=9, answer=0.4, silence=9, pause=0.01))
    assert time.monotonic() - started < 2


def test_a_server_that_accepts_and_is_silent_is_named_so(site: Loopback, tmp_path: Path) -> None:
    site.faults["/file"] = ["hang"] * 9
    with pytest.raises(DownloadError, match=r"(?i)silent|no connection"):
        get(site, tmp_path / "file", Limits(connect=9, answer=5, silence=0.1, tries=2, pause=0.01))


def test_where_nobody_listens_the_error_comes_soon_and_shows_no_address(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # taken, but nobody listens
        url = f"http://127.0.0.1:{free.getsockname()[1]}/file?signature=secret"
        with pytest.raises(DownloadError, match="There is no connection") as caught:
            fetch(request_url(url), tmp_path / "file", what="the file", limits=QUICK)
    assert "secret" not in str(caught.value)


def test_the_limits_of_every_day_end_within_twenty_seconds() -> None:
    assert Limits().answer <= 10, "the rest is for starting the notebook's kernel"


def test_a_target_that_cannot_be_written_is_named(site: Loopback, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(DownloadError, match=r"(?i)writing to .*taken failed"):
        get(site, tmp_path / "taken" / "file")


def test_who_comes_second_waits_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held, ended = threading.Event(), threading.Event()

    def hold() -> None:
        with FileLock(tmp_path / "lock"):
            held.set()
            time.sleep(0.1)
            ended.set()

    threading.Thread(target=hold).start()
    assert held.wait(10)
    with locked(tmp_path / "lock", "the file"):
        assert ended.is_set()
    assert "» the file: waiting for another process" in capsys.readouterr().err
