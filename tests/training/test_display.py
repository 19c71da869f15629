"""What is shown while training: bars on a terminal, plain lines elsewhere, or nothing."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console
from small_epoch import SUMMARY

from carousel.training.display import (
    BarDisplay,
    Display,
    PlainDisplay,
    line_of,
    make_display,
)


def run(display):
    display.start(epochs=3, total_steps=30, done=(1, 10), unit="images")
    display.say("[bold] is no markup here")
    for step in range(11, 21):
        display.step(step, {"train/loss": 1 / step, "learning_rate": 0.003}, count=64)
    display.epoch(SUMMARY)
    display.stop()


def test_a_line_of_an_epoch_says_everything_of_it():
    line = line_of(SUMMARY)
    for part in ("epoch   2", "0.2500", "50.00%", "0.1250", "75.00%", "12.0 s", "best"):
        assert part in line
    assert len(line) <= 80
    assert "best" not in line_of(replace(SUMMARY, best=False))


def test_plain_lines_are_one_per_epoch_and_nothing_per_step(capsys):
    run(PlainDisplay())
    out, err = capsys.readouterr()
    assert (out, err.splitlines()) == ("", ["[bold] is no markup here", line_of(SUMMARY)])


def test_quiet_shows_nothing(capsys):
    run(make_display(quiet=True))
    assert capsys.readouterr() == ("", "")


def test_bars_show_progress_loss_accuracy_rate_and_speed():
    shown = io.StringIO()
    run(BarDisplay(Console(file=shown, force_terminal=True, width=140)))
    text = shown.getvalue()
    assert "epoch" in text
    assert "step" in text
    assert "11/30" in text  # the first step after the resumed ones
    assert "1/3" in text
    assert f"loss {1 / 11:.4f}" in text
    assert "rate 0.003" in text
    assert "images/s" in text
    assert "[bold] is no markup here" in text
    assert line_of(SUMMARY) in text


def test_an_epoch_updates_the_bars_with_the_validation_accuracy():
    shown = io.StringIO()
    display = BarDisplay(Console(file=shown, force_terminal=True, width=140))
    display.start(epochs=3, total_steps=30, done=(0, 0), unit="images")
    display.epoch(SUMMARY)
    display.step(21, {"train/loss": 0.5, "learning_rate": 0.003}, count=64)
    display.stop()
    assert "validation accuracy 75.00%" in shown.getvalue()
    assert "2/3" in shown.getvalue()


def test_bars_fit_a_terminal_of_80_columns_also_in_a_long_run():
    shown = io.StringIO()
    display = BarDisplay(Console(file=shown, force_terminal=True, width=80))
    display.start(epochs=16, total_steps=6880, done=(4, 1880), unit="images")
    display.step(1881, {"train/loss": 0.1195, "learning_rate": 0.00039}, count=128)
    display.stop()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue())
    assert re.search(r"1881/6880 loss 0\.1195  rate 0\.00039  [\d,]+ images/s \S+\n", text)


def test_bars_of_a_phase_say_so_and_give_way_to_those_of_the_training():
    shown = io.StringIO()
    display = BarDisplay(Console(file=shown, force_terminal=True, width=100))
    display.phase = "pre-training"
    display.start(epochs=5, total_steps=50, done=(0, 0), unit="words")
    display.step(1, {"train/loss": 6.5, "learning_rate": 0.003}, count=64)
    display.epoch(SUMMARY)
    display.stop()
    text = shown.getvalue()
    assert re.search(r"0/5\s.* pre-training", text)
    assert line_of(SUMMARY, "pre-training") in text
    assert line_of(SUMMARY, "pre-training").startswith("pre-training epoch   2  train")
    shown.truncate(0)
    display.phase = ""
    run(display)
    assert "pre-training" not in shown.getvalue()
    assert "/50" not in shown.getvalue()
    assert "1/3" in shown.getvalue()


def test_bars_may_be_stopped_twice_and_before_they_start():
    display = BarDisplay(Console(file=io.StringIO(), force_terminal=True))
    display.stop()
    run(display)
    display.stop()


@pytest.mark.parametrize(
    ("terminal", "term", "kind"),
    [
        (True, "xterm", BarDisplay),
        (True, "dumb", PlainDisplay),  # it cannot rewrite a line
        (False, "xterm", PlainDisplay),  # a pipe, even one that is to have colours
    ],
)
def test_the_display_suits_standard_error(monkeypatch, terminal, term, kind):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr("sys.stderr", io.StringIO())
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    assert type(make_display(quiet=False)) is kind
    assert type(make_display(quiet=True)) is Display
