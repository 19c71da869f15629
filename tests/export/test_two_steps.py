"""Language models with a softmax in two steps, as files."""

import numpy as np
import pytest
import torch
from c_programs import library, need, uneven
from small_text import text_config, write_text

from carousel import tasks
from carousel.export.exporting import export

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def model_of_words(folder, frequent, tied=False, size=16):
    """Untrained, with random weights; 13 characters, of which the most frequent come first."""
    more = (f"model.adaptive_softmax={frequent}", f"model.tied={str(tied).lower()}")
    config = text_config(
        write_text(folder), *more, f"model.hidden_size={size}", f"model.embedding_size={size}"
    )
    task = tasks.find("generate")(config, 0)
    trained = task.finish(task.build_model())
    uneven(trained.model)
    return trained


def chances(trained, tokens):
    """Probabilities of the next token (T, V) from the distribution's definition in the layer."""
    model = trained.model
    with torch.no_grad():
        outputs = model.recurrent(model.embedding(torch.from_numpy(tokens)[:, None]))[0]
        return model.softmax.log_probabilities(outputs, *model._readout()).exp()[:, 0].numpy()


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("frequent", [2, 12])
def test_every_format_has_the_distribution_of_the_model(frequent, tied, tmp_path):
    trained = model_of_words(tmp_path, frequent, tied)
    for name, stream in (("m.onnx", False), ("step.onnx", True), ("m.pt2", False)):
        assert export(trained, tmp_path / name, stream=stream).comparison.difference <= 1e-5


@pytest.mark.parametrize("frequent", [1, 2, 12])
def test_the_c_has_it_too_and_its_probabilities_add_up_to_one(frequent, tmp_path):
    need("gcc")
    trained = model_of_words(tmp_path, frequent)
    tokens = np.random.default_rng(0).integers(0, 13, 20)
    found = library(trained, tmp_path)
    y = found.run(found.state(), tokens.astype(np.int32), 13)
    np.testing.assert_allclose(y, chances(trained, tokens), atol=1e-6)
    np.testing.assert_allclose(y.sum(1), 1.0, atol=1e-6)
