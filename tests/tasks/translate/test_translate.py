"""Translation: what it learns, what it may depend on, what a trained translator answers."""

import itertools
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from small_pairs import pair_config, some_pairs, write_pairs

import carousel
from carousel.cli.given import Request
from carousel.cli.respond import respond
from carousel.data.ragged import Ragged
from carousel.errors import ConfigError, DataError
from carousel.tasks.shared.beam_search import Search
from carousel.tasks.shared.task import Json, Notice, Table
from carousel.tasks.translate.network import Translator, alignment, mean_loss, translate
from carousel.tasks.translate.task import TranslateTask
from carousel.training import train

SENTENCE, TRANSLATION = "rennt rot Hund.", "the red dog runs."


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def run(path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    return train(pair_config(path), run_dir=folder, threads=1, quiet=True)


@pytest.fixture(scope="module")
def model(run):
    return run.load()


def untrained(*more, seed=2):
    torch.manual_seed(seed)
    config = pair_config("x", "model.hidden_size=6", "regularization.dropout=0.4", *more)
    network = Translator(13, 11, config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.6)
    return network.eval()


KINDS = [
    ("model.cell=lstm", "model.num_layers=2", "model.pooling=mean"),
    ("model.cell=gru", "decoder.attention=additive"),
    ("model.cell=gru", "model.bidirectional=false", "decoder.attention=dot", "model.pooling=max"),
]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=" ".join)


@each_kind
@settings(max_examples=10)
@given(rows=st.lists(st.lists(st.integers(0, 12), max_size=9), min_size=1, max_size=6))
def test_a_translation_does_not_depend_on_what_else_is_translated(kind, rows):
    network = untrained(*kind)
    sources = Ragged.of([torch.tensor(row, dtype=torch.int64) for row in rows])
    search = Search(3, 0.7, 3)
    together = translate(network, sources, search, 1.5)
    for number, row in enumerate(rows):
        (alone,) = translate(network, sources.take(torch.tensor([number])), search, 1.5)
        assert [h.tokens for h in alone] == [h.tokens for h in together[number]]
        for one, other in zip(alone, together[number], strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-4)
            assert len(one.tokens) < int(1.5 * len(row)) + 10
            assert not {0, 11} & set(one.tokens)


@each_kind
def test_padding_never_changes_a_loss_or_its_gradient(kind, path):
    task = TranslateTask(pair_config(path, *kind), seed=0)
    network = task.build_model().eval()
    sources, lengths, tokens, targets = next(task.train_batches(0, 0))
    rows, gradients = len(sources), []
    for extra in (0, 5):
        more = torch.randint(1, 5, (rows, extra))
        batch = (
            torch.cat((sources, more), 1),
            lengths,
            torch.cat((tokens, more), 1),
            torch.cat((targets, torch.full((rows, extra), -1)), 1),
        )
        network.zero_grad()
        step = task.loss(network, batch)
        step.objective.backward()
        gradients.append([step.sums["loss"], *(p.grad.clone() for p in network.parameters())])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_the_validation_loss_is_the_mean_over_tokens_whatever_the_batches(path):
    task = TranslateTask(pair_config(path), seed=0)
    network = task.build_model()
    sides = task._validation
    alone = [
        (mean_loss(network, *(side.take(torch.tensor([i])) for side in sides)), n + 1)
        for i, n in enumerate(sides[1].lengths.tolist())
    ]
    wanted = sum(loss * count for loss, count in alone) / sum(count for _, count in alone)
    assert mean_loss(network, *sides) == pytest.approx(wanted, rel=1e-5)


def test_smoothing_and_dropout_change_what_is_differentiated_not_the_loss_that_is_told(path):
    plain = TranslateTask(pair_config(path, "loss.label_smoothing=0.0"), seed=0)
    network, batch = plain.build_model().eval(), next(plain.train_batches(0, 0))
    smooth = TranslateTask(pair_config(path, "loss.label_smoothing=0.3"), seed=0)
    twin = smooth.build_model().eval()
    twin.load_state_dict(network.state_dict())
    one, other = plain.loss(network, batch), smooth.loss(twin, batch)
    torch.testing.assert_close(one.sums["loss"], other.sums["loss"])
    assert float(one.objective.detach()) == pytest.approx(float(one.sums["loss"]) / one.count)
    assert float(one.objective.detach()) != pytest.approx(float(other.objective.detach()))


