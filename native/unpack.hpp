// The gradients of the weights, which were summed by panels, brought into torch's layout.
#pragma once

#include "chunk.hpp"

namespace carousel {
namespace {

// From the panels of all parts to torch's layout.
template <class C>
struct Unpack {
    const Problem& p;
    const BackwardWork<C>& work;
    const Shape<C> shape;

    // Of the units of a block; of weights that are read once the biases alone, for those have left.
    void block(int64_t block) const {
        if (!work.once) both_weights(block);
        if (p.db_ih) biases(block);
        for (int s = 0; s < C::kExtra; ++s)
            if (float* to = C::extra_gradient(p, s)) extra(block, s, to);
    }

    void both_weights(int64_t block) const {
        weights(block, C::kInputFirst, C::kInput, p.I, &Part<C>::w_input, p.dw_ih);
        if (C::kHeads)
            heads(block);
        else
            weights(block, C::kHiddenFirst, C::kHidden, p.P, &Part<C>::w_hidden, p.dw_hh);
        if (C::kResetFirst) candidate(block);
    }

    void weights(int64_t block, int first, int sums, int64_t features, float* Part<C>::*memory,
                 float* dw) const {
        const int64_t panel = block / C::kBlocks, width = shape.blocks_in(panel) * sums * L;
        const int64_t start = panel * C::kBlocks * sums * L * features +
                              (block - panel * C::kBlocks) * sums * L;
        for (int i = 0; i < work.parts; ++i)
            squares(block, first, sums, features, work.part(i).*memory + start, width, dw, i > 0);
    }

    // Of a block whose gradients stand at `from`, `width` floats from feature to feature.
    void squares(int64_t block, int first, int sums, int64_t features, const float* from,
                 int64_t width, float* dw, bool add) const {
        for (int64_t f = 0; f < features; f += L)
            for (int s = 0; s < sums; ++s)
                square(block, first + s, from + f * width + s * L, width, f, features, dw, add);
    }

    // Of the recurrent weights of heads: each unit's from the states that it reads.
    void heads(int64_t block) const {
        const int64_t panel = block / C::kBlocks, width = shape.blocks_in(panel) * C::kHidden * L;
        const int64_t start = panel * C::kBlocks * C::kHidden * L * p.P +
                              (block - panel * C::kBlocks) * C::kHidden * L;
        const int64_t size = p.H / p.heads, end = block * L + shape.units_in(block);
        for (int64_t u = block * L; u < end;) {
            const int64_t head = u / size * size, next = min(end, head + size);
            for (int i = 0; i < work.parts; ++i)
                for (int64_t f = 0; f < size; f += L)
                    for (int s = 0; s < C::kHidden; ++s)
                        square(block, C::kHiddenFirst + s,
                               work.part(i).w_hidden + start + (head + f) * width + s * L, width, f,
                               size, p.dw_hh, i > 0, {u - block * L, next - block * L});
            u = next;
        }
    }

    // Of the second product, whose panels have kWide units.
    void candidate(int64_t block) const {
        const int64_t q = block / kTileVectors, width = vectors_in(q, p.H) * L;
        const int64_t start = q * kWide * p.P + block % kTileVectors * L;
        for (int i = 0; i < work.parts; ++i) {
            const float* from = work.part(i).w_candidate + start;
            for (int64_t f = 0; f < p.P; f += L)
                square(block, 0, from + f * width, width, f, p.P, p.dw_hh, i > 0);
        }
    }

    // Gradients of L features of L units, from a row per feature to a row per unit.
    void square(int64_t block, int sum, const float* from, int64_t width, int64_t f, int64_t features,
                float* dw, bool add) const {
        square(block, sum, from, width, f, features, dw, add, {0, shape.units_in(block)});
    }
    CAROUSEL_INLINE void square(int64_t block, int sum, const float* from, int64_t width, int64_t f,
                                int64_t features, float* dw, bool add, Span lanes) const {
        const int count = static_cast<int>(min(L, features - f));
        const int64_t row = C::gate_of_sum(sum) * p.H + block * L;
        Vec rows[L];
        for (int i = 0; i < L; ++i) rows[i] = i < count ? load(from + i * width) : Vec{};
        transpose(rows);
        for (int64_t lane = lanes.first; lane < lanes.last; ++lane) {
            float* to = dw + (row + lane) * features + f;
            store_first(to, add ? load_first(to, count) + rows[lane] : rows[lane], count);
        }
    }

    void biases(int64_t block) const {
        for (int s = 0; s < C::kSums; ++s)
            for (int lane = 0; lane < shape.units_in(block); ++lane) {
                float sum = 0.0f;
                for (int i = 0; i < work.parts; ++i)
                    sum += work.part(i).bias[(block * C::kSums + s) * L + lane];
                const int64_t at = C::gate_of_sum(s) * p.H + block * L + lane;
                if (s >= C::kInputFirst && s < C::kInputFirst + C::kInput) p.db_ih[at] = sum;
                if (has_hidden_bias<C>(s)) p.db_hh[at] = sum;
            }
    }

    // Of extra weight s of the units of a block, into to [H].
    void extra(int64_t block, int s, float* to) const {
        for (int lane = 0; lane < shape.units_in(block); ++lane) {
            float sum = 0.0f;
            for (int i = 0; i < work.parts; ++i)
                sum += work.part(i).extra[(block * C::kExtra + s) * L + lane];
            to[block * L + lane] = sum;
        }
    }

    void project(int64_t q) const {
        const int64_t width = vectors_in(q, p.H) * L, count = min(width, p.H - q * kWide);
        for (int64_t o = 0; o < p.P; ++o)
            for (int64_t u = 0; u < count; ++u) {
                float sum = 0.0f;
                for (int i = 0; i < work.parts; ++i)
                    sum += work.part(i).w_project[q * kWide * p.P + o * width + u];
                p.dw_hr[o * p.H + q * kWide + u] = sum;
            }
    }
};

}  // namespace
}  // namespace carousel
