"""Groups of tasks and of cells that settings name as their readers.

A new task is added to the groups whose settings it reads; the settings themselves stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable

from carousel.cells.spec import CellSpec
from carousel.cells.table import names_where
from carousel.config.own import WORDS

# ---- tasks, by what they read and write

IMAGES = ("classify",)
SENTENCES = ("classify_text", "label_words", "generate", "translate", "caption")
#: Learn from custom files, too.
OWN = tuple(WORDS)
#: Can be told to use a part of the training data only.
LIMITED = ("classify", "classify_text", "label_words", "generate", "translate")
#: Cut a text into tokens of a kind that can be chosen.
CUT = ("classify_text", "generate", "translate", "caption")
#: Can read the letters of words: for texts that are cut into letters there is nothing more to read.
SPELLED = {"classify_text": "text.level=word|subword", "label_words": ""}
#: Can read in lower case.
CASED = ("classify_text", "label_words", "translate", "caption")
RECORDINGS = ("classify_recordings", "label_frames", "regress")
#: Answer at each step of a recording: numbers are found at each, or one (or several) of the whole.
FRAMES = {"label_frames": "", "regress": "regress.per=step|auto"}
#: Write a sentence about what was read or seen.
WRITERS = ("translate", "caption")
#: Look at images: of a film, which is made of digits, or to write about.
SEEN = {"label_frames": "data.name=moving-digits", "caption": ""}
MADE_SCENES = {
    "label_frames": "data.name=moving-digits",
    "caption": "data.name=digit-scenes",
}
#: Embed the tokens that they write.
TIED = ("generate", "translate", "caption")
#: Hold examples out by a random draw; a series is cut in time.
DRAWN = IMAGES + SENTENCES + RECORDINGS
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
#: Read one summary of all steps.
POOLED = {
    "classify": "",
    "classify_text": "",
    "classify_recordings": "",
    "regress": "regress.per=sequence|auto",
    "translate": "",
}
#: Tell classes apart, with a target that can be smoothed.
SMOOTHED = (
    "classify_text",
    "classify_recordings",
    "label_words",
    "label_frames",
    "translate",
    "caption",
)
#: Tell classes apart that can be weighed.
WEIGHTED = ("classify_text", "classify_recordings", "label_words", "label_frames")
#: Have an encoder of words that can learn to predict them first.
PRETRAINED = ("classify_text", "label_words")
#: Can be penalised by the size and the change of their outputs.
PENALISED = ("classify", "generate")

# ---- cells, as a condition on model.cell; which they are follows from their descriptions


def _where(holds: Callable[[CellSpec], object]) -> str:
    """The condition that the cell is one of those of which something holds."""
    return f"model.cell={'|'.join(names_where(holds))}"


def cells_with(option: str) -> str:
    """The condition that the cell's layer takes an option.

    >>> cells_with("forget_bias")
    'model.cell=lstm|minlstm|slstm'
    """
    return _where(lambda cell: option in cell.options)


#: Have a nonlinearity that is one of the usual two.
RECTIFIED = _where(lambda cell: {"tanh", "relu"} <= set(cell.nonlinearities))
#: Keep a cell beside what they give out, with a zoneout of its own.
CELLED = _where(lambda cell: "zoneout" in cell.options and len(cell.states) > 1)
#: Have gates that say how long to remember.
TIMED = _where(lambda cell: cell.lasting)
#: Have recurrent weights, a matrix or a vector.
STATEFUL = _where(lambda cell: cell.recurrent)
