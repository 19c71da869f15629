"""ONNX files in a page: ONNX Runtime Web, in WebAssembly, says what the models say."""

import functools
import http.server
import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from board_server import CHROMIUM, needs_chromium
from c_programs import uneven
from torch import nn

import carousel
from carousel.export.describing import subject_of
from carousel.export.exporting import export
from carousel.export.parity import random_batch, random_states
from carousel.layers.frames import Frames

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
WEB = Path("build/node_modules/onnxruntime-web/dist")
BUNDLE = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
pytestmark = [
    pytest.mark.slow,  # a browser, and ten files
    needs_chromium,
    pytest.mark.skipif(
        not all((WEB / name).is_file() for name in BUNDLE),
        reason="ONNX Runtime Web is not installed: npm install --prefix build onnxruntime-web",
    ),
]
MODELS = {
    "tokens": lambda: nn.Sequential(
        nn.Embedding(20, 6), carousel.GRU(6, 9, num_layers=2), nn.Linear(9, 20), nn.Softmax(-1)
    ),
    "peepholes": lambda: carousel.LSTM(3, 5, peephole=True),
    "scan": lambda: carousel.LSTM(3, 5, layer_norm=True),
    "parallel": lambda: carousel.MinGRU(3, 5, num_layers=2),
    "frames": lambda: nn.Sequential(Frames(24, nn.Conv1d(1, 4, 8, stride=8)), carousel.LSTM(12, 5)),
}


def told(arrays):
    """Arrays as JSON can hold them."""
    return {
        name: {"dtype": str(a.dtype), "shape": a.shape, "data": a.ravel().tolist()}
        for name, a in arrays.items()
    }


def whole(subject, rng):
    """One call for rows of one length, and what the model says of it."""
    given = random_batch(subject.network, 3, 7, rng, lengths=False)
    states = random_states(subject, 3, rng)
    wanted = told(subject.run({**given, **states}))
    return {"calls": [{"given": told(given), "wanted": wanted}], "states": told(states)}


def stepped(subject, rng):
    """Calls for one step each; at the last, the states are compared, too."""
    given, states = random_batch(subject.network, 2, 6, rng), random_states(subject, 2, rng)
    (value,), (output,) = subject.network.inputs, subject.network.outputs
    wanted = subject.run({value.name: given[value.name], **states})
    y = wanted.pop(output.name)
    calls = [
        {
            "given": told({value.name: np.ascontiguousarray(given[value.name][:, t])}),
            "wanted": told({output.name: y[:, t], **(wanted if t == y.shape[1] - 1 else {})}),
        }
        for t in range(y.shape[1])
    ]
    return {"calls": calls, "states": told(states)}


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Hands out a folder, and writes nothing about it."""

    extensions_map = {".mjs": "text/javascript", ".wasm": "application/wasm", "": "text/html"}  # noqa: RUF012

    def log_message(self, *_):
        pass


@pytest.fixture
def site(tmp_path):
    """A folder, and where it can be read."""
    handler = functools.partial(Quiet, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield tmp_path, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_files_say_the_same_in_a_browser_whole_and_step_by_step(site):
    from playwright.sync_api import sync_playwright

    folder, url = site
    cases, rng = {}, np.random.default_rng(0)
    for name, make in MODELS.items():
        model = uneven(make())
        subject = subject_of(model)
        for end, stream, case in (("", False, whole), ("-step", True, stepped)):
            export(model, folder / f"{name}{end}.onnx", stream=stream)
            cases[f"{name}{end}.onnx"] = case(subject, rng)
    (folder / "cases.json").write_text(json.dumps(cases))
    for file in (*(WEB / name for name in BUNDLE), *(Path(__file__).parent / "web").iterdir()):
        shutil.copy(file, folder)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{url}/page.html")
        page.wait_for_function("window.found", timeout=100_000)
        found = page.evaluate("window.found")
        browser.close()
    assert set(found) == set(cases), found
    for name, told_of in found.items():
        assert told_of["numbers"] > 0
        assert told_of["largest"] <= 1e-5, name
