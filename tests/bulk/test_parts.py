"""`carousel predict RUN 'parts/*' --out FOLDER/`: a file for each, done once, whoever is killed."""

import json

import polars
import pytest
from bulk_runs import always_die, load_and_die, small_run

from carousel.bulk import workers
from carousel.bulk.over_dask import by_dask
from carousel.bulk.parts import Part, Work, answer_part, parts_of
from carousel.bulk.workers import by_workers
from carousel.cli.parts import load
from carousel.errors import DataError


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return small_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def parts(runs, tmp_path):
    """The run of a classifier of sentences, and its sentences cut into files."""
    run, data = runs("classify_text")
    lines = [
        line.partition("\t")[2]
        for line in (data / "sentences.tsv").read_text().splitlines()
        if line.strip()
    ]
    folder = tmp_path / "parts"
    folder.mkdir()
    for number in range(5):
        some = lines[number * 30 : (number + 1) * 30]
        polars.DataFrame({"text": some}).write_csv(folder / f"p{number}.csv")
    return run, folder


def test_answers_of_parts_are_those_of_one_file(parts, carousel, tmp_path):
    run, folder = parts
    code, out, err = carousel("predict", run, folder / "*.csv", "--out", "answers/")
    assert code == 0, err
    assert "answers: 5 files, 150 answers; 150 rows" in out
    for file in sorted(folder.iterdir()):
        carousel("predict", run, file, "--out", "one.csv")
        assert (tmp_path / "one.csv").read_text() == (tmp_path / "answers" / file.name).read_text()


def test_a_second_call_answers_only_what_is_new_or_changed(parts, carousel, tmp_path):
    run, folder = parts
    carousel("predict", run, folder / "*.csv", "--out", "answers/")
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "answers").glob("*.csv")}
    (folder / "p1.csv").write_text("text\na good film\n")
    (tmp_path / "answers" / "p2.csv").unlink()
    (folder / "p9.csv").write_text("text\na bad film\n")
    code, out, _ = carousel("predict", run, folder / "*.csv", "--out", "answers/", "--json")
    found = json.loads(out)
    assert (code, found["files"], found["done_before"], found["rows"]) == (0, 6, 3, 122)
    after = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "answers").glob("*.csv")}
    changed = {name for name in after if before.get(name) != after[name]}
    assert changed == {"p1.csv", "p2.csv", "p9.csv"}


def test_files_that_cannot_be_read_are_told_and_the_others_answered(parts, carousel, tmp_path):
    run, folder = parts
    (folder / "p0.csv").write_bytes(b"\xff\xfe\x00")
    code, out, err = carousel("predict", run, folder, "--out", "answers/", "--json")
    found = json.loads(out)
    assert code == 1
    assert [*found["files_without_answers"]] == [str(folder / "p0.csv")]
    assert found["answered"] == 120
    assert "p0.csv" in err
    assert not (tmp_path / "answers" / "p0.csv").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("*.csv", "--out", "a.csv"), "names several files"),
        (("p0.csv", "--out", "a.csv", "--workers", "2"), "each in a file of its own"),
        (("*.none", "--out", "answers/"), "no file is named by"),
        (("*.csv", "--out", "answers/", "--plot"), "of one file of answers"),
    ],
)
def test_what_does_not_fit_together_is_refused(parts, carousel, given, said):
    run, folder = parts
    code, _, err = carousel("predict", run, folder / given[0], *given[1:])
    assert code == 2
    assert said in err


def test_files_of_one_name_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.csv").write_text("text\na\n")
    with pytest.raises(DataError, match="have one name"):
        parts_of(tmp_path / "*" / "x.csv", tmp_path / "out")


def given(run, folder, out, loads):
    out.mkdir()
    work = Work(run, loads, {}, {}, "key", 1)
    return [Part(file, out / file.name) for file in sorted(folder.glob("*.csv"))], work


@pytest.mark.slow
def test_a_killed_worker_costs_no_answer(parts, tmp_path):
    run, folder = parts
    some, work = given(run, folder, tmp_path / "answers", load_and_die)
    found = [*by_workers(some, work, 2)]
    assert (run.parent / "died").exists()
    assert sorted(one.source for one in found) == [str(part.source) for part in some]
    assert not [one.error for one in found if one.error]
    model = load(run)
    for part in some:
        again = Part(part.source, tmp_path / part.source.name)
        assert answer_part(model, again, work).rows == 30
        assert again.out.read_text() == part.out.read_text()


@pytest.mark.slow
def test_a_file_that_kills_every_worker_is_given_up_and_told(parts, tmp_path):
    run, folder = parts
    some, work = given(run, folder, tmp_path / "answers", always_die)
    found = [*by_workers(some[:1], work, 2)]
    assert len(found) == 1
    assert f"{workers.TRIES} workers ended" in found[0].error


@pytest.mark.slow
def test_a_cluster_answers_the_same(parts, carousel, tmp_path):
    distributed = pytest.importorskip("distributed")
    run, folder = parts
    carousel("predict", run, folder, "--out", "alone/")
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster:
        address = cluster.scheduler_address
        code, _, err = carousel("predict", run, folder, "--out", "over/", "--dask", address)
    assert code == 0, err
    for file in folder.iterdir():
        one, other = (tmp_path / name / file.name for name in ("alone", "over"))
        assert one.read_text() == other.read_text()


def loses_a_worker(some, work):
    """Outcomes over a cluster of two workers, which are replaced where they die."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        return [*by_dask(some, work, cluster.scheduler_address)]


@pytest.mark.slow
def test_a_worker_of_a_cluster_that_is_killed_costs_no_answer(parts, tmp_path):
    run, folder = parts
    (run.parent / "died").unlink(missing_ok=True)
    some, work = given(run, folder, tmp_path / "answers", load_and_die)
    found = loses_a_worker(some, work)
    assert (run.parent / "died").exists()
    assert sorted(one.source for one in found) == [str(part.source) for part in some]
    assert not [one.error for one in found if one.error]
    assert sum(one.rows for one in found) == sum(len(polars.read_csv(p.source)) for p in some)
    model = load(run)
    for part in some:
        again = Part(part.source, tmp_path / part.source.name)
        answer_part(model, again, work)
        assert again.out.read_text() == part.out.read_text()


@pytest.mark.slow
def test_a_file_that_kills_every_worker_of_a_cluster_is_told(parts, tmp_path):
    run, folder = parts
    some, work = given(run, folder, tmp_path / "answers", always_die)
    (one,) = loses_a_worker(some[:1], work)
    assert "KilledWorker" in one.error
    assert not some[0].out.exists()


def test_a_cluster_that_is_not_there_is_said(parts, carousel, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("carousel.bulk.over_dask._SECONDS", "1s")
    run, folder = parts
    code, _, err = carousel("predict", run, folder, "--out", "o/", "--dask", "tcp://127.0.0.1:9")
    assert code == 2
    assert "no Dask scheduler answers" in err
