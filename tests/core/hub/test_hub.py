"""Published files: fetched once, resumed, pinned, checked, explained when they cannot be had."""

import hashlib
import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hub_support import COMMIT, StandIn, git_sha1, reached, sha256, standing_in

from iterate_core.errors import RequestError
from iterate_core.hub import transfer
from iterate_core.hub.files import HubFile, at_hand, check_reach, fetch, origin, place
from iterate_core.hub.servers import UnreachableError, published_files
from iterate_core.storage.names import inside

CONTENT = bytes(range(256)) * 4096  # 1 MiB
FILE = HubFile("owner/model", "weights/base.pt")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with reached(tmp_path, monkeypatch) as server:
        server.add("owner/model", {"weights/base.pt": CONTENT, "config.json": b"{}"})
        server.small.add("config.json")
        yield server


def test_a_file_is_fetched_once_and_its_origin_recorded(hub: StandIn) -> None:
    assert at_hand(FILE) is None
    assert origin(FILE) is None
    seen: list[tuple[int, int | None]] = []
    path = fetch(FILE, progress=lambda done, total: seen.append((done, total)))
    assert path == place(FILE) == at_hand(FILE)
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    found = origin(FILE)
    assert found is not None
    assert (found.revision, found.sha256, found.size) == (COMMIT, sha256(CONTENT), len(CONTENT))
    assert found.checked == ("announced",)
    assert found.url == f"{hub.address}/owner/model/resolve/{COMMIT}/weights/base.pt"
    before = list(hub.requests)
    assert fetch(FILE) == path
    assert hub.requests == before
    assert hub.served == len(CONTENT)


def test_a_pinned_file_is_asked_for_by_its_commit(hub: StandIn) -> None:
    pinned = replace(FILE, revision=COMMIT, sha256=sha256(CONTENT))
    path = fetch(pinned)
    assert COMMIT in path.parts
    assert hub.requests[0] == f"HEAD /owner/model/resolve/{COMMIT}/weights/base.pt"
    found = origin(pinned)
    assert found is not None
    assert found.checked == ("declared", "announced")


def test_a_dataset_s_file_and_a_small_one(hub: StandIn) -> None:
    hub.add("owner/data", {"a b.csv": b"x,y\n"}, kind="dataset")
    hub.small.add("a b.csv")
    file = HubFile("owner/data", "a b.csv", repo_type="dataset")
    assert fetch(file).read_bytes() == b"x,y\n"
    assert hub.requests[0] == "HEAD /datasets/owner/data/resolve/main/a b.csv"


def test_a_cut_connection_is_taken_up_where_it_broke(hub: StandIn) -> None:
    hub.cuts = [300_000, 200_000]
    assert fetch(FILE).read_bytes() == CONTENT
    assert hub.served < len(CONTENT) + 2 * 65_536 + 1
    assert hub.count("GET /storage") == 3


def test_an_interrupted_transfer_goes_on_in_the_next_call(hub: StandIn) -> None:
    hub.cuts = [400_000] + [0] * (transfer.ATTEMPTS)
    with pytest.raises(RequestError) as refused:
        fetch(FILE)
    assert "owner/model/weights/base.pt: the transfer from" in str(refused.value)
    assert "Run the command again: it goes on from there." in str(refused.value)
    assert at_hand(FILE) is None
    assert not place(FILE).exists()
    served, hub.cuts = hub.served, []
    assert fetch(FILE).read_bytes() == CONTENT
    assert hub.served - served <= len(CONTENT) - 400_000 + 65_536
    assert list(place(FILE).parent.glob(".*.part")) == []


def test_a_server_without_ranges_sends_everything_again(hub: StandIn) -> None:
    hub.cuts, hub.ranges = [400_000], False
    assert fetch(FILE).read_bytes() == CONTENT
    assert hub.served == 400_000 + len(CONTENT)


def test_a_busy_server_is_asked_again(hub: StandIn) -> None:
    hub.refusals = [503, 429]
    assert fetch(FILE).read_bytes() == CONTENT


def test_a_refused_transfer_is_not_repeated(hub: StandIn) -> None:
    hub.refusals = [403]
    with pytest.raises(RequestError, match="the server answers 403 Forbidden"):
        fetch(FILE)
    assert hub.count("GET") == 2  # the redirect, and what it leads to


