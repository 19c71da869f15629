"""Sound files as sequences: log-mel features, computed from the waveform."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.config import SoundConfig
from carousel.data.files.file_kind import require_file
from carousel.errors import DataError, require_extra

SUFFIXES = (".wav", ".flac", ".ogg", ".aiff", ".aif", ".mp3")
_SILENCE = 1e-6


def read_sound(source: Path | bytes, rate: int, name: str = "") -> Tensor:
    """The waveform (N,) in [-1, 1] of a sound file, at `rate` samples a second.

    Channels are averaged; another rate is resampled with a low-pass filter of finite length.
    Raises `DataError` if it is missing, no sound, empty, or holds a NaN.
    """
    require_extra("reading sounds", "audio", "soundfile")
    import soundfile  # here, because few tasks need it
    from scipy.signal import resample_poly

    name = name or str(source)
    if isinstance(source, Path):
        require_file(source)
    try:
        stream = io.BytesIO(source) if isinstance(source, bytes) else source
        samples, found = soundfile.read(stream, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise DataError(f"{name} is no sound file that can be read: {error}") from None
    if not len(samples):
        raise DataError(f"{name} is empty: it has no sample")
    if not np.isfinite(samples).all():
        raise DataError(f"{name} holds a NaN or infinity")
    mono: NDArray[np.float32] = samples.mean(1)
    if found != rate:
        divisor = np.gcd(found, rate)
        mono = resample_poly(mono, rate // divisor, found // divisor).astype(np.float32)
    return torch.from_numpy(mono)


def log_mel(samples: Tensor, config: SoundConfig) -> Tensor:
    """Log-mel features (T, mels) of a waveform (N,).

    X = |STFT|² with a Hann window;  m = log(X · filters + 1e-6);  less its mean, if `level`

    T = 1 + ⌊N / hop⌋: a window is centred on every hop, and beyond the ends is silence. Filters are
    triangles, evenly spaced on the mel scale of O'Shaughnessy, 2595 log10(1 + f / 700), from
    `lowest` Hz to half the rate.

    >>> log_mel(torch.zeros(8000), SoundConfig()).shape
    torch.Size([101, 40])
    """
    window = round(config.window / 1000 * config.rate)
    hop = max(1, round(config.hop / 1000 * config.rate))
    size = 1 << (window - 1).bit_length()
    spectrum = torch.stft(
        samples,
        size,
        hop,
        window,
        torch.hann_window(window),
        center=True,
        pad_mode="constant",
        return_complex=True,
    )
    power = spectrum.abs().square()
    filters = mel_filters(config.mels, size, config.rate, config.lowest)
    features = (filters @ power + _SILENCE).log().T.contiguous()
    return features - features.mean() if config.level else features


@lru_cache(maxsize=4)
def mel_filters(mels: int, size: int, rate: int, lowest: float) -> Tensor:
    """Triangular filters (mels, size // 2 + 1) over the bins of a transform of `size` samples.

    Raises `DataError` if some filter would lie between two bins and see nothing.
    """
    bins = torch.linspace(0, rate / 2, size // 2 + 1, dtype=torch.float64)
    ends = torch.tensor([lowest, rate / 2], dtype=torch.float64)
    low, high = (2595 * torch.log10(1 + ends / 700)).tolist()
    points = 700 * (10 ** (torch.linspace(low, high, mels + 2, dtype=torch.float64) / 2595) - 1)
    left, centre, right = (points[i : i + mels].unsqueeze(1) for i in range(3))
    rising, falling = (bins - left) / (centre - left), (right - bins) / (right - centre)
    filters = torch.minimum(rising, falling).clamp(min=0).float()
    if not filters.any(1).all():
        raise DataError(
            f"sound.mels = {mels} is too many for windows of {size} samples at {rate} Hz: some "
            f"filter sees no frequency; take fewer, or a longer sound.window"
        )
    return filters
