"""Compiled core of Carousel; use it through carousel.kernels."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def active_isa() -> str:
    """Name of the instruction set in use."""

def supported_isas() -> list[str]:
    """Instruction sets this CPU can run, the preferred one first."""

def known_isas() -> list[tuple[str, str]]:
    """Every (name, description) this build knows, the preferred one first."""

class Problem:
    """One direction of one layer over a batch: see native/kernels.hpp."""

    def __init__(self, cell: int, T: int, B: int, I: int, H: int, P: int, reverse: bool, padded: bool) -> None: ...

    @property
    def order(self) -> int:
        """[B] rows, longest first; 0: all have T steps"""

    @order.setter
    def order(self, arg: int, /) -> None: ...

    @property
    def lengths(self) -> int:
        """[B] their lengths, in that order"""

    @lengths.setter
    def lengths(self, arg: int, /) -> None: ...

    @property
    def saved(self) -> int:
        """saved_floats(problem) for the backward pass"""

    @saved.setter
    def saved(self, arg: int, /) -> None: ...

    def set_x(self, data: int, step: int, row: int, steps: int = 0) -> None:
        """inputs, I features"""

    def set_y(self, data: int, step: int, row: int, steps: int = 0) -> None:
        """outputs, P features"""

    def set_dy(self, data: int, step: int, row: int, steps: int = 0) -> None:
        """gradient of y"""

    def set_dx(self, data: int, step: int, row: int, steps: int = 0) -> None:
        """gradient of x"""

    def set_da(self, data: int, step: int, row: int, steps: int = 0) -> None:
        """
        gradients of the sums, G H features, of cells without a recurrent product
        """

    @property
    def w_ih(self) -> int:
        """[G H][I]"""

    @w_ih.setter
    def w_ih(self, arg: int, /) -> None: ...

    @property
    def dw_ih(self) -> int:
        """gradient of w_ih"""

    @dw_ih.setter
    def dw_ih(self, arg: int, /) -> None: ...

    @property
    def w_hh(self) -> int:
        """[G H][P]; see Cell for those without a recurrent product"""

    @w_hh.setter
    def w_hh(self, arg: int, /) -> None: ...

    @property
    def dw_hh(self) -> int:
        """gradient of w_hh"""

    @dw_hh.setter
    def dw_hh(self, arg: int, /) -> None: ...

    @property
    def b_ih(self) -> int:
        """[G H]; both biases or neither"""

    @b_ih.setter
    def b_ih(self, arg: int, /) -> None: ...

    @property
    def db_ih(self) -> int:
        """gradient of b_ih"""

    @db_ih.setter
    def db_ih(self, arg: int, /) -> None: ...

    @property
    def b_hh(self) -> int:
        """[G H]"""

    @b_hh.setter
    def b_hh(self, arg: int, /) -> None: ...

    @property
    def db_hh(self) -> int:
        """gradient of b_hh"""

    @db_hh.setter
    def db_hh(self, arg: int, /) -> None: ...

    @property
    def w_hr(self) -> int:
        """[P][H] of a projection; 0 without one"""

    @w_hr.setter
    def w_hr(self, arg: int, /) -> None: ...

    @property
    def dw_hr(self) -> int:
        """gradient of w_hr"""

    @dw_hr.setter
    def dw_hr(self, arg: int, /) -> None: ...

    @property
    def w_c(self) -> int:
        """[gates with a peephole][H]; 0 without any"""

    @w_c.setter
    def w_c(self, arg: int, /) -> None: ...

    @property
    def dw_c(self) -> int:
        """gradient of w_c"""

    @dw_c.setter
    def dw_c(self, arg: int, /) -> None: ...

    @property
    def w_ln_ih(self) -> int:
        """
        [G H] of normalised cells: gains of the products with x; not of the RNN
        """

    @w_ln_ih.setter
    def w_ln_ih(self, arg: int, /) -> None: ...

    @property
    def dw_ln_ih(self) -> int:
        """gradient of w_ln_ih"""

    @dw_ln_ih.setter
    def dw_ln_ih(self, arg: int, /) -> None: ...

    @property
    def w_ln_hh(self) -> int:
        """[G H] of normalised cells: gains of those with h; of the RNN, of both"""

    @w_ln_hh.setter
    def w_ln_hh(self, arg: int, /) -> None: ...

    @property
    def dw_ln_hh(self) -> int:
        """gradient of w_ln_hh"""

    @dw_ln_hh.setter
    def dw_ln_hh(self, arg: int, /) -> None: ...

    @property
    def w_ln_c(self) -> int:
        """[H] of the normalised LSTM: gains of the cell state"""

    @w_ln_c.setter
    def w_ln_c(self, arg: int, /) -> None: ...

    @property
    def dw_ln_c(self) -> int:
        """gradient of w_ln_c"""

    @dw_ln_c.setter
    def dw_ln_c(self, arg: int, /) -> None: ...

    @property
    def b_ln_c(self) -> int:
        """[H] of the normalised LSTM: biases of the cell state"""

    @b_ln_c.setter
    def b_ln_c(self, arg: int, /) -> None: ...

    @property
    def db_ln_c(self) -> int:
        """gradient of b_ln_c"""

    @db_ln_c.setter
    def db_ln_c(self, arg: int, /) -> None: ...

    @property
    def h0(self) -> int:
        """[B][P]; 0: zeros"""

    @h0.setter
    def h0(self, arg: int, /) -> None: ...

    @property
    def dh0(self) -> int:
        """gradient of h0"""

    @dh0.setter
    def dh0(self, arg: int, /) -> None: ...

    @property
    def c0(self) -> int:
        """[B][H], [B][N][H] of the S6; 0: zeros"""

    @c0.setter
    def c0(self, arg: int, /) -> None: ...

    @property
    def dc0(self) -> int:
        """gradient of c0"""

    @dc0.setter
    def dc0(self, arg: int, /) -> None: ...

    @property
    def n0(self) -> int:
        """
        [B][H] of the sLSTM and the LRU, [B][3 H] of a QRNN of two inputs; 0: zeros
        """

    @n0.setter
    def n0(self, arg: int, /) -> None: ...

    @property
    def dn0(self) -> int:
        """gradient of n0"""

    @dn0.setter
    def dn0(self, arg: int, /) -> None: ...

    @property
    def m0(self) -> int:
        """[B][H] of the sLSTM; 0: zeros"""

    @m0.setter
    def m0(self, arg: int, /) -> None: ...

    @property
    def dm0(self) -> int:
        """gradient of m0"""

    @dm0.setter
    def dm0(self, arg: int, /) -> None: ...

    @property
    def hn(self) -> int:
        """[B][P]; may be h0"""

    @hn.setter
    def hn(self, arg: int, /) -> None: ...

    @property
    def dhn(self) -> int:
        """gradient of hn"""

    @dhn.setter
    def dhn(self, arg: int, /) -> None: ...

    @property
    def cn(self) -> int:
        """[B][H], [B][N][H] of the S6; may be c0"""

    @cn.setter
    def cn(self, arg: int, /) -> None: ...

    @property
    def dcn(self) -> int:
        """gradient of cn"""

    @dcn.setter
    def dcn(self, arg: int, /) -> None: ...

    @property
    def nn(self) -> int:
        """
        [B][H] of the sLSTM and the LRU, [B][3 H] of a QRNN of two inputs; may be n0
        """

    @nn.setter
    def nn(self, arg: int, /) -> None: ...

    @property
    def dnn(self) -> int:
        """gradient of nn"""

    @dnn.setter
    def dnn(self, arg: int, /) -> None: ...

    @property
    def mn(self) -> int:
        """[B][H] of the sLSTM; may be m0"""

    @mn.setter
    def mn(self, arg: int, /) -> None: ...

    @property
    def dmn(self) -> int:
        """gradient of mn"""

    @dmn.setter
    def dmn(self, arg: int, /) -> None: ...

    def set_options(self, activation: str, output: str, hard_gates: bool, gates: str, peephole: bool, coupled: bool, zone_cell: float, zone_state: float, candidate: float, product: float, each_step: bool, draws: bool, seed: int, layer_norm: bool, reset_first: bool) -> None:
        """
        Make the cell one with options. gates: those the weights have, in order, such as 'ifgo'; of the LSTM alone.
        """

    @property
    def add_to_dx(self) -> bool: ...

    @add_to_dx.setter
    def add_to_dx(self, arg: bool, /) -> None: ...

    @property
    def segment(self) -> int: ...

    @segment.setter
    def segment(self, arg: int, /) -> None: ...

    @property
    def heads(self) -> int:
        """
        Groups of units that read the states of their own alone; they divide H.
        """

    @heads.setter
    def heads(self, arg: int, /) -> None: ...

    @property
    def memory(self) -> int:
        """Coefficients that a unit of the S6 keeps."""

    @memory.setter
    def memory(self, arg: int, /) -> None: ...

    @property
    def product(self) -> int:
        """
        How products multiply: 0 floats, 1 bfloat16 by the CPU's instruction, 2 by its twin.
        """

    @product.setter
    def product(self, arg: int, /) -> None: ...

class Stepper:
    """A stack fed one step at a time."""

    def __init__(self, layers: Sequence[Problem], threads: int, states: tuple[object, ...]) -> None:
        """states: what owns the memory of the layers' states; it is kept."""

    def step(self, x: int, y: int) -> None: ...

