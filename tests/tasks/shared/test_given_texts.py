"""What every text model takes: a single text, several, or a file as one trains on."""

import numpy as np
import pytest
import torch
from small_pairs import pair_config, some_pairs, write_pairs
from small_scenes import images_config, write_images
from small_sentences import read_rows, sentence_config, write_sentences
from small_text import text_config, write_text
from small_words import words_config, write_columns

from carousel import tasks
from carousel.cli.given import Request
from carousel.cli.respond import respond
from carousel.errors import DataError
from carousel.tasks.shared.task import Json, Notice


def untrained(config):
    """A model of the task as it begins; what it says does not matter here."""
    torch.manual_seed(0)
    task = tasks.find(config.task)(config, 0)
    return task.finish(task.build_model().eval())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("given")


@pytest.fixture(scope="module")
def classifier(folder):
    return untrained(sentence_config(write_sentences(folder)))


@pytest.fixture(scope="module")
def translator(folder):
    return untrained(pair_config(write_pairs(folder, 80), "text.level=word"))


@pytest.fixture(scope="module")
def labeller(folder):
    return untrained(words_config(write_columns(folder)))


@pytest.fixture(scope="module")
def writer(folder):
    return untrained(text_config(write_text(folder)))


@pytest.fixture(scope="module")
def captioner(folder):
    return untrained(images_config(write_images(folder)))


def answered(model, path, **options):
    """The notices and the JSON that predict gives for a file."""
    shown = list(respond(model, Request(path, options, as_json=True)))
    (json,) = [each.content for each in shown if isinstance(each, Json)]
    return [each.text for each in shown if isinstance(each, Notice)], json


# ---- a single text


def test_a_single_text_is_classified_as_one(classifier):
    assert classifier.predict("a great film") == classifier.predict(["a great film"])
    one = classifier.predict_proba("a great film")
    assert np.array_equal(one, classifier.predict_proba(["a great film"]))
    assert one.shape == (1, 2)


def test_a_single_text_is_translated_as_one(translator):
    assert translator.translate("rennt Hund.") == translator.translate(["rennt Hund."])
    assert len(translator.alternatives("rennt Hund.")) == 1


def test_a_single_text_is_cut_and_labelled_as_one(labeller):
    wanted = labeller.label([["go", "to", "rome"]])
    assert labeller.label("go to rome") == labeller.label(["go to rome"]) == wanted
    assert [[w.word for w in row] for row in labeller.label(["to rome", ["to", "oslo"]])] == [
        ["to", "rome"],
        ["to", "oslo"],
    ]


def test_a_single_name_is_one_image(captioner, folder):
    file = sorted((folder / "images").glob("*.png"))[0]
    assert captioner.caption(str(file)) == captioner.caption(file) == captioner.caption([file])


WRONG = pytest.mark.parametrize(
    "given", [3, None, [None], ["fine", float("nan")], [b"x"], b"x", {"text": "x"}], ids=str
)


@WRONG
def test_what_is_no_text_is_refused_by_every_verb(classifier, translator, labeller, given):
    for verb in (classifier.predict, classifier.predict_proba, translator.translate,
                 translator.alternatives, labeller.label):  # fmt: skip
        with pytest.raises(DataError, match="text"):
            verb(given)


def test_a_table_is_refused_and_a_column_of_it_is_read(classifier, translator, labeller):
    class DataFrame(dict):  # iterates over names, as that of pandas
        columns = property(dict.keys)

    table = DataFrame(text=["a great film", "dull"])
    for verb in (classifier.predict, translator.translate, labeller.label):
        with pytest.raises(DataError, match="list of texts, got DataFrame"):
            verb(table)
    column = np.array(table["text"])
    assert classifier.predict(column) == classifier.predict(table["text"])


@pytest.mark.parametrize("given", [["cats"], None, 3, b"cats"], ids=str)
def test_a_prompt_and_a_text_to_score_are_one_text(writer, given):
    with pytest.raises(DataError, match="prompt must be a single text"):
        list(writer.generate(given))
    with pytest.raises(DataError, match="text to score must be a single text"):
        writer.score(given)


def test_one_sentence_is_asked_for_where_there_is_one_answer(classifier, translator):
    with pytest.raises(DataError, match="must be a single text, got list"):
        classifier.influences(["good"])
    (translation,) = translator.alternatives("rennt Hund.")[0]
    with pytest.raises(DataError, match="must be a single text, got list"):
        translator.looks(["rennt Hund."], translation)


# ---- files in the format that one trains on


