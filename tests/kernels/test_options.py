"""The kernels compute the cells' options as the oracle does, and draw the same masks."""

import copy

import pytest
import torch
from compiled import ISAS, assert_same_bits, on_isa, tensors, threads
from hypothesis import given, note, settings
from hypothesis import strategies as st
from options import PLAIN, RANDOM, by_native, by_oracle, layer_with, name, pairs, seeded
from oracle import as_tuple, assert_close, assert_same, randn, random_state

import carousel
from carousel import kernels
from carousel.cells import masks

SIZES = [1, 3, 15, 16, 17, 37, 64]
each_option = pytest.mark.parametrize("pair", pairs(PLAIN, RANDOM), ids=name)
each_plain = pytest.mark.parametrize("pair", pairs(PLAIN), ids=name)
each_random = pytest.mark.parametrize("pair", pairs(RANDOM), ids=name)
each_isa = pytest.mark.parametrize("isa", ISAS)


def problem(pair, T, B, inputs, H, training=True, **more):
    layer = layer_with(*pair, inputs, H, **more).train(training)
    x = randn(*((B, T) if layer.batch_first else (T, B)), inputs, seed=2, dtype=torch.float32)
    return layer, x, random_state(layer, B)


@st.composite
def problems(draw):
    pair = draw(st.sampled_from(pairs(PLAIN, RANDOM)))
    size = st.sampled_from(SIZES)
    T, B, inputs, H = draw(st.integers(1, 20)), draw(st.integers(1, 40)), draw(size), draw(size)
    if (
        "layer_norm" in pair[1]
    ):  # of one input, or one unit, it leaves a sign: gradients are rounding
        inputs, H = max(inputs, 3), max(H, 3)
    more = {
        "num_layers": draw(st.sampled_from([1, 1, 2])),
        "bidirectional": draw(st.booleans()),
        "bias": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
        "checkpoint_every": draw(st.sampled_from([0, 0, 1, 5])),
    }
    if pair[0] == "LSTM" and H > 3 and "zoneout" not in pair[1]:
        more["proj_size"] = draw(st.sampled_from([0, 0, 3, H - 1]))
    rows = draw(st.sampled_from(["full", "lengths", "packed"]))
    lengths = None
    if rows != "full":
        shortest = 1 if rows == "packed" else 0
        lengths = draw(st.lists(st.integers(shortest, T), min_size=B, max_size=B))
    training = draw(st.sampled_from([True, True, False]))
    layer = problem(pair, T, B, inputs, H, training, **more)
    return name(pair), more, draw(st.integers(1, 3)), (*layer, lengths, rows == "packed")


@given(problems())
@settings(max_examples=50, deadline=None, derandomize=True, database=None)
def test_any_problem_with_options_equals_the_oracle(drawn):
    what, more, count, arguments = drawn
    note(f"{what} {more}")
    expected = by_oracle(*arguments)
    for isa in ISAS:
        note(isa)
        with on_isa(isa), threads(count):
            assert_same(by_native(*arguments), expected)


@each_option
@each_isa
def test_each_option_equals_the_oracle(pair, isa):
    arguments = problem(pair, 6, 7, 5, 19)
    with on_isa(isa):
        assert_same(
            by_native(*arguments, [6, 0, 3, 1, 6, 2, 5]),
            by_oracle(*arguments, [6, 0, 3, 1, 6, 2, 5]),
        )


@pytest.mark.parametrize(
    "pair",
    [
        ("LSTM", {"peephole": True, "zoneout": 0.2, "variational": 0.3}),
        ("LSTM", {"coupled": True, "naive_recurrent_dropout": 0.2, "recurrent_dropout": 0.1}),
        ("GRU", {"zoneout": 0.2, "variational": 0.3}),
        ("GRU", {"reset_after": False, "zoneout": 0.2, "variational": 0.3}),
        ("GRU", {"reset_after": False}),
        ("RNN", {"zoneout": 0.2, "variational": 0.3}),
    ],
    ids=name,
)
@each_isa
def test_units_shared_by_threads_equal_the_oracle(pair, isa):
    """Few rows and large weights: threads share the units, and wait for each other's masks."""
    size = 401 if pair[0] == "RNN" else 380
    layer, x, hx = problem(pair, 3, 4, size, size)
    for every in (0, 2):
        layer.checkpoint_every = every
        with on_isa(isa), threads(2):
            actual = by_native(layer, x, hx, [2, 3, 0, 3])
        assert_same(actual, by_oracle(layer, x, hx, [2, 3, 0, 3]))