@pytest.mark.parametrize("declared", [None, sha256(CONTENT)])
def test_a_changed_byte_is_refused_with_both_digests(hub: StandIn, declared: str | None) -> None:
    changed = bytearray(CONTENT)
    changed[77] ^= 1
    hub.changed[sha256(CONTENT)] = bytes(changed)
    with pytest.raises(RequestError) as refused:
        fetch(replace(FILE, sha256=declared))
    assert sha256(CONTENT) in str(refused.value)
    assert sha256(changed) in str(refused.value)
    kept = place(FILE).with_name("base.pt.rejected")
    assert str(kept) in str(refused.value)
    assert kept.read_bytes() == changed
    assert at_hand(FILE) is None
    hub.changed.clear()
    assert fetch(FILE).read_bytes() == CONTENT


def test_a_published_digest_other_than_the_declared_is_refused_before_it_is_fetched(
    hub: StandIn,
) -> None:
    with pytest.raises(RequestError) as refused:
        fetch(replace(FILE, sha256="ab" * 32))
    assert "ab" * 32 in str(refused.value)
    assert sha256(CONTENT) in str(refused.value)
    assert hub.served == 0


def test_the_digest_in_a_name_is_checked(hub: StandIn) -> None:
    right, wrong = f"net-{sha256(CONTENT)[:8]}.pth", "net-0123abcd.pth"
    hub.add("owner/model", {right: CONTENT, wrong: CONTENT})
    assert fetch(HubFile("owner/model", right)).read_bytes() == CONTENT
    with pytest.raises(RequestError, match=r"must have sha256 0123abcd…"):
        fetch(HubFile("owner/model", wrong))


def test_a_small_file_is_checked_by_git_s_digest(hub: StandIn) -> None:
    file = HubFile("owner/model", "config.json")
    path = fetch(file)
    assert transfer.digest_of(path, "git-sha1") == git_sha1(b"{}")
    found = origin(file)
    assert found is not None
    assert found.checked == ("announced",)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (
            HubFile("owner/nothing", "a"),
            "owner/nothing: there is no model repository of this name",
        ),
        (replace(FILE, revision="f" * 40), f"owner/model: has no revision '{'f' * 40}'"),
        (
            replace(FILE, filename="weights/bass.pt"),
            r"has no file 'weights/bass.pt'\. Did you mean 'weights/base.pt'\?",
        ),
        (HubFile("zenodo.org/records/9", "a"), "answers 404 Not Found"),
        (
            HubFile("zenodo.org/records/7", "bse.pth"),
            r"zenodo.org/records/7: has no file 'bse.pth'\. Did you mean 'base.pth'\?",
        ),
        (HubFile("owner/gated", "a"), "asks for its terms to be accepted first"),
    ],
)
def test_what_is_not_there_is_named(hub: StandIn, file: HubFile, message: str) -> None:
    hub.add("7", {"base.pth": CONTENT}, kind="record")
    hub.gated.add("owner/gated")
    with pytest.raises(RequestError, match=message):
        fetch(file)


def test_a_zenodo_file_is_resumed_and_checked(hub: StandIn) -> None:
    hub.add("7", {"base.pth": CONTENT}, kind="record")
    file = HubFile("zenodo.org/records/7", "base.pth")
    hub.cuts = [500_000]
    assert fetch(file).read_bytes() == CONTENT
    assert hub.served < len(CONTENT) + 65_537
    changed = CONTENT[:-1] + b"x"
    hub.add("7", {"other.pth": CONTENT[1:]}, kind="record")
    hub.changed[sha256(CONTENT[1:])] = changed[1:]
    with pytest.raises(RequestError) as refused:
        fetch(replace(file, filename="other.pth"))
    for content in (CONTENT[1:], changed[1:]):
        assert hashlib.md5(content).hexdigest() in str(refused.value)


