// The forward pass of weights that are each read once (see reads_once), as they stand: few columns of
// a panel at a time are packed, into memory that stays in the nearest cache, and multiplied at once; for
// few rows not even those, see few.hpp.
#pragma once

#include "few.hpp"
#include "forward_pass.hpp"

namespace carousel {
namespace {

template <class F, class C>
struct OnceForward {
    const F& f;

    void products(int64_t t, int64_t n) const {
        const Share& share = f.share;
        for (int64_t panel = share.begin(f.shape.panels); panel < share.end(f.shape.panels); ++panel) {
            start(panel, n);
            add(panel, f.p.w_ih, C::kInputFirst, C::kInput, f.p.I, f.inputs(0), n);
            add(panel, f.p.w_hh, C::kHiddenFirst, C::kHidden, f.p.P, f.factors(0), n);
            f.pointwise(t, panel, 0, static_cast<int>(n), f.packed.sums);
        }
    }

private:
    // The sums of n rows, from their biases on.
    void start(int64_t panel, int64_t n) const {
        const int blocks = f.shape.blocks_in(panel);
        for (int i = 0; i < blocks; ++i) pack_bias(f.p, f.packed, panel * C::kBlocks + i);
        for (int64_t j = 0; j < n; ++j)
            copy(f.packed.sums + j * kPanelSums<C>, f.packed.bias + panel * kPanelSums<C>,
                 blocks * C::kSums * L);
    }

    // What a product of K columns adds to them.
    void add(int64_t panel, const float* w, int first, int sums, int64_t K, const float* const* rows,
             int64_t n) const {
        const int nv = f.shape.blocks_in(panel) * sums;
        if (n <= kFewRows) {
            for (int v = 0; v < nv; ++v) add_few(panel, w, v / sums, first + v % sums, K, rows, n);
            return;
        }
        const Tiles tiles(n, nv);
        for (int64_t k = 0; k < K; k += kOnceDeep) {
            const Span columns{k, min(K, k + kOnceDeep)};
            pack_panel(f.shape, panel, w, first, sums, K, columns, Product::floats, f.packed.columns);
            for (int64_t i = 0; i < tiles.count; ++i) {
                const int64_t j = tiles.start(i);
                const int m_count = tiles.rows(i);
                const float* row[kMostRows];
                for (int m = 0; m < m_count; ++m) row[m] = rows[j + m] + k;
                float* c = f.packed.sums + j * kPanelSums<C> + first * L;
                tile_for(Product::floats, m_count, nv)(row, 1, f.packed.columns, nv * L,
                                                       columns.last - k, c, kPanelSums<C>, c,
                                                       kPanelSums<C>);
            }
        }
    }

    // The same for one sum of a block of the panel, and few rows.
    void add_few(int64_t panel, const float* w, int block, int sum, int64_t K, const float* const* rows,
                 int64_t n) const {
        const int64_t at = panel * C::kBlocks + block;
        with_count(n, [&](auto count) {
            squares_times_rows<count.value>(gate_row<C>(w, sum, at * L, f.p.H, K), K,
                                            f.shape.units_in(at), rows,
                                            f.packed.sums + (block * C::kSums + sum) * L,
                                            kPanelSums<C>);
        });
    }
};

}  // namespace
}  // namespace carousel
