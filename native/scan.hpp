// Cells whose units do not see each other: what a unit was goes into what it becomes, and nothing
// else does. There is no recurrent product, so the input products of all steps can be formed
// together, many rows of any steps at once, and the loop over time is pointwise.
//
// The forward pass forms the products itself, with the tile of the other cells, so that a row's
// bits depend on the row alone. The backward pass leaves the gradients of the sums in memory: the
// products with them are plain matrix products, and whoever called makes them.
//
// Threads share the units where those divide evenly, else the rows; none ever waits for another.
#pragma once

#include "pack.hpp"

namespace carousel {
namespace {

// exp(-|x|)
CAROUSEL_INLINE Vec falling(Vec x) {
    return exponential(clamp(magnitude(x), 0.0f, 80.0f), -kPerLn2).value();
}

// The candidate's g(x): x + 1/2 from zero on, σ(x) below. Its value tells its slope, so what is
// below zero stays below a half, however close to zero it is.
template <bool kPositive>
CAROUSEL_INLINE Vec candidate(Vec a) {
    if (!kPositive) return a;
    const Vec below = sigmoid(a), most = splat(0x1.fffffep-2f);
    return a < splat(0.0f) ? (below > most ? most : below) : a + 0.5f;
}
template <bool kPositive>
CAROUSEL_INLINE Vec candidate_slope(Vec g) {
    const Vec one = splat(1.0f);
    if (!kPositive) return one;
    return g >= splat(0.5f) ? one : g * (one - g);
}

// z = σ(a_z), g = g(a_h), h' = (1 - z) h + z g. Sums in the order z, h.
template <bool kPositive>
struct MinGruCell {
    static constexpr int kGates = 2, kSums = 2, kSaved = 2, kBlocks = 2;
    static constexpr bool kWeighted = false;
    static constexpr int gate_of_sum(int sum) { return sum; }

    template <bool kSave>
    static CAROUSEL_INLINE Vec forward(const float* sums, Vec h, Vec, float* saved) {
        const Vec z = sigmoid(load(sums)), g = candidate<kPositive>(load(sums + L));
        if (kSave) store(saved, z), store(saved + L, g);
        return fma(z, g, (splat(1.0f) - z) * h);
    }

    static CAROUSEL_INLINE Vec backward(const float* saved, Vec, Vec h_before, Vec, Vec dh,
                                        Vec* d) {
        const Vec z = load(saved), g = load(saved + L), one = splat(1.0f);
        d[0] = dh * (g - h_before) * (z * (one - z));
        d[1] = dh * z * candidate_slope<kPositive>(g);
        return dh * (one - z);
    }
};

// f = σ(a_f), i = σ(a_i), g = g(a_h), h' = (f h + i g) / (f + i). Sums in the order f, i, h.
//
// The ratio r = i / f alone decides the mixture. With m(x) = min(x, 0),
//   r = exp(m(a_i) - m(a_f)) (1 + exp(-|a_f|)) / (1 + exp(-|a_i|)),
// which holds where both gates underflow, too.
template <bool kPositive>
struct MinLstmCell {
    static constexpr int kGates = 3, kSums = 3, kSaved = 4, kBlocks = 1;
    static constexpr bool kWeighted = false;
    static constexpr int gate_of_sum(int sum) { return sum; }

    template <bool kSave>
    static CAROUSEL_INLINE Vec forward(const float* sums, Vec h, Vec, float* saved) {
        const Vec a_f = load(sums), a_i = load(sums + L), zero = splat(0.0f), one = splat(1.0f);
        const Vec g = candidate<kPositive>(load(sums + 2 * L));
        const Vec low = (a_i < zero ? a_i : zero) - (a_f < zero ? a_f : zero);
        const Vec e_f = falling(a_f), e_i = falling(a_i);
        const Vec r = exponential(clamp(low, -80.0f, 80.0f), kPerLn2).value() *
                      ((one + e_f) / (one + e_i));
        if (kSave) {
            store(saved, r), store(saved + 3 * L, g);
            store(saved + L, (a_f < zero ? one : e_f) / (one + e_f));      // 1 - f
            store(saved + 2 * L, (a_i < zero ? one : e_i) / (one + e_i));  // 1 - i
        }
        const Vec f = one / (one + r);
        return fma(r * f, g, f * h);  // not (h + r g) / (1 + r): r g may overflow
    }

