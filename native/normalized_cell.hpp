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

#include "layout.hpp"
#include "variants.hpp"

namespace carousel {
namespace {

template <class V>
struct Normalized : V {
    using Variant = V;
    static constexpr bool kNormalized = true, kSavesByRow = true;
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

    static float* extra_gradient(const Problem& p, int s) {
        const int own = s - V::kExtra;
        if (own < 0) return V::extra_gradient(p, s);
        return own < kRaw ? gain_gradient(p, own) : own == kRaw ? p.dw_ln_c : p.db_ln_c;
    }

    // h before a projection, from what was saved.
    static CAROUSEL_INLINE Vec output(const Site&, const float* saved, Vec) {
        return load(saved + kRaw * L);
    }

    // Floats of a thread's buffers: the products of the rows at once, c', o, zeros; a row's
    // gradients, and of the LSTM c' and its own.
    static int64_t forward_buffer(int64_t units) {
        return kRowsAtOnce * units * (V::kInput + V::kHidden) + 2 * units + kWide;
    }
    static int64_t backward_buffer(int64_t units) { return units * (kRaw + 3); }
};

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

}  // namespace
}  // namespace carousel
