"""No source file but the table says which cell is which: all others ask a cell's description."""

import ast
import re
from pathlib import Path

import pytest

import carousel
from carousel.cells.table import SPECS

SOURCE = Path(carousel.__file__).parent
NAMES = {
    name
    for spec in SPECS
    for name in (spec.name, spec.layer, spec.name.upper(), *(mode.name for mode in spec.modes))
}
# Files that name cells none the less, and why.
ALLOWED = {
    "__init__.py": "public names",
    "layers/__init__.py": "public names",
    "layers/recurrent.py": "names that old pickles ask for",
    "kernels/paths.py": "oneDNN, in torch, has the LSTM alone",
    "kernels/autocast.py": "the types that torch's own operators give under autocast",
    "export/c/cells.py": "who writes the equations of each cell in C",
    "export/pt2/operators.py": "which operators torch has",
    "bench/cases.py": "which rows are measured of which cell",
    "bench/targets.py": "speeds that were promised",
    "bench/peers/files.py": "which cells ONNX Runtime computes in eight bits",
    "bench/peers/keras_layers.py": "Keras's names, order of gates and biases",
}


def literals(node):
    return {
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and part.value in NAMES
    }


def branches(tree):
    """Names of cells that a file compares with, looks up by, lists, or asks the class of."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare | ast.MatchValue):
            yield from literals(node)
        elif isinstance(node, ast.Dict):
            for key in node.keys:
                yield from literals(key) if key is not None else ()
        elif isinstance(node, ast.Tuple | ast.List | ast.Set):
            yield from (e.value for e in node.elts if isinstance(e, ast.Constant))
        elif isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Attribute) and called.attr in ("startswith", "get"):
                yield from (name for argument in node.args for name in literals(argument))
            if isinstance(called, ast.Name) and called.id in ("isinstance", "issubclass"):
                kinds = ast.walk(node.args[1])
                yield from (getattr(kind, "attr", getattr(kind, "id", "")) for kind in kinds)


def naming_files():
    files = {}
    for path in SOURCE.rglob("*.py"):
        found = NAMES & set(branches(ast.parse(path.read_text(encoding="utf-8"))))
        if found:
            files[path.relative_to(SOURCE).as_posix()] = found
    return files


def test_no_other_file_branches_on_the_name_of_a_cell():
    others = {name: found for name, found in naming_files().items() if name not in ALLOWED}
    assert others == {}


def test_every_exception_is_still_one():
    assert ALLOWED.keys() <= naming_files().keys()


@pytest.mark.parametrize(
    "code",
    [
        'if cell == "lstm": pass',
        'if mode in ("RNN_TANH", other): pass',
        'if mode.startswith("RNN"): pass',
        'GATES = {"GRU": 3}',
        'GATES.get("MINGRU")',
        'CELLS = ["indrnn"]',
        "isinstance(layer, nn.GRU)",
        "isinstance(layer, MinLSTM | IndRNN)",
        'match cell:\n    case "gru": pass',
    ],
)
def test_a_branch_on_a_cells_name_would_be_found(code):
    assert NAMES & set(branches(ast.parse(code)))


def test_the_page_of_options_ticks_what_the_layers_take():
    page = (Path(__file__).parents[2] / "docs" / "options.md").read_text(encoding="utf-8")
    head, _, *rows = re.findall(r"^\|.*\|$", page, re.MULTILINE)
    cells = [cell.strip() for cell in head.split("|")[2:5]]
    ticked = {
        (re.search(r"`(\w+)`", row)[1], cell)
        for row in rows
        for cell, tick in zip(cells, row.split("|")[2:5], strict=True)
        if tick.strip() == "✓"
    }
    by_layer = {spec.layer: spec.options for spec in SPECS}
    shared = {"dropout"}
    for option in {option for option, _ in ticked} - shared:
        expected = {cell for cell in cells if option in by_layer[cell]}
        assert {cell for name, cell in ticked if name == option} == expected, option
