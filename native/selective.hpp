// The selective scan (S6): a linear memory of N coefficients for each unit, which fades as the input
// says. Of row x_t,
//
//   Δ = softplus(a), a = W_Δ x + b     n = W_n x, or x itself where there are as many inputs as units
//   B = W_B x, C = W_C x               [N], the same for all units
//   c' = exp(Δ A) c + Δ n B            [N] of each unit, A = -exp(w_hh)
//   h' = Σ C c' + D n
//
// Nothing depends on h. The products of many rows, of any steps, are formed together, with the tile of
// the other cells. Then each row is walked by itself, block after block of L units: a few coefficients at
// a time stand in registers over kSegment steps. The backward pass finds the memory kept at the start of
// each segment, and makes the rest of it again.
//
// w_hh is [H][N], w_ln_ih W_B and w_ln_hh W_C, both [N][I], w_c D. c0 and cn are [B][N][H], so that
// units stand side by side.
#pragma once

#include "scan.hpp"

namespace carousel {
namespace {

constexpr int kSegment = 16;  // steps
constexpr int kGroup = 4;     // coefficients in registers

// Sums in the order a, n; a has a bias.
template <bool kSkipsDirectly>
struct SelectiveCell : SkippingCell<1, kSkipsDirectly> {
    static constexpr int kSaved = 0, kBlocks = kSkipsDirectly ? 4 : 2, kBiased = 1;
};

// Sizes: `units` and `padded` are those of whole vectors; a kept step has Δ, n, B, C.
template <class C>
struct SelectiveShape : Shape<C> {
    int64_t N, units, padded, step;
    explicit SelectiveShape(const Problem& p)
        : Shape<C>(p), N(p.memory), units(this->blocks * L), padded(up(N, L) * L),
          step(2 * (units + padded)) {}
    int64_t kept_row() const { return step + up(up(units * N, kSegment), L) * L; }  // of each step
};

template <class C>
size_t selective_saved_floats(const Problem& p) {
    return static_cast<size_t>(p.T * p.B * SelectiveShape<C>(p).kept_row());
}

// What was saved of one row: its steps, in their order, then its memory before each segment but the first.
template <class C>
struct SavedRow {
    float *steps, *memory;
    int64_t step, segment;
    SavedRow(const Problem& p, const SelectiveShape<C>& shape, int64_t position)
        : steps(p.saved + position * p.T * shape.kept_row()), memory(steps + p.T * shape.step),
          step(shape.step), segment(shape.units * shape.N) {}
    float* at(int64_t s) const { return steps + s * step; }
    float* before(int64_t s) const { return memory + (s / kSegment - 1) * segment; }
};

template <class C>
struct SelectivePacked {
    Packed<C> gates;
    float *decay, *skip;    // [block][N] vectors of A, [block] of D
    float *both, *nothing;  // panels of W_B and W_C side by side, each padded; zeros
    SelectivePacked(const Problem& p, Arena& arena) : gates(p, arena) {
        const SelectiveShape<C> shape(p);
        decay = arena.floats(shape.units * shape.N), skip = arena.floats(shape.units);
        both = arena.floats(p.I * 2 * shape.padded), nothing = arena.floats(kWide);
    }
};

template <class C>
size_t selective_packed_floats(const Problem& p) {
    Arena arena{nullptr};
    SelectivePacked<C> packed(p, arena);
    return arena.used;
}

// A and D of a block of units; zero where there is no unit.
template <class C>
void fill_decay(const Problem& p, const SelectiveShape<C>& shape, int64_t block, float* decay) {
    for (int64_t n = 0; n < shape.N; ++n)
        for (int64_t lane = 0; lane < L; ++lane) {
            const int64_t u = block * L + lane;
            decay[(block * shape.N + n) * L + lane] =
                u < p.H ? -__builtin_expf(p.w_hh[u * shape.N + n]) : 0.0f;
        }
}

template <class C>
void selective_pack(const Problem& p, float* memory, Team team) {
    pack<C>(p, memory, team);
    Arena arena{memory};
    const SelectivePacked<C> packed(p, arena);
    const SelectiveShape<C> shape(p);
    for (int64_t block = team.thread; block < shape.blocks; block += team.threads) {
        fill_decay<C>(p, shape, block, packed.decay);
        store(packed.skip + block * L, load_first(p.w_c + block * L, shape.units_in(block)));
    }
    const int64_t columns = 2 * shape.padded;
    for (int64_t q = team.thread; q < up(columns, kWide); q += team.threads) {
        const int64_t width = vectors_in(q, columns) * L;
        float* to = packed.both + q * kWide * p.I;
        for (int64_t k = 0; k < p.I; ++k)
            for (int64_t i = 0; i < width; ++i) {
                const int64_t column = q * kWide + i, n = column % shape.padded;
                const float* w = column < shape.padded ? p.w_ln_ih : p.w_ln_hh;
                to[k * width + i] = n < shape.N ? w[n * p.I + k] : 0.0f;
            }
    }
    if (team.thread == 0) zero(packed.nothing, kWide);
}

// log(1 + exp(a)): with s = e / (2 + e), log(1 + e) is 2 artanh(s), whose series is short as s <= 1/3.
CAROUSEL_INLINE Vec softplus(Vec a) {
    const Vec e = falling(a), s = e / (e + 2.0f), z = s * s;
    Vec sum = splat(1.0f / 15);
    sum = fma(sum, z, splat(1.0f / 13)), sum = fma(sum, z, splat(1.0f / 11));
    sum = fma(sum, z, splat(1.0f / 9)), sum = fma(sum, z, splat(1.0f / 7));
    sum = fma(sum, z, splat(1.0f / 5)), sum = fma(sum, z, splat(1.0f / 3));
    sum = fma(sum, z, splat(1.0f));
    return fma(s + s, sum, a < splat(0.0f) ? Vec{} : a);
}

// exp(x), x <= 0.
CAROUSEL_INLINE Vec faded(Vec x) { return exponential(clamp(x, -80.0f, 0.0f), kPerLn2).value(); }

constexpr int64_t kSelectiveChunk = 16 * kTileRows;  // rows whose products are formed together

template <class C>
size_t selective_forward_floats(const Problem& p, int threads) {
    return static_cast<size_t>(p.saved ? 0 : threads * kSelectiveChunk * SelectiveShape<C>(p).step);
}

template <class C, bool kSave>
struct SelectiveForward {
    static constexpr int64_t kChunk = kSelectiveChunk;
    // Steps s of one row, from entry `first` of the chunk on; t of the first, and from step to step.
    struct Run {
        int64_t position, s, first, count;
    };

