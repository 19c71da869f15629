// Products of few rows with weights as they stand, which are read, and their gradients written, once: row
// by row of memory, from registers. See once.hpp and once_backward.hpp, which do the same for more rows.
#pragma once

#include "layout.hpp"

namespace carousel {
namespace {

constexpr int64_t kFewRows = 6;

// Bytes of gradients from which on the last cache will not keep them until somebody reads them.
#ifndef CAROUSEL_BEYOND_CACHES
#define CAROUSEL_BEYOND_CACHES (16 << 20)
#endif
constexpr int64_t kBeyondCaches = CAROUSEL_BEYOND_CACHES;

// Stores where a vector may begin (see starts_vector), without fetching what stands there, and without keeping
// it in the caches. Others see such stores in any order, unless order_stores comes in between.
CAROUSEL_INLINE void store_around(float* p, Vec v) {
#if defined(__AVX512F__)
    _mm512_stream_ps(p, v);
#elif defined(__AVX2__)
    _mm256_stream_ps(p, v);
#elif defined(__SSE2__)
    _mm_stream_ps(p, v);
#else
    store(p, v);
#endif
}
CAROUSEL_INLINE void order_stores() {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}
CAROUSEL_INLINE bool starts_vector(const float* p) {
    return reinterpret_cast<uintptr_t>(p) % CAROUSEL_VECTOR_BYTES == 0;
}

template <int n>
struct Count {
    static constexpr int value = n;
};

// Calls visit(Count<n>) for 1 <= n <= kFewRows.
template <class Visit>
CAROUSEL_INLINE void with_count(int64_t n, const Visit& visit) {
    switch (n) {
        case 1: return visit(Count<1>{});
        case 2: return visit(Count<2>{});
        case 3: return visit(Count<3>{});
        case 4: return visit(Count<4>{});
        case 5: return visit(Count<5>{});
        default: return visit(Count<6>{});
    }
}

// sum[m] += the product of `count` columns of a square with what stands at rows[m] + k.
template <int M>
CAROUSEL_INLINE void add_square(const Vec (&square)[L], int count, const float* const* rows, int64_t k,
                                Vec (&sum)[M]) {
#pragma GCC unroll 16
    for (int i = 0; i < count; ++i)
#pragma GCC unroll 8
        for (int m = 0; m < M; ++m) sum[m] = fma(splat(rows[m][k + i]), square[i], sum[m]);
}

// sums[m next] += W rows[m], of M rows: W has L rows of K floats, or as many as `units`. Squares of L by L
// weights are turned around in registers, so that a sum is in the order of the features, as everywhere.
template <int M>
void squares_times_rows(const float* w, int64_t K, int units, const float* const* rows, float* sums,
                        int64_t next) {
    Vec sum[M], square[L];
    for (int m = 0; m < M; ++m) sum[m] = load(sums + m * next);
    int64_t k = 0;
    for (; units == L && k + L <= K; k += L) {
#pragma GCC unroll 16
        for (int lane = 0; lane < L; ++lane) square[lane] = load(w + lane * K + k);
        transpose(square);
        add_square(square, L, rows, k, sum);
    }
    for (; k < K; k += L) {
        const int count = static_cast<int>(min(L, K - k));
        for (int lane = 0; lane < L; ++lane)
            square[lane] = lane < units ? load_first(w + lane * K + k, count) : Vec{};
        transpose(square);
        add_square(square, count, rows, k, sum);
    }
    for (int m = 0; m < M; ++m) store(sums + m * next, sum[m]);
}

// to[u K + k] = the sum over M rows of d[m d_step + u] x[m x_step + k], for U units and K features. Of
// several units at once, as memory that is far away takes many rows at a time faster than one.
// around: past the caches.
template <int M, int U, bool around>
void sums_of_rows(const float* d, int64_t d_step, const float* x, int64_t x_step, int64_t K, float* to) {
    Vec factor[U][M];
    for (int u = 0; u < U; ++u)
        for (int m = 0; m < M; ++m) factor[u][m] = splat(d[m * d_step + u]);
    for (int64_t k = 0; k < K; k += L) {
        const int count = static_cast<int>(min(L, K - k));
        Vec sum[U] = {};
#pragma GCC unroll 8
        for (int m = 0; m < M; ++m) {
            const Vec row = load_first(x + m * x_step + k, count);
#pragma GCC unroll 8
            for (int u = 0; u < U; ++u) sum[u] = fma(factor[u][m], row, sum[u]);
        }
#pragma GCC unroll 8
        for (int u = 0; u < U; ++u)
            if (around && count == L)
                store_around(to + u * K + k, sum[u]);
            else
                store_first(to + u * K + k, sum[u], count);
    }
}

}  // namespace
}  // namespace carousel
