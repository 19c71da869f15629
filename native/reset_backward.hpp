// The backward pass of the cell of reset.hpp: from dh to n and z, through the second product, to r.
#pragma once

#include "backward_pass.hpp"
#include "reset.hpp"

namespace carousel {
namespace {

template <class C>
struct ResetBackward {
    const BackwardPass<C>& b;
    const Problem& p = b.p;
    const Shape<C>& shape = b.shape;

    // Calls visit(block, first row, last row) for this thread's units, in blocks of rows.
    template <class Visit>
    void own_rows(int64_t n, const Visit& visit) const {
        const int64_t last = min(b.share.end(shape.panels), shape.blocks);
        const int64_t rows = b.rows_at_once(n);
        for (int64_t block = b.share.begin(shape.panels); block < last; ++block)
            for (int64_t j = 0; j < n; j += rows) {
                visit(block, j, min(n, j + rows));
                if (rows < n) b.fold_biases(block, block + 1);
            }
    }

    // Row `row` of the chunk: the gradients of sum `sum` as the input's product has them, and, of r
    // and z, as the state's.
    void put(int64_t row, int64_t block, int sum, Vec d) const {
        store(b.d_input(row, block) + sum * L, d);
        if (sum >= C::kHiddenFirst)
            store(b.d_hidden(row, block) + (sum - C::kHiddenFirst) * L, d);
    }

    float* line_at(float* lines, int64_t block, int64_t row) const {
        return b.part.line_of(lines, block * L / kLine * kLine, row) + block * L % kLine;
    }

    // The products' operand r ⊙ h of a row, beside h.
    void collect(int64_t t, int64_t position, int64_t row) const {
        for (int64_t block = 0; block < shape.blocks; ++block)
            store(line_at(b.part.reset, block, row),
                  load(b.saved_of(t, block, position) + L) * read(block, row));
    }
    // What the products have read of the state: h, or what its mask has left.
    Vec read(int64_t block, int64_t row) const {
        return load_first(line_at(b.part.h, block, row), shape.units_in(block));
    }

    // From dh to the sums of n and z, and to the h that is mixed in.
    void candidate_and_update(int64_t t, int64_t n, int64_t later, int64_t k) const {
        own_rows(n, [&](int64_t block, int64_t begin, int64_t end) {
            float* bias = b.bias(block);
            Vec sum_n = load(bias), sum_z = load(bias + 2 * L);
            for (int64_t j = begin; j < end; ++j) {
                const Options& o = p.options;
                const Site at = b.site(j, block);
                const int64_t position = b.share.position(j), row = row_at(p, position);
                const float* kept = b.saved_of(t, block, position);
                const Vec n_ = load(kept), z = load(kept + 2 * L), one = splat(1.0f);
                const Vec h = load_first(b.state(t, row, j >= later) + at.unit, at.count);
                Vec dh = b.output_gradient(t, position, block, at.count);
                const Vec direct = share_of_old(at, o.zone_state, Kind::state) * dh;
                dh = dh - direct;
                const Vec d_n = keep_first(
                    dropped(at, dh * (one - z) * slope(o.activation, n_)), at.count);
                const Vec d_z = keep_first(
                    dh * (h - dropped(at, n_)) * slope_of_gate(o, z), at.count);
                b.put_direct(position, block, fma(dh, z, direct));
                store(b.part.d_candidate + (k + j) * b.part.c_step + at.unit, d_n);
                put(k + j, block, 0, d_n), put(k + j, block, 2, d_z);
                sum_n += d_n, sum_z += d_z;
            }
            store(bias, sum_n), store(bias + 2 * L, sum_z);
        });
    }

    // From the gradient of r ⊙ h to the sum of r, and to what was read of h.
    void reset(int64_t t, int64_t n, int64_t k) const {
        float* to = drops_product<C>(p) ? b.work.factor_dh : b.work.dh;
        own_rows(n, [&](int64_t block, int64_t begin, int64_t end) {
            float* bias = b.bias(block) + L;
            Vec sum = load(bias);
            for (int64_t j = begin; j < end; ++j) {
                const int64_t position = b.share.position(j);
                const int64_t at = position * b.work.dh_step + block * L;
                const Vec r = load(b.saved_of(t, block, position) + L);
                const Vec dq = load(b.work.reset_dh + at);
                const Vec d = keep_first(dq * read(block, k + j) * slope_of_gate(p.options, r),
                                         shape.units_in(block));
                put(k + j, block, 1, d);
                sum += d;
                store(to + at, drops_product<C>(p) ? dq * r : fma(dq, r, load(to + at)));
            }
            store(bias, sum);
        });
    }
};

template <class C>
void reset_pointwise(const BackwardPass<C>& b, int64_t t, int64_t n, int64_t later, int64_t k) {
    const ResetBackward<C> steps{b};
    steps.candidate_and_update(t, n, later, k);
    b.wait_if_shared();
    b.rows_times_panels(b.part.d_candidate + k * b.part.c_step, b.part.c_step, n,
                        b.work.candidate_t, b.units, b.p.P, b.p.product, b.work.reset_dh, b.work.dh_step,
                        nullptr);
    b.wait_if_shared();
    steps.reset(t, n, k);
}

}  // namespace
}  // namespace carousel