    const Problem& p;
    const SelectivePacked<C>& packed;
    const SelectiveShape<C> shape;
    const Share share;
    float* work;
    int64_t k = 0, runs_there = 0;
    const float* x[kChunk];
    float* kept[kChunk];
    Run runs[kChunk];

    SelectiveForward(const Problem& problem, const SelectivePacked<C>& weights, float* memory, Team team)
        : p(problem), packed(weights), shape(problem), share(share_rows(problem, team)),
          work(memory + (kSave ? 0 : team.thread * kChunk * shape.step)) {}

    int64_t time(int64_t position, int64_t s) const {
        return p.reverse ? length_at(p, position) - 1 - s : s;
    }

    void add_row(int64_t position) {
        const int64_t row = row_at(p, position), length = length_at(p, position);
        for (int64_t s = 0; s < length;) {
            const int64_t count = min(min(length - s, kSegment - s % kSegment), kChunk - k);
            runs[runs_there++] = {position, s, k, count};
            for (int64_t end = s + count; s < end; ++s, ++k) {
                x[k] = at(p.x, time(position, s), row);
                kept[k] = kSave ? SavedRow<C>(p, shape, position).at(s) : work + k * shape.step;
            }
            if (k == kChunk) flush();
        }
    }

    void flush() {
        alignas(64) float sums[kMostRows * kTileVectors * L];
        const InputProduct<C> product{p, packed.gates, shape};
        each_tile(
            shape, share, k,
            [&](int64_t panel) {
                product.of_row(panel, x[0], sums);
                for (int i = 0; i < kRowPanels; ++i) take(panel + i, 0, sums + i * kPanelSums<C>);
            },
            [&](int64_t panel, int64_t j, int rows) {
                product.of_rows(panel, x + j, rows, sums);
                for (int m = 0; m < rows; ++m) take(panel, j + m, sums + m * kPanelSums<C>);
            });
        multiply_both(sums);
        for (int64_t r = 0; r < runs_there; ++r)
            for (int64_t block = 0; block < shape.blocks; ++block) walk(runs[r], block);
        k = runs_there = 0;
    }

    // Δ and n of the units of a panel.
    CAROUSEL_INLINE void take(int64_t panel, int64_t j, const float* sums) const {
        for (int b = 0; b < shape.blocks_in(panel); ++b) {
            const int64_t u = (panel * C::kBlocks + b) * L;
            const float* own = sums + b * C::kSums * L;
            store(kept[j] + u, softplus(load(own)));
            store(kept[j] + shape.units + u,
                  C::kDirect ? load_first(x[j] + u, static_cast<int>(min(L, p.H - u))) : load(own + L));
        }
    }

