// The backward pass of weights that are each read once (see reads_once), row by row as torch has them:
// a copy of them in another order, or of their gradients, would take longer than the products.
#pragma once

#include "backward_pass.hpp"
#include "few.hpp"

namespace carousel {
namespace {

template <class C>
struct OnceBackward {
    const BackwardPass<C>& b;
    const Problem& p = b.p;
    const Part<C>& part = b.part;

    // The gradients of the states before the step. from: what to add to, `to` itself, or null.
    void states(int64_t n, int64_t k, float* to, const float* from) const {
        times_weights(p.w_hh, C::kHiddenFirst, C::kHidden, p.P, part.d_hidden + k * part.d_step, n, to,
                      b.work.dh_step, from == nullptr);
    }

    // Those of the n inputs: this thread's columns.
    void inputs(int64_t n) const {
        float* to = b.work.once_dx;
        const int64_t step = up(p.I, L) * L, wide = up(p.I, kWide);
        const int64_t first = b.share.begin(wide) * kWide;
        const int64_t count = min(b.share.end(wide) * kWide, p.I) - first;
        times_weights(p.w_ih, C::kInputFirst, C::kInput, p.I, part.d_input, n, to, step, true);
        for (int64_t j = 0; j < n; ++j) {
            float* dx = part.dx[j] + first;
            const float* sums = to + b.share.position(j) * step + first;
            if (p.add_to_dx)
                for (int64_t i = 0; i < count; ++i) dx[i] += sums[i];
            else if (count > 0)
                copy(dx, sums, count);
        }
    }

    // Those of the weights of this thread's units, from n rows, which may be none.
    void weights(int64_t n) const {
        const int64_t first = b.share.begin(b.shape.panels) * C::kBlocks;
        const int64_t last = min(b.share.end(b.shape.panels) * C::kBlocks, b.shape.blocks);
        for (int64_t block = first; block < last; ++block) {
            for (int s = 0; s < C::kInput; ++s)
                of_block(block, C::kInputFirst, C::kInput, s, p.I, part.x, part.d_input, n, p.dw_ih);
            for (int s = 0; s < C::kHidden; ++s)
                of_block(block, C::kHiddenFirst, C::kHidden, s, p.P, part.h, part.d_hidden, n, p.dw_hh);
        }
        order_stores();
    }

private:
    // c[position of j] += d[j] · W for n rows j and this thread's panels of the N columns; set_zero: c
    // holds nothing yet. W is read in groups of L rows, those of a sum of a block.
    void times_weights(const float* w, int first, int sums, int64_t N, const float* d, int64_t n,
                       float* c, int64_t c_row, bool set_zero) const {
        const int64_t wide = up(N, kWide);
        for (int64_t block = 0; block < b.shape.blocks; ++block)
            for (int s = 0; s < sums; ++s) {
                const int64_t d_column = (block * sums + s) * L;
                const float* rows = gate_row<C>(w, first + s, block * L, p.H, N);
                for (int64_t q = b.share.begin(wide); q < b.share.end(wide); ++q)
                    times_group(rows, b.shape.units_in(block), q, N, d + d_column, n, c, c_row,
                                set_zero);
                set_zero = false;
            }
    }

    // The same for one group, and columns [q kWide, …).
    void times_group(const float* w, int count, int64_t q, int64_t N, const float* d, int64_t n,
                     float* c, int64_t c_row, bool set_zero) const {
        alignas(64) float edge[L * kWide];
        const int nv = vectors_in(q, N);
        const int64_t columns = min(nv * L, N - q * kWide);
        const float* from = w + q * kWide;
        int64_t step = N;
        if (columns < nv * L) {  // no vector may end behind the last weight
            for (int u = 0; u < count; ++u) {
                copy(edge + u * nv * L, from + u * N, columns);
                zero(edge + u * nv * L + columns, nv * L - columns);
            }
            from = edge, step = nv * L;
        }
        const Tiles tiles(n, nv);
        for (int64_t i = 0; i < tiles.count; ++i) {
            const int64_t j = tiles.start(i);
            const int m_count = tiles.rows(i);
            const float* row[kMostRows];
            for (int m = 0; m < m_count; ++m) row[m] = d + (j + m) * part.d_step;
            float* to = c + b.share.position(j) * c_row + q * kWide;
            const int64_t next = b.share.step * c_row;
            tile_for(Product::floats, m_count, nv)(row, 1, from, step, count,
                                                   set_zero ? b.work.zeros : to,
                                                   set_zero ? 0 : next, to, next);
        }
    }

    // Gradients of the weights of sum s of a block, in their place: sums over n rows of d times x.
    void of_block(int64_t block, int first, int sums, int s, int64_t K, const float* x, const float* d,
                  int64_t n, float* dw) const {
        if (n > 0 && n <= kFewRows) return of_few(block, first + s, K, x, d + (block * sums + s) * L, n, dw);
        const Tiles tiles(b.shape.units_in(block), static_cast<int>(kTileVectors));
        for (int64_t i = 0; i < tiles.count; ++i) {
            const float* column[kMostRows];
            for (int m = 0; m < tiles.rows(i); ++m)
                column[m] = d + (block * sums + s) * L + tiles.start(i) + m;
            float* to = dw + (C::gate_of_sum(first + s) * p.H + block * L + tiles.start(i)) * K;
            for (int64_t q = 0; q < up(K, kWide); ++q)
                outer(column, tiles.rows(i), x, q, K, n, to + q * kWide);
        }
    }

    // The same for few rows: whole rows of the gradients, one after the other.
    void of_few(int64_t block, int sum, int64_t K, const float* x, const float* d, int64_t n,
                float* dw) const {
        dw += (C::gate_of_sum(sum) * p.H + block * L) * K;
        const bool around = weight_bytes<C>(p) > kBeyondCaches && K % L == 0 && starts_vector(dw);
        with_count(n, [&](auto count) {
            constexpr int M = count.value, U = M == 1 ? 8 : 4;
            const int units = b.shape.units_in(block);
            int u = 0;
            for (; u + U <= units; u += U)
                (around ? sums_of_rows<M, U, true> : sums_of_rows<M, U, false>)(
                    d + u, part.d_step, x, part.row_step, K, dw + u * K);
            for (; u < units; ++u)
                (around ? sums_of_rows<M, 1, true> : sums_of_rows<M, 1, false>)(
                    d + u, part.d_step, x, part.row_step, K, dw + u * K);
        });
    }

    void outer(const float* const* column, int rows, const float* x, int64_t q, int64_t K, int64_t n,
               float* dw) const {
        alignas(64) float edge[kMostRows * kWide];
        const int nv = vectors_in(q, K);
        const int64_t columns = min(nv * L, K - q * kWide);
        const bool whole = columns == nv * L;
        tile_for(Product::floats, rows, nv)(column, part.d_step, x + q * kWide, part.row_step, n,
                                            b.work.zeros, 0, whole ? dw : edge, whole ? K : kWide);
        if (!whole)
            for (int m = 0; m < rows; ++m) copy(dw + m * K, edge + m * kWide, columns);
    }
};

}  // namespace
}  // namespace carousel
