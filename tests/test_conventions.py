"""What people expect of a command line: streams, exit codes, colours, completion, logging."""

import logging
import os
import pty
import re
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import typer
from small import SETTINGS

import carousel as library
from carousel import cli
from carousel.cli.exits import Exit
from carousel.terminal import NOTICE, logger, notice

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/command-line.md").read_text(encoding="utf-8")
COMMAND = [sys.executable, "-m", "carousel"]
ESCAPE = "\x1b["
COLOUR = re.compile(r"\x1b\[[0-9;]*(?:3[0-9]|9[0-7])[0-9;]*m")
TRAIN = ["train", "mnist-rows", *(f"--set={s}" for s in SETTINGS), "--set=training.epochs=1"]


# ---- version, module


def test_the_version_is_one_line(carousel):
    assert carousel("--version") == (0, f"carousel {library.__version__}\n", "")


@pytest.mark.slow
def test_the_module_is_the_command():
    for arguments in (["--version"], ["data", "path", "nowhere"], ["train", "--help"]):
        told = [
            subprocess.run([*command, *arguments], capture_output=True, text=True)
            for command in (COMMAND, [Path(sys.executable).with_name("carousel")])
        ]
        assert told[0].stdout == told[1].stdout
        assert told[0].stderr == told[1].stderr
        assert told[0].returncode == told[1].returncode


# ---- exit codes


def test_the_exit_codes_of_the_page_are_those_of_the_code():
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.M)
    assert rows == [(str(int(code)), code.meaning) for code in Exit]


def test_no_command_ends_with_a_number_of_its_own():
    for file in (ROOT / "src/carousel/cli").glob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"Exit\(\d|sys\.exit\(\d", text), file.name


# ---- streams


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["recipes"], ["doctor"], ["data", "list"], ["coach", "RUN"], ["evaluate", "RUN"],
        ["report", "RUN"], ["inspect", "RUN"], ["export-tensorboard", "RUN"], ["completion", "zsh"],
        ["init", "t.csv"], ["predict", "RUN", "digit.png"],
        ["check", "mnist-rows", "--seconds=0.1", *TRAIN[2:]],
        ["lr-range", "mnist-rows", "--steps=20", *TRAIN[2:]], ["compare", "RUN", "OTHER"],
    ],
    ids=lambda a: " ".join(a[:2]),
)  # fmt: skip
def test_a_report_is_on_standard_output_and_quiet_leaves_standard_error_empty(
    carousel, trained, run, tmp_path, arguments
):
    from PIL import Image

    Image.new("L", (28, 28), 0).save(tmp_path / "digit.png")
    (tmp_path / "t.csv").write_text("y,x\n" + "".join(f"{i % 7},{i}\n" for i in range(200)))
    given = [str({"RUN": run, "OTHER": trained.path}.get(a, a)) for a in arguments]
    code, out, err = carousel(*given, "--quiet")
    assert (code in (0, 1), err) == (True, ""), err
    assert out


def test_every_refusal_is_on_standard_error_alone(carousel):
    app = typer.main.get_command(cli.app)
    for name in app.commands:
        code, out, err = carousel(name, "--no-such-option")
        assert (code, out) == (Exit.REFUSED, ""), name
        assert re.fullmatch(r"carousel: [^\n]+\n", err), name


# ---- logging


def test_the_library_prints_nothing(capfd):
    layer = library.LSTM(3, 4)
    library.accelerate(torch.nn.Sequential(torch.nn.LSTM(3, 4)))
    layer(torch.zeros(2, 1, 3))
    notice("no one asked")
    assert capfd.readouterr() == ("", "")


def test_levels_are_chosen_by_option_or_variable(carousel, monkeypatch):
    def levels(*options, log=None):
        if log is not None:
            monkeypatch.setenv("CAROUSEL_LOG", log)
        seen = []
        monkeypatch.setattr("carousel.doctor.examine", lambda: seen.append(logger.level) or {})
        code, _, err = carousel("doctor", *options)
        return (code, seen[0]) if seen else (code, err)

    assert levels() == (0, NOTICE)
    assert levels("-q") == (0, logging.ERROR)
    assert levels("--verbose") == (0, logging.INFO)
    assert levels("-vv") == (0, logging.DEBUG)
    assert levels(log="info") == (0, logging.INFO)
    assert levels("-q", log="debug") == (0, logging.ERROR)
    code, err = levels(log="loud")
    assert code == Exit.REFUSED
    assert "CAROUSEL_LOG must be one of error, warning, notice, info, debug; got 'loud'" in err
    assert "--verbose and --quiet contradict" in levels("-v", "-q", log="")[1]


def test_a_command_leaves_the_logger_as_it_was(carousel, monkeypatch):
    before = logger.level, list(logger.handlers)
    carousel("doctor", "-vv")
    carousel("train", "nothing")
    monkeypatch.setenv("CAROUSEL_LOG", "loud")  # refused before anything runs
    carousel("doctor")
    assert (logger.level, list(logger.handlers)) == before


