"""Setters of the arrays of a native problem.

Each array is named as an attribute of the compiled class, so that mypy, which reads its generated
stub, refuses a name that the class does not have.
"""

from __future__ import annotations

from collections.abc import Callable

from carousel._native import Problem

Setter = Callable[[Problem, int], None]


def _setter(attribute: object) -> Setter:
    """Set the attribute of a problem to an address: what `setattr` does, without its look-up."""
    assert isinstance(attribute, property)
    assert attribute.fset is not None
    return attribute.fset


WEIGHTS = {
    "w_ih": _setter(Problem.w_ih),
    "w_hh": _setter(Problem.w_hh),
    "b_ih": _setter(Problem.b_ih),
    "b_hh": _setter(Problem.b_hh),
    "w_hr": _setter(Problem.w_hr),
    "w_c": _setter(Problem.w_c),
    "w_ln_ih": _setter(Problem.w_ln_ih),
    "w_ln_hh": _setter(Problem.w_ln_hh),
    "w_ln_c": _setter(Problem.w_ln_c),
    "b_ln_c": _setter(Problem.b_ln_c),
}
WEIGHT_GRADIENTS = {
    "w_ih": _setter(Problem.dw_ih),
    "w_hh": _setter(Problem.dw_hh),
    "b_ih": _setter(Problem.db_ih),
    "b_hh": _setter(Problem.db_hh),
    "w_hr": _setter(Problem.dw_hr),
    "w_c": _setter(Problem.dw_c),
    "w_ln_ih": _setter(Problem.dw_ln_ih),
    "w_ln_hh": _setter(Problem.dw_ln_hh),
    "w_ln_c": _setter(Problem.dw_ln_c),
    "b_ln_c": _setter(Problem.db_ln_c),
}
# By the names of `CellSpec.states`.
FIRST_STATE = {
    "h": _setter(Problem.h0),
    "c": _setter(Problem.c0),
    "n": _setter(Problem.n0),
    "m": _setter(Problem.m0),
}
LAST_STATE = {
    "h": _setter(Problem.hn),
    "c": _setter(Problem.cn),
    "n": _setter(Problem.nn),
    "m": _setter(Problem.mn),
}
FIRST_STATE_GRADIENTS = {
    "h": _setter(Problem.dh0),
    "c": _setter(Problem.dc0),
    "n": _setter(Problem.dn0),
    "m": _setter(Problem.dm0),
}
LAST_STATE_GRADIENTS = {
    "h": _setter(Problem.dhn),
    "c": _setter(Problem.dcn),
    "n": _setter(Problem.dnn),
    "m": _setter(Problem.dmn),
}
