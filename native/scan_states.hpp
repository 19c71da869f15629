// Two cells without a recurrent product that keep states beside their output, see scan_cells.hpp: the
// QRNN, with one input or two, and the LRU, whose outputs are a product of all units' states.
#pragma once

#include "scan_cells.hpp"

namespace carousel {
namespace {

// g = tanh(a_g), f = σ(a_f), o = σ(a_o), c' = f c + (1 - f) g, h' = o c'. Sums in the order g, f, o.
// With two inputs, a is what this input adds and n, what the one before it did; n' is what this one
// adds to the next step's, by a second matrix: the sums from the fourth on.
template <int kInputs>
struct QrnnCell : ScanCell<3> {
    static constexpr int kSaved = 4, kBlocks = 1, kSums = 3 * kInputs;
    static constexpr int kHiddenFirst = 3, kHidden = kSums - 3;
    static constexpr bool kTwoProducts = kInputs > 1;
    static constexpr int kKept = kInputs > 1 ? 4 : 1;
    static constexpr int gate_of_sum(int sum) { return sum % 3; }

    template <bool kSave>
    static CAROUSEL_INLINE Vec forward(const float* sums, Vec, const Vec*, Vec* state,
                                       float* saved) {
        Vec a[3];
        for (int k = 0; k < 3; ++k) {
            a[k] = load(sums + k * L);
            if (kInputs > 1) a[k] = a[k] + state[1 + k], state[1 + k] = load(sums + (3 + k) * L);
        }
        const Vec g = tanh(a[0]), f = sigmoid(a[1]), o = sigmoid(a[2]);
        if (kSave) {
            store(saved, g), store(saved + L, f), store(saved + 2 * L, o);
            store(saved + 3 * L, state[0]);
        }
        state[0] = fma(f, state[0] - g, g);
        return o * state[0];
    }

    static CAROUSEL_INLINE void backward(const float* saved, Vec, Vec, Vec, const Vec*, Vec dh,
                                         Vec* d_state, Vec* d, Vec*) {
        const Vec g = load(saved), f = load(saved + L), o = load(saved + 2 * L);
        const Vec before = load(saved + 3 * L), one = splat(1.0f);
        const Vec dc = fma(dh, o, d_state[0]);
        d[0] = dc * (one - f) * (one - g * g);
        d[1] = dc * (before - g) * (f * (one - f));
        d[2] = dh * fma(f, before - g, g) * (o * (one - o));
        d_state[0] = dc * f;
        for (int k = 0; kInputs > 1 && k < 3; ++k) d[3 + k] = d_state[1 + k], d_state[1 + k] = d[k];
    }
};

// s' = λ s + exp(γ) (p + i q), complex, s = c + i n, λ = exp(-exp(ν) + i exp(θ)); what passes the
// product with s' by is g. Sums in the order g, p, q; g has a bias.
struct LruCell : ScanCell<3> {
    static constexpr int kSaved = 4, kBlocks = 1, kBiased = 1, kUnitWeights = 3, kKept = 2;
    static constexpr int kProjected = 2;
    static constexpr bool kProjects = true;

    static void own(const Problem& p, int64_t u, float* own) {
        const float size = __builtin_expf(-__builtin_expf(p.w_hh[u]));
        const float angle = __builtin_expf(p.w_c[u]);
        own[0] = size * __builtin_cosf(angle), own[1] = size * __builtin_sinf(angle);
        own[2] = __builtin_expf(p.w_ln_hh[u]);
    }
    static void own_gradient(const Problem& p, int64_t u, const float* d) {
        const float rate = __builtin_expf(p.w_hh[u]), angle = __builtin_expf(p.w_c[u]);
        const float size = __builtin_expf(-rate);
        const float along = __builtin_cosf(angle), across = __builtin_sinf(angle);
        p.dw_hh[u] = -rate * size * (d[0] * along + d[1] * across);
        p.dw_c[u] = angle * size * (d[1] * along - d[0] * across);
        p.dw_ln_hh[u] = d[2] * __builtin_expf(p.w_ln_hh[u]);
    }

    struct Turned {
        Vec c, n;
        CAROUSEL_INLINE Turned(const Vec* own, Vec c0, Vec n0, Vec p, Vec q)
            : c(fma(own[2], p, fma(own[0], c0, -own[1] * n0))),
              n(fma(own[2], q, fma(own[0], n0, own[1] * c0))) {}
    };

    template <bool kSave>
    static CAROUSEL_INLINE Vec forward(const float* sums, Vec, const Vec* own, Vec* state,
                                       float* saved) {
        const Vec p = load(sums + L), q = load(sums + 2 * L);
        if (kSave) {
            store(saved, state[0]), store(saved + L, state[1]);
            store(saved + 2 * L, p), store(saved + 3 * L, q);
        }
        const Turned after(own, state[0], state[1], p, q);
        state[0] = after.c, state[1] = after.n;
        return load(sums);
    }

    // d: of p and q, then c and n after the step.
    static CAROUSEL_INLINE void backward(const float* saved, Vec, Vec, Vec, const Vec* own, Vec,
                                         Vec* d_state, Vec* d, Vec* d_own) {
        const Vec c = load(saved), n = load(saved + L);
        const Vec p = load(saved + 2 * L), q = load(saved + 3 * L);
        const Vec dc = d_state[0], dn = d_state[1];
        const Turned after(own, c, n, p, q);
        d[0] = own[2] * dc, d[1] = own[2] * dn, d[2] = after.c, d[3] = after.n;
        d_own[0] = fma(dc, c, fma(dn, n, d_own[0]));
        d_own[1] = fma(dn, c, fma(-dc, n, d_own[1]));
        d_own[2] = fma(dc, p, fma(dn, q, d_own[2]));
        d_state[0] = fma(own[0], dc, own[1] * dn);
        d_state[1] = fma(own[0], dn, -own[1] * dc);
    }
};

}  // namespace
}  // namespace carousel
