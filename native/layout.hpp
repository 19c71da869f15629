// How a problem is cut: units into blocks and panels, rows and units into the threads' shares,
// working memory into parts.
//
// Two ways to share the work, chosen by what is cheaper:
//   by rows    each thread walks all steps for its own rows, and no one waits
//   by units   each thread computes its own hidden units for all rows, and all wait at each step;
//              for few rows and weights too large for one core's cache
#pragma once

#include "kernels.hpp"
#include "rounded.hpp"

namespace carousel {
namespace {

constexpr int64_t kWide = kTileVectors * L;  // columns of a panel of transposed weights

CAROUSEL_INLINE int64_t up(int64_t n, int64_t unit) { return (n + unit - 1) / unit; }
CAROUSEL_INLINE int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
CAROUSEL_INLINE int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }

CAROUSEL_INLINE void copy(float* to, const float* from, int64_t n) {
    memcpy(to, from, n * sizeof(float));
}
void zero(float* to, int64_t n) { memset(to, 0, n * sizeof(float)); }

CAROUSEL_INLINE float* at(const Rows& rows, int64_t t, int64_t b) {
    return rows.data + (rows.steps ? rows.steps[t] * rows.row : t * rows.step) + b * rows.row;
}

// A sum over many rows, one after the other, loses digits: each row is rounded to the size of the
// sum so far. So where a thread has more rows than kLongSum, the gradients of the weights are summed
// in blocks of rows, and their sums added up. Fewer rows make one block.
#ifndef CAROUSEL_LONG_SUM
#define CAROUSEL_LONG_SUM (1 << 17)
#define CAROUSEL_BLOCK_ROWS (1 << 12)
#endif
constexpr int64_t kLongSum = CAROUSEL_LONG_SUM, kBlockRows = CAROUSEL_BLOCK_ROWS;

// Of whole vectors.
void add(float* to, const float* from, int64_t n) {
    for (int64_t i = 0; i < n; i += L) store(to + i, load(to + i) + load(from + i));
}

// Hands out parts of the working memory, each on a cache line of its own. With a null base it
// only counts.
struct Arena {
    float* base;
    size_t used = 0;
    float* floats(int64_t n) {
        float* part = base ? base + used : nullptr;
        used += static_cast<size_t>(up(n, 16) * 16);
        return part;
    }
    template <class Thing>
    Thing* things(int64_t n) {
        return reinterpret_cast<Thing*>(floats(up(n * sizeof(Thing), sizeof(float))));
    }
};

// Rows rounded to bfloat16, in words, as the tiles read them. Each thread rounds for itself what it
// multiplies: that is less than a wait for the others.
struct Rounded {
    int64_t features, step;  // of a row; floats from row to row
    float* words;
    const float** rows;  // [count] where they stand
    Product product;

    Rounded(Product product_, int64_t count, int64_t features_, Arena& arena)
        : features(features_), step(up(depth(Product::bf16, features_), 16) * 16),
          words(arena.floats(count * step)), rows(arena.things<const float*>(count)), product(product_) {}
    Rounded() = default;

    // Rows 0 to n - 1, from floats.
    void take(const float* const* from, int64_t n) const {
        const auto round_row = tiles_of(product).round_row;
        for (int64_t j = 0; j < n; ++j) {
            round_row(from[j], features, words + j * step);
            rows[j] = words + j * step;
        }
    }
};

// How a cell's units fall into blocks of L and panels of kBlocks blocks; the last ones may be
// partly empty.
template <class C>
struct Shape {
    int64_t H, blocks, panels;
    explicit Shape(const Problem& p) : H(p.H), blocks(up(p.H, L)), panels(up(blocks, C::kBlocks)) {}
    int blocks_in(int64_t panel) const {
        return static_cast<int>(min(C::kBlocks, blocks - panel * C::kBlocks));
    }
    int units_in(int64_t block) const { return static_cast<int>(min(L, H - block * L)); }
};

// Floats of a row's sums in one panel.
template <class C>
constexpr int64_t kPanelSums = C::kBlocks * C::kSums * L;

// Whether a sum has a bias of the recurrent product.
template <class C>
constexpr bool has_hidden_bias(int sum) {
    if (C::kOneBias) return false;
    return C::kResetFirst || (sum >= C::kHiddenFirst && sum < C::kHiddenFirst + C::kHidden);
}

// What a step saves: [block][B][kSaved] vectors, or, row by row, [B][block][kSaved].
template <class C>
CAROUSEL_INLINE int64_t saved_per_step(const Problem& p) {
    return Shape<C>(p).blocks * p.B * C::kSaved * L;
}
template <class C>
CAROUSEL_INLINE float* saved_at(float* saved, int64_t step, int64_t block, int64_t position,
                                const Problem& p) {
    const int64_t place =
        C::kSavesByRow ? position * Shape<C>(p).blocks + block : block * p.B + position;
    return saved + step * saved_per_step<C>(p) + place * C::kSaved * L;
}

// Vectors in panel q of an (·, N) matrix cut into panels of kWide columns.
CAROUSEL_INLINE int vectors_in(int64_t q, int64_t N) {
    return static_cast<int>(min(kTileVectors, up(N - q * kWide, L)));
}

// Which rows and which units a thread computes. Row j of its rows stands at position
// first + j * step of the order.
struct Share {
    bool by_units;
    int64_t first, step, rows;
    int64_t thread, threads;

