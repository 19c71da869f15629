// What the steps of a forward pass work with: the working memory, and the rows, weights and places
// that the functions of a step (forward.hpp, normalized.hpp, reset.hpp) are given.
#pragma once

#include "products.hpp"
#include "steps.hpp"

namespace carousel {
namespace {

// Whether the input products of several steps are taken together, ahead of the recurrence. It costs
// a trip through memory, and pays where a thread has few rows a step: those of several steps fill
// the register tiles, and weights too large for the cache are fetched once for all of them.
template <class C>
bool looks_ahead(const Problem& p, int threads) {
    if (C::kNormalized || p.T == 1 || p.I < 8) return false;
    const bool by_units = shared_by_units<C>(p, threads);
    const int64_t rows = by_units ? p.B : up(p.B, threads);
    const int64_t bytes = weight_bytes<C>(p) / (by_units ? threads : 1);
    return rows < kTileRows || (rows < 48 && bytes > (1 << 19));
}

// Inputs of several steps, one row of the step after the other, and their sums.
struct Ahead {
    int64_t capacity = 0;       // rows
    const float** x = nullptr;  // [capacity]
    Rounded rounded{};          // the same, where the product rounds
    float* sums = nullptr;      // [panel][capacity][sums of a panel]
};

// Whether the recurrent product reads a masked copy of h.
template <class C>
CAROUSEL_INLINE bool drops_product(const Problem& p) {
    return C::kOptions && p.options.product.p > 0;
}
template <class C>
CAROUSEL_INLINE int masked_rows(const Problem& p) {
    return drops_product<C>(p) ? 1 : 0;
}

template <class C>
struct ForwardWork {
    float *cell, *raw, *zeros;     // [B][kMemories][blocks L]; [B][blocks L] (projection only);
                                   // a row of zeros
    float* masked;                 // [B][P] (dropout of h before the product only)
    float *candidate, *update, *reset;  // [B][units] between two products: see reset.hpp
    const float **x, **h;          // this thread's rows of the step
    const float** factor;          // h, or what is masked of it: what the product reads
    const float **input, **operand;  // x and factor as the tiles read them
    const float** second;          // rows of a second product
    Rounded rounded_x, rounded_h;  // what is behind input and operand, where the product rounds
    float** y;
    Ahead ahead;
    uint64_t* keys;                // of the rows' masks (cells with options only)
    float* buffer;                 // the cell's own

