// The cells whose units do not see each other: see scan.hpp. A cell is, as in cells.hpp, a few
// integers and a pair of pointwise functions:
//
//   forward   the sums, the skipped input and the unit's own weights: the states -> the states after
//             the step and the output, and kSaved vectors for the backward pass
//   backward  what was saved, the output, the state before, dy: the gradients of the states after ->
//             those of the states before, of the sums and of the own weights
//
// Most cells give out their state, the only one. Others keep kKept states beside their output: the
// first is c of the problem, the others stand one after the other in its n. Those with kProjects give
// out a product of all units' states, w_hr, and what `forward` returns beside it; backward gets the
// gradients of their states, K = kKept H features, in place of those of y and h, leaves those of the
// sums from the second block on, and beside them the states themselves.
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
    static constexpr int kKept = 0;
    static constexpr bool kProjects = false;
    static constexpr int gate_of_sum(int sum) { return sum; }

    // What own weights of unit u the pointwise functions read, and the gradients of the weights
    // that they were made of, from theirs.
    static void own(const Problem&, int64_t, float*) {}
    static void own_gradient(const Problem&, int64_t, const float*) {}
};

// What the step's input adds to the sums skips the cell, too: as it is where there are as many
// inputs as units (kDirect), else through a block of rows of the weights, the last one.
template <int kOf, bool kSkipsDirectly>
struct SkippingCell : ScanCell<kSkipsDirectly ? kOf : kOf + 1> {
    static constexpr bool kDirect = kSkipsDirectly;
    static CAROUSEL_INLINE Vec skipped(const float* sums, Vec input) {
        return kDirect ? input : load(sums + kOf * L);
    }
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
    static CAROUSEL_INLINE Vec forward(const float* sums, Vec, const Vec*, Vec* h, float* saved) {
        const Vec z = sigmoid(load(sums)), g = candidate<kPositive>(load(sums + L));
        if (kSave) store(saved, z), store(saved + L, g);
        return fma(z, g, (splat(1.0f) - z) * h[0]);
    }

    static CAROUSEL_INLINE void backward(const float* saved, Vec, Vec, Vec h_before, const Vec*,
                                         Vec dh, Vec* dh_before, Vec* d, Vec*) {
        const Vec z = load(saved), g = load(saved + L), one = splat(1.0f);
        d[0] = dh * (g - h_before) * (z * (one - z));
        d[1] = dh * z * candidate_slope<kPositive>(g);
        dh_before[0] = dh * (one - z);
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
    static CAROUSEL_INLINE Vec forward(const float* sums, Vec, const Vec*, Vec* h, float* saved) {
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
        return fma(r * f, g, f * h[0]);  // not (h + r g) / (1 + r): r g may overflow
    }

    static CAROUSEL_INLINE void backward(const float* saved, Vec, Vec, Vec h_before, const Vec*,
                                         Vec dh, Vec* dh_before, Vec* d, Vec*) {
        const Vec r = load(saved), g = load(saved + 3 * L);
        const Vec f = splat(1.0f) / (splat(1.0f) + r), i = r * f;
        const Vec mixed = dh * (h_before - g) * (f * i);
        d[0] = mixed * load(saved + L);
        d[1] = -mixed * load(saved + 2 * L);
        d[2] = dh * i * candidate_slope<kPositive>(g);
        dh_before[0] = dh * f;
    }
};

// h' = φ(a + u h), φ = tanh or relu, u one weight per unit. The derivative follows from h'.
template <bool kRelu>
struct IndRnnCell : ScanCell<1> {
    static constexpr int kSaved = 0, kBlocks = 4, kUnitWeights = 1;

    static void own(const Problem& p, int64_t u, float* own) { own[0] = p.w_hh[u]; }
    static void own_gradient(const Problem& p, int64_t u, const float* d) { p.dw_hh[u] = d[0]; }

    template <bool kSave>
    static CAROUSEL_INLINE Vec forward(const float* sums, Vec, const Vec* own, Vec* h, float*) {
        const Vec a = fma(own[0], h[0], load(sums));
        return kRelu ? relu(a) : tanh(a);
    }

    static CAROUSEL_INLINE void backward(const float*, Vec, Vec h, Vec h_before, const Vec* own,
                                         Vec dh, Vec* dh_before, Vec* d, Vec* d_own) {
        if (kRelu)
            d[0] = h <= splat(0.0f) ? splat(0.0f) : dh;  // dh where h is NaN, as torch
        else
            d[0] = dh * (splat(1.0f) - h * h);
        d_own[0] = fma(d[0], h_before, d_own[0]);
        dh_before[0] = d[0] * own[0];
    }
};

// f = σ(a_f + v_f c), r = σ(a_r + v_r c), c' = f c + (1 - f) n, h' = r c' + (1 - r) s, s the skipped
// input. Sums in the order f, r, n, s; f and r have biases, and the own weights v_f and v_r.
template <bool kSkipsDirectly>
struct SruCell : SkippingCell<3, kSkipsDirectly> {
    using Base = SkippingCell<3, kSkipsDirectly>;
    static constexpr int kSaved = Base::kDirect ? 4 : 5, kBlocks = 1, kUnitWeights = 2, kBiased = 2;
    static constexpr int kKept = 1;

