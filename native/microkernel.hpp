// The one product that everything is made of: a register tile of a panel product.
//
//   c[m][v] = init[m][v] + sum over k < K of a[m][k] * b[k][v]
//
// for MR rows m and NV vectors v. The sum over k is in order, one fused multiply-add at a time, so
// a row's bits depend on nothing but the row: not on MR, on its neighbours, or on who computes it.
//
// The forward pass multiplies rows of inputs and states with panels of weights (a_step = 1). The
// backward pass multiplies rows of gate gradients with panels of transposed weights (a_step = 1),
// and columns of inputs and states with rows of gate gradients (a_step = distance of two rows),
// which is the gradient of the weights.
#pragma once

#include "simd.hpp"

namespace carousel {
namespace {

// Rows of a tile. With 4 vectors a row, 32 registers hold 24 sums, 4 weights and an input;
// 16 registers hold 12 sums.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kTileRows = 6;
#else
constexpr int kTileRows = 3;
#endif
constexpr int kTileVectors = 4;

// a: MR pointers, element k of row m at a[m][k * a_step]. b: vectors of L floats, row k at
// b + k * b_step. init, c: row m at init + m * init_step, c + m * c_step; init may be c.
template <int MR, int NV>
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
            for (int v = 0; v < NV; ++v) sum[m][v] = fma(x, w[v], sum[m][v]);
        }
    }
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) {
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) store(c + m * c_step + v * L, sum[m][v]);
    }
}

// One row against NP panels at once: alone, a row has too few sums in flight to hide the latency
// of a multiply-add. Panel p of b, init and c stands at p * b_panel, p * init_panel, p * c_panel.
template <int NV, int NP>
void tile_row(const float* a, const float* b, int64_t b_step, int64_t b_panel, int64_t K,
              const float* init, int64_t init_panel, float* c, int64_t c_panel) {
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
                sum[p][v] = fma(x, load(b + p * b_panel + v * L), sum[p][v]);
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

#define CAROUSEL_TILES(MR) {tile<MR, 1>, tile<MR, 2>, tile<MR, 3>, tile<MR, 4>}
const Tile kTiles[kTileRows][kTileVectors] = {
    CAROUSEL_TILES(1), CAROUSEL_TILES(2), CAROUSEL_TILES(3),
#if defined(__AVX512F__) || defined(__aarch64__)
    CAROUSEL_TILES(4), CAROUSEL_TILES(5), CAROUSEL_TILES(6),
#endif
};
#undef CAROUSEL_TILES

CAROUSEL_INLINE Tile tile_for(int rows, int vectors) { return kTiles[rows - 1][vectors - 1]; }

// Rows [0, n) in tiles: tile i of count_tiles(n) starts at tile_start(n, i). Large tiles are cut to
// nearly equal sizes. A small one of two rows has too few sums to hide the latency of a multiply-add,
// so that 3 + 1 rows take less time than 2 + 2: all are whole but the last.
CAROUSEL_INLINE int64_t count_tiles(int64_t n) { return (n + kTileRows - 1) / kTileRows; }
CAROUSEL_INLINE int64_t tile_start(int64_t n, int64_t i) {
    if (kTileRows < 6) return i * kTileRows < n ? i * kTileRows : n;
    const int64_t tiles = count_tiles(n), small = n / tiles, larger = n % tiles;
    return i * small + (i < larger ? i : larger);
}

}  // namespace
}  // namespace carousel
