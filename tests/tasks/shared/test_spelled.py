"""Vectors of words from their letters, against loops over words and letters."""

import pytest
import torch
from every_task import SMALL
from torch.nn import functional as F

from carousel.config import ModelConfig
from carousel.errors import ConfigError
from carousel.export.trained import trained_subject
from carousel.runtime import load as load_without_torch
from carousel.tasks.shared.spelled import SpelledWords
from carousel.training import train

WORDS = [[3, 1, 4, 0, 0], [0, 0, 0, 0, 0], [2, 2, 5, 6, 1], [3, 1, 4, 0, 0], [6, 0, 0, 0, 0]]


def network(encoder):
    torch.manual_seed(5)
    made = SpelledWords(7, ModelConfig(character_encoder=encoder, character_size=3,
                                       character_features=4))  # fmt: skip
    with torch.no_grad():
        for weight in made.parameters():
            weight.uniform_(-1, 1)
    return made


def test_a_convolution_is_the_greatest_of_every_three_letters():
    made = network("convolution")
    weight, bias = made.reader.weight, made.reader.bias
    found = made(torch.tensor(WORDS))
    for word, row in zip(WORDS, found, strict=True):
        letters = [made.embedding.weight[letter] for letter in word if letter]
        nothing = torch.zeros(3)
        around = [nothing, *letters, nothing]
        sums = [
            sum(weight[:, :, k] @ around[t + k] for k in range(3)) + bias
            for t in range(len(letters))
        ]
        wanted = torch.stack(sums).amax(0) if sums else torch.zeros(4)
        torch.testing.assert_close(row, wanted)


def test_a_recurrent_encoder_is_the_last_state_from_either_end():
    made = network("recurrent")
    twin = torch.nn.LSTM(3, 2, batch_first=True, bidirectional=True)
    twin.load_state_dict(made.reader.state_dict())
    for word, row in zip(WORDS, made(torch.tensor(WORDS)), strict=True):
        letters = [letter for letter in word if letter]
        wanted = torch.zeros(4)
        if letters:
            _, (state, _) = twin(F.embedding(torch.tensor([letters]), made.embedding.weight))
            wanted = state[:, 0].flatten()
        torch.testing.assert_close(row, wanted)


@pytest.mark.parametrize("encoder", ["convolution", "recurrent"])
def test_gradients_are_those_of_words_one_by_one(encoder):
    made, gradients = network(encoder), []
    weights = torch.linspace(-1, 1, 20).view(5, 4)
    for rows in ([WORDS], [[word] for word in WORDS]):
        made.zero_grad()
        found = torch.cat([made(torch.tensor(words)) for words in rows])
        (found * weights).sum().backward()
        gradients.append([p.grad.clone() for p in made.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("task", ["classify_text", "label_words"])
@pytest.mark.parametrize("encoder", ["convolution", "recurrent"])
def test_a_task_that_reads_letters_learns_says_and_is_loaded(task, encoder, tmp_path):
    config = SMALL[task](tmp_path).override(
        [
            "text.characters=character",
            f"model.character_encoder={encoder}",
            "model.character_features=8",
            "model.character_size=6",
            "training.epochs=3",
        ]
    )
    run = train(config, run_dir=tmp_path / "run", threads=1, quiet=True)
    assert run.result["test"]["accuracy"] > 0.8
    model = run.load()
    said = model.predict(["go to rome" if task == "label_words" else "a lovely film"])
    assert said[0].to_json()
    with pytest.raises(ConfigError, match="reads letters of words"):
        trained_subject(model)
    with pytest.raises(ConfigError, match=r"text\.characters, letters of words"):
        load_without_torch(run.path)


def test_a_setting_of_letters_is_refused_where_none_are_read(tmp_path):
    config = SMALL["classify_text"](tmp_path).override(["model.character_size=6"])
    with pytest.raises(ConfigError, match=r"model\.character_size has no effect"):
        train(config, run_dir=tmp_path / "run", threads=1, quiet=True)
