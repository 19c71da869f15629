// The backward pass of the cells of normalized_cell.hpp, row by row.
#pragma once

#include "backward_pass.hpp"
#include "normalized_cell.hpp"

namespace carousel {
namespace {

template <class C>
struct NormalizedBackward {
    const BackwardPass<C>& b;
    const Problem& p = b.p;
    const Shape<C>& shape = b.shape;
    float* const scaled = b.buffer();                         // [block][kRaw] γ times the gradient
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
            float* bias = b.bias(block);
            float* weights = b.extra(block);
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
            return b.d_input(k, block) + i * L;
        return b.d_hidden(k, block) + (i - C::kInput) * L;
    }

    // What the cell without normalisation saves.
    static const float* own(const float* saved, int64_t block) {
        return saved + (block * C::kSaved + C::kRaw + C::kOwn) * L;
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
            const Vec bias = load_first(p.b_ln_c + at.unit, at.count);
            const Vec y = apply(o.output, fma(gain, normal, bias));
            const Vec opened = load(own(saved, block) + 3 * L);
            Vec dh = only(b.output_gradient(t, position, block, at.count), at.count);
            const Vec direct = share_of_old(at, o.zone_state, Kind::state) * dh;
            b.put_direct(position, block, direct);
            dh = dh - direct;
            const Vec down = dh * opened * slope(o.output, y);
            float* weights = b.extra(block) + (C::Variant::kExtra + C::kRaw) * L;
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
            float* dc_memory = b.cell_gradient(position, block);
            Vec dc = load(dc_memory);
            C::backward_cell(at, own(saved, block), load(cell + at.unit),
                             b.c_before(t, position, first, block), load(d_open + at.unit), of_cell,
                             dc, d, extra);
            store(dc_memory, dc);
        } else {
            const float* state = b.state(t, row_at(p, position), first);
            Vec none{};
            b.put_direct(position, block,
                         C::backward(at, own(saved, block), load_first(state + at.unit, at.count),
                                     Vec{}, b.output_gradient(t, position, block, at.count), none,
                                     d, extra));
        }
    }
};

template <class C>
void normalized_pointwise(const BackwardPass<C>& b, int64_t t, int64_t n, int64_t later,
                          int64_t k) {
    const NormalizedBackward<C> normalized{b};
    const int64_t rows = b.rows_at_once(n);
    for (int64_t first = 0; first < n; first += rows) {
        for (int64_t j = first; j < min(n, first + rows); ++j)
            normalized.row(t, j, j >= later, k + j);
        if (rows < n) b.fold_biases(0, b.shape.blocks);
    }
}

}  // namespace
}  // namespace carousel