    ForwardWork(const Problem& p, int thread, int threads, Arena& arena) {
        const int64_t units = Shape<C>(p).blocks * L;
        cell = C::kHasCellState ? arena.floats(p.B * C::kMemories * units) : nullptr;
        raw = p.w_hr ? arena.floats(p.B * units) : nullptr;
        zeros = arena.floats(max(units, p.P));
        masked = drops_product<C>(p) ? arena.floats(p.B * p.P) : nullptr;
        candidate = C::kResetFirst ? arena.floats(p.B * units) : nullptr;
        update = C::kResetFirst ? arena.floats(p.B * units) : nullptr;
        reset = C::kResetFirst ? arena.floats(p.B * units) : nullptr;
        const bool by_units = shared_by_units<C>(p, threads);
        const int64_t most_rows = by_units ? p.B : up(p.B, threads);
        for (int i = 0; i < threads; ++i) {
            const int own_rows = masked_rows<C>(p) + (C::kResetFirst ? 4 : 3);
            const float** rows = arena.things<const float*>(own_rows * p.B);
            Rounded own_x{}, own_h{};
            if (rounds(p.product))
                own_x = Rounded(p.product, most_rows, p.I, arena), own_h = Rounded(p.product, most_rows, p.P, arena);
            uint64_t* own_keys = C::kOptions ? arena.things<uint64_t>(p.B) : nullptr;
            float* own_buffer = arena.floats(C::forward_buffer(units));
            if (i != thread) continue;
            buffer = own_buffer;
            x = rows, h = rows + p.B, y = const_cast<float**>(rows + 2 * p.B);
            factor = masked_rows<C>(p) ? rows + 3 * p.B : h;
            second = rows + (own_rows - 1) * p.B;
            rounded_x = own_x, rounded_h = own_h;
            input = rounds(p.product) ? own_x.rows : x;
            operand = rounds(p.product) ? own_h.rows : factor;
            keys = own_keys;
        }
        if (!looks_ahead<C>(p, threads)) return;
        const int64_t rows = most_rows;
        ahead.capacity = min(rows * p.T, max(rows, 8 * kTileRows / rows * rows));
        for (int i = 0; i < threads; ++i) {
            const float** x_ahead = arena.things<const float*>(ahead.capacity);
            Rounded own{};
            if (rounds(p.product)) own = Rounded(p.product, ahead.capacity, p.I, arena);
            if (i == thread) ahead.x = x_ahead, ahead.rounded = own;
            if (by_units && i > 0) continue;  // each thread fills its own panels
            float* sums = arena.floats(ahead.capacity * Shape<C>(p).panels * kPanelSums<C>);
            if (by_units || i == thread) ahead.sums = sums;
        }
    }
};

template <class C>
size_t forward_floats(const Problem& p, int threads) {
    Arena arena{nullptr};
    ForwardWork<C> work(p, 0, threads, arena);
    return arena.used;
}

CAROUSEL_INLINE uint64_t key_of_product(const Problem& p, int64_t t, int64_t row) {
    return key_of(p.options.seed, p.options.each_step ? t : kEveryStep, row);
}

// Units [begin, end) of the state h of a row as the product reads them, from a multiple of L on.
void mask_state(const Problem& p, const float* h, int64_t begin, int64_t end, float* masked,
                uint64_t key) {
    for (int64_t u = begin; u < end; u += L) {
        const int count = static_cast<int>(min(L, end - u));
        const Vec scale = kept(p.options.product, key, Kind::product, u);
        store_first(masked + u - begin, load_first(h + u, count) * scale, count);
    }
}

// The interface between a step's functions and the loop over time. Row j of a step is row j of the
// thread's share, which stands at `position` of the order; `block` has `count` units, one vector.
template <class C, bool kSave>
struct ForwardPass {
    const Problem& p;
    const Packed<C>& packed;
    const ForwardWork<C>& work;
    const Shape<C> shape;
    const Share share;
    float* saved = nullptr;  // steps from saved_from on, if kSave
    int64_t saved_from = 0;

    // Inputs, and states as the recurrent product reads them, of rows j, j + 1, …
    CAROUSEL_INLINE const float* const* inputs(int64_t j) const { return work.input + j; }
    CAROUSEL_INLINE const float* const* factors(int64_t j) const { return work.operand + j; }

    // The units of a block of row j's state before the step.
    CAROUSEL_INLINE Vec state_of(int64_t j, int64_t block, int count) const {
        return load_first(work.h[j] + block * L, count);
    }
    // The same of the cell's state, before the step and after it.
    CAROUSEL_INLINE float* cell_of(int64_t position, int64_t block, int memory = 0) const {
        return work.cell + ((position * C::kMemories + memory) * shape.blocks + block) * L;
    }
    // Writes the output of a block of row j, or what goes into its projection.
    CAROUSEL_INLINE void put(int64_t j, int64_t position, int64_t block, int count, Vec h) const {
        if (p.w_hr)
            store(work.raw + (position * shape.blocks + block) * L, h);
        else
            store_first(work.y[j] + block * L, h, count);
    }
    // Where the backward pass will look for what step t saves; null if it saves nothing.
    CAROUSEL_INLINE float* kept_of(int64_t t, int64_t block, int64_t position) const {
        return kSave ? saved_at<C>(saved, t - saved_from, block, position, p) : nullptr;
    }
    // For the functions of cells with options.
    CAROUSEL_INLINE Site site(int64_t j, int64_t block, int count) const {
        return {p, block * L, count, work.keys[j]};
    }
    // Floats of this thread alone, C::forward_buffer of them.
    float* buffer() const { return work.buffer; }
};

}  // namespace
}  // namespace carousel