class Packed:
    """Weights of a stack, packed once for many calls."""

    def __init__(self, layers: Sequence[Problem], directions: int, threads: int) -> None:
        """
        layers: layer by layer, each with its directions; with weights and options alone.
        """

    def forward(self, steps: int, rows: int, count: int, padded: bool, x: Sequence[int], y: Sequence[int], order_and_lengths: tuple[int, int], first: Sequence[int], last: Sequence[int], threads: int) -> None:
        """
        x: address, distances of two steps and of two rows in floats, address of the rows before each step; y: the first three of these. count: rows of x in all. first, last: addresses of the states (layers, directions, B, ...); 0: zeros.
        """

    @property
    def bytes(self) -> int: ...

    @property
    def calls(self) -> int:
        """Calls of forward so far."""

def read_tensors_with(offset: int, functions: Sequence[int], kinds: Sequence[int]) -> None:
    """
    Read tensors through torch's C functions, or, without any, through Python: see carousel.kernels.reading. kinds: torch's numbers of float32, the CPU and strided layout.
    """

class Watched:
    """Weights that were packed, and whether they are so still."""

    def __init__(self, weights: tuple[object, ...]) -> None: ...

    def unchanged(self, weights: list[Any]) -> bool:
        """
        True if these are the weights that were packed, and stand where they stood.
        """

