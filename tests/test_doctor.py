"""What `doctor` says is what holds."""

import platform

import torch

from carousel import doctor, kernels, layers
from carousel.cells.table import SPECS
from carousel.data import mnist


def test_versions_and_machine_are_those_of_this_process():
    facts = doctor.examine()
    assert torch.__version__.partition("+")[0] == facts["versions"]["torch"].partition("+")[0]
    assert facts["versions"]["python"] == platform.python_version()
    assert facts["machine"]["threads"].startswith(f"{torch.get_num_threads()} ")
    assert facts["machine"]["instruction set"].startswith(kernels.active_isa())
    for isa in kernels.supported_isas():
        assert isa in facts["machine"]["instruction set"]


def test_every_layer_kind_and_dtype_has_its_path_with_the_reason():
    paths = doctor.examine()["paths of the recurrent layers"]
    assert len(paths) == len(SPECS) * 2 * 2
    x, lengths = torch.zeros(2, 2, 3, dtype=torch.float64), torch.tensor([2, 1])
    layer = layers.GRU(3, 4, dtype=torch.float64)
    assert paths["GRU float64"] == layers.explain(layer, x)
    assert paths["GRU float64, lengths="] == layers.explain(layer, x, lengths)


def test_an_instruction_set_that_cannot_be_used_is_told_and_not_raised(monkeypatch):
    monkeypatch.setenv("CAROUSEL_ISA", "avx1024")
    assert "CAROUSEL_ISA is 'avx1024'" in doctor.examine()["machine"]["instruction set"]


def test_damaged_data_is_told_and_not_raised(monkeypatch, tmp_path):
    monkeypatch.setattr(mnist, "FOLDER", tmp_path)
    assert "cannot be read" in doctor.examine()["places"]["mnist"]


def test_places_follow_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("CAROUSEL_DATA", "somewhere")
    monkeypatch.chdir(tmp_path)
    places = doctor.examine()["places"]
    assert places["CAROUSEL_DATA"] == "somewhere"
    assert places["runs"] == str(tmp_path / "runs")
    assert "70,000 images, checksums right" in places["mnist"]