    // B and C.
    void multiply_both(float* sums) const {
        const int64_t columns = 2 * shape.padded;
        for (int64_t q = 0; q < up(columns, kWide); ++q) {
            const int vectors = vectors_in(q, columns);
            const Tiles tiles(k, vectors);
            for (int64_t i = 0; i < tiles.count; ++i) {
                const int64_t j = tiles.start(i);
                const int rows = tiles.rows(i);
                tile_for(p.product, rows, vectors)(x + j, 1, packed.both + q * kWide * p.I,
                                                   vectors * L, p.I, packed.nothing, 0, sums,
                                                   kTileVectors * L);
                for (int m = 0; m < rows; ++m)
                    copy(kept[j + m] + 2 * shape.units + q * kWide, sums + m * kTileVectors * L,
                         vectors * L);
            }
        }
    }

    // The memory of a row's block of units before a run: [N], `stride` floats apart; null: zeros.
    const float* memory_before(const Run& run, int64_t u) const {
        const int64_t row = row_at(p, run.position) * shape.N * p.H;
        if (run.s > 0) return p.cn + row + u;
        return p.c0 ? p.c0 + row + u : nullptr;
    }

    CAROUSEL_INLINE void walk(const Run& run, int64_t block) const {
        const int64_t u = block * L, row = row_at(p, run.position);
        const int count = shape.units_in(block);
        alignas(64) float written[kSegment * L], given[kSegment * L];
        const Vec skip = load(packed.skip + u);
        for (int64_t j = 0; j < run.count; ++j) {
            const Vec n = load(kept[run.first + j] + shape.units + u);
            store(written + j * L, load(kept[run.first + j] + u) * n), store(given + j * L, skip * n);
        }
        int64_t n = 0;
        for (; n + kGroup <= shape.N; n += kGroup) group<kGroup>(run, block, n, written, given);
        for (; n < shape.N; ++n) group<1>(run, block, n, written, given);
        for (int64_t j = 0; j < run.count; ++j)
            store_first(at(p.y, time(run.position, run.s + j), row) + u, load(given + j * L), count);
    }

    template <int kOf>
    CAROUSEL_INLINE void group(const Run& run, int64_t block, int64_t n, const float* written,
                               float* given) const {
        const int64_t u = block * L;
        const int count = shape.units_in(block);
        const float* before = memory_before(run, u);
        float* after = p.cn + row_at(p, run.position) * shape.N * p.H + u;
        Vec decay[kOf], c[kOf];
        for (int i = 0; i < kOf; ++i) {
            decay[i] = load(packed.decay + (block * shape.N + n + i) * L);
            c[i] = before ? load_first(before + (n + i) * p.H, count) : Vec{};
        }
        if (kSave && run.s > 0 && run.s % kSegment == 0) {
            float* to = SavedRow<C>(p, shape, run.position).before(run.s);
            for (int i = 0; i < kOf; ++i) store(to + (block * shape.N + n + i) * L, c[i]);
        }
        for (int64_t j = 0; j < run.count; ++j) {
            const float* step = kept[run.first + j];
            const Vec delta = load(step + u), w = load(written + j * L);
            const float *b = step + 2 * shape.units + n, *out = b + shape.padded;
            Vec y = load(given + j * L);
            for (int i = 0; i < kOf; ++i) {
                c[i] = fma(faded(delta * decay[i]), c[i], w * splat(b[i]));
                y = fma(splat(out[i]), c[i], y);
            }
            store(given + j * L, y);
        }
        for (int i = 0; i < kOf; ++i) store_first(after + (n + i) * p.H, c[i], count);
    }
};

// Of a row without steps: what was before it.
inline void keep_memory(float* to, const float* from, int64_t n) {
    if (from == nullptr)
        zero(to, n);
    else if (from != to)
        copy(to, from, n);
}

template <class C, bool kSave>
void run_selective_forward(const Problem& p, const float* memory, float* work, Team team) {
    Arena arena{const_cast<float*>(memory)};
    const SelectivePacked<C> packed(p, arena);
    SelectiveForward<C, kSave> scan(p, packed, work, team);
    const Share& share = scan.share;
    for (int64_t j = 0; j < share.rows; ++j) scan.add_row(share.position(j));
    scan.flush();
    const int64_t floats = scan.shape.N * p.H;
    for (int64_t j = 0; j < share.rows; ++j) {
        const int64_t position = share.position(j), row = row_at(p, position);
        const int64_t length = length_at(p, position);
        write_last_state(p, position, 0, p.H);
        if (length == 0)
            keep_memory(p.cn + row * floats, p.c0 ? p.c0 + row * floats : nullptr, floats);
        for (int64_t t = length; p.padded && t < p.T; ++t) zero(at(p.y, t, row), p.H);
    }
}

template <class C>
void selective_forward(const Problem& p, const float* packed, float* work, Team team) {
    if (p.saved)
        run_selective_forward<C, true>(p, packed, work, team);
    else
        run_selective_forward<C, false>(p, packed, work, team);
}

}  // namespace
}  // namespace carousel
