// A cell is a few integers and a pair of pointwise functions; time, batch and products are not
// its business.
//
// For each hidden unit the products leave kSums sums. The input product fills kInput of them from
// kInputFirst on, the recurrent product kHidden from kHiddenFirst on; where both do, they add up.
// In memory the sums of L units stand side by side: kSums vectors. Of kExtra vectors of further
// weights per unit, which the pointwise functions read themselves, the gradients are summed.
//
//   forward   sums, previous h and c -> h, c, and kSaved vectors for the backward pass
//   backward  saved, h, previous h and c, dh, dc -> gradients of the sums, of the previous c, and
//             what flows to the previous h beside the product
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace carousel {
namespace {

// What a cell is where it says nothing else.
struct CellDefaults {
    static constexpr bool kHasCellState = false;
    static constexpr int kMemories = 1;      // states a unit keeps beside h, if it has any, …
    static constexpr int kMemoriesRead = 1;  // … so many of them read backward: the last saved
    static constexpr bool kOneBias = false;  // b_hh is not there
    static constexpr bool kHeads = false;    // W_hh is block-diagonal: see Problem::heads
    static constexpr bool kOptions = false;     // its functions read the options: see variants.hpp
    static constexpr bool kTwoSides = false;    // each product has gradients of the sums of its own
    static constexpr bool kSavesByRow = false;  // a step saves [B][block][..], not [block][B][..]
    static constexpr bool kNormalized = false;  // a row's units need each other: see normalized.hpp
    static constexpr bool kResetFirst = false;  // h has a second product: see reset.hpp
    static constexpr int kExtra = 0;
    static constexpr int kUnitWeights = 0;         // own weights of a unit: see scan_cells.hpp
    static constexpr int kBiased = 4;      // the first so many gates have biases
    static constexpr bool kDirect = false; // reads inputs beside their products
    static constexpr int kProjected = 1;   // states of a unit that a projection reads
    static constexpr bool kTwoProducts = false;  // of inputs: the second in place of the recurrent
    static void own(const Problem&, int64_t, float*) {}
    // Where the gradient of extra weight s goes, [H]; null: nowhere.
    static float* extra_gradient(const Problem&, int) { return nullptr; }
    // Floats of a thread's buffers, beyond those of every cell.
    static constexpr int64_t forward_buffer(int64_t) { return 0; }
    static constexpr int64_t backward_buffer(int64_t) { return 0; }
};

// i, f, o = σ(·), g = tanh(·), c' = f c + i g, h' = o tanh(c'). torch's gate order i, f, g, o.
struct LstmCell : CellDefaults {
    static constexpr int kGates = 4, kSums = 4;
    static constexpr int kInputFirst = 0, kInput = 4, kHiddenFirst = 0, kHidden = 4;
    static constexpr int kSaved = 5, kBlocks = 1;  // i f g o c
    static constexpr bool kHasCellState = true;
    static constexpr int gate_of_sum(int sum) { return sum; }

    template <bool kSave>
    static CAROUSEL_INLINE Vec forward(const float* sums, Vec, Vec& c, float* saved) {
        const Vec i = sigmoid(load(sums)), f = sigmoid(load(sums + L));
        const Vec g = tanh(load(sums + 2 * L)), o = sigmoid(load(sums + 3 * L));
        c = fma(f, c, i * g);
        if (kSave) {
            store(saved, i), store(saved + L, f), store(saved + 2 * L, g);
            store(saved + 3 * L, o), store(saved + 4 * L, c);
        }
        return o * tanh(c);
    }

    // h before a projection, from what was saved.
    static CAROUSEL_INLINE Vec output(const float* saved) {
        return load(saved + 3 * L) * tanh(load(saved + 4 * L));
    }

    static CAROUSEL_INLINE Vec backward(const float* saved, Vec, Vec, Vec c_before, Vec dh, Vec& dc,
                                        Vec* d) {
        const Vec i = load(saved), f = load(saved + L), g = load(saved + 2 * L);
        const Vec o = load(saved + 3 * L), t = tanh(load(saved + 4 * L));
        const Vec one = splat(1.0f);
        dc = fma(dh * o, one - t * t, dc);
        d[0] = dc * g * (i * (one - i));
        d[1] = dc * c_before * (f * (one - f));
        d[2] = dc * i * (one - g * g);
        d[3] = dh * t * (o * (one - o));
        dc = dc * f;
        return splat(0.0f);
    }
};

// r, z = σ(·), n = tanh(a_n + r b_n), h' = n + z (h - n). torch's gate order r, z, n. The sums
// are a_n, r, z, b_n: so each product fills neighbours, the input's the first three, the
// recurrent one the last three.
struct GruCell : CellDefaults {
    static constexpr int kGates = 3, kSums = 4;
    static constexpr int kInputFirst = 0, kInput = 3, kHiddenFirst = 1, kHidden = 3;
    static constexpr int kSaved = 4, kBlocks = 1;  // n r z b_n
    static constexpr bool kTwoSides = true;
    static constexpr int gate_of_sum(int sum) { return sum == 0 ? 2 : sum - 1; }

    template <bool kSave>
    static CAROUSEL_INLINE Vec forward(const float* sums, Vec h, Vec&, float* saved) {
        const Vec r = sigmoid(load(sums + L)), z = sigmoid(load(sums + 2 * L));
        const Vec b = load(sums + 3 * L);
        const Vec n = tanh(fma(r, b, load(sums)));
        if (kSave) {
            store(saved, n), store(saved + L, r), store(saved + 2 * L, z);
            store(saved + 3 * L, b);
        }
        return fma(z, h - n, n);
    }

    static CAROUSEL_INLINE Vec output(const float*) { return splat(0.0f); }  // no projection

    static CAROUSEL_INLINE Vec backward(const float* saved, Vec, Vec h_before, Vec, Vec dh, Vec&,
                                        Vec* d) {
        const Vec n = load(saved), r = load(saved + L), z = load(saved + 2 * L);
        const Vec b = load(saved + 3 * L);
        const Vec one = splat(1.0f);
        d[0] = dh * (one - z) * (one - n * n);
        d[1] = d[0] * b * (r * (one - r));
        d[2] = dh * (h_before - n) * (z * (one - z));
        d[3] = d[0] * r;
        return dh * z;
    }
};

// h' = φ(·), φ = tanh or relu. Four blocks of L units share a tile. Nothing is saved: the
// derivative follows from h'.
template <bool kRelu>
struct RnnCell : CellDefaults {
    static constexpr int kGates = 1, kSums = 1;
    static constexpr int kInputFirst = 0, kInput = 1, kHiddenFirst = 0, kHidden = 1;
    static constexpr int kSaved = 0, kBlocks = 4;
    static constexpr int gate_of_sum(int) { return 0; }

    template <bool kSave>
    static CAROUSEL_INLINE Vec forward(const float* sums, Vec, Vec&, float*) {
        return kRelu ? relu(load(sums)) : tanh(load(sums));
    }

    static CAROUSEL_INLINE Vec output(const float*) { return splat(0.0f); }  // no projection

    static CAROUSEL_INLINE Vec backward(const float*, Vec h, Vec, Vec, Vec dh, Vec&, Vec* d) {
        if (kRelu)
            d[0] = h <= splat(0.0f) ? splat(0.0f) : dh;  // dh where h is NaN, as torch
        else
            d[0] = dh * (splat(1.0f) - h * h);
        return splat(0.0f);
    }
};

}  // namespace
}  // namespace carousel