@each_option
def test_single_row_with_options_equals_the_oracle(pair):
    arguments = problem(pair, 5, 1, 17, 150)
    with threads(2):
        assert_same(by_native(*arguments), by_oracle(*arguments))


@each_isa
@pytest.mark.parametrize("H", [65, 280])
def test_single_row_through_two_products_equals_the_oracle(H, isa):
    """One row takes whole panels of the second product together, and those that are left alone."""
    arguments = problem(("GRU", {"reset_after": False, "zoneout": 0.2}), 5, 1, 17, H)
    with on_isa(isa), threads(1):
        assert_same(by_native(*arguments), by_oracle(*arguments))


def test_projection_with_options_equals_the_oracle():
    options = {"peephole": True, "zoneout": (0.3, 0), "variational": 0.2, "recurrent_dropout": 0.2}
    arguments = problem(("LSTM", options), 6, 5, 7, 21, proj_size=18, num_layers=2)
    assert_same(by_native(*arguments), by_oracle(*arguments))


# ---- bits


@each_option
def test_forward_bits_with_options_do_not_depend_on_threads(pair):
    layer, x, hx = problem(pair, 5, 11, 37, 70)
    runs = []
    for count in (1, 2, 3):
        with threads(count), torch.no_grad():
            runs.append(tensors(seeded(layer)(x, hx)))
    assert_same_bits(runs[1], runs[0])
    assert_same_bits(runs[2], runs[0])


@pytest.mark.parametrize(
    "pair",
    [pair for pair in pairs(PLAIN, RANDOM) if "variational" not in pair[1]],
    ids=name,
)
def test_first_rows_with_options_alone_have_the_bits_of_the_batch(pair):
    """A row's masks depend on its number, not on how many rows there are."""
    layer, x, hx = problem(pair, 5, 11, 17, 37)
    parts = tuple(part[:, :4] for part in as_tuple(hx))
    y, *state = tensors(seeded(layer)(x, hx))
    alone = tensors(seeded(layer)(x[:, :4], parts if isinstance(hx, tuple) else parts[0]))
    assert_same_bits(alone, [y[:, :4], *(part[:, :4] for part in state)])


@each_option
def test_pieces_with_options_have_the_bits_of_the_whole_in_evaluation(pair):
    layer, x, hx = problem(pair, 7, 3, 5, 37, training=False, num_layers=2)
    whole = tensors(layer(x, hx))
    for sizes in ([1] * 7, [4, 3]):
        outputs, state = [], hx
        for piece in x.split(sizes):
            y, state = layer(piece, state)
            outputs.append(y)
        assert_same_bits([torch.cat(outputs), *as_tuple(state)], whole)


@each_option
def test_stream_with_options_has_the_bits_of_the_whole(pair):
    layer, x, _ = problem(pair, 6, 3, 5, 37, num_layers=2)
    stream = carousel.Stream(layer)
    whole, state = layer(x)
    assert_same_bits([stream.step(x_t) for x_t in x], list(whole))
    assert_same_bits(as_tuple(stream.state), as_tuple(state))


@each_option
@pytest.mark.parametrize("count", [1, 2])
def test_checkpoints_give_the_bits_of_keeping_everything(pair, count):
    """What is computed again draws the masks that were drawn before."""
    layer, x, hx = problem(pair, 9, 5, 6, 21, bidirectional=True)
    lengths = [9, 0, 4, 7, 9]
    with threads(count):
        expected = by_native(layer, x, hx, lengths)
        for every in (1, 4):
            layer.checkpoint_every = every
            assert_same_bits(by_native(layer, x, hx, lengths), expected)


