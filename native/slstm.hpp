// The sLSTM (Beck et al. 2024, arXiv:2405.04517): an LSTM with exponential gates, whose memory is
// c / n, and whose stabiliser m keeps both from overflowing. carousel/cells/slstm.py has the
// equations; its units may be in heads, see Problem::heads.
#pragma once

#include "scan_cells.hpp"

namespace carousel {
namespace {

// log(1 + e), 0 <= e <= 1, as 2 artanh(e / (2 + e)): s P(s²), P of degree 4, a minimax fit of the
// relative error, 4e-9 before its coefficients are rounded.
CAROUSEL_INLINE Vec log_one_plus(Vec e) {
    const Vec s = e / (e + 2.0f), z = s * s;
    Vec q = splat(0x1.208bd0p-2f);
    q = fma(q, z, splat(0x1.1e510cp-2f));
    q = fma(q, z, splat(0x1.99dae6p-2f));
    q = fma(q, z, splat(0x1.5554e0p-1f));
    return s * fma(q, z, splat(2.0f));
}

// exp(x), x <= 0; what is below exp(-80) is that.
CAROUSEL_INLINE Vec fading(Vec x) { return exponential(clamp(x, -80.0f, 0.0f), kPerLn2).value(); }

// a = log f, with f = σ(a_f) or exp(a_f); m' = max(a + m, a_i), i = exp(a_i - m'),
// f = exp(a + m - m'), c' = f c + i g, n' = f n + i, h' = o c' / n'. Where n = 0 nothing is
// remembered: m' = a_i, i = 1, f = 0. Gates in the order i, f, g, o.
template <bool kExponential>
struct SlstmCell : CellDefaults {
    static constexpr int kGates = 4, kSums = 4;
    static constexpr int kInputFirst = 0, kInput = 4, kHiddenFirst = 0, kHidden = 4;
    static constexpr int kSaved = 7, kBlocks = 1;  // i f g o, slope of log f, c n
    static constexpr bool kHasCellState = true, kHeads = true, kOneBias = true;
    static constexpr int kMemories = 3, kMemoriesRead = 2;  // c n m
    static constexpr int gate_of_sum(int sum) { return sum; }

    template <bool kSave>
    static CAROUSEL_INLINE Vec forward(const float* sums, Vec, Vec (&memory)[3], float* saved) {
        Vec &c = memory[0], &n = memory[1], &m = memory[2];
        const Vec none = splat(0.0f), one = splat(1.0f);
        const Vec a_i = load(sums), a_f = load(sums + L);
        const Vec g = tanh(load(sums + 2 * L)), o = sigmoid(load(sums + 3 * L));
        const Vec e = kExponential ? none : falling(a_f);
        const Vec log_f = kExponential ? a_f : (a_f < none ? a_f : none) - log_one_plus(e);
        const Vec held = log_f + m;
        // NaN of either stays NaN.
        const Vec larger = held >= a_i ? held : a_i > held ? a_i : a_i + held;
        m = n == none ? a_i : larger;
        const Vec i = fading(a_i - m);
        const Vec f = n == none ? none : fading(held - m);
        c = fma(f, c, i * g);
        n = fma(f, n, i);
        if (kSave) {
            store(saved, i), store(saved + L, f), store(saved + 2 * L, g);
            store(saved + 3 * L, o);
            store(saved + 4 * L, kExponential ? one : (a_f < none ? one : e) / (one + e));
            store(saved + 5 * L, c), store(saved + 6 * L, n);
        }
        return o * (c / n);
    }

    static CAROUSEL_INLINE Vec output(const float*) { return splat(0.0f); }  // no projection

    // Of the larger of a + m and a_i the exponential is one, and its gradient what m passes on.
    static CAROUSEL_INLINE Vec backward(const float* saved, Vec, Vec, Vec (&before)[3], Vec dh,
                                        Vec (&d_memory)[3], Vec* d) {
        Vec &dc = d_memory[0], &dn = d_memory[1], &dm = d_memory[2];
        const Vec i = load(saved), f = load(saved + L), g = load(saved + 2 * L);
        const Vec o = load(saved + 3 * L), one = splat(1.0f);
        const Vec n = load(saved + 6 * L), y = load(saved + 5 * L) / n, dy = dh * o / n;
        dc = dc + dy;
        dn = fma(-dy, y, dn);
        const Vec of_i = fma(dc, g, dn) * i;
        const Vec of_f = fma(dc, before[0], dn * before[1]) * f;
        const auto let_in = i >= one;
        const Vec of_held = let_in ? of_f : dm - of_i;
        d[0] = let_in ? dm - of_f : of_i;
        d[1] = of_held * load(saved + 4 * L);
        d[2] = dc * i * (one - g * g);
        d[3] = dh * y * (o * (one - o));
        dc = dc * f, dn = dn * f, dm = of_held;
        return splat(0.0f);
    }
};

}  // namespace
}  // namespace carousel
