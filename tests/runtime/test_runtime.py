"""A saved model says the same without torch: whole, of rows of any length, and step by step."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from saved_models import save_model

import carousel
from carousel import runtime
from carousel.data.regular import Series
from carousel.errors import CarouselError, ConfigError, DataError, RunError

SAME = {"rtol": 2e-6, "atol": 1e-6}


@pytest.fixture
def saved(tmp_path):
    """Save a model of a task with settings of its own and weights at random; both its readers."""

    def save(task, *settings, **facts):
        save_model(tmp_path, task, *settings, **facts)
        return carousel.load(tmp_path / "model"), runtime.load(tmp_path / "model")

    return save


def rows(count, features, seed=0):
    return 0.5 * np.random.default_rng(seed).standard_normal((count, features))


CELLS = {
    "lstm": [],
    "two layers": ["model.num_layers=2"],
    "gru": ["model.cell=gru"],
    "gru, reset first": ["model.cell=gru", "model.reset_after=false"],
    "rnn": ["model.cell=rnn"],
    "relu": ["model.cell=rnn", "model.nonlinearity=relu"],
    "mingru": ["model.cell=mingru", "model.num_layers=2"],
    "minlstm": ["model.cell=minlstm"],
    "indrnn": ["model.cell=indrnn", "model.nonlinearity=relu"],
    "slstm": ["model.cell=slstm", "model.hidden_size=12", "model.heads=3", "model.num_layers=2"],
    "sru": ["model.cell=sru", "model.num_layers=2"],
    "rglru": ["model.cell=rglru"],
    "qrnn": ["model.cell=qrnn"],
    "lru": ["model.cell=lru", "model.num_layers=2"],
    "lmu": ["model.cell=lmu", "model.order=7", "model.theta=9.5", "model.num_layers=3"],
    "lmu, relu": ["model.cell=lmu", "model.order=18", "model.nonlinearity=relu"],
    "qrnn2": ["model.cell=qrnn2", "model.num_layers=2"],
    "s6": ["model.cell=s6", "model.order=6", "model.num_layers=2"],
    "peephole": ["model.peephole=true", "model.layer_norm=true"],
    "coupled": ["model.coupled=true", "model.activation=softsign"],
    "variant": ["model.variant=NOG", "model.gate_activation=hard_sigmoid"],
    "no output curve": ["model.variant=NOAF", "regularization.zoneout=0.1"],
    "zoneout": ["regularization.zoneout=0.1", "regularization.zoneout_cell=0.3"],
    "zoneout of gru": ["model.cell=gru", "regularization.zoneout=0.2", "model.layer_norm=true"],
    "normalised rnn": ["model.cell=rnn", "model.layer_norm=true", "model.activation=hard_tanh"],
}


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_and_option_labels_frames_as_the_trained_model_does(saved, name):
    trained, model = saved("label_frames", "model.hidden_size=13", *CELLS[name])
    x = rows(21, 2)
    wanted = trained.label_proba(x)
    np.testing.assert_allclose(model.predict(x), wanted, **SAME)
    for t in range(21):
        np.testing.assert_allclose(model.step(x[[t]])[0], wanted[t], **SAME)
    assert model.names == trained.classes


@pytest.mark.parametrize("how", ["last", "mean", "max", "attention"])
@pytest.mark.parametrize("both", [False, True])
def test_recordings_of_unequal_length_are_pooled_alike(saved, how, both):
    settings = [f"model.pooling={how}", f"model.bidirectional={both}".lower()]
    trained, model = saved("classify_recordings", *settings, "frames.differences=true",
                           scaler={"mean": [0.1, 0.2, 0, 0], "std": [0.5, 0.6, 1, 2]})  # fmt: skip
    given = [rows(count, 2, count) for count in (5, 9, 1)]
    x = np.full((3, 9, 2), np.nan)
    for row, values in zip(x, given, strict=True):
        row[: len(values)] = values
    found = model.predict(x, lengths=[5, 9, 1])
    np.testing.assert_allclose(found, trained.predict_proba(given), **SAME)
    np.testing.assert_array_equal(model.predict(given[1]), model.predict(given[1][None])[0])


def test_layers_of_an_lmu_read_the_units_of_both_directions_below(saved):
    settings = ["model.cell=lmu", "model.order=6", "model.num_layers=2", "model.bidirectional=true"]
    trained, model = saved("classify_recordings", "model.hidden_size=11", *settings)
    given = [rows(count, 2, count) for count in (5, 9, 1)]
    x = np.full((3, 9, 2), np.nan)
    for row, values in zip(x, given, strict=True):
        row[: len(values)] = values
    wanted = trained.predict_proba(given)
    np.testing.assert_allclose(model.predict(x, lengths=[5, 9, 1]), wanted, **SAME)


@pytest.mark.parametrize("how", ["last", "mean", "max"])
def test_after_each_step_the_answer_is_that_of_the_steps_so_far(saved, how):
    _, model = saved("classify_recordings", f"model.pooling={how}", "frames.differences=true",
                     scaler={"mean": [0.1, 0.2, 0, 0], "std": [0.5, 0.6, 1, 2]})  # fmt: skip
    x = np.stack([rows(7, 2, 1), rows(7, 2, 2)])
    for t in range(7):
        np.testing.assert_allclose(model.step(x[:, t]), model.predict(x[:, : t + 1]), **SAME)


def test_columns_of_codes_become_rows_of_embeddings(saved):
    trained, model = saved("classify_recordings", columns=["a", "city"],
                           levels={"city": ["x", "y", "z"]},
                           scaler={"mean": [0.3, 0], "std": [0.5, 1]})  # fmt: skip
    x = rows(6, 2)
    x[:, 1] = [1, 2, 3, 0, 9, 2]  # of which two are no levels
    np.testing.assert_allclose(model.predict(x[None]), trained.predict_proba([x]), **SAME)


VIEWS = [
    ["data.view=rows"],
    ["data.view=pixels"],
    ["data.view=patches", "data.patch=5"],
    ["data.view=image"],
    ["data.view=pixels", "data.permutation=92"],
]


@pytest.mark.parametrize("view", VIEWS)
def test_images_are_classified_in_every_view(saved, view):
    trained, model = saved("classify", "model.cell=gru", *view)
    images = np.random.default_rng(1).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    wanted = trained.predict_proba(images)
    np.testing.assert_allclose(model.predict(images), wanted, **SAME)
    np.testing.assert_allclose(model.predict(images / 255), wanted, **SAME)
    np.testing.assert_allclose(model.predict(images[1]), wanted[1], **SAME)
    if view == ["data.view=rows"]:
        for t in range(28):
            told = model.step(images[:, t])
        np.testing.assert_allclose(told, wanted, **SAME)


def test_pictures_in_colour_are_classified(saved):
    trained, model = saved("classify", "data.name=images", "data.path=x", shape=[3, 7, 9])
    images = np.random.default_rng(1).integers(0, 256, (2, 3, 7, 9), dtype=np.uint8)
    wanted = trained.predict_proba(torch.from_numpy(images))
    np.testing.assert_allclose(model.predict(images), wanted, **SAME)


@pytest.mark.parametrize("settings", [[], ["model.tied=true"]])
def test_a_language_model_gives_the_probabilities_of_the_next_token(saved, settings):
    trained, model = saved("generate", *settings)
    tokens = np.random.default_rng(2).integers(0, 13, (2, 9))
    with torch.no_grad():
        logits = trained.model.logits(torch.from_numpy(tokens.T))
    wanted = logits.softmax(2).transpose(0, 1).numpy()
    np.testing.assert_allclose(model.predict(tokens), wanted, **SAME)
    for t in range(9):
        np.testing.assert_allclose(model.step(tokens[:, t]), wanted[:, t], **SAME)


def test_texts_and_words_are_judged_from_the_numbers_of_their_tokens(saved):
    trained, model = saved("classify_text")
    tokens = np.random.default_rng(2).integers(0, 17, (3, 6))
    lengths = np.array([6, 2, 0])
    with torch.no_grad():
        wanted = trained.model(torch.from_numpy(tokens), torch.from_numpy(lengths)).softmax(1)
    np.testing.assert_allclose(model.predict(tokens, lengths), wanted, **SAME)
    trained, model = saved("label_words")
    words = np.random.default_rng(3).integers(0, 12, (1, 7, 2))
    with torch.no_grad():
        wanted = trained.model(torch.from_numpy(words), torch.tensor([7])).softmax(1)
    np.testing.assert_allclose(model.predict(words)[0], wanted, **SAME)


@pytest.mark.parametrize("sigmoid", [False, True])
def test_numbers_are_on_the_scale_of_the_target(saved, sigmoid):
    target = {"mean": 100.0, "std": 20.0, "sigmoid": sigmoid, "cap": 0.0}
    trained, model = saved("regress", target=target)
    x = rows(11, 2)
    np.testing.assert_allclose(model.predict(x)[:, 0], trained.numbers(x), **SAME)
    whole = {"a": target, "b": {"mean": 1.0, "std": 3.0, "sigmoid": False, "cap": 0.0}}
    trained, model = saved("regress", "model.pooling=mean", targets=whole)
    np.testing.assert_allclose(model.predict(x[None]), trained.numbers([x]), **SAME)
    assert model.names == ("a", "b")


FORECASTS = [
    [],
    ["forecast.targets=", "forecast.linear=true", "forecast.distribution=gaussian"],
    ["forecast.targets=", "forecast.independent=true", "forecast.distribution=quantile"],
    ["forecast.relative=false", "model.num_layers=2"],
    ["forecast.targets=", "forecast.distribution=conformal"],
    ["forecast.segment=5", "forecast.targets=", "forecast.independent=true",
     "forecast.linear=true"],
    ["forecast.segment=4", "model.cell=gru", "model.num_layers=2", "forecast.normalize=mean",
     "forecast.distribution=quantile"],
    ["forecast.normalize=last", "forecast.targets=", "forecast.distribution=gaussian",
     "forecast.linear=true"],
]  # fmt: skip


@pytest.mark.parametrize("settings", FORECASTS)
def test_a_window_is_forecast_as_by_the_trained_model(saved, settings):
    targets = 2 if "forecast.targets=" in settings else 1
    stretch = np.linspace(0.5, 2, 5 * targets).reshape(5, targets).tolist()
    trained, model = saved("forecast", *settings, stretch=stretch)
    x = rows(30, 2) + 2
    stamps = np.datetime64("2001-01-01") + np.arange(30)
    wanted = trained.forecast(Series(("wave", "size"), stamps, x))
    np.testing.assert_allclose(model.predict(x), wanted, **SAME)
    np.testing.assert_allclose(model.predict(np.stack([x, x]))[:, 1], wanted, **SAME)


def test_a_state_is_kept_and_gone_on_from(saved, tmp_path):
    _, model = saved("classify_recordings", "model.pooling=mean", "frames.differences=true",
                     scaler={"mean": [0.1, 0.2, 0, 0], "std": [0.5, 0.6, 1, 2]})  # fmt: skip
    x = np.stack([rows(8, 2, 1), rows(8, 2, 2)])
    assert model.state == {}
    for t in range(4):
        model.step(x[:, t])
    model.save_state(tmp_path / "state.npz")
    kept = model.state
    wanted = [model.step(x[:, t]) for t in range(4, 8)]
    other = runtime.load(tmp_path / "model")
    other.load_state(tmp_path / "state.npz")
    model.state = kept
    for t in range(4, 8):
        np.testing.assert_array_equal(model.step(x[:, t]), wanted[t - 4])
        np.testing.assert_array_equal(other.step(x[:, t]), wanted[t - 4])
    model.reset()
    np.testing.assert_array_equal(model.step(x[:1, 0]), model.predict(x[:1, :1]))
    with pytest.raises(DataError, match="the state of this model is"):
        model.state = {"h": np.zeros((1, 2, 3))}


def test_what_it_cannot_do_is_refused_by_name(saved):
    _, model = saved("classify_recordings", "model.bidirectional=true")
    with pytest.raises(ConfigError, match=r"model\.bidirectional"):
        model.step(np.zeros((1, 2)))
    _, model = saved("classify_recordings", "model.pooling=attention")
    with pytest.raises(ConfigError, match=r"model\.pooling = 'attention'"):
        model.step(np.zeros((1, 2)))
    _, model = saved("forecast")
    with pytest.raises(ConfigError, match="cannot be streamed"):
        model.step(np.zeros((1, 2)))
    with pytest.raises(ConfigError, match=r"model\.precision = 'bf16'"):
        saved("label_frames", "model.precision=bf16")
    lacking = [
        ("translate", []),
        ("caption", []),
        ("generate", ["model.adaptive_softmax=4"]),
        ("classify_text", ["columns.ordinal=true", "data.name=sentences"]),
    ]
    for task, settings in lacking:
        with pytest.raises(ConfigError, match="the runtime without torch has no such model"):
            saved(task, *settings)
    with pytest.raises(ConfigError, match=r"columns\.known"):
        saved("forecast", "data.name=table", "data.path=x", "columns.target=wave",
              "columns.known=size", known=1)  # fmt: skip


def test_what_does_not_fit_is_refused(saved, tmp_path):
    _, model = saved("label_frames")
    for x in (np.zeros((4, 3)), np.zeros(4), np.zeros((0, 2)), np.full((3, 2), np.nan),
              np.full((3, 2), 1e30)):  # fmt: skip
        with pytest.raises(DataError):
            model.predict(x)
    for lengths in ([3], [1, 9], [-1, 2], [1.0, 2.0]):
        with pytest.raises(DataError, match="lengths"):
            model.predict(np.zeros((2, 4, 2)), lengths)
    model.step(np.zeros((2, 2)))
    for x in (np.zeros((1, 2)), np.zeros((2, 3)), 0.0):
        with pytest.raises(DataError):
            model.step(x)
    _, model = saved("generate")
    for tokens in ([0, 13], [-1, 2], [0.0, 1.0]):
        with pytest.raises(DataError, match="tokens"):
            model.predict(tokens)
    _, model = saved("classify")
    for images in (np.zeros((1, 27, 28)), np.full((28, 28), 300), np.full((28, 28), 1.5)):
        with pytest.raises(DataError):
            model.predict(images)


def test_damaged_and_newer_bundles_are_refused(saved, tmp_path):
    saved("label_frames")
    facts, weights = tmp_path / "model" / "model.json", tmp_path / "model" / "weights.safetensors"
    whole, text = weights.read_bytes(), facts.read_text()
    for content in (b"", whole[:-8], whole[:50], whole.replace(b'"F32"', b'"F16"', 1)):
        weights.write_bytes(content)
        with pytest.raises(RunError, match="cannot be read"):
            runtime.load(tmp_path / "model")
    weights.write_bytes(whole)
    facts.write_text(text.replace('"format": 1', '"format": 2'))
    with pytest.raises(RunError, match="upgrade"):
        runtime.load(tmp_path / "model")
    with pytest.raises(CarouselError, match="no saved model"):
        runtime.load(tmp_path / "weights")


ALONE = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in allowed | set(sys.stdlib_module_names):
            raise ImportError(name + " is not to be imported")
allowed = {"numpy", "carousel", "nanobind_backend"} | {m.split(".")[0] for m in sys.modules}
sys.meta_path.insert(0, Blocked())
from carousel import runtime
model = runtime.load(sys.argv[1])
print(*model.predict([[0.5, -0.5]] * 3).ravel().tolist())
print(*model.step([[0.5, -0.5]]).ravel().tolist())
assert not {"torch", "safetensors", "scipy", "sklearn"} & set(sys.modules)
"""


def test_nothing_but_numpy_and_the_kernels_is_imported(saved, tmp_path):
    trained, _ = saved("label_frames")
    command = [sys.executable, "-c", ALONE, tmp_path / "model"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    whole, step = (np.array(line.split(), float) for line in done.stdout.splitlines())
    wanted = trained.label_proba(np.array([[0.5, -0.5]] * 3))
    np.testing.assert_allclose(whole, wanted.ravel(), **SAME)
    np.testing.assert_allclose(step, wanted[0], **SAME)


def test_a_missing_library_is_named_with_what_to_install():
    from carousel.runtime.compiled import mended

    lost = ImportError("libgomp.so.1: cannot open shared object file: No such file or directory")
    assert "apt install libgomp1" in str(mended(lost))
    assert "pip install nanobind-backend" in str(
        mended(ImportError("No module named 'nanobind_backend'"))
    )
    other = ImportError("something else")
    assert mended(other) is other
