// Weights in the order in which the products read them.
#pragma once

#include "layout.hpp"
#include "variants.hpp"

namespace carousel {
namespace {

// Row `sum` of unit u of a gate matrix [G H][K].
template <class C>
CAROUSEL_INLINE const float* gate_row(const float* w, int sum, int64_t u, int64_t H, int64_t K) {
    return w + (C::gate_of_sum(sum) * H + u) * K;
}

// Panel by panel [k][block][sum][unit]: what tile() takes as b.
template <class C>
void pack_panel(const Shape<C>& shape, int64_t panel, const float* w, int first, int sums,
                int64_t K, float* to) {
    const int blocks = shape.blocks_in(panel), width = blocks * sums * L;
    for (int64_t k = 0; k < K; k += L) {
        const int count = static_cast<int>(min(L, K - k));
        for (int block = 0; block < blocks; ++block) {
            const int64_t u0 = (panel * C::kBlocks + block) * L;
            for (int sum = 0; sum < sums; ++sum) {
                Vec square[L];  // from a row per unit to a row per k
                for (int lane = 0; lane < L; ++lane)
                    square[lane] =
                        u0 + lane < shape.H
                            ? load_first(gate_row<C>(w, first + sum, u0 + lane, shape.H, K) + k,
                                         count)
                            : Vec{};
                transpose(square);
                for (int i = 0; i < count; ++i)
                    store(to + (k + i) * width + (block * sums + sum) * L, square[i]);
            }
        }
    }
}

// Columns [q kWide, …) of w transposed to [block][sum][unit] rows: panels of the backward pass.
template <class C>
void pack_transposed(const Shape<C>& shape, int64_t q, const float* w, int first, int sums,
                     int64_t N, float* to) {
    const int64_t width = vectors_in(q, N) * L, n = min(width, N - q * kWide);
    for (int64_t block = 0; block < shape.blocks; ++block)
        for (int sum = 0; sum < sums; ++sum)
            for (int lane = 0; lane < L; ++lane, to += width) {
                const int64_t u = block * L + lane;
                if (u >= shape.H) {
                    zero(to, width);
                    continue;
                }
                copy(to, gate_row<C>(w, first + sum, u, shape.H, N) + q * kWide, n);
                zero(to + n, width - n);
            }
}

// Plain [K][N] from w[N][K] (rows) or w[K][N] (columns): panels of a projection.
void pack_plain(int64_t q, const float* w, int64_t k_step, int64_t n_step, int64_t K, int64_t N,
                float* to) {
    const int64_t width = vectors_in(q, N) * L, n = min(width, N - q * kWide);
    for (int64_t k = 0; k < K; ++k, to += width) {
        for (int64_t i = 0; i < n; ++i) to[i] = w[k * k_step + (q * kWide + i) * n_step];
        zero(to + n, width - n);
    }
}

template <class C>
struct Packed {
    float *input, *hidden, *bias, *project;
    float* candidate;  // the second product's, by panels of kWide units
    Packed(const Problem& p, Arena& arena) {
        const Shape<C> shape(p);
        const int64_t units = shape.blocks * L;
        input = arena.floats(p.I * units * C::kInput);
        hidden = arena.floats(p.P * units * C::kHidden);
        bias = arena.floats(units * C::kSums);
        project = p.w_hr ? arena.floats(p.H * up(p.P, L) * L) : nullptr;
        candidate = C::kResetFirst ? arena.floats(p.P * units) : nullptr;
    }
    const float* input_panel(const Problem& p, int64_t panel) const {
        return input + panel * C::kBlocks * L * C::kInput * p.I;
    }
    const float* hidden_panel(const Problem& p, int64_t panel) const {
        return hidden + panel * C::kBlocks * L * C::kHidden * p.P;
    }
};

template <class C>
size_t packed_floats(const Problem& p) {
    Arena arena{nullptr};
    Packed<C> packed(p, arena);
    return arena.used;
}

template <class C>
void pack(const Problem& p, float* memory, Team team) {
    Arena arena{memory};
    const Packed<C> packed(p, arena);
    const Shape<C> shape(p);
    for (int64_t panel = team.thread; panel < shape.panels; panel += team.threads) {
        pack_panel(shape, panel, p.w_ih, C::kInputFirst, C::kInput, p.I,
                   const_cast<float*>(packed.input_panel(p, panel)));
        if (C::kHidden > 0)
            pack_panel(shape, panel, p.w_hh, C::kHiddenFirst, C::kHidden, p.P,
                       const_cast<float*>(packed.hidden_panel(p, panel)));
    }
    for (int64_t block = team.thread; block < shape.blocks; block += team.threads)
        for (int sum = 0; sum < C::kSums; ++sum)
            for (int lane = 0; lane < L; ++lane) {
                const int64_t u = block * L + lane, row = C::gate_of_sum(sum) * p.H + u;
                const bool from_input = sum >= C::kInputFirst && sum < C::kInputFirst + C::kInput;
                const bool from_hidden = has_hidden_bias<C>(sum);
                float value = 0.0f;
                if (p.b_ih && u < p.H) {
                    value = from_input ? p.b_ih[row] : 0.0f;
                    if (C::kHidden > 0) value += from_hidden ? p.b_hh[row] : 0.0f;
                }
                packed.bias[(block * C::kSums + sum) * L + lane] = value;
            }
    if (p.w_hr)
        for (int64_t q = team.thread; q < up(p.P, kWide); q += team.threads)
            pack_plain(q, p.w_hr, 1, p.H, p.H, p.P, packed.project + q * kWide * p.H);
    if (C::kResetFirst)
        for (int64_t q = team.thread; q < up(p.H, kWide); q += team.threads)
            pack_plain(q, gate_row<C>(p.w_hh, 0, 0, p.H, p.P), 1, p.P, p.P, p.H,
                       packed.candidate + q * kWide * p.P);
}

}  // namespace
}  // namespace carousel
