// The vector operations that the kernels need, for the instruction set this file is compiled for.
//
// Included only by kernels.cpp, which is compiled once per instruction set. Everything here has
// internal linkage: were it shared, the linker could hand AVX-512 code to a CPU without it.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX512F__) || defined(__AVX2__) || defined(__SSE2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define CAROUSEL_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define CAROUSEL_VECTOR_BYTES 32
#else
#define CAROUSEL_VECTOR_BYTES 16
#endif

#define CAROUSEL_INLINE inline __attribute__((always_inline))

namespace carousel {
namespace {

typedef float Vec __attribute__((vector_size(CAROUSEL_VECTOR_BYTES)));
typedef int32_t VecInt __attribute__((vector_size(CAROUSEL_VECTOR_BYTES)));
typedef float Unaligned
    __attribute__((vector_size(CAROUSEL_VECTOR_BYTES), aligned(4), may_alias));

constexpr int L = CAROUSEL_VECTOR_BYTES / 4;  // lanes: hidden units that share a vector

CAROUSEL_INLINE Vec load(const float* p) { return *reinterpret_cast<const Unaligned*>(p); }
CAROUSEL_INLINE void store(float* p, Vec v) { *reinterpret_cast<Unaligned*>(p) = v; }

// Every lane x: one broadcasting load. "Vec{} + x" would be an addition, for it makes 0 of -0.
CAROUSEL_INLINE Vec splat(float x) {
#if defined(__AVX512F__)
    return _mm512_set1_ps(x);
#elif defined(__AVX2__)
    return _mm256_set1_ps(x);
#elif defined(__SSE2__)
    return _mm_set1_ps(x);
#else
    Vec v;
    for (int i = 0; i < L; ++i) v[i] = x;
    return v;
#endif
}

// The first `count` floats at p, the rest zero. What stands behind them is not touched.
CAROUSEL_INLINE Vec load_first(const float* p, int count) {
    if (count >= L) return load(p);
#if defined(__AVX512F__)
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), p);
#else
    float lanes[L] = {};
    for (int i = 0; i < count; ++i) lanes[i] = p[i];
    return load(lanes);
#endif
}

CAROUSEL_INLINE void store_first(float* p, Vec v, int count) {
    if (count >= L) return store(p, v);
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1), v);
#else
    float lanes[L];
    store(lanes, v);
    for (int i = 0; i < count; ++i) p[i] = lanes[i];
#endif
}

// The first `count` lanes of v, the rest zero.
CAROUSEL_INLINE Vec keep_first(Vec v, int count) {
    VecInt lane;
    for (int i = 0; i < L; ++i) lane[i] = i;
    return lane < VecInt{} + count ? v : Vec{};
}

// ---- transposition

template <int... J>
struct Lanes {};
#if CAROUSEL_VECTOR_BYTES == 64
using AllLanes = Lanes<0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15>;
#elif CAROUSEL_VECTOR_BYTES == 32
using AllLanes = Lanes<0, 1, 2, 3, 4, 5, 6, 7>;
#else
using AllLanes = Lanes<0, 1, 2, 3>;
#endif

// Swaps the off-diagonal quarters of every square of 2 S lanes by 2 S rows.
template <int S, int... J>
CAROUSEL_INLINE void swap_quarters(Vec* rows, Lanes<J...>) {
#pragma GCC unroll 16
    for (int i = 0; i < L; ++i) {
        if (i & S) continue;
        const Vec a = rows[i], b = rows[i + S];
        rows[i] = __builtin_shufflevector(a, b, ((J & S) ? L + J - S : J)...);
        rows[i + S] = __builtin_shufflevector(a, b, ((J & S) ? L + J : J + S)...);
    }
}

// Lane j of row i becomes lane i of row j.
CAROUSEL_INLINE void transpose(Vec (&rows)[L]) {
    swap_quarters<1>(rows, AllLanes{});
    swap_quarters<2>(rows, AllLanes{});
#if CAROUSEL_VECTOR_BYTES >= 32
    swap_quarters<4>(rows, AllLanes{});
#endif
#if CAROUSEL_VECTOR_BYTES >= 64
    swap_quarters<8>(rows, AllLanes{});
#endif
}

