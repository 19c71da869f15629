"""The network of language models against plain torch, and dropout where it belongs."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from carousel.config import Config
from carousel.tasks.generate.network import LanguageModel

V, T, B = 13, 9, 4
CELLS = ("lstm", "gru", "rnn")


def make(*settings):
    torch.manual_seed(0)
    config = Config(task="generate").override(["model.hidden_size=6", *settings])
    return LanguageModel(V, config)


@pytest.fixture
def tokens():
    return torch.randint(0, V, (T + 1, B), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("tied", [False, True])
def test_the_loss_is_that_of_embedding_recurrence_and_softmax(cell, tied, tokens):
    width = 6 if tied else 5
    model = make(
        f"model.cell={cell}",
        f"model.embedding_size={width}",
        "model.num_layers=2",
        f"model.tied={str(tied).lower()}",
    )
    twin = getattr(nn, cell.upper())(width, 6, num_layers=2)
    twin.load_state_dict(model.recurrent.state_dict())
    outputs, _ = twin(model.embedding.weight[tokens[:-1]])
    weight = model.embedding.weight if tied else model.head.weight
    logits = outputs @ weight.T + model.head.bias
    wanted = F.cross_entropy(logits.flatten(0, 1), tokens[1:].flatten(), reduction="sum")
    got = model.score(tokens[:-1], tokens[1:]).loss
    assert torch.allclose(got, wanted, rtol=1e-5)
    for parameter, ours in zip(
        (weight, model.embedding.weight),
        torch.autograd.grad(got, [weight, model.embedding.weight]),
        strict=True,
    ):
        (theirs,) = torch.autograd.grad(wanted, parameter, retain_graph=True)
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_windows_with_a_carried_state_are_the_whole(cell, tokens):
    model = make(f"model.cell={cell}", "model.num_layers=2").eval()
    whole, last = model.losses(tokens[:-1], tokens[1:])
    state, parts = (), []
    for x, y in zip(tokens[:-1].split(4), tokens[1:].split(4), strict=True):
        losses, state = model.losses(x, y, state)
        parts.append(losses)
    assert torch.allclose(torch.cat(parts), whole, atol=1e-6)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(state, last, strict=True))
    assert whole.sum().item() == pytest.approx(
        model.score(tokens[:-1], tokens[1:]).loss.item(), rel=1e-5
    )
    logits, _ = model.next_logits(tokens[:-1])
    assert torch.allclose(
        F.cross_entropy(logits, tokens[-1], reduction="none"), whole[-B:], atol=1e-5
    )


@pytest.mark.parametrize("tied", [False, True])
def test_with_an_adaptive_softmax_loss_and_next_word_are_of_the_same_distribution(tied, tokens):
    settings = ("model.adaptive_softmax=2", f"model.tied={str(tied).lower()}")
    model, x, y = make(*settings).eval(), tokens[:-1], tokens[1:]
    assert model.softmax.bounds == (2, 10, V)
    losses, _ = model.losses(x, y)
    logits = model.logits(x)
    wanted = F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none")
    assert torch.allclose(losses, wanted, atol=1e-6)
    assert model.score(x, y).loss.item() == pytest.approx(losses.sum().item(), rel=1e-6)
    assert torch.allclose(model.next_logits(x)[0], logits[-1], atol=1e-6)
    plain = F.linear(model.recurrent(model.embedding(x))[0], *model._readout())
    assert not torch.allclose(logits.softmax(-1), plain.softmax(-1), atol=1e-3)
    weight = model.embedding.weight if tied else model.head.weight
    model.score(x, y).loss.backward()
    assert (weight.grad.abs().sum(1) > 0).all()


def test_without_it_the_parameters_are_those_of_a_full_softmax():
    groups = {"softmax.groups.weight", "softmax.groups.bias"}
    assert set(make("model.adaptive_softmax=2").state_dict()) - set(make().state_dict()) == groups


def test_tied_weights_are_stored_once():
    tied, untied = make("model.tied=true"), make()
    assert len(tied.state_dict()) == len(list(tied.parameters())) == len(untied.state_dict()) - 1


# ---- dropout


def seen_by_the_recurrence(model, tokens):
    """Inputs and outputs of the recurrent layers in one training step."""
    seen = []
    handle = model.recurrent.register_forward_hook(lambda _, x, y: seen.append((x[0], y[0])))
    model.train().score(tokens[:-1], tokens[1:])
    handle.remove()
    return seen[0]


def test_dropout_falls_on_the_embedding_anew_at_every_step(tokens):
    model = make("regularization.dropout=0.5", "model.embedding_size=200")
    x, _ = seen_by_the_recurrence(model, torch.full_like(tokens, 3))
    dropped = x == 0
    assert 0.45 < dropped.float().mean() < 0.55
    kept = model.embedding.weight[3].expand_as(x)[~dropped]
    assert torch.allclose(x[~dropped], 2 * kept)
    masks = {tuple(row.tolist()) for row in dropped.flatten(0, 1)}
    assert len(masks) == T * B


def test_the_recurrent_path_is_never_dropped(tokens):
    model = make("regularization.dropout=0.9")
    with torch.no_grad():
        model.recurrent.weight_ih_l0.zero_()
    _, trained = seen_by_the_recurrence(model, tokens)
    plain, _ = model.eval().recurrent(model.embedding(tokens[:-1]))
    assert torch.equal(trained, plain)


def test_dropout_falls_between_layers_and_on_the_top_output(tokens):
    model = make("regularization.dropout=0.5", "model.num_layers=2")
    assert model.recurrent.dropout == 0.5
    inputs, outputs = [], []

    def note(module, x, y):
        inputs.append(x[0])
        outputs.append(y)

    model.dropout.register_forward_hook(note)
    model.train().score(tokens[:-1], tokens[1:])
    assert len(inputs) == 2  # embedding, top
    assert inputs[1].shape == (T, B, 6)
    assert not torch.equal(inputs[1], outputs[1])


def test_input_dropout_drops_words_wherever_they_stand(tokens):
    model = make("regularization.input_dropout=0.5", "model.embedding_size=4")
    x, _ = seen_by_the_recurrence(model, tokens)
    fates = {}
    for word, row in zip(tokens[:-1].flatten().tolist(), x.flatten(0, 1), strict=True):
        fate = "dropped" if not row.any() else "kept"
        assert fates.setdefault(word, fate) == fate
        if fate == "kept":
            assert torch.allclose(row, 2 * model.embedding.weight[word])
    assert set(fates.values()) == {"dropped", "kept"}


def test_nothing_is_dropped_in_evaluation(tokens):
    settings = ("regularization.dropout=0.7", "regularization.input_dropout=0.4")
    model = make(*settings, "model.num_layers=2").eval()
    first, second = (model.losses(tokens[:-1], tokens[1:])[0] for _ in range(2))
    assert torch.equal(first, second)


def test_activation_penalties_follow_their_formulas(tokens):
    model = make("regularization.activation=2", "regularization.temporal_activation=3")
    model.eval()  # no dropout: dropped and raw outputs are the same
    outputs, _ = model.recurrent(model.embedding(tokens[:-1]))
    wanted = 2 * (outputs**2).mean() + 3 * ((outputs[1:] - outputs[:-1]) ** 2).mean()
    assert torch.allclose(model.score(tokens[:-1], tokens[1:]).penalty, wanted)
    assert make().score(tokens[:-1], tokens[1:]).penalty is None
