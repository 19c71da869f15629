"""Groups of tasks and of cells that settings name as their readers.

A new task or cell is added to the groups whose settings it reads; the settings themselves stay as
they are.
"""

# ---- tasks, by what they read and write

IMAGES = ("classify",)
SENTENCES = ("classify_text", "label_words", "generate", "translate", "caption")
#: Learn from files of one's own, too.
OWN = (
    "forecast",
    "classify_text",
    "label_words",
    "translate",
    "caption",
    "classify_recordings",
    "label_frames",
    "regress",
    "generate",
)
LIMITED = ("classify", "classify_text", "label_words", "generate", "translate")
CUT = ("classify_text", "generate", "translate", "caption")
CASED = ("classify_text", "label_words", "translate", "caption")
RECORDINGS = ("classify_recordings", "label_frames", "regress")
FRAMES = ("label_frames", "regress")
WRITERS = ("translate", "caption")
#: Look at images: of a film, which is made of digits, or to write about.
SEEN = {"label_frames": "data.name=moving-digits", "caption": ""}
MADE_SCENES = {
    "label_frames": "data.name=moving-digits",
    "caption": "data.name=digit-scenes",
}
TIED = ("generate", "translate", "caption")
DRAWN = (
    "classify",
    "classify_text",
    "classify_recordings",
    "label_words",
    "label_frames",
    "regress",
    "generate",
    "translate",
    "caption",
)
#: Read the whole sequence before they answer, so that they may read it from its end too.
WHOLE = (
    "classify",
    "classify_text",
    "classify_recordings",
    "label_words",
    "label_frames",
    "regress",
    "translate",
)
POOLED = ("classify", "classify_text", "classify_recordings", "translate")
SMOOTHED = (
    "classify_text",
    "classify_recordings",
    "label_words",
    "label_frames",
    "translate",
    "caption",
)
WEIGHTED = ("classify_text", "classify_recordings", "label_words", "label_frames")
PENALISED = ("classify", "generate")

# ---- cells, as a condition on model.cell

_CELL = "model.cell="
LSTM = _CELL + "lstm"
GRU = _CELL + "gru"
FORGETFUL = _CELL + "lstm|minlstm"
GATED = _CELL + "lstm|gru"
RECTIFIED = _CELL + "rnn|indrnn"
#: Have gates that say how long to remember.
TIMED = _CELL + "lstm|gru|mingru|minlstm"
#: Multiply the state by a matrix.
MULTIPLIED = _CELL + "lstm|gru|rnn"
#: Have recurrent weights, a matrix or a vector.
STATEFUL = _CELL + "lstm|gru|rnn|indrnn"