    static void own(const Problem& p, int64_t u, float* own) {
        own[0] = p.w_hh[u], own[1] = p.w_hh[p.H + u];
    }
    static void own_gradient(const Problem& p, int64_t u, const float* d) {
        p.dw_hh[u] = d[0], p.dw_hh[p.H + u] = d[1];
    }

    template <bool kSave>
    static CAROUSEL_INLINE Vec forward(const float* sums, Vec input, const Vec* own, Vec* state,
                                       float* saved) {
        Vec& c = state[0];
        const Vec f = sigmoid(fma(own[0], c, load(sums)));
        const Vec r = sigmoid(fma(own[1], c, load(sums + L)));
        const Vec n = load(sums + 2 * L), skip = Base::skipped(sums, input);
        if (kSave) {
            store(saved, f), store(saved + L, r), store(saved + 2 * L, n);
            store(saved + 3 * L, c);
            if (!Base::kDirect) store(saved + 4 * L, skip);
        }
        c = fma(f, c - n, n);
        return fma(r, c - skip, skip);
    }

    static CAROUSEL_INLINE void backward(const float* saved, Vec input, Vec, Vec, const Vec* own,
                                         Vec dh, Vec* d_state, Vec* d, Vec* d_own) {
        Vec& dc = d_state[0];
        const Vec f = load(saved), r = load(saved + L), n = load(saved + 2 * L);
        const Vec before = load(saved + 3 * L), one = splat(1.0f);
        const Vec skip = Base::kDirect ? input : load(saved + 4 * L);
        const Vec c = fma(f, before - n, n);
        dc = fma(dh, r, dc);
        d[0] = dc * (before - n) * (f * (one - f));
        d[1] = dh * (c - skip) * (r * (one - r));
        d[2] = dc * (one - f);
        d[3] = dh * (one - r);
        d_own[0] = fma(d[0], before, d_own[0]);
        d_own[1] = fma(d[1], before, d_own[1]);
        dc = fma(dc, f, fma(d[0], own[0], d[1] * own[1]));
    }
};

// log a = own r, a = exp(log a), h' = a h + √(1 - a²) (i n), n the skipped input. Sums in the order
// r, i, n; r and i have biases. own = -8 softplus(-Λ), so that a = σ(Λ)^(8 r).
template <bool kSkipsDirectly>
struct RgLruCell : SkippingCell<2, kSkipsDirectly> {
    using Base = SkippingCell<2, kSkipsDirectly>;
    static constexpr int kSaved = Base::kDirect ? 2 : 3, kBlocks = Base::kDirect ? 2 : 1;
    static constexpr int kUnitWeights = 1, kBiased = 2;
    static constexpr float kPower = 8.0f;

    static void own(const Problem& p, int64_t u, float* own) {
        const float x = p.w_hh[u];
        const float below = x < 0 ? -x : x > 0 ? 0.0f : x;  // NaN stays NaN
        own[0] = -kPower * (below + __builtin_log1pf(__builtin_expf(x < 0 ? x : -x)));
    }
    static void own_gradient(const Problem& p, int64_t u, const float* d) {
        p.dw_hh[u] = d[0] * kPower / (1 + __builtin_expf(p.w_hh[u]));
    }

    struct Decay {
        Vec kept, let_in;  // a, √(1 - a²)
        CAROUSEL_INLINE explicit Decay(Vec log_a) {
            const Exponential a = exponential(clamp(log_a, -80.0f, 0.0f), kPerLn2);
            const Vec m = a.minus_one();  // to all its digits, as 1 - a² = -m (2 + m) then is
            kept = a.value();
            let_in = square_root(-m * (m + 2.0f));
        }
    };

    template <bool kSave>
    static CAROUSEL_INLINE Vec forward(const float* sums, Vec input, const Vec* own, Vec* h,
                                       float* saved) {
        const Vec r = sigmoid(load(sums)), i = sigmoid(load(sums + L));
        const Vec n = Base::skipped(sums, input);
        const Decay decay(own[0] * r);
        if (kSave) {
            store(saved, r), store(saved + L, i);
            if (!Base::kDirect) store(saved + 2 * L, n);
        }
        return fma(decay.kept, h[0], decay.let_in * (i * n));
    }

    static CAROUSEL_INLINE void backward(const float* saved, Vec input, Vec, Vec h_before,
                                         const Vec* own, Vec dh, Vec* dh_before, Vec* d,
                                         Vec* d_own) {
        const Vec r = load(saved), i = load(saved + L), zero = splat(0.0f), one = splat(1.0f);
        const Vec n = Base::kDirect ? input : load(saved + 2 * L);
        const Decay decay(own[0] * r);
        const Vec a = decay.kept, b = decay.let_in;
        // The slope of b has no end where nothing is let in; there it is taken for zero.
        const Vec slope = b > zero ? a * a / b : zero;
        const Vec d_log = dh * (a * h_before - slope * (i * n));
        d[0] = d_log * own[0] * (r * (one - r));
        d[1] = dh * b * n * (i * (one - i));
        d[2] = dh * b * i;
        d_own[0] = fma(d_log, r, d_own[0]);
        dh_before[0] = dh * a;
    }
};

}  // namespace
}  // namespace carousel
