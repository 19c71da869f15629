"""Texts of an imported table are those of its file: parts, tokens, weights, wherever they stand."""

import numpy as np
import polars
import pytest
import torch

from carousel.config import Config
from carousel.data import mapped
from carousel.data.mapped import MappedRagged
from carousel.data.mapped_texts import PartTexts, encoded
from carousel.data.record import DataRecord
from carousel.data.store import Store
from carousel.data.store import blocks as store_blocks
from carousel.data.store.importing import import_files
from carousel.data.store.texts import LongTexts, WordTexts
from carousel.data.table import read_table
from carousel.data.tokens import Tokens
from carousel.errors import DataError
from carousel.tasks import find
from carousel.training import train

SLOW = pytest.mark.slow
WORDS = ["good", "bad", "ü", "한국어", "it's", "a", "(very)", "dull", "𝄞"]


def table(path, rows=90, seed=0):
    """Sentences of unequal length, some twice, some blank, some without a class."""
    generator = np.random.default_rng(seed)
    texts = [
        " ".join(WORDS[i] for i in generator.integers(0, len(WORDS), generator.integers(1, 12)))
        for _ in range(rows)
    ]
    texts[7], texts[20], texts[21] = texts[3], None, texts[19]
    frame = polars.DataFrame(
        {
            "text": texts,
            "state": [None if i % 23 == 5 else "ab"[i % 2] for i in range(rows)],
            "fresh": [int(i % 3 == 0) for i in range(rows)],
            "warm": [int(i % 2 == 0) for i in range(rows)],
            "group": [f"g{i // 9}" for i in range(rows)],
        }
    )
    (frame.write_csv if path.suffix == ".csv" else frame.write_parquet)(path)
    return path


@pytest.fixture(params=["words", "long"])
def both(request, tmp_path, monkeypatch):
    """The same table as a file and imported, its texts by number or end to end."""
    monkeypatch.setattr(store_blocks, "SIZE", 1500)
    if request.param == "long":
        monkeypatch.setattr("carousel.data.store.growing.MOST_LETTERS", 500)
    monkeypatch.setattr("carousel.data.mapped_texts._AT_ONCE", 7)
    monkeypatch.setattr("carousel.data.store.texts._AT_ONCE", 5)
    path = table(tmp_path / "table.csv")
    store = import_files([path], tmp_path / "kept").store
    assert store.by_name["text"].kind == ("long" if request.param == "long" else "text")
    return path, tmp_path / "kept"


def config_of(path, **more):
    return Config(task="classify_text").override(
        {
            "data.path": str(path),
            "columns.text": "text",
            "columns.target": "state",
            "model.hidden_size": 8,
            "training.batch_size": 4,
            "training.epochs": 1,
            **more,
        }
    )


SETTINGS = {
    "words": {},
    "letters": {"text.level": "character"},
    "spelling": {"text.characters": "character"},
    "labels": {"columns.target": "fresh, warm"},
    "groups": {"split.by": "group", "split.column": "group"},
    "in time": {"split.by": "time"},
    "blocks": {"data.shuffle": "blocks"},
    "pre-training": {
        "data.shuffle": "blocks",
        "pretraining.epochs": 1,
        "pretraining.bptt": 4,
        "text.characters": "character",
    },
}


@pytest.mark.parametrize(
    "how",
    [
        name if name in ("blocks", "pre-training") else pytest.param(name, marks=SLOW)
        for name in SETTINGS
    ],
)
def test_training_on_texts_from_the_disk_gives_the_weights_of_training_from_memory(
    both, tmp_path, monkeypatch, how
):
    monkeypatch.setattr(mapped, "_ROWS", 40)
    monkeypatch.setattr(mapped, "BLOCK", 600)
    monkeypatch.setattr("carousel.data.order.TOGETHER", 2)
    results = []
    for number, path in enumerate(both):
        config = config_of(path, **SETTINGS[how])
        task = find("classify_text")(config, 0)
        assert isinstance(task.data.train.texts, PartTexts) == path.is_dir()
        assert isinstance(task._train, MappedRagged) == path.is_dir()
        record, account = DataRecord.of(config, task.parted).parts, task.account()
        run = train(config, seed=3, threads=1, run_dir=tmp_path / f"run{number}", quiet=True)
        weights = (run.path / "model" / "weights.safetensors").read_bytes()
        results.append((record, account, weights, run.result["test"], run.result["baseline"]))
    assert results[0] == results[1]


def test_baselines_of_many_sentences_are_fitted_on_a_draw_of_them(tmp_path, monkeypatch):
    """Of a table that is sorted by class the first ones would be of one class."""
    frame = polars.read_csv(table(tmp_path / "table.csv")).sort("state", nulls_last=True)
    frame.write_csv(tmp_path / "sorted.csv")
    import_files([tmp_path / "sorted.csv"], tmp_path / "kept")
    monkeypatch.setattr("carousel.tasks.classify_text.task._MOST_COUNTED", 20)
    fitted = []

    def fit(texts, labels, *rest):
        fitted.append((list(texts), labels.tolist()))
        return {}

    monkeypatch.setattr("carousel.tasks.shared.baselines.examples.fit_sentences", fit)
    for seed in (0, 0, 1):
        task = find("classify_text")(config_of(tmp_path / "kept"), seed)
        task.data.train = task.data.train.take(task.data.train.labels.argsort(stable=True))
        _, notes = task.judged_baselines()
        assert notes == [
            f"baselines are fitted on 20 of {len(task.data.train)} sentences, drawn by chance"
        ]
    assert fitted[0] == fitted[1] != fitted[2]
    pairs = {*zip(task.data.train.texts, task.data.train.labels.tolist(), strict=True)}
    for texts, labels in fitted:
        assert len(texts) == 20
        assert {*labels} == {0, 1}
        assert {*zip(texts, labels, strict=True)} <= pairs


