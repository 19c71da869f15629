"""Notebooks: a training is one output that is written anew; models and runs show what they are."""

import textwrap

import numpy as np
import pytest
from small_epoch import SUMMARY

import carousel
from carousel.training import display
from carousel.training.notebook import NotebookDisplay

HOSTILE = "<script>alert(1)</script>"


class Shows:
    """IPython.display in small: notes what is shown, and what replaces it."""

    def __init__(self):
        self.shown, self.updates = [], []

    def HTML(self, content):  # noqa: N802  # its name there
        return content

    def display(self, content, display_id):
        assert display_id
        self.shown.append(content)
        return self

    def update(self, content):
        self.updates.append(content)


@pytest.fixture
def shows(monkeypatch):
    made = Shows()
    monkeypatch.setattr("carousel.training.notebook.import_module", lambda name: made)
    return made


def test_a_training_is_one_output_that_is_written_anew(shows):
    shown = NotebookDisplay()
    shown.start(epochs=3, total_steps=3000, done=(0, 0), unit="images")
    for step in range(1, 3001):
        shown.step(step, {"train/loss": 1 / step, "learning_rate": 0.003}, count=64)
    for number in range(20):
        shown.say(f"line {number} {HOSTILE}")
    shown.epoch(SUMMARY)
    shown.stop()
    assert len(shows.shown) == 1
    assert len(shows.updates) < 100  # of 3,000 steps only as many as can be seen
    last = shows.updates[-1]
    assert HOSTILE not in last
    assert "12 lines before" in last
    assert "75.00%" in last
    assert "<progress" not in last
    assert "<progress" in shows.shown[0]


def test_epochs_of_a_pre_training_give_way_to_those_of_the_training(shows):
    shown = NotebookDisplay()
    shown.phase = "pre-training"
    shown.start(epochs=2, total_steps=10, done=(0, 0), unit="words")
    shown.epoch(SUMMARY)
    assert "pre-training: step" in shows.updates[-1]
    assert "75.00%" in shows.updates[-1]
    shown.phase = ""
    shown.start(epochs=3, total_steps=30, done=(0, 0), unit="sentences")
    shown.stop()
    assert "75.00%" not in shows.updates[-1]
    assert "pre-training" not in shows.updates[-1]


def test_only_a_kernel_of_jupyter_is_a_notebook(monkeypatch):
    import sys
    from types import SimpleNamespace

    for shell, wanted in ((None, False), (SimpleNamespace(), False),
                          (SimpleNamespace(kernel=1), True)):  # fmt: skip
        made = SimpleNamespace(get_ipython=lambda shell=shell: shell)
        monkeypatch.setitem(sys.modules, "IPython", made)
        assert display.in_notebook() is wanted
        assert isinstance(display.make_display(quiet=False), NotebookDisplay) is wanted
    assert type(display.make_display(quiet=True)) is display.Display


def test_a_model_and_a_run_show_what_they_are(trained):
    shown = trained._repr_html_()
    assert "accuracy" in shown
    assert str(trained.path / "report.html") in shown
    for name, values in trained.result["baseline"].items():
        assert name.replace("_", " ") in shown
        assert f"{values['accuracy']:.2%}" in shown
    model = trained.load()
    count = sum(p.numel() for p in model.model.parameters())
    for part in ("classify", f"{count:,}", "classes", "test part"):
        assert part in model._repr_html_()
    assert repr(model).startswith("<TrainedClassifier: classify, ")
    assert f"{count:,} parameters" in repr(model)


def test_what_carousel_fit_returns_shows_what_was_guessed():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(6, 2)) for _ in range(30)]
    y = [f"up{HOSTILE}" if x[:, 0].mean() > 0 else "down" for x in X]
    shown = carousel.fit(X, y, epochs=1, hidden_size=4, quiet=True)._repr_html_()
    assert "classify_recordings" in shown
    assert "x0: number (a column of X)" in shown
    assert HOSTILE not in shown


@pytest.mark.slow
def test_a_notebook_runs_and_is_not_flooded(tmp_path):
    nbformat = pytest.importorskip("nbformat", reason="no nbformat: pip install -e .[test]")
    client = pytest.importorskip("nbclient", reason="no nbclient: pip install -e .[test]")
    pytest.importorskip("ipykernel", reason="no ipykernel: pip install -e .[test]")
    cell = """
        import numpy as np, carousel
        rng = np.random.default_rng(0)
        X = [rng.normal(size=(6, 2)) for _ in range(60)]
        y = ["up" if x[:, 0].mean() > 0 else "down" for x in X]
        carousel.fit(X, y, epochs=12, hidden_size=4)
    """
    code = nbformat.v4.new_code_cell(textwrap.dedent(cell))
    book = nbformat.v4.new_notebook(cells=[code])
    resources = {"metadata": {"path": str(tmp_path)}}
    client.NotebookClient(book, timeout=300, kernel_name="python3", resources=resources).execute()
    outputs = book.cells[0].outputs
    kinds = [one.output_type for one in outputs]
    assert kinds.count("execute_result") == 1
    assert kinds.count("stream") == 0
    assert kinds.count("display_data") <= 3
    assert "12 of 12" in "".join(one.data.get("text/html", "") for one in outputs)
    result = next(one for one in outputs if one.output_type == "execute_result")
    assert "classify_recordings" in result.data["text/html"]
