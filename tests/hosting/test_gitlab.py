"""Publishing at GitLab, held against a stand-in with its habits and its failures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.hosting.conftest import RELEASE
from tests.support.api_server import Answer
from tests.support.gitlab import JOB_TOKEN, PROJECT, GitLabServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.hosting.conftest import Desk
    from tests.support.api_server import Call

UPLOADS = "PUT */packages/generic/*"


def test_a_release_is_published_in_one_step(desk: Desk, at_gitlab: GitLabServer) -> None:
    desk.write("NOTES.md", b"# New\n")
    out, err = desk.gitlab(at_gitlab, "--title", "One")
    assert err == ""
    assert out.splitlines()[-1] == f"published https://gitlab.test/{PROJECT}/-/releases/v1"
    release = at_gitlab.releases["v1"]
    assert (release["name"], release["description"]) == ("One", "# New\n")
    assert at_gitlab.linked("v1") == desk.files
    # The release is made last, and with all of its links.
    assert at_gitlab.calls[-1].startswith("POST ")
    assert sum(call.startswith("POST ") for call in at_gitlab.calls) == 1
    # A permanent address, where GitLab can have one.
    paths = {link["name"]: link.get("direct_asset_path") for link in release["links"]}
    assert paths["SHA256SUMS"] == "/SHA256SUMS"
    assert paths[f"vmlinuz-{RELEASE}"] is None


def test_once_more_sends_nothing(desk: Desk, at_gitlab: GitLabServer) -> None:
    desk.gitlab(at_gitlab)
    at_gitlab.calls.clear()
    result = json.loads(desk.gitlab(at_gitlab, "--json")[0])
    assert all(call.startswith("GET ") for call in at_gitlab.calls)
    assert (result["sent"], result["there"]) == ([], sorted(desk.files))


def test_as_a_job_with_a_package_of_another_name(
    desk: Desk, at_gitlab: GitLabServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITLAB_TOKEN")
    monkeypatch.setenv("CI_JOB_TOKEN", JOB_TOKEN)
    monkeypatch.setenv("CI_API_V4_URL", at_gitlab.api)
    # Of these nothing may be taken.
    at_gitlab.add_file("kernels-old", "v1", "SHA256SUMS", b"other")
    at_gitlab.add_file("kernels", "v0", "SHA256SUMS", b"other")
    desk.run("--gitlab", PROJECT, "--package", "kernels")
    assert at_gitlab.linked("v1") == desk.files
    assert ("kernels", "v1") in at_gitlab.packages.values()


def bad_gateway(server: GitLabServer) -> None:
    server.fail(UPLOADS, status=502)
    server.fail("POST *", status=500)
    server.fail("GET */packages?*", status=503)


def rate_limits(server: GitLabServer) -> None:
    headers = {
        "Date": "Sat, 21 Nov 2026 12:00:00 GMT",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": "1795262410",
    }
    server.fail(f"{UPLOADS}vmlinuz*", status=429, headers=headers, data=b"Retry later\n")


def lost_answers(server: GitLabServer) -> None:
    for pattern in ("POST *", UPLOADS):
        server.lose(pattern)


def cut_uploads(server: GitLabServer) -> None:
    server.cut(f"{UPLOADS}initramfs*", after=200_000)


def damaged(server: GitLabServer) -> None:
    server.damage += [f"vmlinuz-{RELEASE}", "SHA256SUMS"]


def an_older_build(server: GitLabServer) -> None:
    """Two files of one name, of which the newer is given out."""
    server.add_file("release", "v1", "SHA256SUMS", b"old")
    server.add_file("release", "v1", "SHA256SUMS", b"newer")


@pytest.mark.parametrize(
    "happens", [bad_gateway, rate_limits, lost_answers, cut_uploads, damaged, an_older_build]
)
def test_what_passes(
    desk: Desk, at_gitlab: GitLabServer, happens: Callable[[GitLabServer], None]
) -> None:
    happens(at_gitlab)
    desk.gitlab(at_gitlab)
    assert at_gitlab.linked("v1") == desk.files


def test_a_release_that_has_other_links(desk: Desk, at_gitlab: GitLabServer) -> None:
    links = [
        {"id": 1, "name": "SHA256SUMS", "url": "https://elsewhere.test/a/b/SHA256SUMS"},
        {"id": 2, "name": "docs", "url": "https://elsewhere.test/a/b/docs"},
    ]
    at_gitlab.releases["v1"] = {"tag_name": "v1", "links": list(links)}
    _, err = desk.gitlab(at_gitlab, status=1)
    assert "the release links SHA256SUMS to another file" in err
    assert at_gitlab.releases["v1"]["links"] == links
    desk.gitlab(at_gitlab, "--replace")
    at_gitlab.releases["v1"]["links"].remove(links[1])
    assert at_gitlab.linked("v1") == desk.files


def test_a_file_that_is_published_otherwise(desk: Desk, at_gitlab: GitLabServer) -> None:
    desk.gitlab(at_gitlab)
    before = desk.files
    desk.write(f"vmlinuz-{RELEASE}", b"another kernel")
    # The checksums, too, are others; names are looked at in their order.
    assert "v1 is published with another SHA256SUMS" in desk.gitlab(at_gitlab, status=1)[1]
    assert at_gitlab.linked("v1") == before
    desk.gitlab(at_gitlab, "--replace")
    assert at_gitlab.linked("v1") == desk.files


def test_files_that_nobody_wants(desk: Desk, at_gitlab: GitLabServer) -> None:
    at_gitlab.add_file("release", "v1", "vmlinuz-5.10", b"old")
    assert "the draft has vmlinuz-5.10" in desk.gitlab(at_gitlab, status=1)[1]
    desk.gitlab(at_gitlab, "--others", "remove")
    assert {file.name for file in at_gitlab.files.values()} == desk.files.keys()


def test_a_tag_that_is_not_there(desk: Desk, at_gitlab: GitLabServer) -> None:
    at_gitlab.tags.clear()
    _, err = desk.gitlab(at_gitlab, status=1)
    assert "answers 422: Ref is not specified" in err
    assert "--target" in err
    desk.gitlab(at_gitlab, "--target", "main")
    assert at_gitlab.releases["v1"]["ref"] == "main"


def test_a_server_that_contradicts_itself(desk: Desk, at_gitlab: GitLabServer) -> None:
    at_gitlab.fail("POST *", status=409, times=100)
    assert "says that v1 is there, and that it is not" in desk.gitlab(at_gitlab, status=1)[1]


def test_no_digest_is_told(desk: Desk, at_gitlab: GitLabServer) -> None:
    """As with some of GitLab's ways to store files: then it is fetched."""
    same = at_gitlab.add_file("release", "v1", "SHA256SUMS", desk.files["SHA256SUMS"])
    name = f"manifest-{RELEASE}.json"
    other = at_gitlab.add_file("release", "v1", name, bytes(900))

    def happen(call: Call) -> Answer:
        answer = at_gitlab.route(call)
        return Answer(200, [{**row, "file_sha256": None} for row in answer.data])

    at_gitlab.do("GET */package_files?*", happen, times=100)
    result = json.loads(desk.gitlab(at_gitlab, "--json")[0])
    assert result["there"] == ["SHA256SUMS"]
    assert same.number in at_gitlab.files
    assert other.number not in at_gitlab.files
    assert at_gitlab.linked("v1") == desk.files


