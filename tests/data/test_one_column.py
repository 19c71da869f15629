"""Tables of one column: nothing to learn from, and enough for a model that reads no other."""

import polars as pl
import pytest

from carousel.config import Config
from carousel.data.table import of_frame, read_table
from carousel.errors import DataError
from carousel.training import fit


def test_a_model_of_sentences_reads_a_table_of_sentences_alone(tmp_path):
    said = [f"w{i % 4} and {'good' if i % 2 else 'bad'}" for i in range(40)]
    mood = ["up" if i % 2 else "down" for i in range(40)]
    pl.DataFrame({"said": said, "mood": mood}).write_csv(tmp_path / "learnt.csv")
    values = {
        "task": "classify_text",
        "data": {"path": str(tmp_path / "learnt.csv")},
        "columns": {"text": "said", "target": "mood"},
        "text": {"test": 0.2, "validation": 0.2},
    }
    small = {"model.hidden_size": 3, "training.epochs": 1, "training.batch_size": 4}
    new = tmp_path / "new.csv"
    new.write_text("said\nw1 and good\n\nw2 and bad\n")
    given = fit(Config.from_dict(values).override(small)).model.read(new)
    assert [*given.inputs] == ["w1 and good", "w2 and bad"]
    assert "1 blank sentence passed over" in " ".join(note.text for note in given.notes)


def test_nothing_is_learnt_from_one_column(tmp_path):
    (tmp_path / "one.csv").write_text("x\n1\n2\n")
    with pytest.raises(DataError, match="has 1 column"):
        read_table(tmp_path / "one.csv")
    with pytest.raises(DataError, match="has 1 column"):
        of_frame(pl.DataFrame({"x": [1]}))
    assert read_table(tmp_path / "one.csv", fewest=1).names == ("x",)
    assert of_frame(pl.DataFrame({"x": [1]}), fewest=1).names == ("x",)
