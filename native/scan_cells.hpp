// The cells whose units do not see each other: see scan.hpp. A cell is, as in cells.hpp, a few
// integers and a pair of pointwise functions:
//
//   forward   sums, previous h and the unit's weight -> h, and kSaved vectors for the backward pass
//   backward  saved, h, previous h, weight, dh -> gradients of the sums, and of the previous h
#pragma once

#include "cells.hpp"

namespace carousel {
namespace {

// All sums are the input product's, gate by gate.
template <int kOf>
struct ScanCell : CellDefaults {
    static constexpr int kGates = kOf, kSums = kOf;
    static constexpr int kInputFirst = 0, kInput = kOf, kHiddenFirst = 0, kHidden = 0;
    static constexpr bool kTwoSides = true, kSavesByRow = true;
    static constexpr bool kWeighted = false;  // a recurrent weight per unit
    static constexpr int gate_of_sum(int sum) { return sum; }
};

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
struct MinGruCell : ScanCell<2> {
    static constexpr int kSaved = 2, kBlocks = 2;

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
struct MinLstmCell : ScanCell<3> {
    static constexpr int kSaved = 4, kBlocks = 1;

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
struct IndRnnCell : ScanCell<1> {
    static constexpr int kSaved = 0, kBlocks = 4;
    static constexpr bool kWeighted = true;

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

}  // namespace
}  // namespace carousel
