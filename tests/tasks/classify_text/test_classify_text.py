"""Classification of sentences: what the network may depend on, what a trained one says."""

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_sentences import BAD, GOOD, sentence_config, write_sentences

import carousel
from carousel.cli.given import Request
from carousel.cli.respond import respond
from carousel.data.ragged import Ragged
from carousel.data.text import Vocabulary
from carousel.data.tokens import Tokens
from carousel.errors import ConfigError, DataError
from carousel.tasks.classify_text.network import TextClassifier, logits_of
from carousel.tasks.classify_text.task import ClassifyTextTask
from carousel.tasks.shared.task import Json, Notice, Table
from carousel.training import train


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_sentences(tmp_path_factory.mktemp("sentences"))


@pytest.fixture(scope="module")
def run(path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    return train(sentence_config(path), run_dir=folder, threads=1, quiet=True)


@pytest.fixture(scope="module")
def model(run):
    return run.load()


def _tokens(count):
    return Tokens("word", False, Vocabulary(tuple(map(str, range(count)))))


sentences = st.lists(st.lists(st.integers(0, 19), max_size=12), min_size=1, max_size=9)


@settings(max_examples=25)
@given(sentences, st.sampled_from(["last", "mean", "max", "attention"]))
def test_padding_never_changes_a_prediction(rows, pooling):
    torch.manual_seed(1)
    config = sentence_config("x", f"model.pooling={pooling}", "model.num_layers=2")
    network = TextClassifier(_tokens(20), 3, config)
    together = Ragged.of([torch.tensor(row, dtype=torch.int64) for row in rows])
    logits = logits_of(network, together)
    for number in range(len(rows)):
        alone = logits_of(network, together.take(torch.tensor([number])))
        torch.testing.assert_close(logits[number : number + 1], alone)


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_padding_never_changes_a_loss_or_its_gradient(path, pooling):
    task = ClassifyTextTask(sentence_config(path, f"model.pooling={pooling}"), seed=0)
    network = task.build_model().eval()
    tokens, lengths, labels = next(task.train_batches(0, 0))
    gradients = []
    for extra in (0, 7):
        padding = torch.randint(1, 5, (len(tokens), extra))
        batch = (torch.cat((tokens, padding), 1), lengths, labels)
        network.zero_grad()
        task.loss(network, batch).objective.backward()
        gradients.append([p.grad.clone() for p in network.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_a_sentence_without_tokens_is_judged_by_the_bias_alone():
    config = sentence_config("x", "model.pooling=attention")
    network = TextClassifier(_tokens(20), 3, config)
    empty = Ragged(torch.empty(0, dtype=torch.int64), torch.tensor([0, 0, 0]))
    torch.testing.assert_close(logits_of(network, empty), network.head.bias.expand(2, 3))


def test_the_run_learns_and_reports_data_baselines_and_metrics(run):
    result = run.result
    assert result["test"]["accuracy"] > 0.9
    assert set(result["test"]) == {"accuracy", "macro_f1", "loss", "unknown"}
    assert result["baseline"]["tfidf_logistic_regression"]["accuracy"] > 0.9
    assert result["data"]["sizes"] == {"train": 280, "validation": 60, "test": 60}
    report = json.loads((run.path / "evaluation.json").read_text())
    assert set(report["per_class"]) == {"good", "bad"}
    assert (run.path / "confusion.png").is_file()


def test_the_words_that_give_the_class_away_move_the_decision_most(model):
    for words, label in ((GOOD, "good"), (BAD, "bad")):
        for word in words:
            sentence = f"the film was really {word} and the plot"
            assert [a.label for a in model.predict([sentence])] == [label]
            moved = max(model.influences(sentence), key=lambda influence: influence.log_odds)
            assert moved.word == word


def test_an_influence_is_the_change_of_the_log_odds(model):
    sentence = "the film was clever"
    p = model.predict_proba([sentence, "the film clever"])[:, model.classes.index("good")]
    with_word, without = (math.log(float(x) / (1 - float(x))) for x in p)
    influence = model.influences(sentence)[2]
    assert influence.word == "was"
    assert influence.log_odds == pytest.approx(with_word - without, abs=1e-3)


def test_a_sentence_longer_than_any_in_training_is_read_whole(model):
    long = "film " * 3000 + "awful"
    assert [answer.label for answer in model.predict([long, "awful"])] == ["bad", "bad"]
    influences = model.influences(long)
    assert len(influences) <= 200
    assert " ".join(influence.word for influence in influences) == long


def test_an_answer_is_a_value_that_json_can_hold(model):
    texts = ["clever plot", "the actors were dull"]
    answers = model.predict(texts)
    assert [a.label for a in answers] == ["good", "bad"]
    assert [[*a.probabilities.values()] for a in answers] == model.predict_proba(texts).tolist()
    assert all(a.influences is None and "influences" not in a.to_json() for a in answers)
    (told,) = model.predict(texts[0], influences=True)
    assert told.influences == tuple(model.influences(texts[0]))
    assert json.loads(json.dumps(told.to_json()))["influences"][0]["word"] == "clever"


def test_a_prediction_is_encode_then_network_then_decode(model):
    texts = ["clever plot", "the actors were dull"]
    with torch.no_grad():
        answers = model.decode(model.model(*model.encode(texts)))
    assert [a.label for a in answers] == [a.label for a in model.predict(texts)]
    outputs = model.model(*model.example_inputs())
    assert isinstance(outputs, torch.Tensor)
    assert outputs.shape == (1, len(model.classes))


def test_a_loaded_model_predicts_the_same(run, model):
    texts = ["clever plot", "the actors were dull", "☃ unheard of"]
    again = carousel.load(run.path).predict_proba(texts)
    assert (model.predict_proba(texts) == again).all()


def test_the_command_answers_with_tables_or_json(model, tmp_path):
    (tmp_path / "x.txt").write_text("clever film\n\nawful plot\n")
    shown = list(respond(model, Request(tmp_path / "x.txt")))
    assert shown[0] == Notice("1 blank line passed over")
    assert [row[1] for row in shown[1].rows] == ["good", "bad"]
    assert "clever" in shown[1].rows[0][3]
    first, second = respond(model, Request(None, {"text": "clever"}))
    assert isinstance(first, Table)
    assert second.rows[0][0] == "clever"
    *_, answer = respond(model, Request(tmp_path / "x.txt", as_json=True))
    assert isinstance(answer, Json)
    assert [row["class"] for row in answer.content] == ["good", "bad"]


def test_unknown_words_are_named(model):
    notice = next(iter(respond(model, Request(None, {"text": "xyzzy film"}))))
    assert notice == Notice("not in the model's vocabulary, read as <unk>: xyzzy")


def test_what_is_no_sentence_is_refused(model, tmp_path):
    with pytest.raises(DataError, match="sentence 2 is empty"):
        model.predict(["film", " "])
    with pytest.raises(DataError, match="it is empty"):
        list(respond(model, Request(None, {"text": " "})))
    with pytest.raises(ConfigError, match="give a sentence"):
        list(respond(model, Request()))


def test_class_weights_and_smoothing_change_what_is_differentiated_only(path):
    plain = ClassifyTextTask(sentence_config(path), seed=0)
    network, batch = plain.build_model().eval(), next(plain.train_batches(0, 0))
    wanted = plain.loss(network, batch)
    for setting in ("loss.label_smoothing=0.2", "loss.class_weights=balanced"):
        task = ClassifyTextTask(sentence_config(path, setting), seed=0)
        step = task.loss(network, batch)
        assert float(step.sums["loss"]) == float(wanted.sums["loss"])
        assert float(step.objective.detach()) != float(wanted.objective.detach())


@pytest.mark.parametrize(
    "setting", ["data.view=pixels", "text.bptt=7", "model.tied=true", "model.adaptive_softmax=9"]
)
def test_settings_without_effect_are_refused(path, setting):
    with pytest.raises(ConfigError, match="has no effect in the task 'classify_text'"):
        ClassifyTextTask(sentence_config(path, setting), seed=0)
