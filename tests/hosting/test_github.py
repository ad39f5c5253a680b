"""Publishing at GitHub, held against a stand-in with its habits and its failures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import rdcompose.hosting.github
from rdcompose.hosting.body import FileBody
from tests.hosting.conftest import RELEASE
from tests.support.api_server import Answer
from tests.support.github import PROJECT, GitHubServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.hosting.conftest import Desk
    from tests.support.api_server import Call

UPLOADS = "POST /uploads/*"


def test_a_release_is_published_in_one_step(desk: Desk, at_github: GitHubServer) -> None:
    out, err = desk.github(at_github)
    # Nobody ever saw less than all of it.
    assert at_github.published == [desk.files]
    assert err == ""
    assert out.splitlines()[-1] == f"published https://github.test/{PROJECT}/releases/untagged"
    assert f"sent  700 kB  initramfs-{RELEASE}" in out
    assert at_github.calls[-1] == "PATCH /api/v3/repos/someone/kernels/releases/1"


def test_once_more_sends_nothing(desk: Desk, at_github: GitHubServer) -> None:
    desk.github(at_github)
    at_github.calls.clear()
    result = json.loads(desk.github(at_github, "--json")[0])
    assert all(call.startswith("GET ") for call in at_github.calls)
    assert result == {
        "url": f"https://github.test/{PROJECT}/releases/untagged",
        "published": True,
        "sent": [],
        "there": sorted(desk.files),
        "removed": [],
    }


def test_what_a_release_says(desk: Desk, at_github: GitHubServer) -> None:
    desk.write("NOTES.md", b"# What is new \xc3\xa4\n")
    desk.github(at_github, "--title", "One", "--target", "main", "--prerelease")
    release = at_github.only()
    said = {key: release[key] for key in ("name", "body", "target_commitish", "prerelease")}
    assert said == {
        "name": "One",
        "body": "# What is new ä\n",
        "target_commitish": "main",
        "prerelease": True,
    }


@pytest.mark.parametrize(
    ("manifest", "title"),
    [
        (b'{"name": "6.1.0-50"}', "6.1.0-50"),
        (b'{"name": 1}', None),
        (b"[]", None),
        (b"{", None),
        pytest.param(b"[" * 100_000, None, id="deep"),
    ],
)
def test_the_title_is_that_of_the_manifest(
    desk: Desk, at_github: GitHubServer, manifest: bytes, title: str | None
) -> None:
    desk.write("manifest.json", manifest)
    desk.github(at_github)
    assert at_github.only().get("name") == title


def test_a_draft_stays_one_and_is_taken_up(desk: Desk, at_github: GitHubServer) -> None:
    out, _ = desk.github(at_github, "--draft")
    assert out.splitlines()[-1].startswith("draft https://")
    assert at_github.published == []
    assert json.loads(desk.github(at_github, "--json")[0])["sent"] == []
    assert at_github.published == [desk.files]


def test_a_draft_among_many(desk: Desk, at_github: GitHubServer) -> None:
    number = at_github.add_release("v1", draft=True)
    for other in range(230):
        at_github.add_release(f"old-{other}", draft=False)
    desk.github(at_github)
    assert at_github.files(number) == desk.files


@pytest.mark.parametrize("digests", [True, False])
def test_files_are_added_to_a_published_release(desk: Desk, *, digests: bool) -> None:
    with GitHubServer(digests=digests) as server:
        number = server.add_release("v1", draft=False)
        name = f"vmlinuz-{RELEASE}"
        server.add_asset(number, name, desk.files[name])
        server.add_asset(number, "README", b"of others")
        result = json.loads(desk.github(server, "--json")[0])
        assert result["there"] == [name]
        assert server.files(number) == {**desk.files, "README": b"of others"}


@pytest.mark.parametrize("digests", [True, False])
def test_a_published_file_is_not_changed_unasked(desk: Desk, *, digests: bool) -> None:
    with GitHubServer(digests=digests) as server:
        number = server.add_release("v1", draft=False)
        name = f"manifest-{RELEASE}.json"
        # As long as ours.
        server.add_asset(number, name, bytes(900))
        _, err = desk.github(server, status=1)
        assert f"v1 is published with another {name}" in err
        assert server.files(number) == {name: bytes(900)}
        desk.github(server, "--replace")
        assert server.files(number) == desk.files


def test_other_files_of_a_draft(desk: Desk, at_github: GitHubServer) -> None:
    number = at_github.add_release("v1", draft=True)
    at_github.add_asset(number, "vmlinuz-5.10", b"of a build before")
    at_github.add_asset(number, "vmlinuz-5.4", b"", "starter")
    assert "the draft has vmlinuz-5.10, which is not here" in desk.github(at_github, status=1)[1]
    result = json.loads(desk.github(at_github, "--json", "--others", "remove")[0])
    assert result["removed"] == ["vmlinuz-5.10", "vmlinuz-5.4"]
    assert at_github.published == [desk.files]


def test_other_files_that_are_wanted(desk: Desk, at_github: GitHubServer) -> None:
    number = at_github.add_release("v1", draft=True)
    at_github.add_asset(number, "root.img", b"of another job")
    desk.github(at_github, "--others", "keep")
    assert at_github.published == [{**desk.files, "root.img": b"of another job"}]


def bad_gateway(server: GitHubServer) -> None:
    server.fail(UPLOADS, status=502)
    server.fail("POST */releases", status=502)
    server.fail("GET */releases?*", status=503, headers={"Retry-After": "7"})
    server.fail("PATCH *", status=500)


def lost_answers(server: GitHubServer) -> None:
    for pattern in ("POST */releases", UPLOADS, "PATCH *", "GET */assets*"):
        server.lose(pattern)


def cut_uploads(server: GitHubServer) -> None:
    # More than the connections hold, and nothing.
    server.cut(f"{UPLOADS}initramfs*", after=200_000)
    server.cut(f"{UPLOADS}vmlinuz*", after=0)


def damaged(server: GitHubServer) -> None:
    server.damage += [f"vmlinuz-{RELEASE}", "SHA256SUMS"]


def in_the_way(server: GitHubServer) -> None:
    number = server.add_release("v1", draft=True)
    server.add_asset(number, f"vmlinuz-{RELEASE}", b"of an older build")
    server.add_asset(number, "SHA256SUMS", b"", "starter")


def unseen(server: GitHubServer) -> None:
    """A file appears between the look and the upload: 422."""

    def happen(call: Call) -> Answer:
        server.add_asset(int(call.segments[5]), f"vmlinuz-{RELEASE}", b"", "starter")
        return server.route(call)

    server.do(f"{UPLOADS}vmlinuz*", happen)


@pytest.mark.parametrize(
    "happens", [bad_gateway, lost_answers, cut_uploads, damaged, in_the_way, unseen]
)
def test_what_passes(
    desk: Desk, at_github: GitHubServer, happens: Callable[[GitHubServer], None]
) -> None:
    happens(at_github)
    desk.github(at_github)
    assert at_github.published == [desk.files]
    assert len(at_github.releases) == 1


LIMITED = {"message": "You have exceeded a secondary rate limit."}


@pytest.mark.parametrize(
    ("status", "headers", "data", "pause"),
    [
        pytest.param(429, {"Retry-After": "31"}, None, 31, id="retry-after"),
        pytest.param(403, {"Retry-After": "32"}, LIMITED, 32, id="secondary"),
        pytest.param(403, {}, LIMITED, 60, id="secondary-untold"),
        pytest.param(429, {}, None, 60, id="untold"),
        pytest.param(
            403,
            {
                "Date": "Sat, 21 Nov 2026 12:00:00 GMT",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": "1795262444",
            },
            {"message": "API rate limit exceeded"},
            45,
            id="primary",
        ),
    ],
)
def test_rate_limits_are_waited_for(
    desk: Desk,
    at_github: GitHubServer,
    status: int,
    headers: dict[str, str],
    data: Any,
    pause: float,
) -> None:
    at_github.fail(f"{UPLOADS}vmlinuz*", status=status, headers=headers, data=data)
    desk.github(at_github)
    assert at_github.published == [desk.files]
    assert desk.pauses == [pause]


def test_a_limit_that_is_far_away(desk: Desk, at_github: GitHubServer) -> None:
    headers = {
        "Date": "Sat, 21 Nov 2026 12:00:00 GMT",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "1795264200",
    }
    at_github.fail("GET *", status=403, headers=headers, data={"message": "limit exceeded"})
    _, err = desk.github(at_github, status=1)
    assert "answers 403: limit exceeded (for 31 more minutes)" in err
    assert desk.pauses == []


@pytest.mark.parametrize("pattern", [UPLOADS, "POST */releases", "PATCH *"])
def test_what_does_not_pass(desk: Desk, at_github: GitHubServer, pattern: str) -> None:
    at_github.fail(pattern, status=502, times=1000)
    _, err = desk.github(at_github, status=1)
    assert "answers 502 (5 attempts)" in err
    assert "run the command again later" in err
    assert at_github.published == []


def test_a_host_that_always_damages(desk: Desk, at_github: GitHubServer) -> None:
    at_github.damage += ["SHA256SUMS"] * 5
    _, err = desk.github(at_github, status=1)
    assert "SHA256SUMS arrived at" in err
    assert at_github.published == []


@pytest.mark.parametrize("data", [b"cut", bytes(300_000)], ids=["cut", "other"])
def test_a_file_is_written_while_it_is_sent(
    desk: Desk, at_github: GitHubServer, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    path = desk.directory / f"vmlinuz-{RELEASE}"

    class Changing(FileBody):
        def read(self, size: int) -> bytes:
            block = super().read(size)
            path.write_bytes(data)
            return block

    monkeypatch.setattr(rdcompose.hosting.github, "FileBody", Changing)
    _, err = desk.github(at_github, status=1)
    assert f"{path} was changed while it was uploaded" in err
    assert at_github.published == []


def test_storage_that_fails(desk: Desk) -> None:
    """An older server tells no digest, and does not give out the file to compare either."""
    with GitHubServer(digests=False) as server:
        number = server.add_release("v1", draft=False)
        server.add_asset(number, "SHA256SUMS", desk.files["SHA256SUMS"])
        server.fail("GET */releases/assets/*", status=404, data={"message": "Not Found"})
        assert "answers 404\n" in desk.github(server, status=1)[1]
        server.fail("GET */releases/assets/*", status=503)
        server.fail("GET */releases/assets/*", status=200, data=desk.files["SHA256SUMS"])
        assert "SHA256SUMS" in json.loads(desk.github(server, "--json")[0])["there"]


def test_someone_removes_files_meanwhile(desk: Desk, at_github: GitHubServer) -> None:
    number = at_github.add_release("v1", draft=True)
    for name, data in desk.files.items():
        at_github.add_asset(number, name, data)
    seen = 0

    def happen(call: Call) -> Answer:
        nonlocal seen
        seen += 1
        if seen == 2:
            at_github.assets.clear()
        return at_github.route(call)

    at_github.do("GET */assets*", happen, times=2)
    _, err = desk.github(at_github, status=1)
    assert "was there, and is not any more" in err
    assert at_github.published == []


@pytest.mark.parametrize(
    ("status", "data", "said", "hint"),
    [
        pytest.param(
            401, {"message": "Bad credentials"}, "401: Bad credentials", "is not valid", id="401"
        ),
        pytest.param(
            403,
            {"message": "Resource not accessible by integration"},
            "403: Resource not accessible by integration",
            "permissions: contents: write",
            id="403",
        ),
        pytest.param(404, {"message": "Not Found"}, "404: Not Found", "no such repo", id="404"),
        pytest.param(301, None, "answers 301", "another name or address", id="301"),
        pytest.param(
            422,
            {"message": "Validation Failed", "errors": [{"field": "target_commitish"}]},
            'answers 422: Validation Failed; {"field": "target_commitish"}',
            "",
            id="422",
        ),
        pytest.param(418, b"<html>ghp_secret0123", "answers 418\n", "", id="html"),
        pytest.param(418, {"message": "it is ghp_secret0123"}, "418: it is ***\n", "", id="echo"),
        pytest.param(418, {"message": "x" * 999}, f"418: {'x' * 300}…\n", "", id="long"),
        pytest.param(418, b"[" * 100_000, "answers 418\n", "", id="deep"),
        pytest.param(201, {"id": "1"}, "gives an answer that makes no sense", "--api", id="odd"),
    ],
)
def test_what_github_says_is_told(
    desk: Desk, at_github: GitHubServer, status: int, data: Any, said: str, hint: str
) -> None:
    at_github.fail("POST */releases", status=status, data=data, times=1000)
    _, err = desk.github(at_github, status=1)
    assert said in err
    assert hint in err
    assert at_github.published == []


def test_a_token_goes_to_no_other_place(desk: Desk, at_github: GitHubServer) -> None:
    number = at_github.add_release("v1", draft=True)
    answer = {**at_github.releases[number], "upload_url": "http://uploads.test/{?name}"}
    at_github.fail(f"GET */releases/{number}", status=200, data=answer)
    assert "makes no sense" in desk.github(at_github, status=1)[1]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("modules~1.qcow2", "GitHub would rename", id="tilde"),
        pytest.param("a b", "GitHub would rename", id="blank"),
        pytest.param("ends.", "GitHub would rename", id="dot"),
    ],
)
def test_names_that_github_would_change(
    desk: Desk, at_github: GitHubServer, name: str, said: str
) -> None:
    desk.write(name, b"content")
    assert said in desk.github(at_github, status=1)[1]
    assert at_github.calls == []


def test_a_name_that_is_changed_all_the_same(desk: Desk, at_github: GitHubServer) -> None:
    def happen(call: Call) -> Answer:
        answer = at_github.route(call)
        at_github.assets[answer.data["id"]].name = "vmlinuz"
        return Answer(201, {**answer.data, "name": "vmlinuz"})

    at_github.do(f"{UPLOADS}vmlinuz*", happen)
    _, err = desk.github(at_github, status=1)
    assert f"has renamed vmlinuz-{RELEASE} to vmlinuz" in err
    assert "vmlinuz" not in at_github.files(1)


@pytest.mark.parametrize("after_doing", [False, True])
def test_an_end_at_any_request(desk: Desk, *, after_doing: bool) -> None:
    """Everything stops at the first, second, … request, for good; then it is run again."""
    for at in range(1, 60):
        with GitHubServer() as server:
            server.die(at=at, after_doing=after_doing)
            try:
                desk.github(server, status=1)
            except AssertionError:
                assert not server.revive()
                break
            # All or nothing, at this moment and after it.
            assert server.published in ([], [desk.files])
            assert server.revive()
            desk.github(server)
            assert server.published == [desk.files]
            assert len(server.releases) == 1
    else:
        raise AssertionError("it never comes to an end")
