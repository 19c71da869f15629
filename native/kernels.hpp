// What a kernel is asked: one direction of one recurrent layer over a batch of sequences.
//
// Axis letters, everywhere in this folder:
//   T steps, B rows (sequences), I input features, H hidden units, P outputs (P = H without a
//   projection), G gates of torch's weights (LSTM 4, GRU 3, RNN 1).
//
// Pointers are the caller's: the kernels own nothing, keep nothing, and allocate nothing. Arrays
// are float32. No array that is written may overlap another, except where it is said.
#pragma once

#include <cstddef>
#include <cstdint>

namespace carousel {

// A (T, B, ·) array whose features are contiguous: row b of step t is at data + t * step + b * row,
// or, of a packed sequence, at data + (steps[t] + b) * row. `step` and `row` count floats.
struct Rows {
    float* data = nullptr;
    const int64_t* steps = nullptr;  // [T]: how many rows stand before a step; or null
    int64_t step = 0, row = 0;
};

enum class Cell : int {
    lstm, gru, rnn_tanh, rnn_relu,
    // Without a recurrent product, see scan.hpp: b_hh is null and P = H.
    min_gru, min_gru_linear, min_lstm, min_lstm_linear,  // w_hh is null
    ind_rnn_tanh, ind_rnn_relu,                          // w_hh is [H]
    // With heads: w_hh is [G H][P / heads], b_hh is null and P = H; by the forget gate.
    slstm, slstm_exp,
    // With a block of weights more where I and H differ, see scan_cells.hpp; b_ih is [2 H].
    sru,     // w_hh is [2 H]
    rg_lru,  // w_hh is [H], the Λ
    // b_hh is null and P = H; w_c is [H], one for units that are linear and zero for those with φ.
    lmu_tanh, lmu_relu,
    // n0 and nn are [B][3 H], and w_hh is [3 H][I], of a second input: see scan_cells.hpp.
    qrnn,   // w_hh and n0 are null
    qrnn2,
    lru,  // w_hh, w_c, w_ln_hh: ν, θ, γ [H]; w_hr is [H][2 H], b_ih [H]
    // The selective scan: see selective.hpp. Of N coefficients, w_hh is [H][N], w_c [H], w_ln_ih and
    // w_ln_hh are [N][I], b_ih is [H]; c0 and cn are [B][N][H].
    s6,
};

// What a cell does differently from torch's; see docs/options.md. Not plain: the cells of
// variants.hpp compute it, which read this for each vector of units.
enum class Curve : int { tanh, softsign, relu, hard_tanh, identity };
struct Gate {
    int sum = -1, peephole = -1;  // its block of rows in the weights and in w_c; -1: it has none
};
// A probability to drop, or, of zoneout, to keep the old value: a draw in [0, 2^24) below `limit`.
struct Chance {
    float p = 0, scale = 1;  // scale = 1 / (1 - p)
    int32_t limit = 0;       // round(2^24 p)
};
struct Options {
    bool plain = true;
    Curve activation = Curve::tanh, output = Curve::tanh;  // of the candidate, of the cell's output
    bool hard_gates = false;
    int gates = 4;  // blocks of rows in the LSTM's weights
    Gate i, f, g, o;
    bool coupled = false;                   // f = 1 - i
    bool reset_first = false;               // the GRU's r before the product, see reset.hpp
    bool normalized = false;                // layer normalisation, see normalized.hpp
    Chance zone_cell, zone_state;           // zoneout
    Chance candidate, product;              // dropout of g or n; of h before the product
    bool draws = false;                     // training: zoneout draws, elsewhere it interpolates
    bool each_step = false;                 // `product` draws anew at each step
    uint64_t seed = 0;
};

// A problem's arrays, each named here alone: the members of Problem, their Python names
// (bindings.cpp) and the random problems of stress.cpp expand from these lists. The text is an
// array's shape.

// Weights: read forward and backward; dw_ih and so on are their gradients, written backward.
#define CAROUSEL_WEIGHTS(ARRAY)                                                                  \
    ARRAY(w_ih, "[G H][I]")                                                                      \
    ARRAY(w_hh, "[G H][P]; see Cell for those without a recurrent product")                      \
    ARRAY(b_ih, "[G H]; both biases or neither")                                                 \
    ARRAY(b_hh, "[G H]")                                                                         \
    ARRAY(w_hr, "[P][H] of a projection; 0 without one")                                         \
    ARRAY(w_c, "[gates with a peephole][H]; 0 without any")                                      \
    ARRAY(w_ln_ih, "[G H] of normalised cells: gains of the products with x; not of the RNN")    \
    ARRAY(w_ln_hh, "[G H] of normalised cells: gains of those with h; of the RNN, of both")      \
    ARRAY(w_ln_c, "[H] of the normalised LSTM: gains of the cell state")                         \
    ARRAY(b_ln_c, "[H] of the normalised LSTM: biases of the cell state")

// States before the first step, whose gradients dh0 and dc0 are written; 0: zeros.
#define CAROUSEL_FIRST_STATES(ARRAY)                                                             \
    ARRAY(h0, "[B][P]; 0: zeros")                                                                \
    ARRAY(c0, "[B][H], [B][N][H] of the S6; 0: zeros")                                                                \
    ARRAY(n0, "[B][H] of the sLSTM and the LRU, [B][3 H] of a QRNN of two inputs; 0: zeros")         \
    ARRAY(m0, "[B][H] of the sLSTM; 0: zeros")

// States after the last step, written, which may be the first ones; dhn and dcn are read, 0: zeros.
#define CAROUSEL_LAST_STATES(ARRAY)                                                              \
    ARRAY(hn, "[B][P]; may be h0")                                                               \
    ARRAY(cn, "[B][H], [B][N][H] of the S6; may be c0")                                                               \
    ARRAY(nn, "[B][H] of the sLSTM and the LRU, [B][3 H] of a QRNN of two inputs; may be n0")        \
    ARRAY(mn, "[B][H] of the sLSTM; may be m0")

// (T, B, ·) arrays. Without dy it is zeros, without dx that is not wanted.
#define CAROUSEL_ROWS(ROWS)                                                                      \
    ROWS(x, "inputs, I features")                                                                \
    ROWS(y, "outputs, P features")                                                               \
    ROWS(dy, "gradient of y")                                                                    \
    ROWS(dx, "gradient of x")                                                                    \
    ROWS(da, "gradients of the sums, G H features, of cells without a recurrent product")

// How the products multiply: floats, or numbers rounded to bfloat16, by the CPU's instruction for them
// or by its twin, which every CPU has; see rounded.hpp. All sums are of floats.
enum class Product : int { floats, bf16, bf16_twin };
constexpr int kProducts = 3;

struct Problem {
    Cell cell = Cell::lstm;
    Options options;
    Product product = Product::floats;  // of cells with a recurrent product; projections: floats
    int64_t T = 0, B = 0, I = 0, H = 0, P = 0;
    int64_t memory = 0;                // of the S6: coefficients N of a unit
    int64_t heads = 1;                 // groups of units that read the states of their own alone
    bool reverse = false;              // from each row's last step to its first
    const int64_t* order = nullptr;    // [B] rows, longest first; null: 0, 1, 2, …, all of length T
    const int64_t* lengths = nullptr;  // [B] their lengths, in that order; null with order
    bool padded = true;                // x, y and their gradients have rows past the end: zero them

