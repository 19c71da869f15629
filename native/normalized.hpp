// Layer normalisation inside the cells with options (Ba et al. 2016): of the products, before the
// pointwise function, and of the LSTM's cell state on its way out.
//
//   LN(a; γ) = γ (a - mean) / sqrt(variance + 1e-5), over one row of a group of sums:
//   LSTM   W_ih x | W_hh h, each over all gates; and h' = o φ(LN(c'; γ_c) + β_c)
//   GRU    r and z of W_ih x | its n | r and z of W_hh h | its n
//   RNN    W_ih x + W_hh h
//
// Biases come after it. A row's statistics need all its units, so threads share rows, never units.
// The products before normalisation are saved: the statistics of the backward pass come from them.
#pragma once

#include "pack.hpp"

namespace carousel {
namespace {

template <class V>
struct Normalized : V {
    using Variant = V;
    static constexpr bool kTwoSides = V::kGates > 1;  // normalises each product by itself
    static constexpr int kRaw = kTwoSides ? V::kInput + V::kHidden : V::kSums;
    static constexpr int kGroups = !kTwoSides ? 1 : V::kHasCellState ? 2 : 4;
    static constexpr int kOwn = V::kHasCellState ? 1 : 0;       // h before a projection
    static constexpr int kSaved = kRaw + kOwn + V::kSaved;      // the products come first
    static constexpr int kNormal = kRaw + 2 * kOwn;             // gains; γ_c and β_c
    static constexpr int kExtra = V::kExtra + kNormal;
    static constexpr int kRowsAtOnce = 4 * kTileRows;  // whose products stay in the cache

    // Of product k, those with the input first: its group, and the sum that it goes into.
    static constexpr int group_of(int k) {
        if (!kTwoSides) return 0;
        if (V::kHasCellState) return k < V::kInput ? 0 : 1;
        return k == 0 ? 0 : k < V::kInput ? 1 : k < V::kInput + 2 ? 2 : 3;
    }
    static constexpr int sum_of(int k) {
        return k < V::kInput ? V::kInputFirst + k : V::kHiddenFirst + k - V::kInput;
    }
    static constexpr int products_in(int group) {
        int count = 0;
        for (int k = 0; k < kRaw; ++k) count += group_of(k) == group ? 1 : 0;
        return count;
    }
    static const float* gain(const Problem& p, int k) {
        const float* gains = kTwoSides && k < V::kInput ? p.w_ln_ih : p.w_ln_hh;
        return gains + V::gate_of_sum(sum_of(k)) * p.H;
    }
    static float* gain_gradient(const Problem& p, int k) {
        float* gains = kTwoSides && k < V::kInput ? p.dw_ln_ih : p.dw_ln_hh;
        return gains + V::gate_of_sum(sum_of(k)) * p.H;
    }