def test_long_texts_are_those_of_the_file_and_grow_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(store_blocks, "SIZE", 400)
    monkeypatch.setattr("carousel.data.store.growing.MOST_LETTERS", 300)
    path = table(tmp_path / "table.csv")
    done = import_files([path], tmp_path / "kept")
    assert any("is kept as long texts" in line for line in done.said)
    assert done.store.forced == ()
    with path.open("a") as file:
        file.write('"two words, ü",a,1,0,g1\n,b,0,0,g1\n')
    again = import_files([path], tmp_path / "kept")
    assert again.added == 2
    assert len(again.store.segments) == 2
    found, wanted = read_table(tmp_path / "kept"), read_table(path)
    column = found["text"]
    assert isinstance(column.on_disk, LongTexts)
    assert isinstance(found["group"].on_disk, WordTexts)
    for name in ("text", "group"):
        assert found[name].texts() == [*found[name].on_disk] == wanted[name].texts()
        assert (found[name].kind, found[name].missing) == ("text", wanted[name].missing)
    assert column.cells().to_list() == wanted["text"].texts()
    rows = np.array([91, 0, 20, 90])
    assert column.some(rows).texts() == [wanted["text"].texts()[i] for i in rows]
    assert column.on_disk[-2:] == ["two words, ü", ""]
    assert column.on_disk[-2] == "two words, ü"
    assert set(Store.open(tmp_path / "kept").verify()) >= {"00000.bin", "00000-texts.bin"}


def test_columns_that_begin_late_or_are_empty_for_a_while_are_kept_as_long_texts(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("carousel.data.store.growing.MOST_LETTERS", 50)
    monkeypatch.setattr(store_blocks, "SIZE", 300)
    lines = [f'{{"n": {i}}}' for i in range(30)]
    lines += [f'{{"n": {i}, "text": "number {i} and more of it"}}' for i in range(30)]
    lines += [f'{{"n": {i}, "text": null}}' for i in range(30)]
    (tmp_path / "t.ndjson").write_text("\n".join(lines) + "\n")
    store = import_files([tmp_path / "t.ndjson"], tmp_path / "kept").store
    assert (store.by_name["text"].kind, store.by_name["text"].missing) == ("long", 60)
    texts = read_table(tmp_path / "kept")["text"].texts()
    assert texts == read_table(tmp_path / "t.ndjson")["text"].texts()


def test_damaged_and_short_long_texts_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr("carousel.data.store.growing.MOST_LETTERS", 300)
    import_files([table(tmp_path / "table.csv")], tmp_path / "kept")
    file = tmp_path / "kept" / "00000-texts.bin"
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"texts.bin is not what was imported"):
        Store.open(tmp_path / "kept").verify()
    file.write_bytes(content[:-1])
    with pytest.raises(DataError, match=r"texts.bin has .* bytes of"):
        Store.open(tmp_path / "kept")


def test_a_table_without_long_texts_is_written_as_older_versions_read_it(tmp_path, monkeypatch):
    import_files([table(tmp_path / "table.csv")], tmp_path / "kept")
    text = (tmp_path / "kept" / "store.json").read_text()
    assert '"format": 1' in text
    assert '"content"' not in text
    monkeypatch.setattr("carousel.data.store.growing.MOST_LETTERS", 300)
    import_files([tmp_path / "table.csv"], tmp_path / "other")
    text = (tmp_path / "other" / "store.json").read_text()
    assert '"format": 2' in text
    (tmp_path / "other" / "store.json").write_text(text.replace('"format": 2', '"format": 3'))
    with pytest.raises(DataError, match=r"format 3 .* reads up to 2: import the files again, or"):
        Store.open(tmp_path / "other")


def test_tokens_of_no_text_at_all_are_none(tmp_path):
    tokens = Tokens.fit(["a b"], Config().text)
    texts = PartTexts(WordTexts(["a", ""], np.zeros(3, np.int32)), np.arange(0), tmp_path)
    assert len(encoded(tokens, texts)) == 0
    blank = PartTexts(WordTexts(["a", ""], np.full(3, -1)), np.arange(3), tmp_path)
    assert encoded(tokens, blank).lengths.tolist() == [0, 0, 0]
    assert torch.equal(encoded(tokens, blank).pad(torch.arange(3))[1], torch.zeros(3).long())


def test_many_texts_of_a_table_from_before_there_were_long_ones_grow_as_they_are(
    tmp_path, monkeypatch
):
    import_files([table(tmp_path / "table.csv")], tmp_path / "kept")
    monkeypatch.setattr("carousel.data.store.growing.MOST_LETTERS", 100)
    more = table(tmp_path / "more.csv", rows=30, seed=1)
    (tmp_path / "table.csv").unlink()
    store = import_files([more], tmp_path / "kept").store
    assert (store.by_name["text"].kind, store.rows, len(store.segments)) == ("text", 120, 2)
    more = table(tmp_path / "many.csv", rows=300, seed=2)
    with pytest.raises(DataError, match=r"table.csv is gone, and all files"):
        import_files([more], tmp_path / "kept")
    assert Store.open(tmp_path / "kept").rows == 120
