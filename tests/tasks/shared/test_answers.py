"""Every trained model: inputs to tensors, tensors to tensors, tensors to answers."""

import ast
import dataclasses
import json
import re
from pathlib import Path

import pytest
import torch
from small import small_config

import carousel
from carousel import load
from carousel.cli.given import Request, given_of
from carousel.cli.output import with_options
from carousel.data.files.series import read_series
from carousel.errors import ConfigError, DataError
from carousel.tasks.classify.task import ClassifyTask
from carousel.tasks.generate.sampling import Sampling
from carousel.tasks.shared.answers import Answer, classes_of
from carousel.tasks.shared.task import Given

HOME = Path(__file__).parents[2] / "fixtures" / "first_generation"
NAMES = [
    "caption",
    "classify",
    "classify_recordings",
    "classify_text",
    "forecast",
    "generate",
    "generate_lines",
    "label_frames",
    "label_words",
    "regress",
    "translate",
]
SEARCHED = ("generate", "translate", "caption")  # what is decoded is found by a search or a draw


@pytest.fixture(params=NAMES)
def model(request):
    return load(HOME / request.param)


@pytest.fixture
def given(request, model, monkeypatch):
    """What the bundle's `carousel predict` was given."""
    name = request.node.callspec.params["model"]
    monkeypatch.chdir(HOME / name)
    first, *more = json.loads(Path("arguments.json").read_text())
    if first == "--prompt":
        return Given(more[:1])
    return given_of(model, Request(Path(first)))


def tensors(value):
    return [value] if isinstance(value, torch.Tensor) else list(value)


def test_a_network_takes_tensors_that_are_made_up_and_gives_tensors(model):
    made_up = model.example_inputs()
    assert all(isinstance(part, torch.Tensor) for part in made_up)
    with torch.no_grad():
        outputs = tensors(model.model(*made_up))
    assert all(isinstance(part, torch.Tensor) for part in outputs)


def test_an_answer_is_a_frozen_value_that_json_can_hold(model, given):
    answers = model.predict(given.inputs)
    assert len(answers) == len(given.inputs)
    for answer in answers:
        assert isinstance(answer, Answer)
        assert json.loads(json.dumps(answer.to_json())) == answer.to_json()
        field = dataclasses.fields(answer)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(answer, field, None)
    assert model.predict(given.inputs) == answers


def close(one, other):
    if isinstance(one, float):
        return one == pytest.approx(other, abs=1e-4)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(close, one, other))
    return one == other


def test_a_prediction_is_encode_then_network_then_decode(model, given):
    if model.config.task in SEARCHED:
        pytest.skip("has a test of its own: the network is asked many times")
    encoded = model.encode(given.inputs)
    more = {  # what decoding needs besides the outputs
        "label_words": lambda: (model.label(given.inputs),),
        "label_frames": lambda: (encoded[1],),
        "regress": lambda: (encoded[1],),
        "forecast": lambda: (given.inputs,),
    }.get(model.config.task, tuple)()
    if model.config.task == "label_words":
        more = ([[word.word for word in row] for row in more[0]],)
    with torch.no_grad():
        answers = model.decode(model.model(*encoded), *more)
    for one, other in zip(answers, model.predict(given.inputs), strict=True):
        assert close(one.to_json(), other.to_json())


@pytest.mark.parametrize("model", ["label_frames", "forecast", "regress"], indirect=True)
def test_outputs_that_can_be_differentiated_are_decoded_too(model, given):
    encoded = model.encode(given.inputs)
    more = given.inputs if model.config.task == "forecast" else encoded[1]
    for one, other in zip(
        model.decode(model.model(*encoded), more), model.predict(given.inputs), strict=True
    ):
        assert close(one.to_json(), other.to_json())


@pytest.mark.parametrize("model", ["forecast"], indirect=True)
def test_a_series_with_its_columns_in_another_order_is_decoded_by_their_names(model):
    text = (HOME / "forecast" / "input.csv").read_text()
    rows = [line.split(",") for line in text.splitlines()]
    other = "\n".join(",".join((first, *reversed(rest))) for first, *rest in rows) + "\n"
    series = read_series(other, "other.csv")
    with torch.no_grad():
        (answer,) = model.decode(model.model(*model.encode([series])), [series])
    assert close(answer.to_json(), model.predict([series])[0].to_json())