def test_the_share_of_own_words_rises_evenly_over_the_run_and_follows_from_the_place(path):
    setting = ("decoder.scheduled_sampling=0.4", "training.epochs=3")
    task = TranslateTask(pair_config(path, *setting), seed=0)
    shares = [float(b[4]) for epoch in range(3) for b in task.train_batches(epoch, 0)]
    assert shares[0] == 0.0
    assert shares[-1] == pytest.approx(0.4)
    steps = [b - a for a, b in itertools.pairwise(shares)]
    assert min(steps) == pytest.approx(max(steps), rel=1e-3)
    resumed = next(task.train_batches(1, 2))
    assert float(resumed[4]) == shares[task.batches_per_epoch + 2]
    network = task.build_model()
    step = task.loss(network, resumed)
    step.objective.backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def test_an_epoch_has_every_pair_once_and_batches_of_like_lengths(path):
    task = TranslateTask(pair_config(path), seed=0)
    count, padded, real = 0, 0, 0
    for sources, lengths, _, targets in task.train_batches(0, 0):
        count += len(sources)
        padded += sources.numel() + targets.numel()
        real += int(lengths.sum()) + int((targets >= 0).sum())
    assert count == len(task.data.train)
    assert real / padded > 0.9


def test_pairs_that_are_too_long_are_left_out_and_counted(path):
    whole = TranslateTask(pair_config(path), seed=0)
    longest = 6
    task = TranslateTask(pair_config(path, f"translate.max_length={longest}"), seed=0)
    sides = whole._encode(whole.data.train)
    wanted = int(((sides[0].lengths > longest) | (sides[1].lengths > longest)).sum())
    assert 0 < wanted < len(whole.data.train)
    assert task.account()["too_long"] == {"train": wanted}
    assert (
        sum(len(batch[0]) for batch in task.train_batches(0, 0)) == len(whole.data.train) - wanted
    )
    with pytest.raises(DataError, match=r"more than translate\.max_length = 1 tokens"):
        TranslateTask(pair_config(path, "translate.max_length=1"), seed=0)


def test_joint_tokens_share_the_vocabulary_the_embedding_and_the_bundle(path, tmp_path):
    config = pair_config(path, "translate.joint=true", "model.tied=true", "training.max_steps=3")
    done = train(config, run_dir=tmp_path / "run", threads=1, quiet=True)
    again = done.load()
    network = again.model
    assert again.sources is again.targets
    assert network.embedding is network.decoder.embedding
    assert not any("own_embedding" in name for name in network.state_dict())
    assert again.translate([SENTENCE]) == done.load().translate([SENTENCE])
    assert (
        done.result["data"]["vocabulary"]["source"] == done.result["data"]["vocabulary"]["target"]
    )


@pytest.mark.slow
def test_the_run_learns_and_reports_data_baselines_and_signatures(run):
    result = run.result
    assert result["test"]["bleu"] > 80
    assert set(result["test"]) == {"bleu", "chrf", "bleu_cased", "perplexity", "loss", "unknown"}
    assert set(result["baseline"]) == {"copy", "translation_memory"}
    assert result["baseline"]["copy"]["bleu"] < result["test"]["bleu"]
    assert "case:lc" in result["data"]["signatures"]["bleu"]
    assert "tok:13a" in result["data"]["signatures"]["bleu"]
    report = json.loads((run.path / "evaluation.json").read_text())
    assert len(report["translations"]) == result["data"]["sizes"]["test"]
    with Image.open(run.path / "attention.png") as picture:
        assert picture.width > 300


def test_a_trained_translator_translates_a_sentence_and_ranks_alternatives(model):
    assert model.translate([SENTENCE, f"  {SENTENCE.replace(' ', '   ')} "]) == [TRANSLATION] * 2
    (some,) = model.alternatives([SENTENCE], Search(6, 1.0, 4))
    assert some[0].text == TRANSLATION
    assert len({t.tokens for t in some}) == 4
    assert [t.score for t in some] == sorted((t.score for t in some), reverse=True)
    for t in some:
        assert t.score == pytest.approx(t.log_probability / (len(t.tokens) + 1))


