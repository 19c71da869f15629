"""Data sets are found, downloaded and checked; whatever is wrong says what to do."""

import functools
import gzip
import hashlib
import http.server
import io
import lzma
import tarfile
import threading
import zipfile

import pytest

from carousel.data import sources
from carousel.errors import DataError

CONTENT = b"to be or not to be\n" * 50


@pytest.fixture
def server(tmp_path):
    """The address of a server that has part.txt."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "part.txt").write_bytes(CONTENT)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}/"
        httpd.shutdown()
        thread.join()


@pytest.fixture
def source(monkeypatch, tmp_path):
    """Registers a data set "example" of one file at an address; returns the cache's folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CAROUSEL_DATA", raising=False)

    def register(home, content=CONTENT):
        files = {"part.txt": hashlib.sha256(content).hexdigest()}
        monkeypatch.setitem(
            sources.known(), "example", sources.Source("title", "terms", "about", home, files)
        )
        return sources.cache() / "example"

    return register


def test_a_missing_set_is_downloaded_into_the_cache_once(server, source):
    cache = source(server)
    assert sources.where("example") is None
    assert sources.fetch("example") == cache == sources.where("example")
    source("http://127.0.0.1:9/")  # nobody there: a second download would fail
    assert sources.read("example", "part.txt") == CONTENT


@pytest.mark.parametrize(
    ("suffix", "pack"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)]
)
def test_a_local_copy_comes_first_as_it_is_or_compressed(
    source, monkeypatch, tmp_path, suffix, pack
):
    source("http://127.0.0.1:9/")
    local = tmp_path / "data" / "example"
    local.mkdir(parents=True)
    (local / f"part.txt{suffix}").write_bytes(pack(CONTENT))
    monkeypatch.setenv("CAROUSEL_DATA", str(tmp_path / "data"))
    assert sources.where("example") == local
    assert sources.read("example", "part.txt") == CONTENT


def zipped(content, name):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("folder/"), b"")
        archive.writestr(name, content)
    return buffer.getvalue()


