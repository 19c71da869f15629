"""Every verb on terminals whose encoding lacks letters that it prints."""

import io
import json
import shutil
import sys

import pytest
from small import SETTINGS, small_config

from carousel import cli, terminal
from carousel.training import train

SMALL = [part for setting in SETTINGS for part in ("--set", setting)]
ENCODINGS = ["ascii", "latin-1"]


@pytest.fixture(params=ENCODINGS)
def verb(request, monkeypatch, tmp_path):
    """Runs the command on strict streams of an encoding: exit code, what it wrote, decoded."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        streams = [
            io.TextIOWrapper(io.BytesIO(), encoding=request.param, errors="strict")
            for _ in range(2)
        ]
        monkeypatch.setattr(sys, "argv", ["carousel", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdout", streams[0])
        monkeypatch.setattr(sys, "stderr", streams[1])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        written = []
        for stream in streams:
            stream.flush()
            written.append(stream.buffer.getvalue().decode(request.param))
        return stop.value.code, *written

    return call


def test_train_ends_well_and_writes_its_result(verb, tmp_path):
    short = ("--set", "training.epochs=1", "--run-dir", "run")
    code, _, err = verb("train", "mnist-rows", *SMALL, *short)
    assert code == 0
    assert "which are not recurrent ..." in err
    assert (tmp_path / "run" / "result.json").is_file()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"], ["recipes"], ["doctor"], ["data", "list"],
        ["coach", "{run}"], ["coach", "{run}", "--lang", "ko"],
        ["compare", "{run}", "{again}"], ["evaluate", "{run}"], ["inspect", "{run}"],
    ],
)  # fmt: skip
def test_every_verb_that_reads_says_it_all(verb, run, arguments):
    again = shutil.copytree(run, run.with_name("again"))
    code, out, err = verb(*(argument.format(run=run, again=again) for argument in arguments))
    assert code == 0 or (code == 1 and arguments[0] == "coach"), err  # 1: a severe finding
    assert out.strip()
    assert "Traceback" not in err


def test_an_error_with_letters_that_are_missing_is_still_one_line(verb):
    code, out, err = verb("train", "끝-ö.toml")
    assert (code, out) == (2, "")
    assert r"\ub05d" in err


def test_json_means_the_same_in_every_encoding(verb):
    code, out, _ = verb("recipes", "--json")
    assert code == 0
    assert json.loads(out)


def test_json_of_letters_that_are_missing_is_read_back_equal(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", stream)
    terminal.write_anything(stream)
    from carousel.cli.output import print_json

    print_json({"text": "끝 … 😀"})
    stream.flush()
    assert json.loads(stream.buffer.getvalue()) == {"text": "끝 … 😀"}


def test_utf8_is_written_as_it_is_and_broken_names_of_files_are_shown():
    assert terminal.spelled("1 × 끝 …", "utf-8") == "1 × 끝 …"
    assert terminal.spelled("a\udce4b", "utf-8") == r"a\udce4b"


def test_python_trains_on_a_stream_that_is_not_utf8(monkeypatch, tmp_path):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    monkeypatch.setattr(sys, "stderr", stream)
    done = train(small_config("training.epochs=1"), seed=0, run_dir=tmp_path / "run")
    assert done.result["epochs"] == 1
    assert stream.errors == "strict"  # the stream is somebody else's