def test_attention_is_over_the_source_and_a_row_per_token(model):
    ((best,),) = model.alternatives([SENTENCE])
    panel = model.looks(SENTENCE, best)
    weights = torch.tensor(panel.weights)
    assert weights.shape == (len(best.tokens) + 1, len(panel.read))
    torch.testing.assert_close(weights.sum(1), torch.ones(len(weights)))
    assert panel.said[-1] == "END"
    assert "".join(panel.said[:-1]).replace("-", "") == TRANSLATION.replace(" ", "")


def test_the_attention_that_is_drawn_is_that_of_the_search():
    network = untrained("model.cell=lstm")
    source, target = torch.tensor([4, 1, 7, 2]), torch.tensor([3, 9])
    memory = network.remember(source[None], torch.tensor([4]))
    wanted = network.decoder.weights(torch.tensor([[11, 3, 9]]), memory)[0]
    torch.testing.assert_close(alignment(network, source, target), wanted)


def test_a_loaded_model_translates_the_same(run, model):
    texts = [a for a, _ in some_pairs(9, seed=5)]
    assert carousel.load(run.path).translate(texts) == model.translate(texts)


def test_the_command_answers_with_lines_tables_or_json(model, tmp_path):
    (tmp_path / "x.txt").write_text(f"{SENTENCE}\n\nsingt Vogel.\n")
    notice, lines = respond(model, Request(tmp_path / "x.txt"))
    assert notice == Notice("1 blank line passed over")
    assert lines == f"{TRANSLATION}\nthe bird sings.\n"
    (table,) = respond(model, Request(None, {"text": SENTENCE, "best": 3, "beam": 4}))
    assert isinstance(table, Table)
    assert len(table.rows) == 3
    assert table.rows[0][2] == TRANSLATION
    *_, answer = respond(model, Request(tmp_path / "x.txt", {"best": 2}, as_json=True))
    assert isinstance(answer, Json)
    assert answer.content[0]["translation"] == TRANSLATION
    assert len(answer.content[1]["alternatives"]) == 2


def test_the_command_draws_attention_of_one_sentence(model, tmp_path):
    picture = tmp_path / "x.png"
    shown = list(respond(model, Request(None, {"text": SENTENCE, "attention": picture})))
    assert shown == [f"{TRANSLATION}\n", Notice(f"attention drawn to {picture}")]
    with Image.open(picture) as image:
        assert image.format == "PNG"
    (tmp_path / "x.txt").write_text(f"{SENTENCE}\n{SENTENCE}\n")
    with pytest.raises(ConfigError, match="draws one sentence, there are 2"):
        list(respond(model, Request(tmp_path / "x.txt", {"attention": picture})))


def test_unusual_input_is_refused_or_told(model):
    with pytest.raises(DataError, match="sentence 2 is empty"):
        model.translate([SENTENCE, " "])
    with pytest.raises(ConfigError, match="best must be at most beam, got 5 and 2"):
        list(respond(model, Request(None, {"text": SENTENCE, "best": 5, "beam": 2})))
    first, answer = respond(model, Request(None, {"text": "rennt ☃ Hund."}))
    assert first == Notice("not in the model's vocabulary, read as <unk>: ☃")
    assert answer.startswith("the ")
    (long,) = model.translate([" ".join(["rennt rot Hund"] * 200)])
    assert (
        len(model.targets.encode([long]).values)
        <= 1.5 * len(model.sources.encode([" ".join(["rennt rot Hund"] * 200)]).values) + 10
    )


@pytest.mark.parametrize(
    "setting", ["data.view=pixels", "text.bptt=7", "data.fold=3", "model.adaptive_softmax=9"]
)
def test_settings_without_effect_are_refused(path, setting):
    with pytest.raises(ConfigError, match="has no effect in the task 'translate'"):
        TranslateTask(pair_config(path, setting), seed=0)