def test_of_equal_chances_the_first_class_comes_first():
    (answer,) = classes_of(torch.tensor([[0.25, 0.5, 0.25]]), ["a", "b", "c"])
    assert [name for name, _ in answer.ranked()] == ["b", "a", "c"]
    (answer,) = classes_of(torch.tensor([[0.5, 0.5]]), ["cat", "dog"])
    assert answer.ranked()[0][0] == answer.label == "cat"


@pytest.mark.parametrize("model", ["classify_recordings"], indirect=True)
@pytest.mark.parametrize("wrong", [None, [["a", "b"]], [[1.0], [1.0, 2.0]]], ids=str)
def test_what_is_no_recording_is_refused_in_words(model, wrong):
    with pytest.raises(DataError, match="must hold numbers"):
        model.predict([wrong])


@pytest.mark.parametrize("model", ["generate"], indirect=True)
def test_a_text_and_a_file_of_it_are_not_both_scored(model, tmp_path):
    (tmp_path / "x.txt").write_text("cats eat fish")
    with pytest.raises(ConfigError, match="not both"):
        given_of(model, Request(tmp_path / "x.txt", {"text": "cats"}))


@pytest.mark.parametrize("model", ["caption", "translate"], indirect=True)
def test_the_network_finds_likeliest_what_greedy_search_writes(model, given):
    (answer, *_) = model.predict(given.inputs, beam=1)
    *about, begin = model.encode(given.inputs)
    written = torch.tensor([[*begin[0].tolist(), *answer.alternatives[0].tokens]])
    with torch.no_grad():
        logits = model.model(*(part[:1] for part in about), written)
    log_p = logits.log_softmax(-1)[0]
    said = torch.tensor([*answer.alternatives[0].tokens, model.model.decoder.end])
    found = log_p.gather(1, said.unsqueeze(1)).sum()
    assert float(found) == pytest.approx(answer.alternatives[0].log_probability, abs=1e-3)


@pytest.mark.parametrize("model", ["generate", "generate_lines"], indirect=True)
def test_the_network_finds_likeliest_what_is_drawn_without_temperature(model, given):
    (answer,) = model.predict(given.inputs, temperature=0, length=1)
    with torch.no_grad():
        logits, *_ = model.model(*model.encode(given.inputs[0]))
    for number in logits[-1, 0].argsort(descending=True).tolist():
        (found,) = model.decode([[number]], given.inputs[0])
        if found.text and "<" not in found.text:  # neither unknown nor a label is written
            break
    assert found == answer


def test_probabilities_are_those_of_the_answers(model, given):
    if not hasattr(model, "predict_proba"):
        assert model.config.task in ("forecast", "regress", "generate", "translate", "caption")
        return
    for chances, answer in zip(
        model.predict_proba(given.inputs), model.predict(given.inputs), strict=True
    ):
        if model.config.task == "label_frames":
            assert [model.classes[i] for i in chances.argmax(1)] == [*answer.labels]
        elif model.config.task == "label_words":
            # the row of labels may be another than that of the most probable of each word
            found = [w.probability for w in answer.words]
            wanted = [chances[t, model.labels.index(w.label)] for t, w in enumerate(answer.words)]
            assert found == pytest.approx(wanted)
        else:
            assert [*answer.probabilities.values()] == chances.tolist()


@pytest.mark.parametrize("room", ["tasks", "data", "layers"])
def test_no_text_below_the_command_line_names_one_of_its_options(room):
    allowed = {"--force-reinstall"}  # of pip
    for file in (Path(carousel.__file__).parent / room).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", node.value))
                assert named <= allowed, f"{file.name}:{node.lineno}"


def test_the_command_line_puts_its_options_in():
    with pytest.raises(ConfigError) as error:
        Sampling(top_k=-1)
    assert str(error.value) == "top_k must be at least 0, got -1"
    assert with_options(str(error.value), error.value.arguments).startswith("--top-k must be")


def test_the_activation_penalty_is_that_of_the_recurrent_outputs():
    names = ("activation", "temporal_activation")
    config = small_config(*(f"regularization.{name}=0.5" for name in names))
    task = ClassifyTask(config, 0)
    model, batch = task.build_model().eval(), next(task.train_batches(0, 0))
    step = task.loss(model, batch)
    outputs, _ = model.recurrent(task._sequences(batch[0]))
    penalty = 0.5 * outputs.square().mean() + 0.5 * outputs.diff(dim=1).square().mean()
    torch.testing.assert_close(step.objective, step.sums["loss"] / step.count + penalty)