class PlainCall:
    """Calls of a layer whose weights are packed."""

    def __init__(self, packed: Packed, watched: Watched, own: dict[str, Any], inherited: dict[str, Any], absent: tuple[str, ...], names: tuple[str, ...], tensor_types: tuple[type, ...], features: Sequence[int], depth: int, batch_first: bool) -> None: ...

    def answer(self, kind: type, attributes: dict[str, Any], x: object, hx: object, threads: int) -> Any:
        """
        The answer to x and hx of a layer of this class with these attributes; None for a call that needs a closer look.
        """

class Feed:
    """A stepper that reads and writes tensors."""

    def __init__(self, stepper: Stepper, type: type, exchange: object, watched: Watched, parameters: dict[str, Any], names: tuple[str, ...], quiet: tuple[Mapping[Any, Any], ...], x_shape: tuple[int, int], y_shape: tuple[int, int], make: Callable[[], list[Any]]) -> None: ...

    def step(self, x: object, out: object = None) -> Any:
        """
        The output, in `out` or memory of its own; None, and nothing done, unless x and out fit and the weights are as packed.
        """

def int8_isa() -> str:
    """Name of the instructions that eight-bit products run on."""

class Int8Layer:
    """A layer of eight-bit weights: see native/int8.hpp."""

    def __init__(self, cell: int, I: int, H: int, arrays: Sequence[int]) -> None:
        """
        arrays: addresses of w_ih, w_hh, scale_ih, scale_hh, b_ih, b_hh, levels.
        """

class Int8Stack:
    """Layers of eight-bit weights, packed once."""

    def __init__(self, layers: Sequence[Int8Layer], rows: int) -> None: ...

    def run(self, x: int, y: int, h: int, c: int, counts: Sequence[int]) -> None:
        """
        Steps of sequences (T, rows, I): counts[t] rows, of the first, take step t.
        """

    @property
    def saturated(self) -> int:
        """Inputs so far beyond the range that they were calibrated for."""

    @saturated.setter
    def saturated(self, arg: int, /) -> None: ...

class Int8Feed:
    """An eight-bit stack that reads and writes tensors."""

    def __init__(self, stack: Int8Stack, type: type, exchange: object, h: int, c: int, kept: tuple[object, ...]) -> None:
        """kept: what owns the memory of h, c and the stack's levels."""

    def step(self, x: object, out: object) -> bool:
        """Whether x and out fit; then the step is done."""

class RowProgram:
    """Operations on a few rows, one after the other."""

    def __init__(self) -> None: ...

    def add(self, kind: int, arrays: Sequence[int], sizes: Sequence[int], distances: Sequence[int], to: Sequence[int]) -> None:
        """
        kind: 0 copy, 1 product, 2 magnitude, 3 relu, 4 sigmoid, 5 tanh. arrays: addresses of x, weight, bias and y. sizes, distances (of x), to (of y): see native/few_rows.hpp.
        """

    def run(self) -> None: ...

def has_product(product: int) -> bool:
    """
    Whether the instruction set in use can multiply so: see Problem.product.
    """

def tile_speed(product: int) -> float:
    """Sums a second of a tile, against those of floats; measured once."""

def prefer_large_pages(address: int, bytes: int) -> None:
    """Advise the system to back fresh memory with large pages."""

def saved_floats(problem: Problem) -> int:
    """Floats that the forward pass saves for the backward pass."""

def forward(problem: Problem, threads: int) -> None: ...

def backward(problem: Problem, threads: int) -> None: ...