    // Floats of a thread's buffers: the products of the rows at once, c', o, zeros; a row's
    // gradients, and of the LSTM c' and its own.
    static int64_t forward_buffer(int64_t units) {
        return kRowsAtOnce * units * (V::kInput + V::kHidden) + 2 * units + kWide;
    }
    static int64_t backward_buffer(int64_t units) { return units * (kRaw + 3); }
};

template <class V>
constexpr bool kNormalized<Normalized<V>> = true;

CAROUSEL_INLINE float total(Vec v) {
    float sum = 0.0f;
    for (int i = 0; i < L; ++i) sum += v[i];
    return sum;
}
CAROUSEL_INLINE Vec only(Vec v, int count) { return count < L ? keep_first(v, count) : v; }

struct Moments {
    float mean, scale;
    CAROUSEL_INLINE Vec apply(Vec x) const { return (x - mean) * scale; }
};
CAROUSEL_INLINE float scale_of(float squares, float n) {
    return 1.0f / __builtin_sqrtf(squares / n + 1e-5f);
}

// A row's products, each unit's side by side.
template <class C>
struct Products {
    const float *input, *hidden;
    int64_t input_step, hidden_step;  // from block to block
    CAROUSEL_INLINE Vec at(int64_t block, int k) const {
        return k < C::kInput || !C::kTwoSides
                   ? load(input + block * input_step + k * L)
                   : load(hidden + block * hidden_step + (k - C::kInput) * L);
    }
};

template <class C>
CAROUSEL_INLINE void find_moments(const Shape<C>& shape, const Products<C>& products,
                                  Moments* moments) {
    Vec sum[C::kGroups] = {}, squares[C::kGroups] = {};
    for (int64_t block = 0; block < shape.blocks; ++block)
#pragma GCC unroll 8
        for (int k = 0; k < C::kRaw; ++k)
            sum[C::group_of(k)] += only(products.at(block, k), shape.units_in(block));
    for (int g = 0; g < C::kGroups; ++g)
        moments[g].mean = total(sum[g]) / static_cast<float>(C::products_in(g) * shape.H);
    for (int64_t block = 0; block < shape.blocks; ++block)
#pragma GCC unroll 8
        for (int k = 0; k < C::kRaw; ++k) {
            const int g = C::group_of(k);
            const Vec d = only(products.at(block, k) - moments[g].mean, shape.units_in(block));
            squares[g] = fma(d, d, squares[g]);
        }
    for (int g = 0; g < C::kGroups; ++g)
        moments[g].scale =
            scale_of(total(squares[g]), static_cast<float>(C::products_in(g) * shape.H));
}

template <class C>
CAROUSEL_INLINE Moments moments_of_row(const Shape<C>& shape, const float* row) {
    Vec sum{}, squares{};
    for (int64_t block = 0; block < shape.blocks; ++block)
        sum += only(load(row + block * L), shape.units_in(block));
    Moments moments{total(sum) / static_cast<float>(shape.H), 0.0f};
    for (int64_t block = 0; block < shape.blocks; ++block) {
        const Vec d = only(load(row + block * L) - moments.mean, shape.units_in(block));
        squares = fma(d, d, squares);
    }
    moments.scale = scale_of(total(squares), static_cast<float>(shape.H));
    return moments;
}

// ---- forward

template <class F, class C>
struct NormalizedForward {
    const F& f;
    const Problem& p = f.p;
    const Shape<C>& shape = f.shape;
    const int64_t units = shape.blocks * L;
    float* const input = f.work.normal;
    float* const hidden = input + C::kRowsAtOnce * units * C::kInput;
    float* const cell = hidden + C::kRowsAtOnce * units * C::kHidden;
    float* const open = cell + units;
    float* const zeros = open + units;

    // The products of rows [first, first + n) of the step, n <= kRowsAtOnce.
    void products(int64_t first, int64_t n) const {
        constexpr int nx = C::kBlocks * C::kInput, nh = C::kBlocks * C::kHidden;
        int64_t panel = 0;
        if (n == 1)
            for (; panel + F::kRowPanels <= shape.blocks / C::kBlocks; panel += F::kRowPanels)
                products_of_row(panel, first);
        for (; panel < shape.panels; ++panel) {
            const int blocks = shape.blocks_in(panel);
            const Tiles tiles(n, f.vectors_of(panel));
            for (int64_t i = 0; i < tiles.count; ++i) {
                const int64_t j = tiles.start(i);
                const int rows = tiles.rows(i);
                float* x = input + j * units * C::kInput + panel * nx * L;
                float* h = hidden + j * units * C::kHidden + panel * nh * L;
                tile_for(rows, blocks * C::kInput)(
                    f.work.x + first + j, 1, f.packed.input_panel(p, panel), blocks * C::kInput * L,
                    p.I, zeros, 0, x, units * C::kInput);
                tile_for(rows, blocks * C::kHidden)(
                    f.work.factor + first + j, 1, f.packed.hidden_panel(p, panel),
                    blocks * C::kHidden * L, p.P, C::kTwoSides ? zeros : x,
                    C::kTwoSides ? 0 : units * C::kInput, C::kTwoSides ? h : x,
                    units * C::kHidden);
            }
        }
    }

