"""Data sets are found, downloaded and checked; whatever is wrong says what to do."""

import functools
import gzip
import hashlib
import http.server
import threading

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
            sources.SOURCES, "example", sources.Source("title", "terms", "about", home, files)
        )
        return sources.cache() / "example"

    return register


def test_a_missing_set_is_downloaded_into_the_cache_once(server, source):
    cache = source(server)
    assert sources.where("example") is None
    assert sources.fetch("example") == cache == sources.where("example")
    source("http://127.0.0.1:9/")  # nobody there: a second download would fail
    assert sources.read("example", "part.txt") == CONTENT


@pytest.mark.parametrize("gzipped", [False, True])
def test_a_local_copy_comes_first_as_it_is_or_gzipped(source, monkeypatch, tmp_path, gzipped):
    source("http://127.0.0.1:9/")
    local = tmp_path / "data" / "example"
    local.mkdir(parents=True)
    name, content = ("part.txt.gz", gzip.compress(CONTENT)) if gzipped else ("part.txt", CONTENT)
    (local / name).write_bytes(content)
    monkeypatch.setenv("CAROUSEL_DATA", str(tmp_path / "data"))
    assert sources.where("example") == local
    assert sources.read("example", "part.txt") == CONTENT


@pytest.mark.parametrize("damage", [b"something else", gzip.compress(CONTENT)[:40], b""])
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
    for source in sources.SOURCES.values():
        assert source.title
        assert source.terms
        assert source.about
        assert source.home.startswith("https://")
        assert source.home.endswith("/")
        assert all(len(sha) == 64 for sha in source.files.values())


@pytest.mark.parametrize("name", ["penn-treebank", "tiny-shakespeare", "names"])
def test_the_real_files_are_the_published_ones(name, shared_data):
    shared_data(name)
    assert all(sources.read(name, file) for file in sources.find(name).files)
