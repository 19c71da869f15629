"""Labels of words: what the network may depend on, what a trained one says."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_words import words_config, write_columns

import carousel
from carousel.cli.given import Request
from carousel.cli.respond import respond
from carousel.data.labelled_words import Labelled, WordFeatures
from carousel.data.ragged import Ragged
from carousel.data.text import Vocabulary
from carousel.errors import ConfigError
from carousel.tasks.label_words.network import WordLabeller, logits_of
from carousel.tasks.label_words.scores import judge
from carousel.tasks.label_words.spans import well_formed
from carousel.tasks.label_words.task import LabelWordsTask
from carousel.tasks.label_words.trained import TrainedWordLabeller
from carousel.tasks.shared.task import Json, Notice
from carousel.training import train


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_columns(tmp_path_factory.mktemp("words"))


@pytest.fixture(scope="module")
def run(path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    return train(words_config(path), run_dir=folder, threads=1, quiet=True)


@pytest.fixture(scope="module")
def model(run):
    return run.load()


def _features(*sizes):
    vocabularies = [Vocabulary(tuple(map(str, range(size)))) for size in sizes]
    return WordFeatures(["word", "suffix"], False, vocabularies)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 11), min_size=1, max_size=8))
def test_padding_and_company_never_change_a_label(lengths):
    torch.manual_seed(3)
    network = WordLabeller(_features(20, 7), 5, words_config("x", "model.num_layers=2"))
    values = torch.stack(
        (torch.randint(0, 20, (sum(lengths),)), torch.randint(0, 7, (sum(lengths),))), 1
    )
    together = Ragged(values, torch.tensor([0, *lengths]).cumsum(0))
    logits = logits_of(network, together).split(lengths)
    for number, row in enumerate(logits):
        alone = logits_of(network, together.take(torch.tensor([number])))
        torch.testing.assert_close(row, alone)


def test_padding_never_changes_a_loss_or_its_gradient(path):
    task = LabelWordsTask(words_config(path), seed=0)
    network = task.build_model().eval()
    features, lengths, labels = next(task.train_batches(0, 0))
    gradients = []
    for extra in (0, 5):
        padding = torch.randint(1, 3, (len(features), extra, 2))
        network.zero_grad()
        step = task.loss(network, (torch.cat((features, padding), 1), lengths, labels))
        step.objective.backward()
        assert step.count == int(lengths.sum())
        gradients.append([p.grad.clone() for p in network.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_the_labels_of_a_batch_are_those_of_its_words(path):
    task = LabelWordsTask(words_config(path), seed=0)
    names = task.features.vocabularies[0].tokens
    for features, lengths, labels in task.train_batches(1, 0):
        rows = labels.split(lengths.tolist())
        for row, length, numbers in zip(features, lengths.tolist(), rows, strict=True):
            words = [names[i] for i in row[:length, 0].tolist()]
            place = task.data.train.words.index(words)
            assert [task.data.labels[i] for i in numbers.tolist()] == task.data.train.labels[place]


def test_the_run_learns_what_the_baseline_cannot(run):
    result = run.result
    assert result["monitor"] == "span_f1"
    assert result["test"]["span_f1"] > 0.95
    assert result["baseline"]["most_frequent_label"]["span_f1"] < 0.9
    assert result["data"]["sizes"] == {"train": 210, "validation": 45, "test": 45}


def test_labels_of_words_from_both_ways_in(run, model):
    words = ["please", "go", "to", "san", "marino", "from", "oslo"]
    labels = [word.label for word in model.label([words, [], words])[2]]
    assert labels == ["O", "O", "O", "B-to", "I-to", "O", "B-from"]
    assert carousel.load(run.path).label([words]) == model.label([words])
    assert model.label([[]]) == [[]]


def test_the_command_answers_with_tables_or_json(model, tmp_path):
    (tmp_path / "x.txt").write_text("go from rome to lima!\n\ngo to oslo from new york\n")
    *notices, table = respond(model, Request(tmp_path / "x.txt"))
    assert Notice("1 blank line passed over") in notices
    assert table.rows[1] == ("2", "go to [to: oslo] from [from: new york]")
    *_, answer = respond(model, Request(None, {"text": "go from rome to lima!"}, as_json=True))
    assert isinstance(answer, Json)
    (sentence,) = answer.content
    assert {"kind": "from", "text": "rome"} in sentence["spans"]
    assert [word["word"] for word in sentence["words"]][-1] == "!"
    *_, table = respond(model, Request(None, {"text": "go to lima"}))
    assert [row[:2] for row in table.rows] == [("go", "O"), ("to", "O"), ("lima", "B-to")]


def test_a_label_that_training_lacks_is_wrong_and_not_in_the_loss():
    part = Labelled([["a", "b"]], [["x", "unheard"]])
    logits = torch.tensor([[2.0, 1.0], [0.0, 3.0]])
    values, details = judge(part, logits, ("x", "y"))
    assert values["accuracy"] == 0.5
    assert values["loss"] == pytest.approx(float(torch.log1p(torch.exp(torch.tensor(-1.0)))))
    assert "macro_f1" in values
    assert details == {}


def test_no_span_is_continued_that_has_not_begun_where_training_has_none(path):
    task = LabelWordsTask(words_config(path), seed=0)
    model = task.finish(task.build_model())
    assert model.well_formed
    with torch.no_grad():  # prefers to go on with a span, whatever stands before
        model.model.head.bias.zero_()
        model.model.head.bias[task.data.labels.index("I-from")] = 10
    (row,) = model.label([["go", "from", "new", "york"]])
    assert well_formed([[word.label for word in row]])
    model.well_formed = False
    (row,) = model.label([["go", "from", "new", "york"]])
    assert {word.label for word in row} == {"I-from"}
    facts = model.facts() | {"well_formed": True}
    assert TrainedWordLabeller.restore(task.config, facts).well_formed
    del facts["well_formed"]  # as bundles of before have it
    assert not TrainedWordLabeller.restore(task.config, facts).well_formed


def test_spans_that_begin_with_inner_labels_are_left_to_themselves(tmp_path):
    path = tmp_path / "older.txt"
    path.write_text("\n\n".join(["in O\nnew I-place\nyork I-place", "to O\noslo I-place"] * 20))
    task = LabelWordsTask(words_config(path), seed=0)
    assert task.validation_metrics[0] == "span_f1"
    assert not task.finish(task.build_model()).well_formed


def test_labels_without_spans_are_judged_by_macro_f1(tmp_path):
    path = tmp_path / "tags.txt"
    path.write_text("\n\n".join(["the DT\ncat NN\nsat VB", "a DT\ndog NN\nran VB"] * 20))
    task = LabelWordsTask(words_config(path), seed=0)
    assert task.validation_metrics == ("macro_f1", "accuracy", "loss")
    assert set(task.validate(task.build_model())) == set(task.validation_metrics)


@pytest.mark.parametrize(
    "setting",
    ["data.view=pixels", "text.level=character", "model.tied=true", "model.adaptive_softmax=9"],
)
def test_settings_without_effect_are_refused(path, setting):
    with pytest.raises(ConfigError, match="has no effect in the task 'label_words'"):
        LabelWordsTask(words_config(path, setting), seed=0)
