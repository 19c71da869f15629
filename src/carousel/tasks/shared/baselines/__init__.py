"""Models that are not recurrent: what the recurrence has to beat.

examples: of classes and numbers of whole examples, sentences and frames. The others are of series.
naive, theta and smoothing (ETS) forecast a history by itself, histories (..., T) to (..., K), with
nothing but NumPy; linear learns from windows. table has all that forecast a history, by name.
"""
