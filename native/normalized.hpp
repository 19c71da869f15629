// A step of the cells of normalized_cell.hpp, forward: the products of a few rows, then each row's
// statistics, and from them its units.
#pragma once

#include "forward_pass.hpp"
#include "normalized_cell.hpp"

namespace carousel {
namespace {

template <class C, bool kSave>
struct NormalizedForward {
    const ForwardPass<C, kSave>& f;
    const Problem& p = f.p;
    const Shape<C>& shape = f.shape;
    const int64_t units = shape.blocks * L;
    float* const input = f.buffer();
    float* const hidden = input + C::kRowsAtOnce * units * C::kInput;
    float* const cell = hidden + C::kRowsAtOnce * units * C::kHidden;
    float* const open = cell + units;
    float* const zeros = open + units;

    // The products of rows [first, first + n) of the step, n <= kRowsAtOnce.
    void products(int64_t first, int64_t n) const {
        constexpr int nx = C::kBlocks * C::kInput, nh = C::kBlocks * C::kHidden;
        each_tile(
            shape, f.share, n, [&](int64_t panel) { products_of_row(panel, first); },
            [&](int64_t panel, int64_t j, int rows) {
                const int blocks = shape.blocks_in(panel);
                float* x = input + j * units * C::kInput + panel * nx * L;
                float* h = hidden + j * units * C::kHidden + panel * nh * L;
                tile_for(p.product, rows, blocks * C::kInput)(
                    f.inputs(first + j), 1, f.packed.input_panel(panel), blocks * C::kInput * L,
                    f.packed.inputs, zeros, 0, x, units * C::kInput);
                tile_for(p.product, rows, blocks * C::kHidden)(
                    f.factors(first + j), 1, f.packed.hidden_panel(panel),
                    blocks * C::kHidden * L, f.packed.states, C::kTwoSides ? zeros : x,
                    C::kTwoSides ? 0 : units * C::kInput, C::kTwoSides ? h : x,
                    units * C::kHidden);
            });
    }

    void products_of_row(int64_t panel, int64_t j) const {
        constexpr int nx = C::kBlocks * C::kInput, nh = C::kBlocks * C::kHidden;
        float *x = input + panel * nx * L, *h = hidden + panel * nh * L;
        const int64_t I = f.packed.inputs, P = f.packed.states;
        row_tile_for(p.product, nx)(*f.inputs(j), f.packed.input_panel(panel), nx * L, nx * L * I,
                                    I, zeros, 0, x, nx * L);
        row_tile_for(p.product, nh)(*f.factors(j), f.packed.hidden_panel(panel), nh * L,
                                    nh * L * P, P, C::kTwoSides ? zeros : x,
                                    C::kTwoSides ? 0 : nx * L, C::kTwoSides ? h : x, nh * L);
    }

    // Row j of the step, whose products are those of the buffers' row m.
    void row(int64_t t, int64_t j, int64_t m) const {
        const int64_t position = f.share.position(j);
        const Products<C> products{input + m * units * C::kInput, hidden + m * units * C::kHidden,
                                   C::kInput * L, C::kHidden * L};
        Moments moments[C::kGroups];
        find_moments(shape, products, moments);
        for (int64_t block = 0; block < shape.blocks; ++block) {
            const int count = shape.units_in(block);
            const float* bias = f.packed.bias + block * C::kSums * L;
            float* kept = f.kept_of(t, block, position);
            float* column = C::kHasCellState ? f.cell_of(position, block) : nullptr;
            alignas(64) float sums[C::kSums * L];
            Vec sum[C::kSums];
            for (int s = 0; s < C::kSums; ++s) sum[s] = load(bias + s * L);
#pragma GCC unroll 8
            for (int k = 0; k < C::kRaw; ++k) {
                const Vec raw = products.at(block, k);
                if (kSave) store(kept + k * L, raw);
                const Vec gain = load_first(C::gain(p, k) + block * L, count);
                sum[C::sum_of(k)] =
                    fma(gain, moments[C::group_of(k)].apply(raw), sum[C::sum_of(k)]);
            }
            for (int s = 0; s < C::kSums; ++s) store(sums + s * L, sum[s]);
            if (kSave) kept += (C::kRaw + C::kOwn) * L;
            if constexpr (C::kHasCellState) {
                Vec c = load(column), opened;
                const Vec c_new = C::template forward_cell<kSave>(f.site(j, block, count), sums, c,
                                                                  opened, kept);
                store(column, c), store(cell + block * L, c_new), store(open + block * L, opened);
            } else {
                Vec none{};
                f.put(j, position, block, count,
                      C::template forward<kSave>(f.site(j, block, count), sums,
                                                 before(j, block, count), none, kept));
            }
        }
        if constexpr (C::kHasCellState) finish_row(t, j, position);
    }

    Vec before(int64_t j, int64_t block, int count) const {
        if (!C::reads_state(p)) return Vec{};
        return f.state_of(j, block, count);
    }

    // From the new cell states of a row to its output.
    void finish_row(int64_t t, int64_t j, int64_t position) const {
        const Moments moments = moments_of_row(shape, cell);
        for (int64_t block = 0; block < shape.blocks; ++block) {
            const Site at = f.site(j, block, shape.units_in(block));
            const Vec gain = load_first(p.w_ln_c + at.unit, at.count);
            const Vec bias = load_first(p.b_ln_c + at.unit, at.count);
            const Vec c = fma(gain, moments.apply(load(cell + at.unit)), bias);
            const Vec h = load(open + at.unit) * apply(p.options.output, c);
            if (kSave) store(f.kept_of(t, block, position) + C::kRaw * L, h);
            f.put(j, position, block, at.count,
                  zoned(at, p.options.zone_state, Kind::state, before(j, block, at.count), h));
        }
    }
};

template <class C, bool kSave>
void normalized_step(const ForwardPass<C, kSave>& f, int64_t t, int64_t n) {
    const NormalizedForward<C, kSave> normalized{f};
    zero(normalized.zeros, kWide);
    for (int64_t first = 0; first < n; first += C::kRowsAtOnce) {
        const int64_t rows = min(n - first, C::kRowsAtOnce);
        normalized.products(first, rows);
        for (int64_t m = 0; m < rows; ++m) normalized.row(t, first + m, m);
    }
}

}  // namespace
}  // namespace carousel