@pytest.mark.parametrize("after_doing", [False, True])
def test_an_end_at_any_request(desk: Desk, *, after_doing: bool) -> None:
    """Everything stops at the first, second, … request, for good; then it is run again."""
    for at in range(1, 60):
        with GitLabServer("v1") as server:
            server.die(at=at, after_doing=after_doing)
            try:
                desk.gitlab(server, status=1)
            except AssertionError:
                assert not server.revive()
                break
            if server.releases:
                assert server.linked("v1") == desk.files
            assert server.revive()
            desk.gitlab(server)
            assert server.linked("v1") == desk.files
    else:
        raise AssertionError("it never comes to an end")


@pytest.mark.parametrize(
    ("tag", "said"),
    [("v/1", "cannot be the version"), ("v..1", "cannot be the version")],
)
def test_tags_that_are_no_version(desk: Desk, at_gitlab: GitLabServer, tag: str, said: str) -> None:
    from rdcompose.cli.main import main

    arguments = ["upload", str(desk.directory), tag, "--gitlab", PROJECT, "--api", at_gitlab.api]
    assert main(arguments) == 1
    assert said in desk.capsys.readouterr().err
    assert at_gitlab.calls == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--package", "a b"), "'a b' is no name of a package"),
        (("--package", "Ä"), "'Ä' is no name of a package"),
    ],
)
def test_names_of_packages(
    desk: Desk, at_gitlab: GitLabServer, options: tuple[str, ...], said: str
) -> None:
    assert said in desk.gitlab(at_gitlab, *options, status=1)[1]


def test_names_of_files(desk: Desk, at_gitlab: GitLabServer) -> None:
    desk.write("a~b", b"content")
    assert "GitLab does not take the name 'a~b'" in desk.gitlab(at_gitlab, status=1)[1]