def test_offline_the_message_says_which_file_to_put_where(
    hub: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = replace(FILE, revision=COMMIT, sha256=sha256(CONTENT))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        with pytest.raises(RequestError) as refused:
            fetch(file)
    (problem,) = refused.value.problems
    assert problem.where == "owner/model/weights/base.pt"
    assert "http://127.0.0.1:9 cannot be reached (connection refused)" in problem.what
    url = f"http://127.0.0.1:9/owner/model/resolve/{COMMIT}/weights/base.pt"
    assert problem.hint == (
        f"Where there is a network, download {url} and put it at {place(file)}. "
        f"Its sha256 must be {sha256(CONTENT)}."
    )
    place(file).parent.mkdir(parents=True, exist_ok=True)
    place(file).write_bytes(CONTENT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert fetch(file) == place(file)
    with pytest.raises(RequestError, match="cannot be reached \\(HF_HUB_OFFLINE is set\\)"):
        fetch(FILE)
    assert hub.requests == []


def test_a_wrong_copy_is_refused_and_kept(hub: StandIn) -> None:
    file = replace(FILE, sha256=sha256(CONTENT))
    place(file).parent.mkdir(parents=True)
    place(file).write_bytes(b"something else")
    with pytest.raises(RequestError) as refused:
        fetch(file)
    assert sha256(b"something else") in str(refused.value)
    assert sha256(CONTENT) in str(refused.value)
    assert place(file).with_name("base.pt.rejected").read_bytes() == b"something else"


def test_a_fetched_file_that_changes_is_checked_again(hub: StandIn) -> None:
    file = replace(FILE, sha256=sha256(CONTENT))
    path = fetch(file)
    changed = CONTENT[:-1] + b"x"
    path.write_bytes(changed)
    os.utime(path, ns=(1, 1))
    with pytest.raises(RequestError, match=sha256(changed)):
        fetch(file)


def test_what_another_tool_downloaded_is_taken_from_there(hub: StandIn, tmp_path: Path) -> None:
    folder = tmp_path / "hf/models--owner--model/snapshots" / COMMIT / "weights"
    folder.mkdir(parents=True)
    (folder / "base.pt").write_bytes(CONTENT)
    pinned = replace(FILE, revision=COMMIT, sha256=sha256(CONTENT))
    assert fetch(pinned) == folder / "base.pt"
    assert hub.requests == []
    (folder / "base.pt").write_bytes(b"damaged")
    with pytest.raises(RequestError, match="it was left as it is"):
        fetch(pinned)
    assert (folder / "base.pt").read_bytes() == b"damaged"


def test_a_disk_that_is_too_small_is_said_first(
    hub: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(RequestError, match=r"needs 1\.0 MB more, but .* has 1\.0 kB free"):
        fetch(FILE)
    assert hub.served == 0


def _fetch_in_process(address: str, cache: str) -> None:
    os.environ.update(HF_ENDPOINT=address, ITERATE_CACHE=cache)
    assert fetch(FILE).read_bytes() == CONTENT


def test_the_hub_s_own_client_understands_the_stand_in(hub: StandIn, tmp_path: Path) -> None:
    """What these tests rely on is the hub's protocol, not our idea of it."""
    from huggingface_hub import HfApi, hf_hub_download

    hub.storage = hub.address.replace("127.0.0.1", "localhost")
    found = hf_hub_download(
        FILE.repository, FILE.filename, endpoint=hub.address, cache_dir=tmp_path / "hf"
    )
    assert Path(found).read_bytes() == CONTENT
    info = HfApi(endpoint=hub.address).repo_info(
        FILE.repository, revision="main", files_metadata=True
    )
    assert info.sha == COMMIT
    listed = {entry.rfilename: entry for entry in info.siblings or []}
    assert listed[FILE.filename].lfs.sha256 == sha256(CONTENT)
    assert listed["config.json"].blob_id == git_sha1(b"{}")
    before = len(hub.requests)
    assert fetch(FILE) == Path(found)  # and what it downloaded is used
    assert len(hub.requests) == before


def test_a_renamed_repository_is_followed(hub: StandIn) -> None:
    hub.renamed["former/name"] = "owner/model"
    assert fetch(HubFile("former/name", "config.json")).read_bytes() == b"{}"


def test_a_mirror_that_sends_us_on_is_followed_without_our_token(
    hub: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with standing_in() as mirror:
        mirror.elsewhere = hub.address
        monkeypatch.setenv("HF_ENDPOINT", mirror.address)
        fetch(FILE)
    assert mirror.tokens[0][1] == "Bearer hf_secret"
    assert hub.tokens[0][1] is None
    found = origin(FILE)
    assert found is not None
    assert (found.revision, found.checked) == (COMMIT, ("announced",))


def test_the_token_goes_to_the_hub_alone(hub: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.storage = hub.address.replace("127.0.0.1", "localhost")
    hub.add("7", {"base.pth": CONTENT}, kind="record")
    fetch(FILE)
    fetch(HubFile("zenodo.org/records/7", "base.pth"))
    for path, token in hub.tokens:
        expected = "Bearer hf_secret" if "/resolve/" in path else None
        assert token == expected, path


def test_a_token_that_the_hub_does_not_accept_is_told_from_a_missing_repository(
    hub: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    hub.valid = ("hf_right",)
    for act in (lambda: fetch(FILE), lambda: published_files("owner/model", "model", None)):
        with pytest.raises(RequestError) as refused:
            act()
        (problem,) = refused.value.problems
        assert problem.what == f"{hub.address} does not accept your token."
        assert "hf auth login" in (problem.hint or "")
        assert "hf_expired" not in str(refused.value)
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    assert fetch(FILE).read_bytes() == CONTENT


def test_a_file_whose_name_is_listed_may_still_ask_for_its_terms_to_be_accepted(
    hub: StandIn,
) -> None:
    hub.gated.add("owner/model")
    assert FILE.filename in [
        file.filename for file in published_files("owner/model", "model", None)
    ]
    with pytest.raises(RequestError, match="asks for its terms to be accepted first"):
        check_reach(FILE)


def test_offline_no_list_is_asked_for(hub: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        with pytest.raises(UnreachableError, match="connection refused"):
            published_files("owner/model", "model", None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UnreachableError, match="HF_HUB_OFFLINE is set"):
        published_files("owner/model", "model", None)
    assert hub.requests == []


def test_a_cache_that_cannot_be_written_to(
    hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ITERATE_CACHE", str(tmp_path / "file/cache"))
    with pytest.raises(RequestError, match=r"cannot be written to .* Set ITERATE_CACHE"):
        fetch(FILE)
    folder = tmp_path / "hf/models--owner--model/snapshots" / COMMIT / "weights"
    folder.mkdir(parents=True)
    (folder / "base.pt").write_bytes(CONTENT)
    assert fetch(replace(FILE, revision=COMMIT, sha256=sha256(CONTENT))) == folder / "base.pt"
    with pytest.raises(RequestError, match="must have sha256 abab"):
        fetch(replace(FILE, revision=COMMIT, sha256="ab" * 32))


def test_bytes_of_unknown_number_are_resumed_too(hub: StandIn, tmp_path: Path) -> None:
    url = f"{hub.address}/storage/{sha256(CONTENT)}"
    source = transfer.RemoteFile(url, digests=(transfer.Digest("sha256", sha256(CONTENT)),))
    path = tmp_path / "some/file"
    path.parent.mkdir()
    transfer.part_of(source, path).write_bytes(CONTENT[:700_000])
    assert transfer.bring(source, path, "file") == sha256(CONTENT)
    assert hub.served == len(CONTENT) - 700_000


def test_two_processes_download_once(hub: StandIn, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    arguments = (hub.address, str(tmp_path / "cache"))
    started = [context.Process(target=_fetch_in_process, args=arguments) for _ in range(2)]
    for process in started:
        process.start()
    for process in started:
        process.join(60)
    assert [process.exitcode for process in started] == [0, 0]
    assert hub.served == len(CONTENT)


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a/../../b", "", "a\\b", "a\0"])
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match="no path of a file"):
        inside(name, "owner/model")


def test_all_files_of_a_repository_are_listed(hub: StandIn) -> None:
    listed = {file.filename: file for file in published_files("owner/model", "model", None)}
    assert sorted(listed) == ["config.json", "weights/base.pt"]
    base, config = listed["weights/base.pt"], listed["config.json"]
    assert (base.commit, base.source.size) == (COMMIT, len(CONTENT))
    assert [str(digest) for digest in base.source.digests] == [f"sha256 {sha256(CONTENT)}"]
    assert [str(digest) for digest in config.source.digests] == [f"git-sha1 {git_sha1(b'{}')}"]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"sha": 1}', b'{"sha": "a", "siblings": 3}'])
def test_a_server_that_is_no_hub_is_named(hub: StandIn, body: bytes) -> None:
    hub.listings["owner/model"] = body
    with pytest.raises(RequestError, match="gives no list of files that can be read"):
        published_files("owner/model", "model", None)
