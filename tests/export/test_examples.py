"""Examples of docs/export.md: compiled or run as they stand, on models that a test makes."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from c_programs import CORTEX, CORTEX_M4, need, ran, uneven, written
from small_pairs import pair_config, some_pairs, write_pairs
from small_series import series_config, write_series
from small_watched import rows, watched_config, write_watched
from torch import nn

import carousel
from carousel import tasks
from carousel.export.exporting import export

PAGE = Path(__file__).parents[2] / "docs" / "export.md"
STEPS = 12


def example(language, word):
    """The only block of the page in a language that has a word in it."""
    found = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (block,) = (text for text in found if word in text)
    return block


def numbers(x):
    """An array as the numbers between the braces of C."""
    return ", ".join(f"{float(v):.9g}f" for v in x.ravel())


def model_of(inputs, *layers):
    """A model with random weights, and a sequence of inputs (T, I)."""
    model = uneven(nn.Sequential(*layers))
    return model, np.random.default_rng(0).standard_normal((STEPS, inputs)).astype(np.float32)


def answers(model, x):
    """What the model says of each step, (T, O)."""
    stream = carousel.Stream(model)
    return torch.cat([stream.step(row[None]) for row in torch.from_numpy(x)]).numpy()


def pump(folder):
    """Files of a model `pump`, its inputs (T, 3) and its chances (T, 2)."""
    model, x = model_of(3, carousel.LSTM(3, 6), nn.Linear(6, 2), nn.Softmax(-1))
    written(model, folder, "pump")
    return x, answers(model, x)


def test_the_example_for_a_microcontroller_stops_the_pump_when_the_model_says_so(tmp_path):
    need("arm-none-eabi-gcc", "qemu-system-arm")
    x, chances = pump(tmp_path)
    code = example("c", "every_10_ms")
    limit = float(np.sort(chances[:, 1])[-3:-1].mean())  # which two steps are beyond
    assert "chances[1] > 0.9f" in code
    code = code.replace("0.9f", f"{limit:.9g}f")
    program = f"""#include <stdio.h>
static int now;
static void stop_the_pump(void) {{ printf("%d ", now); }}
{code}
int main(void) {{
    static const float x[] = {{{numbers(x)}}};
    start();
    for (now = 0; now < {STEPS}; ++now) every_10_ms(x + now * PUMP_INPUTS);
    return 0;
}}
"""
    (tmp_path / "main.c").write_text(program)
    flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "--specs=rdimon.specs"]
    board = ["-nostartfiles", "-T", str(CORTEX / "mps2.ld"), str(CORTEX / "startup.c")]
    build = ["arm-none-eabi-gcc", *CORTEX_M4, *flags, *board, "pump.c", "main.c", "-o", "main.elf"]
    ran(build, tmp_path)
    machine = ["-M", "mps2-an386", "-display", "none", "-monitor", "none", "-serial", "none"]
    answering = ["-semihosting-config", "enable=on,target=native", "-kernel", "main.elf"]
    said = ran(["qemu-system-arm", *machine, *answering], tmp_path)
    assert [int(n) for n in said.split()] == np.flatnonzero(chances[:, 1] > limit).tolist()


def compiled(program, folder, stem):
    """What a C++ program around an example printed, as numbers."""
    need("g++")
    (folder / "main.cpp").write_text(program)
    ran(["gcc", "-std=c99", "-O2", "-c", f"{stem}.c"], folder)
    strict = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread"]
    ran(["g++", *strict, "main.cpp", f"{stem}.o", "-o", "main"], folder)
    return np.array(ran(["./main"], folder).split(), float)


def test_the_example_for_an_audio_plug_in_plays_each_channel_as_the_model_does(tmp_path):
    model, x = model_of(1, carousel.LSTM(1, 16), nn.Linear(16, 1))
    written(model, tmp_path, "amp")
    left, right = x[:, 0], -0.5 * x[:, 0]
    program = f"""#include <cstdio>
{example("cpp", "struct Amp")}
int main() {{
    float left[] = {{{numbers(left)}}}, right[] = {{{numbers(right)}}};
    Amp amp;
    for (int at = 0; at < {STEPS}; at += 4) {{
        float* audio[] = {{left + at, right + at}};
        amp.process(audio, 2, 4);
    }}
    for (float v : left) std::printf("%.9g ", v);
    for (float v : right) std::printf("%.9g ", v);
}}
"""
    wanted = [answers(model, channel[:, None])[:, 0] for channel in (left, right)]
    found = compiled(program, tmp_path, "amp")
    np.testing.assert_allclose(found, np.concatenate(wanted), rtol=1e-5, atol=1e-5)


def test_the_example_for_a_server_keeps_the_streams_of_clients_in_threads_apart(tmp_path):
    x, chances = pump(tmp_path)
    program = f"""#include <cstdio>
