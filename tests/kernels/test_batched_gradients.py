"""Batched and per-sample gradients: torch's own where torch has them, and those it lacks."""

import pytest
import torch
from oracle import KINDS, assert_close, make_pair, randn
from parallel_layers import KINDS as PARALLEL_KINDS
from parallel_layers import make
from torch.autograd.functional import hessian, jacobian
from torch.nn.utils._per_sample_grad import call_for_per_sample_grads

import carousel

each_kind = pytest.mark.parametrize("kind", KINDS)
each_order = pytest.mark.parametrize("batch_first", [False, True])

# torch.func.jvp imports them, and they use what torch itself has deprecated.
of_torchs_decompositions = pytest.mark.filterwarnings(
    "ignore:.*torch.jit.script:DeprecationWarning"
)


def any_layer(kind, **options):
    if kind in PARALLEL_KINDS:
        return make(kind, 3, 5, **options)
    return make_pair(kind, 3, 5, dtype=torch.float32, **options)[0]


@each_kind
@each_order
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
def test_jacobian_of_all_rows_at_once_equals_that_of_torch_row_by_row(kind, batch_first, options):
    ours, theirs = make_pair(kind, 3, 4, dtype=torch.float32, batch_first=batch_first, **options)
    x = randn(3, 2, 3, dtype=torch.float32)
    actual = jacobian(lambda x: ours(x)[0], x, vectorize=True)
    assert_close(actual, jacobian(lambda x: theirs(x)[0], x), "gradient")


@pytest.mark.parametrize("kind", [*KINDS, *PARALLEL_KINDS])
@pytest.mark.parametrize("lengths", [None, [4, 0, 2]], ids=["full", "ragged"])
def test_batch_of_gradients_equals_one_after_the_other(kind, lengths):
    layer = any_layer(kind, num_layers=2)
    x = randn(4, 3, 3, dtype=torch.float32).requires_grad_()
    y, _ = layer(x, lengths=lengths)
    inputs = [x, *layer.parameters()]
    vectors = randn(3, *y.shape, dtype=torch.float32, seed=1)
    batch = torch.autograd.grad(y, inputs, vectors, is_grads_batched=True, retain_graph=True)
    for index, vector in enumerate(vectors):
        single = torch.autograd.grad(y, inputs, vector, retain_graph=True)
        for one, many in zip(single, batch, strict=True):
            assert_close(many[index], one, "gradient")


@each_kind
def test_hessian_of_all_rows_at_once_equals_that_row_by_row(kind):
    layer = any_layer(kind)
    x = randn(2, 2, 3, dtype=torch.float32)

    def loss(x):
        return layer(x)[0].pow(2).sum()

    assert_close(hessian(loss, x, vectorize=True), hessian(loss, x), "gradient")


@pytest.mark.parametrize("kind", [*KINDS, *PARALLEL_KINDS])
def test_gradients_of_each_sample_by_vmap_equal_those_one_by_one(kind):
    layer = any_layer(kind, batch_first=True)
    x = randn(3, 4, 3, dtype=torch.float32)
    weights = dict(layer.named_parameters())

    def loss(weights, one):
        return torch.func.functional_call(layer, weights, (one[None],))[0].pow(2).sum()

    batch = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(weights, x)
    for index, one in enumerate(x):
        single = torch.func.grad(loss)(weights, one)
        for name in weights:
            assert_close(batch[name][index], single[name], "gradient", name)


@of_torchs_decompositions
@each_kind
@each_order
def test_forward_mode_jacobian_equals_that_of_reverse_mode(kind, batch_first):
    ours, theirs = make_pair(kind, 3, 4, dtype=torch.float32, batch_first=batch_first)
    x = randn(3, 2, 3, dtype=torch.float32)
    actual = jacobian(lambda x: ours(x)[0], x, vectorize=True, strategy="forward-mode")
    assert_close(actual.detach(), jacobian(lambda x: theirs(x)[0], x), "gradient")


@pytest.mark.parametrize("kind", ["RNN-tanh", "RNN-relu", "GRU"])
def test_expanded_weights_hold_the_gradient_of_each_sample(kind):
    """Of the LSTM, torch's own has them only where oneDNN is off."""
    layer = any_layer(kind, batch_first=True)
    x = randn(3, 4, 3, dtype=torch.float32)
    call_for_per_sample_grads(layer, batch_size=3)(x)[0].pow(2).sum().backward()
    for index in range(3):
        y = layer(x[index : index + 1])[0]
        single = torch.autograd.grad(y.pow(2).sum(), list(layer.parameters()))
        for parameter, expected in zip(layer.parameters(), single, strict=True):
            assert_close(parameter.grad_sample[index], expected, "gradient")


@of_torchs_decompositions
def test_explain_says_what_a_transform_takes():
    layer, said = carousel.GRU(3, 5), []

    def loss(x):
        said.append(carousel.explain(layer, x))
        return layer(x)[0].sum()

    x = torch.randn(2, 4, 1, 3)
    torch.func.grad(loss)(x[0])
    torch.func.vmap(torch.func.grad(loss))(x)
    torch.func.jvp(loss, (x[0],), (x[1],))
    assert said[0].startswith("torch: inside a torch.func transform")
    assert said[1].startswith("cells: inside a torch.func transform that torch's")
    assert said[2].startswith("cells: forward-mode differentiation")


@pytest.mark.filterwarnings("ignore:TF32 acceleration:UserWarning")  # of the flags themselves
def test_expanded_weights_of_an_lstm_work_where_torchs_own_do():
    ours, theirs = make_pair("LSTM", 3, 5, dtype=torch.float32, batch_first=True)
    x = randn(3, 4, 3, dtype=torch.float32)
    with torch.backends.mkldnn.flags(enabled=False):
        for layer in (ours, theirs):
            call_for_per_sample_grads(layer, batch_size=3)(x)[0].pow(2).sum().backward()
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert_close(p.grad_sample, q.grad_sample, "gradient", name)