@pytest.mark.parametrize("name", ["given.tsv", "given.csv"])
def test_labels_and_header_are_no_words_of_a_sentence(classifier, folder, tmp_path, name):
    rows = read_rows(folder / "sentences.tsv")[:20]
    sign = "\t" if name.endswith("tsv") else ","
    header = "" if name.endswith("tsv") else "label,text\n"
    path = tmp_path / name
    path.write_text(header + "".join(f"{label}{sign}{text}\n" for label, text in rows))
    notices, found = answered(classifier, path)
    assert [row["text"] for row in found] == [text for _, text in rows]
    answers = classifier.predict([text for _, text in rows])
    assert [row["class"] for row in found] == [answer.label for answer in answers]
    assert any("not read" in notice for notice in notices)
    assert not any("good" in notice or "label," in notice for notice in notices)
    example = classifier.example(classifier.read(path), 0)
    assert example.steps == tuple(classifier.tokens.cut(rows[0][1]))


def test_targets_are_not_translated(translator, tmp_path):
    pairs = some_pairs(5, seed=3)
    path = tmp_path / "pairs.tsv"
    path.write_text("source\ttarget\n" + "".join(f"{a}\t{b}\tnote\n" for a, b in pairs))
    notices, found = answered(translator, path)
    assert [row["text"] for row in found] == [source for source, _ in pairs]
    assert "the rest is not read; the header is passed over" in notices[0]


def test_pairs_with_an_odd_line_are_refused(translator, tmp_path):
    (tmp_path / "pairs.tsv").write_text("rennt Hund.\tthe dog runs.\nsingt Vogel.\n")
    with pytest.raises(DataError, match="line 2 has no tab and others have"):
        answered(translator, tmp_path / "pairs.tsv")


def test_columns_are_words_and_labels_no_words(labeller, folder):
    notices, found = answered(labeller, folder / "journeys.txt")
    first = (folder / "journeys.txt").read_text().split("\n\n")[0]
    wanted = [line.split()[0] for line in first.splitlines()]
    assert [word["word"] for word in found[0]["words"]] == wanted
    assert len(found) == 300
    assert "labels in the last are not read" in notices[0]
    assert labeller.example(labeller.read(folder / "journeys.txt"), 0).steps == tuple(wanted)


def test_plain_sentences_are_answered_as_before(classifier, translator, labeller, tmp_path):
    (tmp_path / "x.txt").write_text("go to rome\n\nplease go\n")
    for model in (classifier, translator, labeller):
        notices, found = answered(model, tmp_path / "x.txt")
        assert [row["text"] for row in found] == ["go to rome", "please go"]
        assert notices[0] == "1 blank line passed over"


def test_a_binary_file_is_called_what_it_is(classifier, translator, labeller, writer, tmp_path):
    (tmp_path / "x.csv").write_bytes(b"PAR1\x15\x04\x15\x00")
    for model in (classifier, translator, labeller, writer):
        with pytest.raises(DataError, match="is a Parquet table"):
            answered(model, tmp_path / "x.csv")


def test_a_folder_is_called_a_folder(classifier, tmp_path):
    with pytest.raises(DataError, match="is a folder: give a file of sentences"):
        answered(classifier, tmp_path)


# ---- what a model was trained on is said


def test_a_recognised_header_is_said_before_training_and_kept(tmp_path):
    plain = write_sentences(tmp_path).read_text()
    path = tmp_path / "headed.tsv"
    path.write_text("label\ttext\n" + plain)
    task = tasks.find("classify_text")(sentence_config(path), 0)
    assert task.data.classes == ("bad", "good")
    assert "read by the header" in task.describe(task.build_model())
    assert "read by the header" in task.account()["read_as"]


@pytest.mark.parametrize("header", ["source\ttarget", "\nid\tde\ten", "German\tEnglish"])
def test_a_header_of_pairs_is_refused(tmp_path, header):
    path = write_pairs(tmp_path, 30)
    path.write_text(f"{header}\n{path.read_text()}")
    with pytest.raises(DataError, match=f"line {1 + header.count(chr(10))} is a header"):
        tasks.find("translate")(pair_config(path), 0)


def test_numbers_of_pairs_are_no_sources(tmp_path):
    path = write_pairs(tmp_path, 30)
    lines = path.read_text().splitlines()
    path.write_text("".join(f"{i}\t{line}\n" for i, line in enumerate(lines)))
    with pytest.raises(DataError, match="numbers alone before the first tab"):
        tasks.find("translate")(pair_config(path), 0)


@pytest.mark.parametrize(
    "task",
    [
        *("classify_text", "label_words", "translate", "generate", "caption"),
        *("classify_recordings", "label_frames", "regress", "forecast", "anomaly"),
    ],
)
def test_a_data_set_that_nobody_named_is_called_the_default(task):
    from carousel.config import Config
    from carousel.errors import ConfigError

    with pytest.raises(ConfigError, match="got 'mnist', which is what it is where nothing sets it"):
        tasks.find(task)(Config(task=task), 0)
