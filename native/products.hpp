// The products of a step's rows with the weights, panel by panel.
#pragma once

#include "pack.hpp"

namespace carousel {
namespace {

// Vectors of the wider of a panel's two products.
template <class C>
CAROUSEL_INLINE int widest_product(const Shape<C>& shape, int64_t panel) {
    return shape.blocks_in(panel) * (C::kInput > C::kHidden ? C::kInput : C::kHidden);
}

// Calls of_tile(panel, first row, rows) for the tiles of n rows in this thread's panels, and
// of_row(panel) for kRowPanels whole panels, from `panel` on, of a row that is alone.
template <class C, class OfRow, class OfTile>
CAROUSEL_INLINE void each_tile(const Shape<C>& shape, const Share& share, int64_t n,
                               const OfRow& of_row, const OfTile& of_tile) {
    const int64_t end = share.end(shape.panels);
    int64_t panel = share.begin(shape.panels);
    if (n == 1) {
        const int64_t whole = min(end, shape.blocks / C::kBlocks);
        for (; panel + kRowPanels <= whole; panel += kRowPanels) of_row(panel);
    }
    for (; panel < end; ++panel) {
        const Tiles tiles(n, widest_product(shape, panel));
        for (int64_t i = 0; i < tiles.count; ++i) of_tile(panel, tiles.start(i), tiles.rows(i));
    }
}

// What the inputs add to the sums of panel `panel`, from their biases on.
template <class C>
struct InputProduct {
    static constexpr int64_t kStep = kPanelSums<C>;
    const Problem& p;
    const Packed<C>& packed;
    const Shape<C>& shape;

    // For rows x[0] to x[rows - 1].
    void of_rows(int64_t panel, const float* const* x, int rows, float* sums) const {
        const int nx = shape.blocks_in(panel) * C::kInput;
        const float* bias = packed.bias + panel * kStep;
        tile_for(p.product, rows, nx)(x, 1, packed.input_panel(panel), nx * L, packed.inputs,
                                      bias + C::kInputFirst * L, 0, sums + C::kInputFirst * L,
                                      kStep);
        if constexpr (C::kTwoProducts)
            tile_for(p.product, rows, C::kHidden)(
                x, 1, packed.hidden_panel(panel), C::kHidden * L, packed.states,
                bias + C::kHiddenFirst * L, 0, sums + C::kHiddenFirst * L, kStep);
        else
            add_bias_of_hidden_alone(bias, sums, rows);
    }

    // For one row, and kRowPanels whole panels.
    void of_row(int64_t panel, const float* x, float* sums) const {
        constexpr int nx = C::kBlocks * C::kInput;
        const float* bias = packed.bias + panel * kStep;
        row_tile_for(p.product, nx)(x, packed.input_panel(panel), nx * L, nx * L * packed.inputs,
                                    packed.inputs, bias + C::kInputFirst * L, kStep,
                                    sums + C::kInputFirst * L, kStep);
        if constexpr (C::kTwoProducts) {
            constexpr int nh = C::kBlocks * C::kHidden;
            return row_tile_for(p.product, nh)(x, packed.hidden_panel(panel), nh * L,
                                               nh * L * packed.states, packed.states,
                                               bias + C::kHiddenFirst * L, kStep,
                                               sums + C::kHiddenFirst * L, kStep);
        }
        for (int i = 0; i < kRowPanels; ++i)
            add_bias_of_hidden_alone(bias + i * kStep, sums + i * kStep, 1);
    }

    // Sums that only the recurrent product fills start from their bias.
    void add_bias_of_hidden_alone(const float* bias, float* sums, int rows) const {
        constexpr int first = C::kInputFirst + C::kInput;
        for (int m = 0; m < rows; ++m)
            for (int s = first; s < C::kSums; ++s)
                store(sums + m * kStep + s * L, load(bias + s * L));
    }
};

}  // namespace
}  // namespace carousel
