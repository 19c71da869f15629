"""Programs that call Carousel's operators are read after `import carousel` alone."""

import subprocess
import sys

import pytest
import torch

import carousel
from carousel import kernels

IMPORTS = {
    "carousel first": "import carousel; import torch",
    "torch first": "import torch; import carousel",
    "a part of torch": "import carousel; import torch.nn.functional; import torch",
    "torch looked for first": (
        "import carousel, importlib.util; importlib.util.find_spec('torch'); import torch"
    ),
}
each_order = pytest.mark.parametrize("imports", IMPORTS.values(), ids=IMPORTS)


def fresh(code):
    """What a new interpreter prints."""
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def problem(tmp_path):
    """A layer, and a file with the input and output of a call of it."""
    layer, x = carousel.GRU(3, 5, num_layers=2).eval(), torch.randn(4, 2, 3)
    with torch.no_grad():
        torch.save((x, layer(x)[0]), tmp_path / "call.pt")
    return layer, x


def read(imports, load, folder):
    return fresh(
        f"{imports}\nx, y = torch.load({str(folder / 'call.pt')!r})\n"
        f"with torch.no_grad():\n    print(torch.equal({load}(x)[0], y))"
    )


@pytest.mark.slow
@each_order
def test_exported_program_is_loaded_in_a_new_process(imports, problem, tmp_path):
    layer, x = problem
    program = torch.export.export(layer, (x,))
    assert any("carousel.layer" in str(node.target) for node in program.graph.nodes)
    torch.export.save(program, tmp_path / "program.pt2")
    load = f"torch.export.load({str(tmp_path / 'program.pt2')!r}).module()"
    assert read(imports, load, tmp_path) == "True\n"


@pytest.mark.slow
@each_order
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
def test_traced_program_with_our_operator_is_loaded_in_a_new_process(imports, problem, tmp_path):
    layer, x = problem
    with kernels.use("native"):
        torch.jit.trace(layer, (x,)).save(tmp_path / "program.pt")
    load = f"torch.jit.load({str(tmp_path / 'program.pt')!r})"
    assert read(imports, load, tmp_path) == "True\n"


@pytest.mark.slow
def test_torch_is_found_as_without_carousel():
    say = "import torch, sys; print(torch.__spec__, torch.__loader__, len(sys.meta_path))"
    assert fresh(f"import carousel; {say}").split(" at ")[0] == fresh(say).split(" at ")[0]
    assert fresh(f"import carousel; {say}").split()[-1] == fresh(say).split()[-1]


def test_import_without_torch_installed_works_and_torch_may_come_later():
    code = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError("no torch", name="torch")
sys.meta_path.insert(0, missing := Missing())
import carousel
try:
    import torch
except ModuleNotFoundError as error:
    print(error)
sys.meta_path.remove(missing)
import torch
print(torch.ops.carousel.layer)
"""
    assert fresh(code) == "no torch\ncarousel.layer\n"