    static CAROUSEL_INLINE Vec backward(const float* saved, Vec, Vec h_before, Vec, Vec dh,
                                        Vec* d) {
        const Vec r = load(saved), g = load(saved + 3 * L);
        const Vec f = splat(1.0f) / (splat(1.0f) + r), i = r * f;
        const Vec mixed = dh * (h_before - g) * (f * i);
        d[0] = mixed * load(saved + L);
        d[1] = -mixed * load(saved + 2 * L);
        d[2] = dh * i * candidate_slope<kPositive>(g);
        return dh * f;
    }
};

// h' = φ(a + u h), φ = tanh or relu, u one weight per unit. The derivative follows from h'.
template <bool kRelu>
struct IndRnnCell {
    static constexpr int kGates = 1, kSums = 1, kSaved = 0, kBlocks = 4;
    static constexpr bool kWeighted = true;
    static constexpr int gate_of_sum(int) { return 0; }

    template <bool kSave>
    static CAROUSEL_INLINE Vec forward(const float* sums, Vec h, Vec u, float*) {
        const Vec a = fma(u, h, load(sums));
        return kRelu ? relu(a) : tanh(a);
    }

    static CAROUSEL_INLINE Vec backward(const float*, Vec h, Vec, Vec u, Vec dh, Vec* d) {
        if (kRelu)
            d[0] = h <= splat(0.0f) ? splat(0.0f) : dh;  // dh where h is NaN, as torch
        else
            d[0] = dh * (splat(1.0f) - h * h);
        return d[0] * u;
    }
};

template <class C>
Share scan_share(const Problem& p, Team team) {
    const int64_t panels = Shape<C>(p).panels;
    if (panels % team.threads == 0 || panels >= 4 * team.threads || p.B < team.threads)
        return {true, 0, 1, p.B, team.thread, team.threads};
    return share_rows(p, team);
}

// Weights in the order of the products, and the biases of the sums.
template <class C>
struct ScanPacked {
    float *input, *bias;
    ScanPacked(const Problem& p, Arena& arena) {
        const int64_t units = Shape<C>(p).blocks * L;
        input = arena.floats(p.I * units * C::kSums);
        bias = arena.floats(units * C::kSums);
    }
};

template <class C>
size_t scan_packed_floats(const Problem& p) {
    Arena arena{nullptr};
    const ScanPacked<C> packed(p, arena);
    return arena.used;
}

template <class C>
void scan_pack(const Problem& p, float* memory, Team team) {
    Arena arena{memory};
    const ScanPacked<C> packed(p, arena);
    const Shape<C> shape(p);
    for (int64_t panel = team.thread; panel < shape.panels; panel += team.threads)
        pack_panel(shape, panel, p.w_ih, 0, C::kSums, p.I,
                   packed.input + panel * C::kBlocks * L * C::kSums * p.I);
    for (int64_t block = team.thread; block < shape.blocks; block += team.threads)
        for (int sum = 0; sum < C::kSums; ++sum) {
            float* to = packed.bias + (block * C::kSums + sum) * L;
            const int64_t count = shape.units_in(block);
            zero(to, L);
            if (p.b_ih) copy(to, p.b_ih + C::gate_of_sum(sum) * p.H + block * L, count);
        }
}

// What a step saves: [B][block][kSaved] vectors.
template <class C>
CAROUSEL_INLINE float* scan_saved_at(const Problem& p, int64_t t, int64_t position) {
    return p.saved + (t * p.B + position) * Shape<C>(p).blocks * C::kSaved * L;
}

template <class C>
size_t scan_saved_floats(const Problem& p) {
    return static_cast<size_t>(p.T * p.B * Shape<C>(p).blocks * C::kSaved * L);
}

template <class C>
size_t scan_forward_floats(const Problem&, int) {
    return 0;
}

// Rows are collected in the order of time until they fill a chunk; then their products are formed
// and their units stepped, panel by panel.
template <class C, bool kSave>
struct ScanForward {
    static constexpr int kChunk = 16 * kTileRows;
    static constexpr int kRowPanels = kTileRows >= 6 ? 4 : 3;
    static constexpr int64_t kStep = C::kBlocks * C::kSums * L;  // sums of a row in a panel

    const Problem& p;
    const ScanPacked<C> packed;
    const Shape<C> shape;
    const Share share;
    int64_t k = 0;
    const float *x[kChunk], *h[kChunk];  // h: null for zeros
    float *y[kChunk], *saved[kChunk];

    ScanForward(const Problem& problem, const ScanPacked<C>& weights, Team team)
        : p(problem), packed(weights), shape(problem), share(scan_share<C>(problem, team)) {}

    void add(int64_t t, int64_t position, const float* before) {
        const int64_t row = row_at(p, position);
        x[k] = at(p.x, t, row), y[k] = at(p.y, t, row), h[k] = before;
        if (kSave) saved[k] = scan_saved_at<C>(p, t, position);
        if (++k == kChunk) flush();
    }