    void products_of_row(int64_t panel, int64_t j) const {
        constexpr int nx = C::kBlocks * C::kInput, nh = C::kBlocks * C::kHidden;
        float *x = input + panel * nx * L, *h = hidden + panel * nh * L;
        tile_row<nx, F::kRowPanels>(f.work.x[j], f.packed.input_panel(p, panel), nx * L,
                                    nx * L * p.I, p.I, zeros, 0, x, nx * L);
        tile_row<nh, F::kRowPanels>(f.work.factor[j], f.packed.hidden_panel(p, panel), nh * L,
                                    nh * L * p.P, p.P, C::kTwoSides ? zeros : x,
                                    C::kTwoSides ? 0 : nx * L, C::kTwoSides ? h : x, nh * L);
    }

    Site site(int64_t j, int64_t block) const {
        return {p, block * L, shape.units_in(block), f.work.keys[j]};
    }

    float* kept_of(int64_t t, int64_t block, int64_t position) const {
        return F::kSaves ? saved_at<C>(f.saved, t - f.saved_from, block, position, p) : nullptr;
    }

    // Row j of the step, whose products are those of the buffers' row m.
    void row(int64_t t, int64_t j, int64_t m) const {
        const int64_t position = f.share.position(j);
        const Products<C> products{input + m * units * C::kInput, hidden + m * units * C::kHidden,
                                   C::kInput * L, C::kHidden * L};
        Moments moments[C::kGroups];
        find_moments(shape, products, moments);
        for (int64_t block = 0; block < shape.blocks; ++block) {
            const int count = shape.units_in(block);
            const float* bias = f.packed.bias + block * C::kSums * L;
            float* kept = kept_of(t, block, position);
            float* column = f.work.cell + position * units + block * L;
            alignas(64) float sums[C::kSums * L];
            Vec sum[C::kSums];
            for (int s = 0; s < C::kSums; ++s) sum[s] = load(bias + s * L);
#pragma GCC unroll 8
            for (int k = 0; k < C::kRaw; ++k) {
                const Vec raw = products.at(block, k);
                if (F::kSaves) store(kept + k * L, raw);
                const Vec gain = load_first(C::gain(p, k) + block * L, count);
                sum[C::sum_of(k)] =
                    fma(gain, moments[C::group_of(k)].apply(raw), sum[C::sum_of(k)]);
            }
            for (int s = 0; s < C::kSums; ++s) store(sums + s * L, sum[s]);
            if (F::kSaves) kept += (C::kRaw + C::kOwn) * L;
            if constexpr (C::kHasCellState) {
                Vec c = load(column), opened;
                const Vec c_new = C::template forward_cell<F::kSaves>(site(j, block), sums, c,
                                                                      opened, kept);
                store(column, c), store(cell + block * L, c_new), store(open + block * L, opened);
            } else {
                Vec none{};
                put(j, position, block,
                    C::template forward<F::kSaves>(site(j, block), sums, before(j, block), none,
                                                   kept));
            }
        }
        if constexpr (C::kHasCellState) finish_row(t, j, position);
    }

    Vec before(int64_t j, int64_t block) const {
        if (!C::reads_state(p)) return Vec{};
        return load_first(f.work.h[j] + block * L, shape.units_in(block));
    }

    void put(int64_t j, int64_t position, int64_t block, Vec h) const {
        if (p.w_hr)
            store(f.work.raw + position * units + block * L, h);
        else
            store_first(f.work.y[j] + block * L, h, shape.units_in(block));
    }

