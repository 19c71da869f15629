"""A small form of every task: its configuration, by name, on data that a test writes."""

from small import small_config
from small_frames import frames_config, write_recordings
from small_many import many_config, write_many
from small_measured import measured_config, write_measured
from small_sentences import sentence_config, write_sentences
from small_series import series_config, write_series
from small_text import text_config, write_lines, write_text
from small_watched import watched_config, write_watched
from small_whole import whole_config, write_whole
from small_words import words_config, write_columns

SMALL = {
    "classify": lambda folder: small_config(),
    "classify_text": lambda folder: sentence_config(write_sentences(folder)),
    "label_words": lambda folder: words_config(write_columns(folder)),
    "label_frames": lambda folder: frames_config(write_recordings(folder)),
    "regress": lambda folder: measured_config(write_measured(folder)),
    "regress_whole": lambda folder: whole_config(write_whole(folder)),
    "forecast": lambda folder: series_config(write_series(folder)),
    "forecast_many": lambda folder: many_config(write_many(folder)),
    "anomaly": lambda folder: watched_config(write_watched(folder)),
    "generate": lambda folder: text_config(write_text(folder)),
    "generate_lines": lambda folder: text_config(write_lines(folder)),
}

#: Those whose models have a description, and so can be exported.
EXPORTED = {name: form for name, form in SMALL.items() if name != "forecast_many"}
