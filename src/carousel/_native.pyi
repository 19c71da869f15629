from collections.abc import Mapping
from typing import Any

class Problem:
    def __init__(
        self, cell: int, T: int, B: int, I: int, H: int, P: int, reverse: bool, padded: bool
    ) -> None: ...
    def set_x(self, data: int, step: int, row: int, steps: int = 0) -> None: ...
    def set_y(self, data: int, step: int, row: int, steps: int = 0) -> None: ...
    def set_dy(self, data: int, step: int, row: int, steps: int = 0) -> None: ...
    def set_dx(self, data: int, step: int, row: int, steps: int = 0) -> None: ...
    def set_da(self, data: int, step: int, row: int, steps: int = 0) -> None: ...
    order: int
    lengths: int
    w_ih: int
    w_hh: int
    b_ih: int
    b_hh: int
    w_hr: int
    h0: int
    c0: int
    hn: int
    cn: int
    saved: int
    dhn: int
    dcn: int
    dh0: int
    dc0: int
    dw_ih: int
    dw_hh: int
    db_ih: int
    db_hh: int
    dw_hr: int
    w_c: int
    dw_c: int
    def set_options(
        self,
        activation: str,
        output: str,
        hard_gates: bool,
        gates: str,
        peephole: bool,
        coupled: bool,
        zone_cell: float,
        zone_state: float,
        candidate: float,
        product: float,
        each_step: bool,
        draws: bool,
        seed: int,
        layer_norm: bool,
        reset_first: bool,
    ) -> None: ...
    add_to_dx: bool
    segment: int

class Stepper:
    def __init__(self, layers: list[Problem], threads: int) -> None: ...
    def step(self, x: int, y: int) -> None: ...

class Feed:
    def __init__(
        self,
        stepper: Stepper,
        type: type,
        exchange: object,
        weights: tuple[object, ...],
        parameters: dict[str, Any],
        names: tuple[str, ...],
        quiet: tuple[Mapping[Any, Any], ...],
        x_shape: tuple[int, int],
        y_shape: tuple[int, int],
    ) -> None: ...
    def step(self, x: object, out: object) -> bool: ...

def active_isa() -> str: ...
def supported_isas() -> list[str]: ...
def known_isas() -> list[tuple[str, str]]: ...
def prefer_large_pages(address: int, bytes: int) -> None: ...
def saved_floats(problem: Problem) -> int: ...
def forward(problem: Problem, threads: int) -> None: ...
def backward(problem: Problem, threads: int) -> None: ...