def test_verbose_says_which_path_computes(carousel, run, tmp_path):
    from PIL import Image

    Image.new("L", (28, 28), 0).save(tmp_path / "digit.png")
    _, quiet, none = carousel("predict", run, "digit.png")
    _, loud, said = carousel("predict", run, "digit.png", "-v")
    assert quiet == loud
    assert none == ""
    assert re.search(r"^carousel: .*(native|torch)", said, re.M)


# ---- colours


def on_a_terminal(*arguments, cwd, **environment):
    """What a command writes to a terminal, standard output and standard error together."""
    ours, theirs = pty.openpty()
    plain = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    settings = {**plain, "TERM": "xterm-256color", "LANG": "C.UTF-8", **environment}
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)], cwd=cwd, env=settings, stdin=theirs, stdout=theirs,
        stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    written = b""
    while select.select([ours], [], [], 120)[0]:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        written += piece
    os.close(ours)
    assert process.wait(timeout=120) in (0, 1)
    return written.decode()


@pytest.mark.slow
def test_findings_are_coloured_on_a_terminal_unless_somebody_minds(severe, tmp_path):
    assert COLOUR.search(on_a_terminal("coach", severe, cwd=tmp_path))
    assert not COLOUR.search(on_a_terminal("coach", severe, cwd=tmp_path, NO_COLOR="1"))
    assert ESCAPE not in on_a_terminal("coach", severe, cwd=tmp_path, TERM="dumb")


def test_a_pipe_has_no_colours_unless_they_are_forced(severe, tmp_path):
    def piped(**environment):
        settings = {**os.environ, "TERM": "xterm", **environment}
        done = subprocess.run(
            [*COMMAND, "coach", severe], capture_output=True, text=True, env=settings, cwd=tmp_path
        )
        return done.stdout

    assert ESCAPE not in piped()
    assert COLOUR.search(piped(FORCE_COLOR="1"))
    assert not COLOUR.search(piped(FORCE_COLOR="1", NO_COLOR="1"))


@pytest.mark.slow
def test_a_dumb_terminal_gets_lines_and_no_bars(tmp_path):
    dumb = on_a_terminal(*TRAIN, "--run-dir=b", cwd=tmp_path, TERM="dumb", FORCE_COLOR="")
    assert ESCAPE not in dumb
    assert "epoch   1" in dumb


@pytest.fixture(scope="module")
def severe(tmp_path_factory):
    """A run with a finding: the folder of one that learns nothing."""
    from small import small_config

    from carousel.training import train

    folder = tmp_path_factory.mktemp("severe") / "run"
    config = small_config("optimizer.learning_rate=1e-9", "training.epochs=2")
    return train(config, seed=0, threads=1, run_dir=folder, quiet=True).path


# ---- completion


LINES = (
    ("carousel lr", "lr-range", "train"),
    ("carousel train mnist-r", "mnist-rows", "sentiment-sst2"),
    ("carousel train x --set optimizer.l", "optimizer.learning_rate=", "model.cell="),
    ("carousel data path penn", "penn-treebank", "atis"),
)
_OFFERED = {  # values in what a shell is told, which may have help beside them
    "bash": r"^(\S+)$",
    "zsh": r'"([^"]+)"(?::"[^"]*")?',
    "fish": r"^([^\t\n]+)",
}


def asked(shell, script, line):
    """A program of the shell that loads the script and completes the end of the line."""
    if shell == "fish":
        return f"{script}\ncomplete -C '{line}'"
    if shell == "zsh":
        return (
            f"autoload -U compinit; compinit -D 2>/dev/null\n{script}\n"
            f"_TYPER_COMPLETE_ARGS='{line}' _CAROUSEL_COMPLETE=complete_zsh carousel"
        )
    words = line.split(" ")
    return (
        f"compopt() {{ :; }}\n{script}\nCOMP_WORDS=({' '.join(map(repr, words))})\n"
        f"COMP_CWORD={len(words) - 1}\n_carousel_completion carousel\n"
        "printf '%s\\n' \"${COMPREPLY[@]}\""
    )


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_verbs_recipes_settings_and_sets(shell, carousel):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    _, script, _ = carousel("completion", shell)
    plain = {"bash": "--norc", "zsh": "-f", "fish": "--no-config"}[shell]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for line, offered, not_offered in LINES:
        done = subprocess.run(
            [shell, plain, "-c", asked(shell, script, line)],
            capture_output=True, text=True, env={**os.environ, "PATH": path},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        found = re.findall(_OFFERED[shell], done.stdout, re.M)
        assert offered in found, line
        assert not_offered not in found, line


def test_settings_with_choices_complete_their_values():
    from carousel.cli.completion import settings

    assert "model.cell=gru" in [value for value, _ in settings("model.cell=g")]
    assert all(meaning for _, meaning in settings("optimizer."))


def test_completing_imports_nothing_heavy():
    code = (
        "import sys; from carousel.cli import completion; list(completion.recipe_names('m'));"
        "list(completion.settings('m')); print({'torch', 'numpy'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


def test_a_shell_that_is_not_known_is_refused(carousel):
    code, out, err = carousel("completion", "tcsh")
    assert (code, out) == (2, "")
    assert "must be one of bash, zsh, fish" in err