    // From the new cell states of a row to its output.
    void finish_row(int64_t t, int64_t j, int64_t position) const {
        const Moments moments = moments_of_row(shape, cell);
        for (int64_t block = 0; block < shape.blocks; ++block) {
            const Site at = site(j, block);
            const Vec gain = load_first(p.w_ln_c + at.unit, at.count);
            const Vec bias = load_first(p.b_ln_c + at.unit, at.count);
            const Vec c = fma(gain, moments.apply(load(cell + at.unit)), bias);
            const Vec h = load(open + at.unit) * apply(p.options.output, c);
            if (F::kSaves) store(kept_of(t, block, position) + C::kRaw * L, h);
            put(j, position, block,
                zoned(at, p.options.zone_state, Kind::state, before(j, block), h));
        }
    }
};

template <class C, class F>
void normalized_step(const F& f, int64_t t, int64_t n) {
    const NormalizedForward<F, C> normalized{f};
    zero(normalized.zeros, kWide);
    for (int64_t first = 0; first < n; first += C::kRowsAtOnce) {
        const int64_t rows = min(n - first, C::kRowsAtOnce);
        normalized.products(first, rows);
        for (int64_t m = 0; m < rows; ++m) normalized.row(t, first + m, m);
    }
}

// ---- backward

template <class B, class C>
struct NormalizedBackward {
    const B& b;
    const Problem& p = b.p;
    const Shape<C>& shape = b.shape;
    float* const scaled = b.part.row;                      // [block][kRaw] γ times the gradient
    float* const cell = scaled + shape.blocks * C::kRaw * L;  // of the LSTM: c', γ_c dn, da_o
    float* const d_normal = cell + b.units;
    float* const d_open = d_normal + b.units;

    // Row j of step t into row `k` of the chunk. first: t is its first step.
    void row(int64_t t, int64_t j, bool first, int64_t k) const {
        const int64_t position = b.share.position(j);
        const float* saved = b.saved_of(t, 0, position);
        const Products<C> products{saved, saved + C::kInput * L, C::kSaved * L, C::kSaved * L};
        Moments moments[C::kGroups], moments_of_cell{};
        find_moments(shape, products, moments);
        float sums[2] = {};
        if constexpr (C::kHasCellState) {
            for (int64_t block = 0; block < shape.blocks; ++block)
                store(cell + block * L,
                      C::new_cell(b.site(j, block), own(saved, block),
                                  b.c_before(t, position, first, block)));
            moments_of_cell = moments_of_row(shape, cell);
            through_output(t, j, position, saved, moments_of_cell, sums);
        }
        Vec mean[C::kGroups] = {}, along[C::kGroups] = {};
        for (int64_t block = 0; block < shape.blocks; ++block) {
            Vec d[C::kSums];
            Vec extra[C::Variant::kExtra + 1] = {};
            pointwise(t, j, position, first, block, saved, moments_of_cell, sums, d, extra);
            const int count = shape.units_in(block);
            for (int s = 0; s < C::kSums; ++s) d[s] = only(d[s], count);
            float* bias = b.part.bias + block * C::kSums * L;
            float* weights = b.part.extra + block * C::kExtra * L;
            for (int s = 0; s < C::kSums; ++s) store(bias + s * L, load(bias + s * L) + d[s]);
            for (int s = 0; s < C::Variant::kExtra; ++s)
                store(weights + s * L, load(weights + s * L) + extra[s]);
            weights += C::Variant::kExtra * L;
#pragma GCC unroll 8
            for (int i = 0; i < C::kRaw; ++i) {
                const int g = C::group_of(i);
                const Vec normal = only(moments[g].apply(products.at(block, i)), count);
                const Vec down = d[C::sum_of(i)];
                store(weights + i * L, fma(down, normal, load(weights + i * L)));
                const Vec e = down * load_first(C::gain(p, i) + block * L, count);
                store(scaled + (block * C::kRaw + i) * L, e);
                mean[g] += e, along[g] = fma(e, normal, along[g]);
            }
        }
        float means[C::kGroups], alongs[C::kGroups];
        for (int g = 0; g < C::kGroups; ++g) {
            const float n = static_cast<float>(C::products_in(g) * p.H);
            means[g] = total(mean[g]) / n, alongs[g] = total(along[g]) / n;
        }
        for (int64_t block = 0; block < shape.blocks; ++block)
#pragma GCC unroll 8
            for (int i = 0; i < C::kRaw; ++i) {
                const int g = C::group_of(i);
                const Vec normal = moments[g].apply(products.at(block, i));
                const Vec e = load(scaled + (block * C::kRaw + i) * L);
                const Vec down = (e - means[g] - normal * alongs[g]) * moments[g].scale;
                store(to(k, block, i), only(down, shape.units_in(block)));
            }
    }

    float* to(int64_t k, int64_t block, int i) const {
        if (i < C::kInput || !C::kTwoSides)
            return b.part.d_input + k * b.part.d_step + (block * C::kInput + i) * L;
        return b.part.d_hidden + k * b.part.d_step + (block * C::kHidden + i - C::kInput) * L;
    }

