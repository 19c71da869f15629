// The Legendre Memory Unit (Voelker et al. 2019) as the kernels have it: its units and the
// coefficients of its memory side by side, one vanilla RNN of units with φ and of linear ones. How
// its weights follow from the LMU's: carousel/cells/lmu.py, `joined`.
#pragma once

#include "variants.hpp"

namespace carousel {
namespace {

// h' = φ(·), φ = tanh or relu, where w_c is zero, h' = · elsewhere. Four blocks of L units share a
// tile.
template <bool kRelu>
struct LmuCell : CellDefaults {
    static constexpr int kGates = 1, kSums = 1;
    static constexpr int kInputFirst = 0, kInput = 1, kHiddenFirst = 0, kHidden = 1;
    static constexpr int kSaved = 1, kBlocks = 4;  // h'
    static constexpr bool kOptions = true, kOneBias = true;
    static constexpr int kExtra = 1;  // w_c, whose gradient is zero
    static constexpr int gate_of_sum(int) { return 0; }
    static bool reads_state(const Problem&) { return false; }
    static float* extra_gradient(const Problem& p, int) { return p.dw_c; }

    template <bool kSave>
    static CAROUSEL_INLINE Vec forward(const Site& at, const float* sums, Vec, Vec&,
                                       float* saved) {
        const Vec a = load(sums), curved = kRelu ? relu(a) : tanh(a);
        const Vec y = at.peephole(0) > splat(0.0f) ? a : curved;
        if (kSave) store(saved, y);
        return y;
    }

    static CAROUSEL_INLINE Vec output(const Site&, const float*, Vec) { return Vec{}; }

    static CAROUSEL_INLINE Vec backward(const Site& at, const float* saved, Vec, Vec, Vec dh, Vec&,
                                        Vec* d, Vec*) {
        const Vec y = load(saved), none = splat(0.0f);
        Vec curved = dh * (splat(1.0f) - y * y);
        if (kRelu) curved = y <= none ? none : dh;
        d[0] = at.peephole(0) > none ? dh : curved;
        return none;
    }
};

}  // namespace
}  // namespace carousel
