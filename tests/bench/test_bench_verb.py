"""`carousel bench` as a person calls it."""

import os
import re
import sys

import pytest
from made_up import everything

from carousel import cli
from carousel.bench.results import Results


@pytest.fixture
def bench(capsys, monkeypatch, tmp_path):
    """Runs the verb in an empty folder: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["carousel", "bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return call


@pytest.mark.slow
def test_a_row_is_measured_shown_and_written(bench, tmp_path):
    code, out, _ = bench(
        *("--suite", "stream", "--only", "64 GRU", "--peer", "torch.nn", "--seconds", "0.01"),
        *("--threads", "1", "--out", "out/found.json", "--markdown", "out/found.md"),
        *("--plots", "out"),
    )
    assert code == 0
    assert "stream-64 GRU stream" in out
    found = Results.read(tmp_path / "out" / "found.json")
    assert found.rows[0].samples.keys() == {"carousel", "torch.nn"}
    assert "stream-64 GRU stream" in (tmp_path / "out" / "found.md").read_text()
    assert (tmp_path / "out" / "bench-ratios.png").stat().st_size > 1000


def test_results_are_shown_again_without_measuring(bench, tmp_path):
    everything().write(tmp_path / "found.json")
    code, out, _ = bench("--from", "found.json", "--markdown", "found.md")
    assert code == 0
    assert "targets met, 0 missed, 0 not measured" in out
    assert "Abacus 9" in out
    assert (tmp_path / "found.md").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--suite", "fast"], "no suite 'fast': choose from dense"),
        (["--only", "CNN"], "no row of these suites"),
        (["--peer", "mxnet"], "no peer 'mxnet'"),
        (["--seconds", "0"], "--seconds must lie"),
        (["--seconds", "nan"], "--seconds must lie"),
        (["--threads", "0"], "threads"),
        (["--from", "none.json"], "none.json"),
        (["--from", "none.json", "--quick"], "takes no choice"),
        (["--out", "."], "is a folder"),
    ],
    ids=str,
)
def test_bad_arguments_end_with_code_2_and_one_line(bench, arguments, says):
    code, out, err = bench(*arguments)
    assert (code, out) == (2, "")
    line = err.strip().splitlines()[-1]
    assert re.match("carousel: ", line)
    assert says in line
    assert "Traceback" not in err


def test_others_are_measured_with_the_waiting_they_have_elsewhere(bench, monkeypatch):
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    bench("--only", "CNN")
    assert "GOMP_SPINCOUNT" not in os.environ
