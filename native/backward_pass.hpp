// What the steps of a backward pass work with: the rows, weights, gradients so far and places that
// the functions of a step (backward.hpp, normalized_backward.hpp, reset_backward.hpp) are given.
#pragma once

#include "chunk.hpp"

namespace carousel {
namespace {

// The interface between a step's functions and the loop over time. Row j of a step is row j of the
// thread's share, which stands at `position` of the order; `block` has `count` units, one vector,
// and a row of the chunk is counted from its first step on.
template <class C>
struct BackwardPass {
    const Problem& p;
    const BackwardWork<C>& work;
    const Team team;
    const Shape<C> shape;
    const Share share;
    const Part<C> part;
    const int64_t units;   // all blocks, the last one whole
    uint64_t* const keys;  // of this thread's rows of the step
    float* const rounded;  // rows of this thread, where the product rounds: see each_group
    float* saved;          // what the steps from saved_from on have saved
    int64_t saved_from = 0;

    BackwardPass(const Problem& problem, const BackwardWork<C>& w, Team t)
        : p(problem), work(w), team(t), shape(problem), share(share_of<C>(problem, t)),
          part(w.part(share.by_units ? 0 : t.thread)), units(shape.blocks * L),
          keys(C::kOptions ? w.keys + t.thread * up(problem.B, 8) * 8 : nullptr),
          rounded(w.rounded ? w.rounded + t.thread * w.rounded_rows * w.rounded_step : nullptr),
          saved(problem.segment ? w.segment : problem.saved) {}

    void wait_if_shared() const {
        if (share.by_units) wait(team.barrier, team.threads);
    }

    // ---- what the forward pass has left

    // The state that row `row` had before step t. starts: t is its first step.
    CAROUSEL_INLINE const float* state(int64_t t, int64_t row, bool starts) const {
        return state_before(p, t, row, starts, work.zeros);
    }

    CAROUSEL_INLINE const float* saved_of(int64_t t, int64_t block, int64_t position) const {
        return saved_at<C>(saved, t - saved_from, block, position, p);
    }

    // The cell state of L units before step t, which is not the row's first.
    CAROUSEL_INLINE Vec cell_before(int64_t t, int64_t block, int64_t position,
                                    int memory) const {
        const int64_t s = p.reverse ? p.T - 1 - t : t;
        if (p.segment && s % p.segment == 0)
            return load(p.saved +
                        ((s / p.segment * p.B + position) * C::kMemories + memory) * units +
                        block * L);
        return load(saved_of(p.reverse ? t + 1 : t - 1, block, position) +
                    (C::kSaved - C::kMemoriesRead + memory) * L);
    }

    CAROUSEL_INLINE Vec c_before(int64_t t, int64_t position, bool first, int64_t block,
                                 int memory = 0) const {
        if (!first) return cell_before(t, block, position, memory);
        const float* from = first_memory(p, memory);
        if (!from) return Vec{};
        return load_first(from + row_at(p, position) * p.H + block * L, shape.units_in(block));
    }

    CAROUSEL_INLINE Site site(int64_t j, int64_t block) const {
        return {p, block * L, shape.units_in(block), keys[j]};
    }

    // ---- gradients of the step's outputs

    // Of the units of a block, before a projection.
    CAROUSEL_INLINE Vec output_gradient(int64_t t, int64_t position, int64_t block,
                                        int count) const {
        const int64_t u = block * L;
        if (p.w_hr) return load(work.raw_dh + position * units + u);
        Vec dh = load(work.dh + position * work.dh_step + u);
        if (p.dy.data) dh += load_first(at(p.dy, t, row_at(p, position)) + u, count);
        return dh;
    }
    // What flows to the h before the step beside the product.
    CAROUSEL_INLINE void put_direct(int64_t position, int64_t block, Vec direct) const {
        if (!p.w_hr) store(work.dh + position * work.dh_step + block * L, direct);
    }
    CAROUSEL_INLINE float* cell_gradient(int64_t position, int64_t block, int memory = 0) const {
        return work.dc + (position * C::kMemories + memory) * units + block * L;
    }

    // ---- where gradients go

