// What the backward pass keeps: the chunk of steps whose gate gradients wait for their products, and
// the gradients of the weights so far, by panels.
#pragma once

#include "forward_pass.hpp"

namespace carousel {
namespace {

// Features of the rows of a chunk, of which the gradient of the weights reads column after column.
// Row by row, a column would touch another page of memory in each row. So they stand in lines of
// kLine features: feature f of row r at data + f / kLine * line_step + r * row_step + f % kLine.
constexpr int64_t kLine = 16;
struct Columns {
    const float* data;
    int64_t row_step, line_step;
    const float* column(int64_t f) const { return data + f / kLine * line_step + f % kLine; }
};

// At most a line. Of a known size, the compiler calls nobody to copy it.
CAROUSEL_INLINE void copy_line(float* to, const float* from, int64_t n) {
    if (n >= kLine)
        copy(to, from, kLine);
    else
        copy(to, from, n);
}

// What a thread that shares by rows has for itself, and threads that share by units have together.
// `rows` below is a row of the chunk.
template <class C>
struct Part {
    static constexpr bool kOneSide = !C::kTwoSides;  // of a sum: one gradient for both products
    static_assert(!kOneSide || (C::kInputFirst == C::kHiddenFirst && C::kInput == C::kHidden),
                  "products with gradients in common fill the same sums");

    int64_t capacity, d_step, p_step;  // rows of a chunk; floats from row to row
    int64_t line_step, row_step;       // of x and h: floats from line to line, and from row to row
    float *d_input, *d_hidden;  // [rows][d_step] gradients of the sums, as each product has them
    float *x, *h;               // inputs, and states before the step: see Columns
    float *raw, *dp;            // [rows][units], [rows][p_step] before, and d after a projection
    float** dx;                 // [rows] where the gradient of the input goes
    int64_t c_step = 0;               // of the second product (reset.hpp): floats from row to row,
    float *d_candidate, *reset;       // [rows][c_step], and what it reads: see Columns
    float *w_input, *w_hidden, *bias, *w_project, *w_candidate;  // gradients so far, by panels
    float* extra;                                  // and of the pointwise functions' own weights
    int64_t to_total = 0;  // from those of a block of rows to those of all blocks; 0: one block
    float* buffer;         // the cell's own

    // once: the gradients of weights are not collected, see reads_once, and rows of x and h stand there
    // as they do elsewhere.
    Part(const Problem& p, int64_t share_rows, bool once, Arena& arena) {
        const int64_t units = Shape<C>(p).blocks * L;
        d_step = units * (kOneSide || C::kInput > C::kHidden ? C::kInput : C::kHidden) + 16;
        p_step = up(p.P, L) * L;
        // Each chunk reads and writes all gradients of the weights; large ones come from afar.
        const int64_t tall = exceeds_cache<C>(p) ? 256 : 96;
        capacity = max(1, min(share_rows * p.T, max(share_rows, max(tall, (1 << 16) / d_step))));
        line_step = once ? kLine : capacity * kLine + kLine;  // no power of two: it shares cache sets
        row_step = once ? up(max(p.I, p.P), kLine) * kLine : kLine;
        const int64_t x_floats = once ? capacity * row_step : up(p.I, kLine) * line_step;
        const int64_t h_floats = once ? capacity * row_step : up(p.P, kLine) * line_step;
        const int64_t before = static_cast<int64_t>(arena.used);
        w_input = arena.floats(once ? 0 : p.I * units * C::kInput);
        w_hidden = arena.floats(once ? 0 : p.P * units * C::kHidden);
        bias = arena.floats(units * C::kSums);
        extra = arena.floats(units * C::kExtra);
        w_project = p.w_hr ? arena.floats(p.P * units) : nullptr;
        w_candidate = C::kResetFirst ? arena.floats(p.P * units) : nullptr;
        const int64_t gradients = static_cast<int64_t>(arena.used) - before;
        if (share_rows * p.T > kLongSum) arena.floats(gradients), to_total = gradients;
        buffer = arena.floats(C::backward_buffer(units));
        d_input = arena.floats(capacity * d_step);
        d_hidden = kOneSide ? d_input : arena.floats(capacity * d_step);
        x = arena.floats(x_floats);
        h = arena.floats(h_floats);
        raw = p.w_hr ? arena.floats(capacity * units) : nullptr;
        dp = p.w_hr ? arena.floats(capacity * p_step) : nullptr;
        c_step = units + 16;
        d_candidate = C::kResetFirst ? arena.floats(capacity * c_step) : nullptr;
        reset = C::kResetFirst ? arena.floats(up(p.P, kLine) * line_step) : nullptr;
        dx = p.dx.data ? arena.things<float*>(capacity) : nullptr;
    }

