// The cells with options: chosen at run time, one branch for each vector of units, which goes the
// same way every time. The plain cells of cells.hpp stay as they are.
//
// Derivatives are taken from what the functions returned, so nothing more is saved than for the
// plain cells. With a cell state, the one before its zoneout is computed again.
#pragma once

#include "cells.hpp"
#include "masks.hpp"

namespace carousel {
namespace {

// Where a pointwise function stands: units [unit, unit + count) of a row, and the key of its step.
struct Site {
    const Problem& p;
    int64_t unit;
    int count;
    uint64_t key;
    const Options& options() const { return p.options; }
    Vec peephole(int row) const { return load_first(p.w_c + row * p.H + unit, count); }
};

CAROUSEL_INLINE Vec apply(Curve curve, Vec x) {
    switch (curve) {
        case Curve::tanh: return tanh(x);
        case Curve::softsign: return softsign(x);
        case Curve::relu: return relu(x);
        case Curve::hard_tanh: return clamp(x, -1.0f, 1.0f);
        default: return x;
    }
}

// The derivative where the function returned y.
CAROUSEL_INLINE Vec slope(Curve curve, Vec y) {
    const Vec one = splat(1.0f), none = splat(0.0f);
    switch (curve) {
        case Curve::tanh: return one - y * y;
        case Curve::softsign: return (one - magnitude(y)) * (one - magnitude(y));
        case Curve::relu: return y <= none ? none : one;
        case Curve::hard_tanh: return magnitude(y) >= one ? none : one;
        default: return one;
    }
}

CAROUSEL_INLINE Vec apply_gate(const Options& o, Vec x) {
    return o.hard_gates ? hard_sigmoid(x) : sigmoid(x);
}
CAROUSEL_INLINE Vec slope_of_gate(const Options& o, Vec y) {
    const Vec one = splat(1.0f), none = splat(0.0f);
    if (!o.hard_gates) return y * (one - y);
    return y <= none ? none : y >= one ? none : splat(1.0f / 6.0f);
}

// Zoneout (Krueger et al. 2017): the value after a step, or with probability p still the one
// before it; where nothing is drawn, its expectation.
CAROUSEL_INLINE Vec zoned(const Site& at, const Chance& chance, Kind kind, Vec before, Vec after) {
    if (chance.p == 0) return after;
    if (!at.options().draws) return fma(splat(chance.p), before - after, after);
    return happens(chance, at.key, kind, at.unit) ? before : after;
}

// How much of the value after it is the one before.
CAROUSEL_INLINE Vec share_of_old(const Site& at, const Chance& chance, Kind kind) {
    if (chance.p == 0) return Vec{};
    if (!at.options().draws) return splat(chance.p);
    return happens(chance, at.key, kind, at.unit) ? splat(1.0f) : Vec{};
}

// Recurrent dropout (Semeniuta et al. 2016) of the candidate.
CAROUSEL_INLINE Vec dropped(const Site& at, Vec candidate) {
    const Chance& chance = at.options().candidate;
    return chance.p == 0 ? candidate : candidate * kept(chance, at.key, Kind::candidate, at.unit);
}

// Peepholes see c: those of i and f before the step, that of o after it. An absent gate is open.
template <int kPresent>
struct LstmVariant : CellDefaults {
    static constexpr int kGates = kPresent, kSums = kPresent;
    static constexpr int kInputFirst = 0, kInput = kPresent, kHiddenFirst = 0, kHidden = kPresent;
    static constexpr int kSaved = 5, kBlocks = kPresent == 2 ? 2 : 1;  // i f g o c
    static constexpr bool kHasCellState = true, kOptions = true;
    static constexpr int kExtra = 3;  // peepholes of i f o
    static constexpr int gate_of_sum(int sum) { return sum; }
    static bool reads_state(const Problem& p) { return p.options.zone_state.p > 0; }
    static float* extra_gradient(const Problem& p, int s) {
        const Options& o = p.options;
        const int row = (s == 0 ? o.i : s == 1 ? o.f : o.o).peephole;
        return p.dw_c && row >= 0 ? p.dw_c + row * p.H : nullptr;
    }

