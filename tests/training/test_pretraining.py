"""The encoder of a text learns to predict words first; what it learnt is where its task begins."""

from __future__ import annotations

import json
import shutil

import dying
import pytest
import torch
from small_sentences import sentence_config, write_sentences
from small_words import words_config, write_columns
from torch.nn import functional as F

import carousel
from carousel import tasks
from carousel.data.ragged import Ragged
from carousel.errors import ConfigError, TrainingDiverged
from carousel.run.reading import events, series
from carousel.tasks.shared.pretraining import edges, neighbours, pieces
from carousel.training import checkpoint, train
from carousel.training.display import Display
from carousel.training.loop import Trainer
from carousel.training.memory import _fabric, fit
from carousel.training.pretraining import pretrained
from carousel.training.team import Team
from carousel.training.unsaved import Nowhere, Unsaved

ASKED = ("pretraining.epochs=2", "pretraining.learning_rate=1e-2", "coach.enabled=false")
LETTERS = ("text.characters=character", "model.character_size=3", "model.character_features=5")


def sentences(folder, *more):
    return sentence_config(write_sentences(folder), *ASKED, "training.epochs=2", *more)


def task_of(config, seed=3):
    torch.manual_seed(seed)
    return tasks.find(config.task)(config, seed)


def by_hand(net, task, sentence):
    """Summed loss of a sentence alone: torch's own cells, word by word, in both directions."""
    encoder = net.encoder
    x = encoder.embedded(sentence.unsqueeze(0))[0]
    words = (sentence if sentence.dim() == 1 else sentence[:, 0]).tolist()
    table = torch.cat((encoder.word_embedding.weight, net.end))
    total = torch.zeros(())
    for direction in range(net.directions):
        suffix = "_reverse" if direction else ""
        weights = [
            getattr(encoder.recurrent, f"{kind}_l0{suffix}")
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]
        cell = torch.nn.LSTMCell(x.size(1), weights[1].size(1))
        cell.load_state_dict(
            dict(zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), weights, strict=True))
        )
        state = None
        order = range(len(words))[:: -1 if direction else 1]
        end = len(table) - 1
        wanted = [*words[1:], end] if not direction else [end, *words[:-1]]
        for t in order:
            state = cell(x[t : t + 1], state)
            logits = net.projections[direction](state[0]) @ table.T + net.bias
            total = total + F.cross_entropy(logits, torch.tensor([wanted[t]]))
    return total


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("letters", [(), LETTERS])
def test_the_loss_is_that_of_each_sentence_alone_word_by_word(tmp_path, both, letters):
    more = (f"model.bidirectional={str(both).lower()}", "model.embedding_size=7", *letters)
    config = sentences(tmp_path, *more)
    first = task_of(config).pretraining(3)
    net = first.build_model().eval()
    assert "warning" not in first.describe(net)
    batch = first._batch("training", torch.tensor([4, 0, 9, 30, 2, 77, 5]))
    found = first.loss(net, batch)
    tokens, lengths, _ = batch
    rows = [row[:length] for row, length in zip(tokens, lengths.tolist(), strict=True)]
    assert len(set(lengths.tolist())) > 1
    total = sum(by_hand(net, first, row) for row in rows)
    assert found.count == int(lengths.sum()) * (2 if both else 1)
    torch.testing.assert_close(found.sums["loss"], total.detach(), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(found.objective, total / found.count, rtol=1e-4, atol=1e-4)


def test_labelled_words_are_predicted_as_those_of_sentences_are(tmp_path):
    config = words_config(write_columns(tmp_path), *ASKED, *LETTERS)
    first = task_of(config).pretraining(3)
    net = first.build_model().eval()
    tokens, lengths, targets = next(first.train_batches(0, 0))
    total = sum(
        by_hand(net, first, row[:n]) for row, n in zip(tokens, lengths.tolist(), strict=True)
    )
    found = first.loss(net, (tokens, lengths, targets)).sums["loss"]
    torch.testing.assert_close(found, total.detach(), rtol=1e-4, atol=1e-3)


def test_an_epoch_reads_every_word_of_the_training_part_once_and_no_other(tmp_path):
    config = sentences(tmp_path, "pretraining.bptt=5", "pretraining.batch_size=7")
    task = task_of(config)
    first = task.pretraining(3)
    read = []
    for tokens, lengths, _ in first.train_batches(1, 0):
        assert int(lengths.max()) <= 5
        assert len(lengths) <= 7
        read += [row[:n] for row, n in zip(tokens, lengths.tolist(), strict=True)]
    assert len(read) > len(task.data.train.texts)
    every = task.tokens.encode(task.data.train.texts).values
    assert torch.cat(read).sort().values.equal(every.sort().values)


def test_the_last_word_of_a_piece_is_followed_by_the_next_piece_and_of_a_text_by_its_end():
    offsets = torch.tensor([0, 0, 5, 6, 6])
    words = torch.tensor([4, 3, 2, 1, 0, 7])
    starts = pieces(offsets, 2)
    assert starts.tolist() == [0, 2, 4, 5, 6]
    beside = edges(words, offsets, starts, 9)
    assert beside.tolist() == [[2, 9], [0, 3], [9, 1], [9, 9]]
    rows, lengths = Ragged(words, starts).pad(torch.tensor([2, 0, 1, 3]))
    targets = neighbours(rows, lengths, beside[[2, 0, 1, 3]], 2)
    assert targets[..., 0].tolist() == [[9, -1], [3, 2], [1, 0], [9, -1]]
    assert targets[..., 1].tolist() == [[1, -1], [9, 4], [3, 2], [9, -1]]
    assert neighbours(rows, lengths, beside[[2, 0, 1, 3]], 1).equal(targets[..., :1])


def test_no_direction_of_stacked_layers_reads_what_it_predicts(tmp_path):
    config = sentences(tmp_path, "model.num_layers=3", "regularization.dropout=0.0")
    net = task_of(config).pretraining(3).build_model().eval()
    tokens, other = torch.tensor([[1, 5, 2, 3]]), torch.tensor([[1, 5, 2, 8]])

    def read(tokens):
        return net.encoder.recurrent(net.encoder.embedded(tokens))[0][0]

    hidden = config.model.hidden_size
    assert torch.equal(read(tokens)[:3, :hidden], read(other)[:3, :hidden])
    assert not torch.equal(read(tokens)[:3, hidden:], read(other)[:3, hidden:])


def begun_with(config, seed=3):
    """The weights that a run begins with, those of its pre-training, and those without one."""
    task = task_of(config, seed)
    run, display, team = Unsaved(config, seed), Display(), Team()
    kept = {}
    first = task.pretraining(seed)
    task.pretraining = lambda seed: first
    hand_over = first.hand_over
    first.hand_over = lambda weights, network: (kept.update(weights), hand_over(weights, network))
    begin = pretrained(task, run, Nowhere(), display, _fabric(), team)
    net = Trainer(task, run, Nowhere(), display, _fabric(), team, begin=begin).net
    torch.manual_seed(seed)
    return net.state_dict(), kept, task.build_model().state_dict()


@pytest.mark.parametrize("layers", [1, 2])
def test_embeddings_letters_and_recurrent_weights_are_taken_over_and_the_rest_is_fresh(
    tmp_path, layers
):
    config = sentences(tmp_path, f"model.num_layers={layers}", *LETTERS)
    begun, learnt, fresh = begun_with(config)
    lowest = ("embedding.", "spelled.", "recurrent.")
    for name, tensor in begun.items():
        taken = name.startswith(lowest) and "_l1" not in name
        assert torch.equal(tensor, learnt[f"encoder.{name}"] if taken else fresh[name]), name
        assert torch.equal(tensor, fresh[name]) != taken, name


def test_a_single_direction_takes_over_all_layers(tmp_path):
    config = sentences(tmp_path, "model.num_layers=2", "model.bidirectional=false")
    begun, _, fresh = begun_with(config)
    for name in fresh:
        assert torch.equal(begun[name], fresh[name]) == name.startswith("head"), name


def test_layers_join_from_the_head_down_and_have_smaller_rates_below(tmp_path):
    more = ("pretraining.rate_decay=0.5", "pretraining.unfreeze=1", "schedule.name=one-cycle")
    more = (*more, "regularization.max_norm.recurrent=0.05")  # less than there is to begin with
    config = sentences(tmp_path, "model.num_layers=2", "training.epochs=4", *more)
    task = task_of(config)
    trainer = Trainer(task, Unsaved(config, 3), Nowhere(), Display(), _fabric())
    groups = trainer.optimizer.param_groups
    parts = ("head", "recurrent.*_l1", "recurrent.*_l0", "embedding")
    seen = []
    for epoch in range(4):
        before = {name: p.detach().clone() for name, p in trainer.net.named_parameters()}
        trainer.progress.epoch, trainer.progress.batch = epoch, task.batches_per_epoch - 1
        trainer._train_epoch()
        moved = {n for n, p in trainer.net.named_parameters() if not torch.equal(p, before[n])}
        seen.append({layer_of(name) for name in moved})
        told = {n for n, p in trainer.net.named_parameters() if p.grad is not None}
        asked = {n for n, p in trainer.net.named_parameters() if p.requires_grad}
        assert {layer_of(name) for name in asked} == {layer_of(name) for name in told} == seen[-1]
        rates = [group["lr"] for group in groups]
        assert [rate / rates[0] for rate in rates] == pytest.approx([1, 0.5, 0.25, 0.125])
    assert seen == [set(parts[: epoch + 1]) for epoch in range(4)]


def test_the_coach_looks_at_layers_that_are_not_trained_yet_and_all_are_free_in_the_end(tmp_path):
    config = sentences(tmp_path, "pretraining.unfreeze=3", "training.epochs=2")
    trainer = Trainer(task_of(config), Unsaved(config, 3), Nowhere(), Display(), _fabric())
    trainer.update.begin_epoch(0)
    first = trainer.task.pretraining(3)
    said = "the embeddings join after 6 epochs, and training has 2: they stay"
    assert said in first.describe(first.build_model())
    before = [p.detach().clone() for p in trainer.net.parameters()]
    (call,) = trainer.coach._probe()
    assert call.gradients == {}
    assert len(call.outputs) == 3
    trainer.fit()
    now = trainer.net.named_parameters()
    moved = {layer_of(n) for (n, p), b in zip(now, before, strict=True) if not torch.equal(p, b)}
    assert moved == {"head"}
    assert all(p.requires_grad for p in trainer.net.parameters())


def layer_of(name):
    if name.startswith("recurrent"):
        return f"recurrent.*_l{name.split('_l')[1][0]}"
    return name.split(".")[0]


def test_a_run_tells_what_the_pre_training_learnt_and_cost(tmp_path, capsys):
    found = train(sentences(tmp_path), seed=3, threads=1, run_dir=tmp_path / "run")
    said = capsys.readouterr().err
    (event,) = events(found.path / "events.sqlite", "pretrained")
    inner = found.path / "pretraining" / "events.sqlite"
    own = [one["validation"] for one in events(inner, "epoch")]
    assert [one["validation"] for one in event["epochs"]] == own
    assert len(list(series(inner, "train/loss"))) == event["steps"]
    account = found.result["pretraining"]
    assert account["epochs"] == 2
    assert account["validation"] == own[account["kept_epoch"] - 1]
    assert 0 < account["seconds"] < found.result["seconds"]
    assert account["validation"]["perplexity"] < 19  # of 17 words, and the end
    assert "pre-training epoch   1  train perplexity" in said
    assert "pre-training took" in said
    assert "on 1,983 words of the training part alone" in said


def test_the_coach_says_that_a_pre_training_ended_while_it_still_learnt(tmp_path):
    config = sentences(tmp_path, "pretraining.learning_rate=4e-3", "coach.enabled=true")
    found = train(config, seed=3, threads=1, run_dir=tmp_path / "run", quiet=True)
    said = {event["code"]: event for event in events(found.path / "events.sqlite", "finding")}
    assert said["pretraining-short"]["advice"][0]["do"] == "--set pretraining.epochs=4"


def test_training_in_memory_learns_the_same_weights(tmp_path):
    config = sentences(tmp_path)
    found = train(config, seed=3, threads=1, run_dir=tmp_path / "run", quiet=True)
    saved = carousel.load(found.path).model.state_dict()
    fitted = fit(config, seed=3, threads=1).model.model.state_dict()
    assert all(torch.equal(saved[name], fitted[name]) for name in saved)


def test_settings_without_epochs_of_pre_training_are_refused(tmp_path):
    path = write_sentences(tmp_path)
    with pytest.raises(ConfigError, match=r"pretraining\.unfreeze has no effect"):
        task_of(sentence_config(path, "pretraining.unfreeze=1"))
    with pytest.raises(ConfigError, match=r"training\.budget has no part for pretraining\.epochs"):
        task_of(sentence_config(path, "pretraining.epochs=1", "training.budget='1 min'"))


def test_a_pre_training_that_diverges_names_its_own_rate(tmp_path):
    config = sentences(tmp_path, "pretraining.learning_rate=1e30")
    with pytest.raises(TrainingDiverged, match=r"pre-training stopped.*pretraining\.learning_rate"):
        train(config, seed=3, threads=1, run_dir=tmp_path / "run", quiet=True)
    (event,) = events(tmp_path / "run" / "events.sqlite", "diverged")
    assert event["what"].startswith("pre-training: ")


def test_a_run_that_was_pre_trained_and_lost_its_first_checkpoint_begins_with_the_same_weights(
    tmp_path,
):
    config = sentences(tmp_path, "training.checkpoint_seconds=1e-9")
    whole = train(config, seed=5, threads=1, run_dir=tmp_path / "run", quiet=True)
    before = (whole.path / "model" / "weights.safetensors").read_bytes()
    for name in ("checkpoints", "model"):
        shutil.rmtree(whole.path / name)
    (whole.path / "result.json").unlink()
    dying.go_on(whole.path)
    assert (whole.path / "model" / "weights.safetensors").read_bytes() == before
    assert json.loads((whole.path / "result.json").read_text())["pretraining"]["epochs"] == 2
    assert checkpoint.exists(whole.path / "pretraining" / "checkpoints")