def tarred(content, name):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def archived(monkeypatch, tmp_path):
    """Registers a data set "example" whose one file comes in an archive; returns the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CAROUSEL_DATA", raising=False)

    def register(home, archive):
        packed = {"part.txt": hashlib.sha256(CONTENT).hexdigest()}
        example = sources.Source("title", "terms", "about", home, {}, (archive,), packed)
        monkeypatch.setitem(sources.known(), "example", example)
        return sources.cache() / "example"

    return register


@pytest.mark.parametrize(("archive", "pack"), [("all.zip", zipped), ("all.tar.xz", tarred)])
def test_a_file_is_read_from_its_archive_which_is_downloaded_once(
    server, archived, tmp_path, archive, pack
):
    (tmp_path / "served" / archive).write_bytes(pack(CONTENT, "folder/part.txt"))
    cache = archived(server, archive)
    assert sources.where("example") is None
    assert sources.fetch("example") == cache == sources.where("example")
    archived("http://127.0.0.1:9/", archive)
    assert sources.read("example", "part.txt") == CONTENT


def test_a_file_that_is_compressed_at_home_is_downloaded_so_and_checked(
    server, archived, tmp_path, monkeypatch
):
    files = {"part.txt": hashlib.sha256(CONTENT).hexdigest()}
    archived(server, "none.zip")  # for the cache and the environment
    example = sources.Source("title", "terms", "about", server, files, compressed=".gz")
    monkeypatch.setitem(sources.known(), "example", example)
    (tmp_path / "served" / "part.txt.gz").write_bytes(gzip.compress(CONTENT, mtime=0))
    assert sources.read("example", "part.txt") == CONTENT
    (tmp_path / "served" / "part.txt.gz").write_bytes(gzip.compress(b"something else", mtime=0))
    (sources.cache() / "example" / "part.txt.gz").unlink()
    with pytest.raises(DataError, match="is not the published file"):
        sources.read("example", "part.txt")


def test_an_archive_counts_by_its_content(archived):
    cache = archived("http://127.0.0.1:9/", "all.zip")
    cache.mkdir(parents=True)
    for content, says in [
        (zipped(b"something else", "part.txt"), "is not the published file"),
        (zipped(CONTENT, "another.txt"), "has no part.txt"),
        (b"no archive", "cannot be read"),
    ]:
        (cache / "all.zip").write_bytes(content)
        with pytest.raises(DataError, match=says):
            sources.read("example", "part.txt")
    (cache / "part.txt").write_bytes(CONTENT)  # unpacked by hand: comes before the archive
    assert sources.read("example", "part.txt") == CONTENT


@pytest.mark.parametrize("damage", [b"something else", gzip.compress(CONTENT, mtime=0)[:40], b""])
@pytest.mark.parametrize("name", ["part.txt", "part.txt.gz"])
def test_a_local_copy_that_is_another_file_is_never_passed_over(server, source, name, damage):
    cache = source(server)
    cache.mkdir(parents=True)
    (cache / name).write_bytes(damage)
    with pytest.raises(DataError, match=r"part\.txt") as caught:
        sources.read("example", "part.txt")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "content", "reason"),
    [
        ("nowhere/", CONTENT, "the server answers 404"),
        ("", b"the published file", "another SHA-256"),
    ],
)
def test_a_failed_download_says_why_and_what_to_put_where(server, source, path, content, reason):
    cache = source(server + path, content)
    with pytest.raises(DataError) as caught:
        sources.read("example", "part.txt")
    said = str(caught.value)
    assert reason in said
    assert f"put part.txt, plain or .gz, from {server}{path} into {cache} or $CAROUSEL_DATA" in said
    assert "\n" not in said
    assert sources.where("example") is None


def test_no_network_is_said_in_those_words(source):
    source("http://127.0.0.1:9/")
    with pytest.raises(DataError, match=r"no connection. Without a network, put"):
        sources.fetch("example")


def test_an_unknown_set_suggests_the_nearest():
    with pytest.raises(DataError, match="Did you mean 'penn-treebank'"):
        sources.find("pen-treebank")


def test_every_source_is_pinned_and_documented():
    for source in sources.known().values():
        assert source.title
        assert source.terms
        assert source.about
        assert source.home.startswith(("https://", "http://"))
        assert source.home.endswith("/")
        assert source.contents or source.digest
        assert all(len(sha) == 64 for sha in source.contents.values())
        assert not source.digest or (len(source.digest) == 64 and source.archives)


@pytest.mark.parametrize("name", list(sources.known()))
def test_the_real_files_are_the_published_ones(name, shared_data):
    shared_data(name)
    assert all(sources.read(name, file) for file in sources.find(name).contents)
    assert not sources.find(name).digest or sources.read_all(name)


def test_an_archive_of_very_many_files_is_checked_as_a_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("CAROUSEL_DATA", str(tmp_path))
    files = {"b.wav": b"second", "a.wav": b"first"}
    lines = "".join(
        f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in ("a.wav", "b.wav")
    )
    digest = hashlib.sha256(lines.encode()).hexdigest()
    source = sources.Source(
        "t", "t", "a", "https://example.org/", {}, ("many.zip",), {}, ".wav", digest
    )
    monkeypatch.setitem(sources.known(), "many", source)
    assert sources.where("many") is None
    (tmp_path / "many").mkdir()
    path = tmp_path / "many" / "many.zip"

    def pack(content):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x/readme.md", "not of the set")
            for name in content:
                archive.writestr(f"x/{name}", content[name])

    pack(files)
    assert sources.where("many") == path.parent
    assert sources.fetch("many") == path.parent
    assert sources.read_all("many") == files
    pack({**files, "a.wav": b"another"})
    with pytest.raises(DataError, match="not the published archive"):
        sources.read_all("many")
    path.write_bytes(b"no archive")
    with pytest.raises(DataError, match="cannot be read"):
        sources.read_all("many")