    // A part of n things for this thread, where units are shared; all of them elsewhere.
    int64_t begin(int64_t n) const { return by_units ? n * thread / threads : 0; }
    int64_t end(int64_t n) const { return by_units ? n * (thread + 1) / threads : n; }
    bool mine(int64_t j) const { return !by_units || j % threads == thread; }
    int64_t position(int64_t j) const { return first + j * step; }
};

// Things [first, last).
struct Span {
    int64_t first, last;
};

// Units that a unit reads the states of: all, or those of its head.
template <class C>
CAROUSEL_INLINE int64_t states_read(const Problem& p) {
    return C::kHeads ? p.P / p.heads : p.P;
}

// Units whose heads are those of the units [begin, end), of which the last may not be there: the
// states that those read, and the units that read theirs.
template <class C>
CAROUSEL_INLINE Span heads_of(const Problem& p, int64_t begin, int64_t end) {
    if (!C::kHeads) return {0, p.P};
    const int64_t size = p.H / p.heads;
    return {begin / size * size, up(min(end, p.H), size) * size};
}

// The states that the units of a panel read.
template <class C>
CAROUSEL_INLINE Span read_by_panel(const Problem& p, int64_t panel) {
    return heads_of<C>(p, panel * C::kBlocks * L, (panel + 1) * C::kBlocks * L);
}

template <class C>
CAROUSEL_INLINE int64_t weight_bytes(const Problem& p) {
    return (rounds(p.product) ? 2 : 4) * C::kGates * p.H * (p.I + states_read<C>(p));
}

// Whether the weights are more than a core keeps to itself.
template <class C>
bool exceeds_cache(const Problem& p) {
    return weight_bytes<C>(p) > (3 << 19);
}

template <class C>
bool shared_by_units(const Problem& p, int threads) {
    if (C::kNormalized || threads == 1 || Shape<C>(p).panels < threads) return false;
    const int64_t rows = p.B / threads;
    return rows == 0 || (exceeds_cache<C>(p) && rows < 48);
}

// Whether each weight is read once, by one thread, and for few rows. Then no panel is packed, which takes
// more time than to multiply one row with it: weights are read, and their gradients written, as they stand.
constexpr int64_t kOnceRows = 96, kOnceDeep = 64;  // columns of a panel that are packed together
template <class C>
bool reads_once(const Problem& p, int threads) {
    if (C::kNormalized || C::kResetFirst || C::kHeads) return false;
    return p.T == 1 && p.B <= kOnceRows && !p.w_hr && !p.segment && !rounds(p.product) &&
           (threads == 1 || shared_by_units<C>(p, threads));
}

Share share_rows(const Problem& p, Team team) {
    if (p.order)  // longest first: dealt out like cards, so that all threads get as many steps
        return {false, team.thread, team.threads, up(p.B - team.thread, team.threads), team.thread,
                team.threads};
    const int64_t first = p.B * team.thread / team.threads;
    return {false, first, 1, p.B * (team.thread + 1) / team.threads - first, team.thread,
            team.threads};
}

template <class C>
Share share_of(const Problem& p, Team team) {
    if (shared_by_units<C>(p, team.threads)) return {true, 0, 1, p.B, team.thread, team.threads};
    return share_rows(p, team);
}

CAROUSEL_INLINE int64_t row_at(const Problem& p, int64_t position) {
    return p.order ? p.order[position] : position;
}
CAROUSEL_INLINE int64_t length_at(const Problem& p, int64_t position) {
    return p.lengths ? p.lengths[position] : p.T;
}

}  // namespace
}  // namespace carousel