    // Of the sums, as the product of the inputs has them and as that of the states, by row of the
    // chunk.
    CAROUSEL_INLINE float* d_input(int64_t row, int64_t block) const {
        return part.d_input + row * part.d_step + block * C::kInput * L;
    }
    CAROUSEL_INLINE float* d_hidden(int64_t row, int64_t block) const {
        return part.d_hidden + row * part.d_step + block * C::kHidden * L;
    }
    // Of the biases, and of the pointwise functions' own weights: added to, row after row.
    CAROUSEL_INLINE float* bias(int64_t block) const { return part.bias + block * C::kSums * L; }
    CAROUSEL_INLINE float* extra(int64_t block) const { return part.extra + block * C::kExtra * L; }

    // So many rows of a step of n are added up before fold_biases.
    int64_t rows_at_once(int64_t n) const { return part.block_of(n); }

    // A step of many rows is more than one block of what the pointwise functions sum themselves.
    void fold_biases(int64_t first, int64_t last) const {
        part.fold(part.bias + first * C::kSums * L, (last - first) * C::kSums * L);
        part.fold(part.extra + first * C::kExtra * L, (last - first) * C::kExtra * L);
    }

    // Floats of this thread alone, C::backward_buffer of them.
    float* buffer() const { return part.buffer; }

    // Calls visit(first, count, rows, step) for rows first, first + 1, … of the n rows of a, each of K
    // floats, as the tiles read them: all at once, or, where the product rounds, in groups.
    template <class Visit>
    void each_group(const float* a, int64_t a_row, int64_t n, int64_t K, Product product,
                    const Visit& visit) const {
        if (!rounds(product)) return visit(0, n, a, a_row);
        const auto round_row = tiles_of(product).round_row;
        for (int64_t first = 0; first < n; first += work.rounded_rows) {
            const int64_t count = min(work.rounded_rows, n - first);
            for (int64_t j = 0; j < count; ++j)
                round_row(a + (first + j) * a_row, K, rounded + j * work.rounded_step);
            visit(first, count, rounded, work.rounded_step);
        }
    }

    // c[position] (+)= a[row] · panels, for n rows and this thread's panels of the N columns.
    // from: what to add to, with c's layout; null: nothing. of: the rows of a panel that are not
    // zero, as a function of the panel; all, where the product rounds.
    void rows_times_panels(const float* a, int64_t a_row, int64_t n, const float* panels, int64_t K,
                           int64_t N, Product product, float* c, int64_t c_row,
                           const float* from) const {
        const int64_t deep = depth(product, K);
        rows_times_panels(a, a_row, n, panels, K, N, product, c, c_row, from,
                          [deep](int64_t) { return Span{0, deep}; });
    }
    template <class Of>
    CAROUSEL_INLINE void rows_times_panels(const float* a, int64_t a_row, int64_t n,
                                           const float* panels, int64_t K, int64_t N,
                                           Product product, float* c, int64_t c_row,
                                           const float* from, const Of& of) const {
        const int64_t wide = up(N, kWide), deep = depth(product, K);
        each_group(a, a_row, n, K, product, [&](int64_t first, int64_t count, const float* rows_at,
                                                int64_t step) {
            for (int64_t q = share.begin(wide); q < share.end(wide); ++q)
                rows_times_panel(q, rows_at, step, first, count, panels + q * kWide * deep, N,
                                 product, c, c_row, from, of(q));
        });
    }
    // Of panel q alone, for rows `first` to first + count - 1, which stand at rows_at.
    CAROUSEL_INLINE void rows_times_panel(int64_t q, const float* rows_at, int64_t step,
                                          int64_t first, int64_t count, const float* panel,
                                          int64_t N, Product product, float* c, int64_t c_row,
                                          const float* from, Span span) const {
        const int nv = vectors_in(q, N);
        const Tiles tiles(count, nv);
        for (int64_t i = 0; i < tiles.count; ++i) {
            const int64_t j = tiles.start(i);
            const int rows = tiles.rows(i);
            const float* row[kMostRows];
            for (int m = 0; m < rows; ++m) row[m] = rows_at + (j + m) * step + span.first;
            const int64_t to = share.position(first + j) * c_row + q * kWide;
            tile_for(product, rows, nv)(row, 1, panel + span.first * nv * L, nv * L,
                                        span.last - span.first, from ? from + to : work.zeros,
                                        from ? share.step * c_row : 0, c + to,
                                        share.step * c_row);
        }
    }
};

}  // namespace
}  // namespace carousel