    void flush() {
        alignas(64) float sums[kMostRows * kTileVectors * L];
        const int64_t end = share.end(shape.panels);
        int64_t panel = share.begin(shape.panels);
        if (k == 1)  // alone, a row has too few sums in flight in one panel
            for (; panel + kRowPanels <= min(end, shape.blocks / C::kBlocks); panel += kRowPanels) {
                constexpr int nx = C::kBlocks * C::kSums;
                tile_row<nx, kRowPanels>(x[0], weights(panel), kStep, kStep * p.I, p.I,
                                         packed.bias + panel * kStep, kStep, sums, kStep);
                for (int i = 0; i < kRowPanels; ++i) pointwise(panel + i, 0, sums + i * kStep);
            }
        for (; k > 0 && panel < end; ++panel) {
            const int nx = shape.blocks_in(panel) * C::kSums;
            const Tiles tiles(k, nx);
            for (int64_t i = 0; i < tiles.count; ++i) {
                const int64_t j = tiles.start(i);
                const int rows = tiles.rows(i);
                tile_for(rows, nx)(x + j, 1, weights(panel), nx * L, p.I,
                                   packed.bias + panel * kStep, 0, sums, kStep);
                for (int m = 0; m < rows; ++m) pointwise(panel, j + m, sums + m * kStep);
            }
        }
        k = 0;
    }

    const float* weights(int64_t panel) const { return packed.input + panel * kStep * p.I; }

    CAROUSEL_INLINE void pointwise(int64_t panel, int64_t j, const float* sums) const {
        for (int b = 0; b < shape.blocks_in(panel); ++b) {
            const int64_t block = panel * C::kBlocks + b, u = block * L;
            const int count = shape.units_in(block);
            const Vec before = h[j] ? load_first(h[j] + u, count) : Vec{};
            const Vec weight = C::kWeighted ? load_first(p.w_hh + u, count) : Vec{};
            float* kept = kSave ? saved[j] + block * C::kSaved * L : nullptr;
            store_first(y[j] + u, C::template forward<kSave>(sums + b * C::kSums * L, before,
                                                             weight, kept), count);
        }
    }
};

// The units of this thread: [first, last).
struct Units {
    int64_t first, last;
    template <class C>
    Units(const Shape<C>& shape, const Share& share)
        : first(min(share.begin(shape.panels) * C::kBlocks * L, shape.H)),
          last(min(share.end(shape.panels) * C::kBlocks * L, shape.H)) {}
};

template <class C, bool kSave>
void run_scan_forward(const Problem& p, const float* packed_memory, Team team) {
    Arena arena{const_cast<float*>(packed_memory)};
    const ScanPacked<C> packed(p, arena);
    ScanForward<C, kSave> scan(p, packed, team);
    const Share& share = scan.share;
    const Units units(scan.shape, share);

    int64_t n = 0, t_before = 0;
    for (int64_t s = 0; s < p.T; ++s) {
        const int64_t t = p.reverse ? p.T - 1 - s : s;
        const int64_t started = n;  // rows from here on have no step before this one
        n = rows_longer_than(p, share, t, n);
        for (int64_t j = 0; j < n; ++j) {
            const int64_t position = share.position(j), row = row_at(p, position);
            scan.add(t, position, j < started ? at(p.y, t_before, row)
                                  : p.h0      ? p.h0 + row * p.H
                                              : nullptr);
        }
        if (p.padded)
            for (int64_t j = n; j < share.rows; ++j)
                zero(at(p.y, t, row_at(p, share.position(j))) + units.first,
                     units.last - units.first);
        t_before = t;
    }
    scan.flush();
    for (int64_t j = 0; j < share.rows; ++j) {
        const int64_t position = share.position(j), row = row_at(p, position);
        const int64_t length = length_at(p, position);
        const float* from = length > 0 ? at(p.y, p.reverse ? 0 : length - 1, row)
                            : p.h0     ? p.h0 + row * p.H
                                       : nullptr;
        float* to = p.hn + row * p.H;
        if (from == nullptr)
            zero(to + units.first, units.last - units.first);
        else if (from != to)
            copy(to + units.first, from + units.first, units.last - units.first);
    }
}

template <class C>
void scan_forward(const Problem& p, const float* packed, float*, Team team) {
    if (p.saved)
        run_scan_forward<C, true>(p, packed, team);
    else
        run_scan_forward<C, false>(p, packed, team);
}

template <class C>
struct ScanBackward {
    const Problem& p;
    const Shape<C> shape;
    float *dh, *dw;   // [B][units]; [thread][2 units]: of a block of rows, of the blocks before it
    int64_t units;