    // The backward pass reads all of these but hn and cn, which it ignores, and writes gradients in
    // torch's layout. Cells without a recurrent product write da in place of dx, dw_ih and db_ih,
    // which follow from it, and leave its rows past the end as they are. Where inputs skip the cell as
    // they are, da has H features more: what they add to dx.
#define CAROUSEL_READ(name, shape) const float* name = nullptr; float* d##name = nullptr;
#define CAROUSEL_WRITTEN(name, shape) float* name = nullptr; const float* d##name = nullptr;
#define CAROUSEL_ROWS_MEMBER(name, text) Rows name;
    CAROUSEL_WEIGHTS(CAROUSEL_READ)
    CAROUSEL_FIRST_STATES(CAROUSEL_READ)
    CAROUSEL_LAST_STATES(CAROUSEL_WRITTEN)
    CAROUSEL_ROWS(CAROUSEL_ROWS_MEMBER)
#undef CAROUSEL_READ
#undef CAROUSEL_WRITTEN
#undef CAROUSEL_ROWS_MEMBER
    bool add_to_dx = false;
    // What the backward pass needs, saved_floats(problem), or null: nothing is to be saved. With a
    // segment of k steps, only the cell states at the start of each segment: the backward pass
    // computes the rest again, segment by segment.
    float* saved = nullptr;
    int64_t segment = 0;
};

// The threads that work on one problem. All of them call the kernel with the same problem.
struct Barrier;
struct Team {
    int thread = 0, threads = 1;
    Barrier* barrier = nullptr;
};
void wait(Barrier* barrier, int threads);

// The kernels of one cell on one instruction set.
struct Kernels {
    // Weights as the products want them: packed once, used for any number of forward passes.
    size_t (*packed_floats)(const Problem&);
    void (*pack)(const Problem&, float* packed, Team);
    // Floats of working memory, shared by the team.
    size_t (*forward_floats)(const Problem&, int threads);
    void (*forward)(const Problem&, const float* packed, float* work, Team);
    // The same with weights that nobody has packed, of which each is read once: floats of the panels
    // of a team, 0 where weights are read more often, and the pass.
    size_t (*once_floats)(const Problem&, int threads);
    void (*forward_once)(const Problem&, float* panels, float* work, Team);
    size_t (*saved_floats)(const Problem&);
    size_t (*backward_floats)(const Problem&, int threads);
    void (*backward)(const Problem&, float* work, Team);
};

constexpr int kCells = 20;  // the cells of `Cell`, in its order

// The tables of kernels.cpp: the four first cells of `Cell`, the two of the sLSTM and of the LMU; the
// LSTM with options and 2, 3 or 4 gates, the GRU and the RNN with options; the same five normalised;
// the GRU with its reset gate before the product.
constexpr int kPlainTables = 8, kTables = kPlainTables + 11;
constexpr int table_of(const Problem& p) {
    const int cell = static_cast<int>(p.cell);
    if (p.options.plain) {
        if (p.cell >= Cell::lmu_tanh) return 6 + cell - static_cast<int>(Cell::lmu_tanh);
        return p.cell < Cell::slstm ? cell : 4 + cell - static_cast<int>(Cell::slstm);
    }
    if (p.options.reset_first) return kTables - 1;
    const int first = kPlainTables + (p.options.normalized ? 5 : 0);
    if (p.cell == Cell::lstm) return first + p.options.gates - 2;
    return first + (p.cell == Cell::gru ? 3 : 4);
}

// The tables of scan_kernels.cpp, of the cells without a recurrent product: in their order, but that
// those that inputs skip come twice, the second time for as many inputs as units, which skip as
// they are.
constexpr bool has_skip(Cell cell) {
    return cell == Cell::sru || cell == Cell::rg_lru || cell == Cell::s6;
}
constexpr bool is_qrnn(Cell cell) { return cell == Cell::qrnn || cell == Cell::qrnn2; }
// Features of a state, by its place among the lists of states.
constexpr int64_t features_of(const Problem& p, size_t state) {
    if (state == 0) return p.P;
    if (p.cell == Cell::s6) return p.H * p.memory;
    return state == 2 && p.cell == Cell::qrnn2 ? 3 * p.H : p.H;
}
constexpr bool is_late(Cell cell) { return is_qrnn(cell) || cell == Cell::lru; }
constexpr bool is_scan(Cell cell) {
    return (cell >= Cell::min_gru && cell <= Cell::ind_rnn_relu) || has_skip(cell) || is_late(cell);
}
constexpr int kFirstSkipped = 6, kSkipped = 2, kFirstQrnn = kFirstSkipped + 2 * kSkipped;
constexpr int kFirstSelective = kFirstQrnn + 3, kScanTables = kFirstSelective + 2;
constexpr int scan_table_of(const Problem& p) {
    const int cell = static_cast<int>(p.cell);
    if (p.cell == Cell::s6) return kFirstSelective + (p.I == p.H);
    if (is_late(p.cell)) return kFirstQrnn + cell - static_cast<int>(Cell::qrnn);
    if (!has_skip(p.cell)) return cell - static_cast<int>(Cell::min_gru);
    return kFirstSkipped + cell - static_cast<int>(Cell::sru) + (p.I == p.H ? kSkipped : 0);
}

// The name of a table of one instruction set.
#define CAROUSEL_JOIN(a, b) a##b
#define CAROUSEL_TABLE(name, isa) CAROUSEL_JOIN(name, isa)
// All kernels of one instruction set.
struct KernelTable {
    Kernels cells[kTables];  // see table_of
    // One whole tile over so many k, in tile_floats(K) of memory: for whoever times it.
    void (*run_tile)(Product, float* memory, int64_t K);
    int64_t (*tile_floats)(int64_t K);
};

}  // namespace carousel
