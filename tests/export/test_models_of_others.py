"""Models that others trained, from their wheels: in Carousel's layers, and in the files of these.

Compared with what the packages themselves compute. Where a package is not installed, its tests are
skipped; what it needs besides its weights is neither installed nor asked for.
"""

import importlib
import sys
import types
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from c_programs import library

import carousel
from carousel.export.describing import subject_of
from carousel.export.exporting import export

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

import onnxruntime

from carousel.export.onnx.format import runner

SCRIPTS = Path(__file__).parents[2] / "benchmarks"
CLOSE = {"rtol": 0, "atol": 1e-4}


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("models_of_others")


def installed(script, package, wheel):
    """Folder of a package; skips the test where there is none."""
    folder = script.folder_of(package)
    if folder is None:
        pytest.skip(f"{package} is not installed: pip install --no-deps {wheel}")
    return folder


def sound(frames):
    """Frames of 512 samples and the 64 before: a voice that comes and goes, and noise."""
    rng, t = np.random.default_rng(0), np.arange(frames * 512) / 16000
    pitch = 120 + 15 * np.sin(2 * np.pi * 2.0 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / 16000
    formants = ((500, 1.0), (1500, 0.5), (2500, 0.25))
    voice = np.zeros_like(t)
    for k in range(1, 30):
        near = sum(a * np.exp(-(((k * 120 - f) / 200) ** 2)) for f, a in formants)
        voice += near * np.sin(k * phase)
    wave = 0.2 * voice * (np.sin(2 * np.pi * 0.7 * t) > 0) + 0.003 * rng.standard_normal(t.size)
    pieces = wave.astype(np.float32).reshape(frames, 512)
    before = np.concatenate([np.zeros((1, 64), np.float32), pieces[:-1, -64:]])
    return np.concatenate([before, pieces], 1)


def test_silero_vad_says_the_same_whole_and_frame_by_frame(script, tmp_path):
    folder = installed(script, "silero_vad", "silero-vad")
    model, x = script.silero(folder), sound(60)
    theirs = onnxruntime.InferenceSession(str(folder / "data" / "silero_vad_16k_sequence.onnx"))
    zeros = {name: np.zeros((1, 1, 128), np.float32) for name in "hc"}
    chances, *states = theirs.run(["speech_probs", "hn", "cn"], {"input": x, **zeros})
    chances = chances.reshape(-1, 1)
    assert np.ptp(chances) > 0.5  # it hears the voice come and go
    given = {"x": x[None], "lengths": np.array([60])}
    given |= {f"{name}_in": zero for name, zero in zeros.items()}
    export(model, tmp_path / "vad.onnx")
    for found in (subject_of(model).run(given), runner(tmp_path / "vad.onnx")(given)):
        np.testing.assert_allclose(found["y"][0], chances, **CLOSE)
        for name, state in zip(("h_out", "c_out"), states, strict=True):
            np.testing.assert_allclose(found[name], state, **CLOSE)
    export(model, tmp_path / "frame.onnx", stream=True)
    step, stream = runner(tmp_path / "frame.onnx"), carousel.Stream(model)
    carried = {f"{name}_in": zero for name, zero in zeros.items()}
    for frame, chance in zip(x[:, None], chances, strict=True):
        found = step({"x": frame, **carried})
        carried = {"h_in": found["h_out"], "c_in": found["c_out"]}
        np.testing.assert_allclose(found["y"][0], chance, **CLOSE)
        np.testing.assert_allclose(stream.step(torch.from_numpy(frame))[0], chance, **CLOSE)


@pytest.mark.slow  # a compiler reads 310,000 weights twice
def test_silero_vad_says_the_same_in_c(script, tmp_path):
    folder = installed(script, "silero_vad", "silero-vad")
    model, x = script.silero(folder), sound(40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how the package saved its model
        theirs = torch.jit.load(str(folder / "data" / "silero_vad.jit"))
        with torch.no_grad():
            pieces = torch.from_numpy(x[:, 64:])
            chances = torch.cat([theirs(piece, 16000) for piece in pieces.split(1)])
    c = library(model, tmp_path, "vad")
    whole = c.run(c.state(), x, 1)
    np.testing.assert_allclose(whole, chances, **CLOSE)
    state, y = c.state(), np.empty(1, np.float32)
    for frame, chance in zip(x, chances, strict=True):
        c.call("step", state, np.ascontiguousarray(frame), y)
        np.testing.assert_allclose(y, chance, **CLOSE)


def their_encoder(folder, monkeypatch):
    """The class of Resemblyzer with its weights; its reader of sounds is left out."""
    package = types.ModuleType("resemblyzer")
    package.__path__ = [str(folder)]
    package.audio = types.ModuleType("resemblyzer.audio")
    monkeypatch.setitem(sys.modules, "resemblyzer", package)
    monkeypatch.setitem(sys.modules, "resemblyzer.audio", package.audio)
    monkeypatch.delitem(sys.modules, "resemblyzer.voice_encoder", raising=False)
    encoder = importlib.import_module("resemblyzer.voice_encoder").VoiceEncoder
    return encoder("cpu", verbose=False).eval()


def mels(rows, steps):
    """Spectra such as the encoder reads: positive, of few large numbers."""
    return torch.from_numpy(np.random.default_rng(1).gamma(0.3, 0.1, (rows, steps, 40))).float()


def test_resemblyzer_embeds_the_same_whole_and_frame_by_frame(script, tmp_path, monkeypatch):
    folder = installed(script, "resemblyzer", "Resemblyzer")
    model, theirs, x = script.resemblyzer(folder), their_encoder(folder, monkeypatch), mels(3, 160)
    with torch.no_grad():
        embedded = theirs(x).numpy()
    given = {"x": x.numpy(), "lengths": np.full(3, 160)}
    export(model, tmp_path / "voice.onnx")
    for found in (subject_of(model).run(given), runner(tmp_path / "voice.onnx")(given)):
        np.testing.assert_allclose(found["y"], embedded, **CLOSE)
    export(model, tmp_path / "frame.onnx", stream=True)
    step, stream = runner(tmp_path / "frame.onnx"), carousel.Stream(model)
    carried = {f"{name}_in": np.zeros((3, 3, 256), np.float32) for name in "hc"}
    for t in range(160):
        found = step({"x": x[:, t].numpy(), **carried})
        carried = {"h_in": found["h_out"], "c_in": found["c_out"]}
        heard = stream.step(x[:, t])
        if t in (30, 159):
            with torch.no_grad():
                so_far = theirs(x[:, : t + 1]).numpy()
            np.testing.assert_allclose(found["y"], so_far, **CLOSE)
            np.testing.assert_allclose(heard, so_far, **CLOSE)


@pytest.mark.slow  # a compiler reads 1.4 million weights
def test_resemblyzer_embeds_the_same_in_c(script, tmp_path, monkeypatch):
    folder = installed(script, "resemblyzer", "Resemblyzer")
    model, theirs, x = script.resemblyzer(folder), their_encoder(folder, monkeypatch), mels(1, 80)
    with torch.no_grad():
        embedded, half = theirs(x).numpy(), theirs(x[:, :40]).numpy()
    c = library(model, tmp_path, "voice")
    np.testing.assert_allclose(c.run(c.state(), x[0].numpy(), 256), embedded, **CLOSE)
    state, y = c.state(), np.empty(256, np.float32)
    for t in range(80):
        c.call("step", state, np.ascontiguousarray(x[0, t]), y)
        if t in (39, 79):
            np.testing.assert_allclose(y[None], half if t == 39 else embedded, **CLOSE)


WORDS = ("activationist", "carousel", "zyzzyva", "recurrently", "unpronounceableness", "x")


def their_speller(folder, monkeypatch):
    """The class of g2p_en with its weights; its dictionary is left out, which spells known words,
    and what it takes texts apart with."""
    for name in ("nltk", "nltk.corpus", "nltk.tokenize", "inflect"):
        monkeypatch.setitem(sys.modules, name, mock.MagicMock())
    package = types.ModuleType("g2p_en")
    package.__path__ = [str(folder)]
    monkeypatch.setitem(sys.modules, "g2p_en", package)
    monkeypatch.delitem(sys.modules, "g2p_en.g2p", raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in its source, of files that it leaves open
        return importlib.import_module("g2p_en.g2p").G2p()


def spelled(speller, word, encode, decode):
    """Sounds of a word: letters to a state, then sound by sound, each into the next step."""
    letters = [*word, "</s>"]
    state = encode(np.array([[speller.g2idx.get(letter, 1) for letter in letters]]))
    sounds, last = [], 2
    while len(sounds) < 20:
        logits, state = decode(last, state)
        last = int(logits.argmax())
        if last == 3:
            break
        sounds.append(speller.idx2p[last])
    return sounds


def test_g2p_spells_the_same(script, tmp_path, monkeypatch):
    folder = installed(script, "g2p_en", "g2p_en")
    encoder, decoder = script.g2p(folder)
    speller = their_speller(folder, monkeypatch)
    export(encoder, tmp_path / "letters.onnx")
    export(decoder, tmp_path / "sound.onnx", stream=True)
    letters, sound_of = runner(tmp_path / "letters.onnx"), runner(tmp_path / "sound.onnx")
    zeros = np.zeros((1, 1, 256), np.float32)

    def encode(tokens):
        given = {"tokens": tokens, "lengths": np.array([tokens.shape[1]]), "h_in": zeros}
        h = letters(given)["h_out"]
        numbers = np.take(speller.enc_emb, tokens, axis=0)
        weights = (getattr(speller, f"enc_{name}") for name in ("w_ih", "w_hh", "b_ih", "b_hh"))
        np.testing.assert_allclose(
            h[0], speller.gru(numbers, tokens.shape[1], *weights)[:, -1], **CLOSE
        )
        return h

    def decode(last, h):
        found = sound_of({"tokens": np.array([last]), "h_in": h})
        return found["y"][0], found["h_out"]

    def stepped(last, h):
        stream = carousel.Stream(decoder)
        stream.state = [torch.from_numpy(h)]
        return stream.step(torch.tensor([last]))[0].numpy(), stream.state[0].numpy()

    for word in WORDS:
        wanted = speller.predict(word)
        assert spelled(speller, word, encode, decode) == wanted
        assert spelled(speller, word, encode, stepped) == wanted


@pytest.mark.slow  # a compiler reads 830,000 weights
def test_g2p_spells_the_same_in_c(script, tmp_path, monkeypatch):
    folder = installed(script, "g2p_en", "g2p_en")
    encoder, decoder = script.g2p(folder)
    speller = their_speller(folder, monkeypatch)
    (tmp_path / "letters").mkdir()
    (tmp_path / "sound").mkdir()
    letters = library(encoder, tmp_path / "letters", "letters")
    sound_of = library(decoder, tmp_path / "sound", "sound")
    y = np.empty(256, np.float32)

    def encode(tokens):
        letters.call("run", state := letters.state(), tokens[0].astype(np.int32), tokens.shape[1],
                     np.empty((tokens.shape[1], 256), np.float32))  # fmt: skip
        letters.call("save_state", state, y)
        begun = sound_of.state()
        sound_of.call("load_state", begun, y)
        return begun

    def decode(last, state):
        logits = np.empty(74, np.float32)
        sound_of.call("step", state, np.array([last], np.int32), logits)
        return logits, state

    for word in WORDS:
        assert spelled(speller, word, encode, decode) == speller.predict(word)


def test_a_package_that_is_not_installed_has_no_folder(script):
    assert script.folder_of("no_such_package") is None
    assert isinstance(script.folder_of("carousel"), Path)