    ScanBackward(const Problem& problem, int threads, Arena& arena)
        : p(problem), shape(problem), units(shape.blocks * L) {
        dh = arena.floats(p.B * units);
        dw = C::kWeighted ? arena.floats(threads * 2 * units) : nullptr;
    }

    const float* state_before(int64_t t, int64_t row, bool first) const {
        if (!first) return at(p.y, p.reverse ? t + 1 : t - 1, row);
        return p.h0 ? p.h0 + row * p.H : nullptr;
    }

    // One row of a step, blocks [first, last).
    void step(int64_t t, int64_t position, bool starts, int64_t first, int64_t last,
              float* dw) const {
        const int64_t row = row_at(p, position);
        const float* before = state_before(t, row, starts);
        const float* after = at(p.y, t, row);
        const float* dy = p.dy.data ? at(p.dy, t, row) : nullptr;
        const float* saved = scan_saved_at<C>(p, t, position);
        float* da = at(p.da, t, row);
        for (int64_t block = first; block < last; ++block) {
            const int64_t u = block * L;
            const int count = shape.units_in(block);
            float* dh_memory = dh + position * units + u;
            const Vec h_before = before ? load_first(before + u, count) : Vec{};
            const Vec h = C::kSaved == 0 ? load_first(after + u, count) : Vec{};
            const Vec weight = C::kWeighted ? load_first(p.w_hh + u, count) : Vec{};
            Vec dh = load(dh_memory), d[C::kSums];
            if (dy) dh += load_first(dy + u, count);
            dh = C::backward(saved + block * C::kSaved * L, h, h_before, weight, dh, d);
            store(dh_memory, dh);
            if (C::kWeighted) store(dw + u, fma(d[0], h_before, load(dw + u)));
            for (int s = 0; s < C::kSums; ++s)
                store_first(da + C::gate_of_sum(s) * p.H + u, d[s], count);
        }
    }
};

template <class C>
size_t scan_backward_floats(const Problem& p, int threads) {
    Arena arena{nullptr};
    const ScanBackward<C> work(p, threads, arena);
    return arena.used;
}

template <class C>
void scan_backward(const Problem& p, float* memory, Team team) {
    Arena arena{memory};
    const ScanBackward<C> scan(p, team.threads, arena);
    const Share share = scan_share<C>(p, team);
    const Units mine(scan.shape, share);
    const int64_t first = mine.first / L, last = up(mine.last, L);
    float* dw = C::kWeighted ? scan.dw + team.thread * 2 * scan.units : nullptr;
    float* total = C::kWeighted ? dw + scan.units : nullptr;
    if (C::kWeighted) zero(dw, 2 * scan.units);
    const int64_t most = share.rows * p.T > kLongSum ? kBlockRows : share.rows * p.T;
    int64_t summed = 0;
    for (int64_t j = 0; j < share.rows; ++j) {
        const int64_t position = share.position(j);
        float* dh = scan.dh + position * scan.units;
        zero(dh + first * L, (last - first) * L);
        if (p.dhn)
            copy(dh + mine.first, p.dhn + row_at(p, position) * p.H + mine.first,
                 mine.last - mine.first);
    }
    int64_t n = 0;
    for (int64_t s = p.T - 1; s >= 0; --s) {
        const int64_t t = p.reverse ? p.T - 1 - s : s;
        n = rows_longer_than(p, share, t, n);
        const int64_t later = s == 0      ? 0
                              : p.reverse ? rows_longer_than(p, share, t + 1, n)
                                          : n;
        for (int64_t j = 0; j < n; ++j) {
            if (C::kWeighted && summed == most) {
                add(total, dw, scan.units), zero(dw, scan.units);
                summed = 0;
            }
            scan.step(t, share.position(j), j >= later, first, last, dw);
            ++summed;
        }
    }
    if (C::kWeighted) add(dw, total, scan.units);
    for (int64_t j = 0; j < share.rows; ++j) {
        const int64_t position = share.position(j);
        copy(p.dh0 + row_at(p, position) * p.H + mine.first,
             scan.dh + position * scan.units + mine.first, mine.last - mine.first);
    }
    if (!C::kWeighted) return;
    if (share.by_units) return copy(p.dw_hh + mine.first, dw + mine.first, mine.last - mine.first);
    wait(team.barrier, team.threads);
    if (team.thread > 0) return;
    copy(p.dw_hh, dw, p.H);
    for (int thread = 1; thread < team.threads; ++thread)
        for (int64_t u = 0; u < p.H; ++u) p.dw_hh[u] += scan.dw[thread * 2 * scan.units + u];
}

}  // namespace
}  // namespace carousel
