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

enum class Cell : int { lstm, gru, rnn_tanh, rnn_relu };

struct Problem {
    Cell cell = Cell::lstm;
    int64_t T = 0, B = 0, I = 0, H = 0, P = 0;
    bool reverse = false;              // from each row's last step to its first
    const int64_t* order = nullptr;    // [B] rows, longest first; null: 0, 1, 2, …, all of length T
    const int64_t* lengths = nullptr;  // [B] their lengths, in that order; null with order
    bool padded = true;                // x, y and their gradients have rows past the end: zero them

    const float *w_ih = nullptr, *w_hh = nullptr;  // [G H][I], [G H][P]
    const float *b_ih = nullptr, *b_hh = nullptr;  // [G H] both or neither
    const float* w_hr = nullptr;                   // [P][H] or null
    Rows x, y;
    const float *h0 = nullptr, *c0 = nullptr;  // [B][P], [B][H]; null: zeros
    float *hn = nullptr, *cn = nullptr;        // [B][P], [B][H]; may be h0, c0
    // What the backward pass needs, saved_floats(problem), or null: nothing is to be saved. With a
    // segment of k steps, only the cell states at the start of each segment: the backward pass
    // computes the rest again, segment by segment.
    float* saved = nullptr;
    int64_t segment = 0;

    // The backward pass reads all of the above but hn and cn, which it ignores.
    Rows dy;                                     // data null: zeros
    const float *dhn = nullptr, *dcn = nullptr;  // [B][P], [B][H]; null: zeros
    Rows dx;                                     // data null: not wanted
    bool add_to_dx = false;
    float *dh0 = nullptr, *dc0 = nullptr;
    float *dw_ih = nullptr, *dw_hh = nullptr, *db_ih = nullptr, *db_hh = nullptr, *dw_hr = nullptr;
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
    size_t (*saved_floats)(const Problem&);
    size_t (*backward_floats)(const Problem&, int threads);
    void (*backward)(const Problem&, float* work, Team);
};

constexpr int kCells = 4;  // the cells of `Cell`, in its order

}  // namespace carousel