// x * y + z. The build forbids the compiler to contract on its own (-ffp-contract=off), so that
// an expression gives the same bits wherever it is inlined.
CAROUSEL_INLINE Vec fma(Vec x, Vec y, Vec z) {
#if defined(__AVX512F__)
    return _mm512_fmadd_ps(x, y, z);
#elif defined(__AVX2__)
    return _mm256_fmadd_ps(x, y, z);
#elif defined(__aarch64__)
    for (int i = 0; i < L; ++i) z[i] = __builtin_fmaf(x[i], y[i], z[i]);  // becomes one FMLA
    return z;
#else
    return x * y + z;
#endif
}

// NaN stays NaN: a comparison with it is false.
CAROUSEL_INLINE Vec clamp(Vec x, float low, float high) {
    x = x < splat(low) ? splat(low) : x;
    return x > splat(high) ? splat(high) : x;
}

// ---- exp and what is made of it
//
// exp(x) = 2^n exp(r) with n = round(x / ln 2) and |r| <= ln(2) / 2, where
// exp(r) - 1 = r + r^2 P(r). P has degree 4; its coefficients are a minimax fit of the relative
// error, 1.3e-8, below half a unit in the last place of float32.

struct Exponential {
    Vec scale;  // 2^n
    Vec tail;   // exp(r) - 1
};

// |x| <= 88, or NaN.
CAROUSEL_INLINE Exponential exponential(Vec x) {
    // Adding 1.5 * 2^23 rounds to a whole number, which then stands in the low bits.
    const Vec shifted = fma(x, splat(1.44269504f), splat(12582912.0f));
    const Vec n = shifted - splat(12582912.0f);
    Vec r = fma(n, splat(-0.693359375f), x);  // ln 2 in two parts, the first exact in 10 bits
    r = fma(n, splat(2.12194440e-4f), r);
    Vec p = splat(0x1.6bebfcp-10f);
    p = fma(p, r, splat(0x1.1227b0p-7f));
    p = fma(p, r, splat(0x1.555674p-5f));
    p = fma(p, r, splat(0x1.5554b0p-3f));
    p = fma(p, r, splat(0x1.fffffep-2f));
    VecInt bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    bits = (bits << 23) + 0x3f800000;
    Vec scale;
    std::memcpy(&scale, &bits, sizeof scale);
    return {scale, fma(r * r, p, r)};
}

// 1 / (1 + exp(-x))
CAROUSEL_INLINE Vec sigmoid(Vec x) {
    const Exponential e = exponential(clamp(-x, -80.0f, 80.0f));
    return splat(1.0f) / (fma(e.scale, e.tail, e.scale) + 1.0f);
}

// (exp(2x) - 1) / (exp(2x) + 1), from exp(2x) - 1 itself, so that small x keep all their digits.
CAROUSEL_INLINE Vec tanh(Vec x) {
    const Exponential e = exponential(clamp(x + x, -40.0f, 40.0f));
    const Vec m = fma(e.scale, e.tail, e.scale - 1.0f);
    return m / (m + 2.0f);
}

CAROUSEL_INLINE Vec relu(Vec x) { return x < splat(0.0f) ? splat(0.0f) : x; }

CAROUSEL_INLINE Vec magnitude(Vec x) {
    VecInt bits;
    std::memcpy(&bits, &x, sizeof bits);
    bits &= 0x7fffffff;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

// x / (1 + |x|)
CAROUSEL_INLINE Vec softsign(Vec x) { return x / (magnitude(x) + 1.0f); }

// min(max(x + 3, 0), 6) / 6, torch's
CAROUSEL_INLINE Vec hard_sigmoid(Vec x) { return clamp(x + 3.0f, 0.0f, 6.0f) / 6.0f; }

}  // namespace
}  // namespace carousel