    static CAROUSEL_INLINE Vec gate(const Site& at, const float* sums, const Gate& gate, Vec c) {
        if (gate.sum < 0) return splat(1.0f);
        Vec a = load(sums + gate.sum * L);
        if (at.p.w_c) a = fma(at.peephole(gate.peephole), c, a);
        return apply_gate(at.options(), a);
    }

    template <bool kSave>
    static CAROUSEL_INLINE Vec forward(const Site& at, const float* sums, Vec h_before, Vec& c,
                                       float* saved) {
        const Options& o = at.options();
        Vec open;
        const Vec c_new = forward_cell<kSave>(at, sums, c, open, saved);
        return zoned(at, o.zone_state, Kind::state, h_before, open * apply(o.output, c_new));
    }

    // The cell state before its zoneout; c is the one after it.
    template <bool kSave>
    static CAROUSEL_INLINE Vec forward_cell(const Site& at, const float* sums, Vec& c, Vec& open,
                                            float* saved) {
        const Options& o = at.options();
        const Vec c_before = c;
        const Vec i = gate(at, sums, o.i, c_before);
        const Vec f = o.coupled ? splat(1.0f) - i : gate(at, sums, o.f, c_before);
        const Vec g = apply(o.activation, load(sums + o.g.sum * L));
        const Vec c_new = fma(f, c_before, i * dropped(at, g));
        open = gate(at, sums, o.o, c_new);
        c = zoned(at, o.zone_cell, Kind::cell, c_before, c_new);
        if (kSave) {
            store(saved, i), store(saved + L, f), store(saved + 2 * L, g);
            store(saved + 3 * L, open), store(saved + 4 * L, c);
        }
        return c_new;
    }

    static CAROUSEL_INLINE Vec new_cell(const Site& at, const float* saved, Vec c_before) {
        return fma(load(saved + L), c_before, load(saved) * dropped(at, load(saved + 2 * L)));
    }

    static CAROUSEL_INLINE Vec output(const Site& at, const float* saved, Vec c_before) {
        return load(saved + 3 * L) * apply(at.options().output, new_cell(at, saved, c_before));
    }

    static CAROUSEL_INLINE void put(const Gate& gate, Vec da, Vec c, const Site& at, Vec& dc,
                                    Vec* d, Vec& extra) {
        if (gate.sum < 0) return;
        d[gate.sum] = da;
        if (!at.p.w_c) return;
        dc = fma(da, at.peephole(gate.peephole), dc);
        extra = da * c;
    }

    static CAROUSEL_INLINE Vec backward(const Site& at, const float* saved, Vec, Vec c_before,
                                        Vec dh, Vec& dc, Vec* d, Vec* extra) {
        const Options& o = at.options();
        const Vec open = load(saved + 3 * L), c_new = new_cell(at, saved, c_before);
        const Vec y = apply(o.output, c_new);
        const Vec direct = share_of_old(at, o.zone_state, Kind::state) * dh;
        dh = dh - direct;
        backward_cell(at, saved, c_new, c_before, dh * y * slope_of_gate(o, open),
                      dh * open * slope(o.output, y), dc, d, extra);
        return direct;
    }

