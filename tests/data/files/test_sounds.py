"""Log-mel features, and sound files of every kind."""

import numpy as np
import pytest
import soundfile
import torch
from small_recordings import tone

from carousel.config import SoundConfig
from carousel.data.files.sounds import log_mel, mel_filters, read_sound
from carousel.errors import DataError


def test_features_are_the_logarithm_of_filtered_power_spectra():
    config = SoundConfig(rate=8000, window=20, hop=7, mels=5, lowest=100, level=False)
    samples = torch.randn(501, dtype=torch.float64)
    window, hop, size = 160, 56, 256
    # torch pads a window that is shorter than the transform on both sides.
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    hann = np.pad(hann, (size - window) // 2)
    padded = np.pad(samples.numpy(), size // 2)
    rows = [padded[i * hop : i * hop + size] * hann for i in range(1 + len(samples) // hop)]
    power = np.abs(np.fft.rfft(np.array(rows))) ** 2
    wanted = np.log(power @ mel_filters(5, size, 8000, 100.0).numpy().T + 1e-6)
    np.testing.assert_allclose(log_mel(samples.float(), config), wanted, rtol=1e-3, atol=1e-3)


def test_filters_peak_at_even_steps_of_mel():
    filters = mel_filters(12, 4096, 16000, 0.0)
    frequencies = filters.argmax(1) * 16000 / 4096
    mels = 2595 * torch.log10(1 + frequencies / 700)
    steps = mels.diff()
    torch.testing.assert_close(steps, steps.mean().expand(11), rtol=0.03, atol=0)
    inside = filters[:, filters.argmax(1)[0] + 1 : filters.argmax(1)[-1]]
    torch.testing.assert_close(inside.sum(0), torch.ones(inside.size(1)), rtol=1e-4, atol=1e-4)


def test_loudness_does_not_matter_unless_it_is_asked_for():
    samples = torch.from_numpy(tone(440, 0.3)).float() + 0.1 * torch.randn(2400)
    soft = 0.1 * samples
    torch.testing.assert_close(
        log_mel(samples, SoundConfig()), log_mel(soft, SoundConfig()), atol=0.05, rtol=0
    )
    plain = SoundConfig(level=False)
    assert (log_mel(samples, plain) - log_mel(soft, plain)).mean() > 3


def test_more_filters_than_frequencies_are_refused():
    with pytest.raises(DataError, match=r"sound.mels = 100 is too many for windows of 64 samples"):
        log_mel(torch.zeros(800), SoundConfig(window=8, mels=100))


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg"])
def test_other_rates_and_channels_give_nearly_the_same_features(tmp_path, kind):
    wanted = log_mel(torch.from_numpy(tone(700, 0.5)).float(), SoundConfig(mels=20))
    left = tone(700, 0.5, 16000)
    soundfile.write(tmp_path / f"x.{kind}", np.stack((left, left), 1), 16000)
    samples = read_sound(tmp_path / f"x.{kind}", 8000)
    assert len(samples) == pytest.approx(4000, abs=1)
    found = log_mel(samples, SoundConfig(mels=20))
    assert found.mean(0).argmax() == wanted.mean(0).argmax()


def test_a_sound_shorter_than_a_window_is_one_step(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.array([0.5]), 8000)
    features = log_mel(read_sound(tmp_path / "x.wav", 8000), SoundConfig())
    assert features.shape == (1, 40)
    assert torch.isfinite(features).all()


def test_what_is_no_sound_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        read_sound(tmp_path / "x.wav", 8000)
    (tmp_path / "x.wav").write_bytes(b"RIFF, and then nothing")
    with pytest.raises(DataError, match="no sound file that can be read"):
        read_sound(tmp_path / "x.wav", 8000)
    soundfile.write(tmp_path / "x.wav", np.zeros(0), 8000)
    with pytest.raises(DataError, match="is empty"):
        read_sound(tmp_path / "x.wav", 8000)
    soundfile.write(tmp_path / "x.wav", np.array([0.1, np.nan]), 8000, subtype="FLOAT")
    with pytest.raises(DataError, match="NaN or infinity"):
        read_sound(tmp_path / "x.wav", 8000)