@each_option
def test_inference_with_options_has_the_bits_of_training(pair):
    layer, x, hx = problem(pair, 4, 5, 6, 21)
    training = tensors(seeded(layer)(x, hx))
    with torch.no_grad():
        assert_same_bits(tensors(seeded(layer)(x, hx)), training)


# ---- masks, seen from outside


def exactly(layer, **weights):
    """The layer with all weights zero but these."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        for key, value in weights.items():
            parameter = getattr(layer, f"{key}_l0")
            parameter.copy_(torch.as_tensor(value).expand_as(parameter))
    return layer


def seeds_of(seed, layer):
    torch.manual_seed(seed)
    directions = 2 if layer.bidirectional else 1
    return torch.randint(2**62, (layer.num_layers, directions), dtype=torch.int64)


@each_isa
@pytest.mark.parametrize("H", [1, 16, 37])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_zoneout_of_the_kernel_keeps_what_the_mask_says(H, p, isa):
    """h_t = t + 2, or still h_{t-1}."""
    T, B = 9, 13
    layer = exactly(carousel.RNN(1, H, nonlinearity="relu", zoneout=p), weight_ih=1.0)
    x = torch.arange(2.0, T + 2)[:, None, None].expand(T, B, 1)
    seed = seeds_of(4, layer)[0, 0]
    torch.manual_seed(4)
    with on_isa(isa), threads(2), kernels.use("native"):
        y, _ = layer(x)
    before = torch.zeros(B, H)
    for t in range(T):
        keep = masks.happens(p, "state", seed, t, B, H)
        assert torch.equal(y[t] == before, keep)
        before = y[t]


@each_isa
def test_zoneout_of_the_kernel_keeps_the_cells_that_the_mask_says(isa):
    """c_t = x_t, or still c_{t-1}: the forget gate is shut, the others open."""
    T, B, H, p = 5, 6, 37, 0.4
    layer = carousel.LSTM(1, H, zoneout=(p, 0.0), activation="relu")
    bias = torch.tensor([1e3, -1e3, 0, 1e3]).repeat_interleave(H)
    weight = torch.tensor([0.0, 0, 1, 0]).repeat_interleave(H)[:, None]
    exactly(layer, weight_ih=weight, bias_ih=bias)
    x = torch.arange(2.0, T + 2)[:, None, None].expand(T, B, 1)
    seed = seeds_of(4, layer)[0, 0]
    before = torch.zeros(B, H)
    for t in range(T):
        torch.manual_seed(4)
        with on_isa(isa), kernels.use("native"):
            y, (_, c) = layer(x[: t + 1])
        assert torch.equal(c[0] == before, masks.happens(p, "cell", seed, t, B, H))
        assert torch.equal(y[t], x[t].expand(B, H))  # from the new cell, kept or not
        before = c[0]


@each_isa
def test_recurrent_dropout_of_the_kernel_drops_what_the_mask_says(isa):
    """h_t = n_t: the update gate is shut, and n_t is 1 before its mask."""
    T, B, H, p = 5, 6, 37, 0.25
    layer = carousel.GRU(1, H, recurrent_dropout=p, activation="relu")
    exactly(layer, bias_ih=torch.tensor([0, -1e3, 1]).repeat_interleave(H))
    seed = seeds_of(4, layer)[0, 0]
    torch.manual_seed(4)
    with on_isa(isa), kernels.use("native"):
        y, _ = layer(torch.zeros(T, B, 1))
    for t in range(T):
        expected = masks.kept(p, "candidate", seed, t, B, H)
        torch.testing.assert_close(y[t].double(), expected, atol=1e-6, rtol=0)


@each_isa
@pytest.mark.parametrize("each_step", [False, True])
def test_state_masks_of_the_kernel_are_those_of_the_oracle(each_step, isa):
    """h_t = 1 + mask ⊙ h_{t-1}, in numbers that float32 holds exactly."""
    T, B, H = 6, 5, 37
    options = {"naive_recurrent_dropout": 0.5} if each_step else {"variational": (0.0, 0.5, 0.0)}
    layer = carousel.RNN(1, H, nonlinearity="relu", **options)
    exactly(layer, weight_hh=torch.eye(H), bias_ih=1.0)
    seed = seeds_of(4, layer)[0, 0]
    torch.manual_seed(4)
    with on_isa(isa), kernels.use("native"):
        y, _ = layer(torch.zeros(T, B, 1), torch.ones(1, B, H))
    h = torch.ones(B, H, dtype=torch.float64)
    for t in range(T):
        step = t if each_step else masks.EVERY_STEP
        h = 1 + masks.kept(0.5, "product", seed, step, B, H) * h
        assert torch.equal(y[t].double(), h)


@each_random
def test_layers_and_directions_have_masks_of_their_own(pair):
    layer, x, _ = problem(pair, 5, 3, 4, 33, bidirectional=True)
    with torch.no_grad():
        for key, parameter in layer.named_parameters():
            if key.endswith("_reverse"):
                parameter.copy_(getattr(layer, key.removesuffix("_reverse")))
    same = x[:1].expand_as(x)  # the same forwards and backwards
    torch.manual_seed(1)
    y, _ = layer(same)
    layer.eval()
    twin, _ = layer(same)
    H = layer.hidden_size
    assert torch.equal(twin[..., :H], twin.flip(0)[..., H:])
    assert not torch.equal(y[..., :H], y.flip(0)[..., H:])


# ---- seeds and modes


@each_random
def test_a_seed_reproduces_and_another_differs(pair):
    layer, x, hx = problem(pair, 5, 4, 3, 18)
    first = by_native(layer, x, hx, seed=1)
    assert_same_bits(by_native(layer, x, hx, seed=1), first)
    assert not torch.equal(by_native(layer, x, hx, seed=2)["output"], first["output"])


@each_option
def test_evaluation_draws_nothing(pair):
    layer, x, hx = problem(pair, 5, 4, 3, 18, training=False)
    before = torch.get_rng_state()
    first = tensors(layer(x, hx))
    assert torch.equal(torch.get_rng_state(), before)
    assert_same_bits(tensors(layer(x, hx)), first)


@each_plain
def test_training_without_masks_draws_nothing(pair):
    layer, x, hx = problem(pair, 5, 4, 3, 18)
    before = torch.get_rng_state()
    layer(x, hx)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("cell", "zoneout"), [("LSTM", (0.3, 0.2)), ("GRU", 0.3), ("RNN", 0.3)])
def test_zoneout_in_evaluation_is_the_mean_of_training_after_a_step(cell, zoneout):
    layer, x, hx = problem((cell, {"zoneout": zoneout}), 1, 1, 3, 9)
    rows = 20000
    many = tuple(part.expand(-1, rows, -1).contiguous() for part in as_tuple(hx))
    many = many if isinstance(hx, tuple) else many[0]
    _, state = layer(x.expand(-1, rows, -1), many)
    _, expected = layer.eval()(x, hx)
    for actual, mean, start in zip(as_tuple(state), as_tuple(expected), as_tuple(hx), strict=True):
        # A unit is one of two values: 5 standard deviations of the mean of so many.
        spread = (actual[0].max(0).values - actual[0].min(0).values).max()
        assert (actual[0].mean(0) - mean[0, 0]).abs().max() < 5 * 0.5 * spread / rows**0.5
        assert (actual[0] == start[0]).any()


def test_zoneout_in_evaluation_interpolates():
    layer, x, hx = problem(("GRU", {"zoneout": 0.3}), 1, 4, 3, 9, training=False)
    plain = carousel.GRU(3, 9)
    plain.load_state_dict(layer.state_dict())
    assert_close(layer(x, hx)[1], 0.3 * hx + 0.7 * plain(x, hx)[1], "forward")


# ---- paths


@each_option
@pytest.mark.parametrize("packed", [False, True], ids=["lengths", "packed"])
def test_float64_with_options_runs_on_the_cells(pair, packed):
    layer, x, hx = problem(pair, 4, 3, 5, 6)
    double = copy.deepcopy(layer).double()
    acting = double.stack().options.words
    assert carousel.explain(double, x.double()).startswith(
        f"cells: float64; torch has no {', '.join(acting)}" if acting else "torch: float64"
    )
    raised = tuple(part.double() for part in as_tuple(hx))
    raised = raised if isinstance(hx, tuple) else raised[0]
    y = tensors(seeded(double, [2, 4, 1], packed)(x.double(), raised))
    for actual, expected in zip(tensors(seeded(layer, [2, 4, 1], packed)(x, hx)), y, strict=True):
        assert_close(actual, expected.float(), "forward")


def test_random_options_leave_torchs_path_open_in_evaluation():
    layer = carousel.GRU(3, 4, variational=0.5, recurrent_dropout=0.5).double().eval()
    assert carousel.explain(layer, torch.zeros(2, 1, 3).double()).startswith("torch")


def test_torchs_path_refuses_options():
    layer = carousel.LSTM(3, 4, peephole=True, zoneout=0.1)
    with kernels.use("torch"), pytest.raises(RuntimeError, match="torch has no peephole, zoneout"):
        layer(torch.zeros(2, 1, 3))


@each_option
def test_batches_without_rows_or_steps_behave_as_torchs(pair):
    layer, _, _ = problem(pair, 2, 3, 5, 6)
    y, _ = layer(torch.zeros(2, 0, 5))
    assert y.shape == (2, 0, 6)
    with pytest.raises(RuntimeError, match="sequence length to be larger than 0"):
        layer(torch.zeros(0, 3, 5))


@each_option
def test_second_derivative_with_options_equals_the_oracle(pair):
    layer, x, hx = problem(pair, 3, 2, 4, 5)

    def penalty(layer, x, hx):
        x = x.detach().requires_grad_()
        y, _ = seeded(layer)(x, hx)
        (gradient,) = torch.autograd.grad(y.tanh().sum(), x, create_graph=True)
        return torch.autograd.grad(
            gradient.square().sum(),
            [*layer.parameters()],
            allow_unused=True,
            materialize_grads=True,
        )

    double = copy.deepcopy(layer).double()
    raised = tuple(part.double() for part in as_tuple(hx))
    with kernels.use("cells"):
        expected = penalty(double, x.double(), raised if isinstance(hx, tuple) else raised[0])
    for actual, wanted in zip(penalty(layer, x, hx), expected, strict=True):
        assert_close(actual, wanted.float(), "gradient")


@pytest.mark.slow
@each_random
def test_compiled_with_options_reproduces_under_a_seed(pair):
    import warnings

    import torch._dynamo

    layer, x, hx = problem(pair, 4, 3, 3, 6)
    torch._dynamo.reset()
    with warnings.catch_warnings(), torch._dynamo.config.patch(allow_rnn=True):
        warnings.simplefilter("ignore")
        run = torch.compile(lambda x, hx: layer(x, hx), backend="aot_eager", fullgraph=True)
        outcomes = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            outcomes.append(tensors(run(x, hx)))
    torch._dynamo.reset()
    assert_same_bits(outcomes[1], outcomes[0])
    assert not torch.equal(outcomes[2][0], outcomes[0][0])
    assert_same_bits(outcomes[0], tensors(seeded(layer, seed=1)(x, hx)))


@pytest.mark.parametrize(
    "pair", [("LSTM", {"peephole": True, "zoneout": 0.2}), ("GRU", {"zoneout": 0.2})], ids=name
)
def test_operator_with_options_keeps_its_promises(pair):
    layer, x, hx = problem(pair, 4, 3, 3, 5, bidirectional=True)
    options = layer.stack().options
    state = [part.detach().requires_grad_() for part in as_tuple(hx)]
    arguments = (
        x.requires_grad_(), state, layer.weights(), None, None, None,
        torch.tensor([3, 4]), layer.mode, "TBI", True, 0, options.text, options.rates, True,
    )  # fmt: skip
    torch.library.opcheck(
        torch.ops.carousel.layer.default,
        arguments,
        test_utils=["test_schema", "test_faketensor", "test_autograd_registration"],
    )