    int64_t block_of(int64_t rows) const { return to_total ? kBlockRows : rows; }

    // Adds what a block has summed to the total, and starts a block. Of n gradients from g on.
    void fold(float* g, int64_t n) const {
        add(g + to_total, g, n);
        zero(g, n);
    }

    // Where the line of x or h that begins with feature f stands of a row.
    float* line_of(float* lines, int64_t f, int64_t row) const {
        return lines + f / kLine * line_step + row * row_step;
    }
};

template <class C>
struct BackwardWork {
    const Problem& p;
    const bool once;                      // see reads_once
    float *hidden_t, *input_t, *project;  // transposed panels of the weights
    float* once_dx = nullptr;             // [B][I, to whole vectors] sums where weights are read once
    float *zeros, *dh, *dc, *raw_dh;      // a row; [B][dh_step], [B][kMemories][units], [B][units]
    float* factor_dh;                     // [B][dh_step] of the masked h, where h is masked
    float *candidate_t, *reset_dh;        // of the second product: its panels; [B][dh_step]
    uint64_t* keys;                       // [threads][B]
    int64_t dh_step, share_rows;
    int parts;
    float *packed, *forward, *segment, *unused_y;  // to compute a segment again
    float* rounded = nullptr;             // [threads][rounded_rows][rounded_step]: see each_group
    int64_t rounded_rows = 0, rounded_step = 0;
    float* panels;                        // [threads][panel_floats] a panel of a chunk's gradients
    int64_t panel_floats = 0;
    float* first_part;
    size_t part_floats = 0;

    BackwardWork(const Problem& problem, int threads, Arena& arena)
        : p(problem), once(reads_once<C>(problem, threads)) {
        const int64_t units = Shape<C>(p).blocks * L;
        const bool by_units = shared_by_units<C>(p, threads);
        parts = by_units ? 1 : threads;
        share_rows = by_units ? p.B : up(p.B, threads);
        dh_step = up(p.P, L) * L;
        once_dx = once && p.dx.data ? arena.floats(p.B * up(p.I, L) * L) : nullptr;
        hidden_t = arena.floats(once ? 0 : depth(p.product, units * C::kHidden) * dh_step);
        input_t = p.dx.data && !once
                      ? arena.floats(depth(p.product, units * C::kInput) * up(p.I, L) * L)
                      : nullptr;
        project = p.w_hr ? arena.floats(p.P * units) : nullptr;
        zeros = arena.floats(max(max(units, dh_step), kWide));
        dh = arena.floats(p.B * dh_step);
        dc = C::kHasCellState ? arena.floats(p.B * C::kMemories * units) : nullptr;
        raw_dh = p.w_hr ? arena.floats(p.B * units) : nullptr;
        factor_dh = drops_product<C>(p) ? arena.floats(p.B * dh_step) : nullptr;
        candidate_t = C::kResetFirst ? arena.floats(depth(p.product, units) * dh_step) : nullptr;
        reset_dh = C::kResetFirst ? arena.floats(p.B * dh_step) : nullptr;
        keys = C::kOptions ? arena.things<uint64_t>(threads * up(p.B, 8) * 8) : nullptr;
        packed = p.segment ? arena.floats(packed_floats<C>(p)) : nullptr;
        forward = p.segment ? arena.floats(forward_floats<C>(p, threads)) : nullptr;
        segment = p.segment ? arena.floats(min(p.segment, p.T) * saved_per_step<C>(p)) : nullptr;
        unused_y = p.segment ? arena.floats(p.B * units) : nullptr;
        if (rounds(p.product)) {
            const int64_t sums = C::kInput > C::kHidden ? C::kInput : C::kHidden;
            rounded_rows = max(share_rows, 96), rounded_step = units * sums / 2 + 16;
            rounded = arena.floats(threads * rounded_rows * rounded_step);
        }
        first_part = arena.floats(0);
        for (int i = 0; i < parts; ++i) {
            const size_t before = arena.used;
            const Part<C> part(p, share_rows, once, arena);
            part_floats = arena.used - before;
            panel_floats = once ? 0 : part.capacity * kWide;
        }
        panels = arena.floats(threads * panel_floats);
    }

    Part<C> part(int i) const {
        Arena arena{first_part + i * part_floats};
        return Part<C>(p, share_rows, once, arena);
    }
};

}  // namespace
}  // namespace carousel
