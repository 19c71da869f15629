// The one product that everything is made of: a register tile of a panel product.
//
//   c[m][v] = init[m][v] + sum over k < K of a[m][k] * b[k][v]
//
// for MR rows m and NV vectors v. The sum over k is in order, one fused multiply-add at a time, so
// a row's bits depend on nothing but the row: not on MR, on its neighbours, or on who computes it.
// What a product with b[k][v] is, Multiply says: of bfloat16 numbers, a k is a pair of them, one word
// as large as a float (see rounded.hpp).
//
// The forward pass multiplies rows of inputs and states with panels of weights (a_step = 1). The
// backward pass multiplies rows of gate gradients with panels of transposed weights (a_step = 1),
// and columns of inputs and states with rows of gate gradients (a_step = distance of two rows),
// which is the gradient of the weights.
#pragma once

#include "simd.hpp"

namespace carousel {
namespace {

constexpr int kTileVectors = 4;  // at most
constexpr int kMostRows = 6;

// Rows of a tile. 32 registers hold 24 sums, 4 weights and an input; 16 registers hold 12 sums.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr bool kManyRegisters = true;
#else
constexpr bool kManyRegisters = false;
#endif
constexpr int rows_of_tile(int vectors) {
    if (kManyRegisters) return kMostRows;
    return vectors >= 4 ? 3 : vectors == 3 ? 4 : kMostRows;
}
constexpr int kTileRows = rows_of_tile(kTileVectors);

struct MultiplyFloats {
    static CAROUSEL_INLINE Vec add(Vec x, Vec w, Vec sum) { return fma(x, w, sum); }
};

// a: MR pointers, element k of row m at a[m][k * a_step]. b: vectors of L floats, row k at
// b + k * b_step. init, c: row m at init + m * init_step, c + m * c_step; init may be c.
template <class Multiply, int MR, int NV>
void tile(const float* const* a, int64_t a_step, const float* b, int64_t b_step, int64_t K,
          const float* init, int64_t init_step, float* c, int64_t c_step) {
    Vec sum[MR][NV];
    const float* row[MR];
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) {
        row[m] = a[m];
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) sum[m][v] = load(init + m * init_step + v * L);
    }
    for (int64_t k = 0, ka = 0; k < K; ++k, ka += a_step, b += b_step) {
        Vec w[NV];
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) w[v] = load(b + v * L);
#pragma GCC unroll 8
        for (int m = 0; m < MR; ++m) {
            const Vec x = splat(row[m][ka]);
#pragma GCC unroll 8
            for (int v = 0; v < NV; ++v) sum[m][v] = Multiply::add(x, w[v], sum[m][v]);
        }
    }
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) {
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) store(c + m * c_step + v * L, sum[m][v]);
    }
}

// Alone, a row has too few sums in flight in one panel: it takes so many whole panels at once.
constexpr int kRowPanels = kTileRows >= 6 ? 4 : 3;

// One row against kRowPanels panels at once: alone, a row has too few sums in flight to hide the latency
// of a multiply-add. Panel p of b, init and c stands at p * b_panel, p * init_panel, p * c_panel.
template <class Multiply, int NV>
void tile_row(const float* a, const float* b, int64_t b_step, int64_t b_panel, int64_t K,
              const float* init, int64_t init_panel, float* c, int64_t c_panel) {
    constexpr int NP = kRowPanels;
    Vec sum[NP][NV];
#pragma GCC unroll 8
    for (int p = 0; p < NP; ++p) {
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) sum[p][v] = load(init + p * init_panel + v * L);
    }
    for (int64_t k = 0; k < K; ++k, b += b_step) {
        const Vec x = splat(a[k]);
#pragma GCC unroll 8
        for (int p = 0; p < NP; ++p) {
#pragma GCC unroll 8
            for (int v = 0; v < NV; ++v)
                sum[p][v] = Multiply::add(x, load(b + p * b_panel + v * L), sum[p][v]);
        }
    }
#pragma GCC unroll 8
    for (int p = 0; p < NP; ++p) {
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) store(c + p * c_panel + v * L, sum[p][v]);
    }
}

using Tile = void (*)(const float* const*, int64_t, const float*, int64_t, int64_t, const float*,
                      int64_t, float*, int64_t);
using RowTile = void (*)(const float*, const float*, int64_t, int64_t, int64_t, const float*,
                         int64_t, float*, int64_t);

// One way to multiply: its tiles, by rows and by vectors; and how floats become what it reads, where
// that is something else: n neighbours in words, or n numbers of two rows.
struct TileTable {
    Tile tiles[kMostRows][kTileVectors];
    RowTile of_row[kTileVectors];
    void (*round_row)(const float* from, int64_t n, float* to);
    void (*round_pairs)(const float* low, const float* high, int64_t n, float* to);
};

template <class Multiply, int MR, int NV>
constexpr Tile known_tile() {
    if constexpr (MR <= rows_of_tile(NV))
        return tile<Multiply, MR, NV>;
    else
        return nullptr;
}
#define CAROUSEL_TILES(MR)                                        \
    {known_tile<Multiply, MR, 1>(), known_tile<Multiply, MR, 2>(), \
     known_tile<Multiply, MR, 3>(), known_tile<Multiply, MR, 4>()}
template <class Multiply>
constexpr TileTable tile_table(decltype(TileTable::round_row) round_row = nullptr,
                               decltype(TileTable::round_pairs) round_pairs = nullptr) {
    return {{CAROUSEL_TILES(1), CAROUSEL_TILES(2), CAROUSEL_TILES(3), CAROUSEL_TILES(4),
             CAROUSEL_TILES(5), CAROUSEL_TILES(6)},
            {tile_row<Multiply, 1>, tile_row<Multiply, 2>, tile_row<Multiply, 3>,
             tile_row<Multiply, 4>},
            round_row,
            round_pairs};
}
#undef CAROUSEL_TILES

// Rows [0, n) in tiles of so many vectors. Those of many registers are of nearly equal sizes. Of the
// others, two rows of 4 vectors have too few sums to hide the latency of a multiply-add, and 3 + 1
// rows take less time than 2 + 2: all are whole but the last.
struct Tiles {
    int64_t count;
    Tiles(int64_t n, int vectors) : n_(n) {
        const int64_t most = rows_of_tile(vectors);
        count = (n + most - 1) / most;
        small_ = kManyRegisters && count ? n / count : most;
        larger_ = kManyRegisters && count ? n % count : 0;
    }
    int64_t start(int64_t i) const {
        const int64_t at = i * small_ + (i < larger_ ? i : larger_);
        return at < n_ ? at : n_;
    }
    int rows(int64_t i) const { return static_cast<int>(start(i + 1) - start(i)); }

  private:
    int64_t n_, small_, larger_;
};

}  // namespace
}  // namespace carousel
