"""Answers to many inputs, in a file: read piece by piece, asked in batches, written aside.

Memory is bounded by a batch, however large the input is. `answer_file` does all of it.
"""

from carousel.bulk.answer import Outcome, answer_file
from carousel.bulk.pictures import Picture

__all__ = ["Outcome", "Picture", "answer_file"]
