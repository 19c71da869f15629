"""The decoder: whole = step by step, padding that must not matter, equations, its search."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from carousel.config import Config
from carousel.tasks.shared.beam_search import Search, beam_search
from carousel.tasks.shared.decoder import Decoder, shifted

M, SUMMARY, SIZE = 7, 5, 11


def make(*more, seed=3):
    torch.manual_seed(seed)
    config = Config().override(
        ["model.hidden_size=6", "model.embedding_size=4", "model.num_layers=2", *more]
    )
    decoder = Decoder(SIZE, M, SUMMARY, config).eval()
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return decoder


def memory_of(decoder, lengths, seed=0, places=8):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(len(lengths), places, M, generator=generator)
    summary = torch.randn(len(lengths), SUMMARY, generator=generator)
    return decoder.remember(values, torch.tensor(lengths), summary)


KINDS = [
    ("model.cell=lstm", "decoder.attention=general"),
    ("model.cell=gru", "decoder.attention=additive"),
    ("model.cell=rnn", "decoder.attention=additive"),
    ("model.cell=mingru", "decoder.attention=general"),
    ("model.cell=slstm", "model.heads=2"),
    ("model.cell=lmu", "model.order=5", "model.theta=6"),
    ("model.cell=gru", "model.layer_norm=true", "model.bidirectional=true"),
]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=" ".join)


@each_kind
@torch.no_grad()
def test_the_whole_sentence_is_what_one_step_after_another_gives(kind):
    decoder = make(*kind)
    memory = memory_of(decoder, [8, 3, 1])
    tokens = torch.randint(SIZE, (3, 6), generator=torch.Generator().manual_seed(1))
    tokens[:, 0] = decoder.end
    whole = decoder.log_probabilities(tokens, memory)
    cursor, each = decoder.cursor(memory), torch.arange(3)
    for t in range(6):
        step = cursor.step(tokens[:, t : t + 1])
        torch.testing.assert_close(step[:, 0], whole[:, t], atol=1e-5, rtol=1e-4)
        cursor.select(each, torch.zeros(3, 1, dtype=torch.int64))


@torch.no_grad()
def test_beams_chosen_in_any_order_go_on_as_their_own_sentences_do():
    decoder = make("model.cell=lstm")
    memory, each = memory_of(decoder, [5, 8, 2]), torch.arange(3)
    cursor = decoder.cursor(memory)
    cursor.step(torch.full((3, 1), decoder.end))
    cursor.select(each, torch.zeros(3, 3, dtype=torch.int64))
    cursor.step(torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]]))
    cursor.select(torch.tensor([0, 2]), torch.tensor([[2, 0], [1, 1]]))
    step = cursor.step(torch.tensor([[4, 5], [6, 7]]))
    for row, sentence, beginnings in ((0, 0, ([3, 4], [1, 5])), (1, 2, ([8, 6], [8, 7]))):
        for beam, beginning in enumerate(beginnings):
            alone = torch.tensor([[decoder.end, *beginning]]).expand(3, 3)
            wanted = decoder.log_probabilities(alone, memory)[sentence, -1]
            torch.testing.assert_close(step[row, beam], wanted, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_one_layer_is_what_the_docstring_states():
    decoder = make("model.cell=gru", "model.num_layers=1")
    summary = torch.randn(2, SUMMARY)
    memory = decoder.remember(torch.randn(2, 8, M), torch.tensor([8, 3]), summary)
    tokens = torch.tensor([[SIZE, 4, 2], [SIZE, 0, 9]])
    torch.testing.assert_close(memory.state[0][0], torch.tanh(decoder.bridge(summary)))
    twin = torch.nn.GRU(4, 6, batch_first=True)
    twin.load_state_dict(decoder.recurrent.state_dict())
    h, _ = twin(decoder.embedding(tokens), memory.state[0])
    context, weights = decoder.attention(h, memory.values, memory.mask)
    a = torch.tanh(decoder.combine(torch.cat((context, h), 2)))
    wanted = F.log_softmax(F.linear(a, decoder.head.weight, decoder.head.bias), -1)
    got = decoder.log_probabilities(tokens, memory)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(decoder.weights(tokens, memory), weights)
    assert (weights[1, :, 3:] == 0).all()


def test_the_loss_is_the_cross_entropy_of_the_targets_and_smoothing_leaves_it_as_it_is():
    tokens, targets = shifted(torch.tensor([[3, 5, 1], [2, 0, 0]]), torch.tensor([3, 1]), SIZE)
    for smoothing in (0.0, 0.2):
        decoder = make(f"loss.label_smoothing={smoothing}")
        memory = memory_of(decoder, [4, 6])
        chances = decoder.log_probabilities(tokens, memory).flatten(0, 1)
        plain, smooth = (
            F.cross_entropy(
                chances, targets.flatten(), reduction="sum", ignore_index=-1, label_smoothing=e
            )
            for e in (0.0, smoothing)
        )
        scored = decoder.score(tokens, targets, memory)
        torch.testing.assert_close(scored.loss, plain)
        torch.testing.assert_close(scored.objective, smooth)


@each_kind
def test_padding_of_memory_or_sentence_changes_neither_loss_nor_gradient(kind):
    decoder = make(*kind)
    lengths, sizes = torch.tensor([5, 2, 0]), torch.tensor([4, 1, 2])
    values, summary = torch.randn(3, 5, M), torch.randn(3, SUMMARY)
    words = torch.randint(SIZE, (3, 4))
    gradients = []
    for extra in (0, 3):
        longer = torch.cat((values, torch.randn(3, extra, M)), 1)
        padded = torch.cat((words, torch.randint(SIZE, (3, extra))), 1)
        tokens, targets = shifted(padded, sizes, decoder.end)
        decoder.zero_grad()
        scored = decoder.score(tokens, targets, decoder.remember(longer, lengths, summary))
        scored.objective.backward()
        gradients.append([scored.loss, *(p.grad.clone() for p in decoder.parameters())])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@settings(max_examples=20)
@given(st.lists(st.integers(1, 8), min_size=1, max_size=6), st.sampled_from([1, 2, 5]))
def test_a_sentence_alone_is_decoded_as_in_any_batch(lengths, beam):
    decoder = make("model.cell=gru")
    search = Search(beam, 1.0, beam)
    memory = memory_of(decoder, lengths)
    limits = torch.tensor([2 * length for length in lengths])
    together = beam_search(decoder.cursor(memory), limits, decoder.end, (0,), search)
    for row, length in enumerate(lengths):
        alone = memory._replace(
            values=memory.values[row : row + 1, :length],
            keys=memory.keys[row : row + 1, :length],
            mask=memory.mask[row : row + 1, :length],
            state=tuple(part[:, row : row + 1].contiguous() for part in memory.state),
        )
        (found,) = beam_search(
            decoder.cursor(alone), limits[row : row + 1], decoder.end, (0,), search
        )
        assert [h.tokens for h in found] == [h.tokens for h in together[row]]
        for one, other in zip(found, together[row], strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-4)
            assert 0 not in one.tokens


def test_scores_of_the_search_are_those_of_the_whole_sentence():
    decoder = make("model.cell=lstm", "decoder.attention=additive")
    memory = memory_of(decoder, [6])
    (found,) = beam_search(
        decoder.cursor(memory), torch.tensor([9]), decoder.end, search=Search(4, 0.5, 4)
    )
    for hypothesis in found:
        words = torch.tensor([hypothesis.tokens], dtype=torch.int64)
        scored = decoder.score(*shifted(words, torch.tensor([words.size(1)]), decoder.end), memory)
        assert -float(scored.loss) == pytest.approx(hypothesis.log_probability, abs=1e-4)


def test_a_tied_decoder_writes_with_the_matrix_it_reads_with():
    decoder = make("model.tied=true", "model.embedding_size=6")
    assert {n for n, _ in decoder.named_parameters() if n.startswith("head")} == {"head.bias"}
    memory, tokens = memory_of(decoder, [4]), torch.tensor([[SIZE, 2]])
    before = decoder.log_probabilities(tokens, memory)
    with torch.no_grad():
        decoder.embedding.weight[7] += 1.0  # it is not read here
    after = decoder.log_probabilities(tokens, memory)
    assert (after[..., 7] != before[..., 7]).all()


def test_scheduled_sampling_reads_its_own_words_in_place_of_true_ones_but_never_the_first():
    decoder = make()
    memory = memory_of(decoder, [4, 4])
    tokens, targets = shifted(torch.tensor([[3, 5, 1], [2, 7, 4]]), torch.tensor([3, 3]), SIZE)
    truth = decoder.score(tokens, targets, memory)
    none = decoder.score(tokens, targets, memory, torch.tensor(0.0))
    assert torch.equal(truth.loss, none.loss)
    own = decoder.log_probabilities(tokens, memory).argmax(-1)
    mixed = torch.cat((tokens[:, :1], own[:, :-1]), 1)
    wanted = decoder.score(mixed, targets, memory)
    got = decoder.score(tokens, targets, memory, torch.tensor(1.0))
    torch.testing.assert_close(got.loss, wanted.loss)
    assert float(got.loss) != float(truth.loss)


def test_scheduled_sampling_swaps_as_large_a_share_as_it_is_told():
    decoder = make()
    memory = memory_of(decoder, [4] * 50)
    tokens = torch.full((50, 41), SIZE - 1)  # the argmax of these weights is another word
    torch.manual_seed(0)
    swapped = decoder._mixed(tokens, memory, torch.tensor(0.3))[:, 1:] != tokens[:, 1:]
    own = decoder.log_probabilities(tokens, memory).argmax(-1)[:, :-1] != tokens[:, 1:]
    assert float(own.double().mean()) > 0.5
    assert float(swapped.double().mean() / own.double().mean()) == pytest.approx(0.3, abs=0.05)
