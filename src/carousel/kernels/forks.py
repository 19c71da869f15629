"""Mending of a forked child, which lacks the threads of its parent.

torch computes with a pool of threads (OpenMP's). A fork copies the memory of that pool but none of
its threads, so that the first operator of the child that wants them waits for ever. With one
thread torch asks the pool for nothing; the native kernels see a fork by themselves.
"""

from __future__ import annotations

import os

import torch


def mend_children() -> None:
    """Let every process that is forked from now on compute with one thread of torch."""
    if hasattr(os, "register_at_fork"):  # where there is a fork at all
        os.register_at_fork(after_in_child=_with_one_thread)


def _with_one_thread() -> None:
    torch.set_num_threads(1)
