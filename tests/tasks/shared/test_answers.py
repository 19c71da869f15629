"""Every trained model: inputs to tensors, tensors to tensors, tensors to answers."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from small import small_config

from carousel import load
from carousel.cli.given import Request, given_of
from carousel.tasks.classify.task import ClassifyTask
from carousel.tasks.shared.answers import Answer

HOME = Path(__file__).parents[2] / "fixtures" / "first_generation"
NAMES = ["classify", "classify_recordings", "classify_text"]


@pytest.fixture(params=NAMES)
def model(request):
    return load(HOME / request.param)


@pytest.fixture
def given(request, model, monkeypatch):
    """What the bundle's `carousel predict` was given."""
    name = request.node.callspec.params["model"]
    monkeypatch.chdir(HOME / name)
    source = json.loads(Path("arguments.json").read_text())[0]
    return given_of(model, Request(Path(source)))


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


def test_a_prediction_is_encode_then_network_then_decode(model, given):
    with torch.no_grad():
        answers = model.decode(model.model(*model.encode(given.inputs)))
    for one, other in zip(answers, model.predict(given.inputs), strict=True):
        assert one.label == other.label
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_probabilities_are_those_of_the_answers(model, given):
    chances = model.predict_proba(given.inputs).tolist()
    assert [[*answer.probabilities.values()] for answer in model.predict(given.inputs)] == chances


def test_the_activation_penalty_is_that_of_the_recurrent_outputs():
    names = ("activation", "temporal_activation")
    config = small_config(*(f"regularization.{name}=0.5" for name in names))
    task = ClassifyTask(config, 0)
    model, batch = task.build_model().eval(), next(task.train_batches(0, 0))
    step = task.loss(model, batch)
    outputs, _ = model.recurrent(task._sequences(batch[0]))
    penalty = 0.5 * outputs.square().mean() + 0.5 * outputs.diff(dim=1).square().mean()
    torch.testing.assert_close(step.objective, step.sums["loss"] / step.count + penalty)