#include <thread>
#include <vector>
{example("cpp", "class Pumps")}
int main() {{
    static const float x[] = {{{numbers(x)}}};
    Pumps pumps;
    std::vector<std::array<float, PUMP_OUTPUTS>> said(4 * {STEPS});
    std::vector<std::thread> threads;
    for (int c = 0; c < 4; ++c)
        threads.emplace_back([&, c] {{
            for (int t = 0; t < {STEPS}; ++t)
                said[c * {STEPS} + t] = pumps.step(std::to_string(c), x + t * PUMP_INPUTS);
        }});
    for (auto& thread : threads) thread.join();
    pumps.forget("0");
    said.push_back(pumps.step("0", x));
    for (auto& y : said) for (float v : y) std::printf("%.9g ", v);
}}
"""
    found = compiled(program, tmp_path, "pump").reshape(-1, 2)
    wanted = np.concatenate([*[chances] * 4, chances[:1]])
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_examples_of_tokens_write_files_and_step_through_them(folder):
    exec(example("python", '"next-token.onnx", stream=True'), {})
    found = {}
    exec(example("python", "for token in (7, 3, 12)"), found)
    assert found["y"].shape == (1, 100)
    assert np.abs(found["h"]).max() > 0


def test_the_examples_of_eight_bits_and_of_frames_run(folder):
    exec(example("python", "int8=True, calibration=typical"), {})
    exec(example("python", "hear = Frames("), {})
    assert {"small.c", "small.h", "voice.c"} <= {path.name for path in folder.iterdir()}


def drawn(config):
    """A model of a task that was not trained, with random weights."""
    task = tasks.find(config.task)(config, 0)
    trained = task.finish(task.build_model())
    uneven(trained.model)
    return trained


def test_the_example_of_a_translator_says_what_predict_does(folder):
    trained = drawn(pair_config(write_pairs(folder, 60)))
    export(trained, folder / "de-en.onnx")
    ((source, _),) = some_pairs(1, seed=5)
    tokens = trained.sources.encode([source]).values.tolist()
    code = example("python", "de-en_step.onnx")
    assert "[[7, 3, 12]]" in code
    code = code.replace("[[7, 3, 12]]", f"[{tokens}]").replace("[3]", f"[{len(tokens)}]")
    found = {}
    exec(code, found)
    (answer,) = trained.predict([source], beam=1)
    assert found["said"]
    assert found["said"] == list(answer.alternatives[0].tokens)[:14]


def test_the_example_of_a_detector_gives_the_scores_of_the_model(folder):
    trained = drawn(watched_config(write_watched(folder), "model.cell=gru", "model.hidden_size=32"))
    export(trained, folder / "pump.onnx")
    values = np.array([row[1:3] for row in rows(200, 4, ((60, 70),))], float)
    np.savetxt("pump.csv", values, delimiter=",", header="wave,other", comments="")
    found = {}
    exec(example("python", '"pump.onnx"'), found)
    (answer,) = trained.predict(values)
    np.testing.assert_allclose(found["scores"], answer.scores, rtol=2e-4, atol=1e-5)


def test_the_example_of_a_program_reads_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, x = model_of(3, carousel.GRU(3, 4), nn.Linear(4, 2))
    export(model, tmp_path / "model.pt2")
    found = {"x": torch.from_numpy(x)[None], "states": [torch.zeros(1, 1, 4)]}
    exec(example("python", "torch.export.load"), found)
    assert len(found["states"]) == 1
    np.testing.assert_allclose(found["y"][0].detach(), answers(model, x), rtol=1e-5, atol=1e-5)


def test_the_example_of_a_calendar_forecasts(folder):
    config = series_config(write_series(folder), "forecast.calendar=true")
    export(drawn(config), folder / "load.onnx")
    rows = [f"{t % 7},{t % 5}" for t in range(30)]
    (folder / "load.csv").write_text("\n".join(["wave,size", *rows]) + "\n")
    found = {}
    exec(example("python", "waves(times"), found)
    assert found["forecast"].shape == (1, 1, 5, 1)
    assert np.isfinite(found["forecast"]).all()