    // What the cell without normalisation saves.
    static const float* own(const float* saved, int64_t block) {
        return saved + (block * C::kSaved + C::kRaw + C::kOwn) * L;
    }

    Vec gradient_of_output(int64_t t, int64_t position, int64_t block) const {
        const int64_t u = block * L;
        if (p.w_hr) return load(b.work.raw_dh + position * b.units + u);
        const Vec dh = load(b.work.dh + position * b.work.dh_step + u);
        if (!p.dy.data) return dh;
        return dh + load_first(at(p.dy, t, row_at(p, position)) + u, shape.units_in(block));
    }

    void put_direct(int64_t position, int64_t block, Vec direct) const {
        if (!p.w_hr) store(b.work.dh + position * b.work.dh_step + block * L, direct);
    }

    // From dh to the gradients of the output gate's sum and of the normalised cell state.
    void through_output(int64_t t, int64_t j, int64_t position, const float* saved,
                        const Moments& moments, float* sums) const {
        const Options& o = p.options;
        Vec mean{}, along{};
        for (int64_t block = 0; block < shape.blocks; ++block) {
            const Site at = b.site(j, block);
            const Vec gain = load_first(p.w_ln_c + at.unit, at.count);
            const Vec normal = only(moments.apply(load(cell + at.unit)), at.count);
            const Vec y = apply(o.output, fma(gain, normal, load_first(p.b_ln_c + at.unit, at.count)));
            const Vec opened = load(own(saved, block) + 3 * L);
            Vec dh = only(gradient_of_output(t, position, block), at.count);
            const Vec direct = share_of_old(at, o.zone_state, Kind::state) * dh;
            put_direct(position, block, direct);
            dh = dh - direct;
            const Vec down = dh * opened * slope(o.output, y);
            float* weights = b.part.extra + (block * C::kExtra + C::Variant::kExtra + C::kRaw) * L;
            store(weights, fma(down, normal, load(weights)));
            store(weights + L, load(weights + L) + down);
            const Vec e = down * gain;
            store(d_normal + at.unit, e);
            store(d_open + at.unit, dh * y * slope_of_gate(o, opened));
            mean += e, along = fma(e, normal, along);
        }
        sums[0] = total(mean) / static_cast<float>(p.H);
        sums[1] = total(along) / static_cast<float>(p.H);
    }

    CAROUSEL_INLINE void pointwise(int64_t t, int64_t j, int64_t position, bool first,
                                   int64_t block, const float* saved, const Moments& moments,
                                   const float* sums, Vec* d, Vec* extra) const {
        const Site at = b.site(j, block);
        if constexpr (C::kHasCellState) {
            const Vec normal = moments.apply(load(cell + at.unit));
            const Vec e = load(d_normal + at.unit);
            const Vec of_cell = (e - sums[0] - normal * sums[1]) * moments.scale;
            float* dc_memory = b.work.dc + position * b.units + at.unit;
            Vec dc = load(dc_memory);
            C::backward_cell(at, own(saved, block), load(cell + at.unit),
                             b.c_before(t, position, first, block), load(d_open + at.unit), of_cell,
                             dc, d, extra);
            store(dc_memory, dc);
        } else {
            const float* state = b.state_before(t, row_at(p, position), first);
            Vec none{};
            put_direct(position, block,
                       C::backward(at, own(saved, block), load_first(state + at.unit, at.count),
                                   Vec{}, gradient_of_output(t, position, block), none, d, extra));
        }
    }
};

template <class C, class B>
void normalized_pointwise(const B& b, int64_t t, int64_t n, int64_t later, int64_t k) {
    const NormalizedBackward<B, C> normalized{b};
    const int64_t rows = b.part.block_of(n);
    for (int64_t first = 0; first < n; first += rows) {
        for (int64_t j = first; j < min(n, first + rows); ++j)
            normalized.row(t, j, j >= later, k + j);
        if (rows < n) b.fold_biases(0, b.shape.blocks);
    }
}

}  // namespace
}  // namespace carousel