    // From the gradients of the output gate's sum and of the new cell state on its way out.
    static CAROUSEL_INLINE void backward_cell(const Site& at, const float* saved, Vec c_new,
                                              Vec c_before, Vec da_o, Vec of_output, Vec& dc,
                                              Vec* d, Vec* extra) {
        const Options& o = at.options();
        const Vec i = load(saved), f = load(saved + L), g = load(saved + 2 * L);
        const Vec candidate = dropped(at, g);
        const Vec old_c = share_of_old(at, o.zone_cell, Kind::cell);
        Vec before = old_c * dc;
        Vec after = of_output + (dc - before);
        put(o.o, da_o, c_new, at, after, d, extra[2]);
        before = fma(after, f, before);
        const Vec gained = o.coupled ? candidate - c_before : candidate;
        put(o.i, after * gained * slope_of_gate(o, i), c_before, at, before, d, extra[0]);
        put(o.f, after * c_before * slope_of_gate(o, f), c_before, at, before, d, extra[1]);
        d[o.g.sum] = dropped(at, after * i * slope(o.activation, g));
        dc = before;
    }
};

struct GruVariant : CellDefaults {
    static constexpr int kGates = 3, kSums = 4;
    static constexpr int kInputFirst = 0, kInput = 3, kHiddenFirst = 1, kHidden = 3;
    static constexpr int kSaved = 4, kBlocks = 1;  // n r z b_n
    static constexpr bool kOptions = true, kTwoSides = true;
    static constexpr int gate_of_sum(int sum) { return sum == 0 ? 2 : sum - 1; }
    static bool reads_state(const Problem&) { return true; }

    template <bool kSave>
    static CAROUSEL_INLINE Vec forward(const Site& at, const float* sums, Vec h, Vec&,
                                       float* saved) {
        const Options& o = at.options();
        const Vec r = apply_gate(o, load(sums + L)), z = apply_gate(o, load(sums + 2 * L));
        const Vec b = load(sums + 3 * L);
        const Vec n = apply(o.activation, fma(r, b, load(sums)));
        if (kSave) {
            store(saved, n), store(saved + L, r), store(saved + 2 * L, z);
            store(saved + 3 * L, b);
        }
        const Vec candidate = dropped(at, n);
        return zoned(at, o.zone_state, Kind::state, h, fma(z, h - candidate, candidate));
    }

    static CAROUSEL_INLINE Vec output(const Site&, const float*, Vec) { return Vec{}; }

    static CAROUSEL_INLINE Vec backward(const Site& at, const float* saved, Vec h_before, Vec,
                                        Vec dh, Vec&, Vec* d, Vec*) {
        const Options& o = at.options();
        const Vec n = load(saved), r = load(saved + L), z = load(saved + 2 * L);
        const Vec b = load(saved + 3 * L), one = splat(1.0f);
        const Vec direct = share_of_old(at, o.zone_state, Kind::state) * dh;
        dh = dh - direct;
        d[0] = dropped(at, dh * (one - z) * slope(o.activation, n));
        d[1] = d[0] * b * slope_of_gate(o, r);
        d[2] = dh * (h_before - dropped(at, n)) * slope_of_gate(o, z);
        d[3] = d[0] * r;
        return fma(dh, z, direct);
    }
};

struct RnnVariant : CellDefaults {
    static constexpr int kGates = 1, kSums = 1;
    static constexpr int kInputFirst = 0, kInput = 1, kHiddenFirst = 0, kHidden = 1;
    static constexpr int kSaved = 1, kBlocks = 4;  // φ(·)
    static constexpr bool kOptions = true;
    static constexpr int gate_of_sum(int) { return 0; }
    static bool reads_state(const Problem& p) { return p.options.zone_state.p > 0; }

    template <bool kSave>
    static CAROUSEL_INLINE Vec forward(const Site& at, const float* sums, Vec h, Vec&,
                                       float* saved) {
        const Vec y = apply(at.options().activation, load(sums));
        if (kSave) store(saved, y);
        return zoned(at, at.options().zone_state, Kind::state, h, y);
    }

    static CAROUSEL_INLINE Vec output(const Site&, const float*, Vec) { return Vec{}; }

    static CAROUSEL_INLINE Vec backward(const Site& at, const float* saved, Vec, Vec, Vec dh, Vec&,
                                        Vec* d, Vec*) {
        const Options& o = at.options();
        const Vec direct = share_of_old(at, o.zone_state, Kind::state) * dh;
        d[0] = (dh - direct) * slope(o.activation, load(saved));
        return direct;
    }
};

}  // namespace
}  // namespace carousel
