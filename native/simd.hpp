// The vector operations that the kernels need, for the instruction set this file is compiled for.
//
// Included only by kernels.cpp and scan_kernels.cpp, compiled once per instruction set. Everything here has
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

// NaN stays NaN: of two operands that do not compare, the instructions return the second.
CAROUSEL_INLINE Vec clamp(Vec x, float low, float high) {
#if defined(__AVX512F__)
    constexpr __mmask16 all = 0xffff;  // without a mask, GCC 12 warns of its own header
    return _mm512_maskz_min_ps(all, splat(high), _mm512_maskz_max_ps(all, splat(low), x));
#elif defined(__AVX2__)
    return _mm256_min_ps(splat(high), _mm256_max_ps(splat(low), x));
#elif defined(__SSE2__)
    return _mm_min_ps(splat(high), _mm_max_ps(splat(low), x));
#else
    x = x < splat(low) ? splat(low) : x;
    return x > splat(high) ? splat(high) : x;
#endif
}

CAROUSEL_INLINE VecInt bits_of(Vec x) {
    VecInt bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}
CAROUSEL_INLINE Vec from_bits(VecInt bits) {
    Vec x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

// ---- exp and what is made of it
//
// exp(x) = 2^n 2^r with n = round(x / ln 2) and |r| <= 1/2, where 2^r = 1 + r Q(r). Q has degree 5;
// its coefficients are a minimax fit of the relative error of 2^r, 2e-9 before they are rounded. The
// rounded 1 / ln 2 costs 3e-8 |x| of the result, which neither the sigmoid nor tanh feels: where x is
// large, they are flat.

struct Exponential {
    Vec scale, r, q;  // 2^n, r, Q(r)
    Vec value() const { return fma(r, q, splat(1.0f)) * scale; }
    Vec minus_one() const { return fma(scale * r, q, scale - 1.0f); }  // of small x to all its digits
};

constexpr float kPerLn2 = 1.44269504f;

// Of exp(factor x), |factor x| <= 85, or NaN; factor_per_ln2 = factor / ln 2.
CAROUSEL_INLINE Exponential exponential(Vec x, float factor_per_ln2) {
    // Adding 1.5 * 2^23 rounds to a whole number, which then stands in the low bits.
    const Vec shifted = fma(x, splat(factor_per_ln2), splat(12582912.0f));
    const Vec n = shifted - splat(12582912.0f);
    const Vec r = fma(x, splat(factor_per_ln2), -n);
    Vec q = splat(0x1.4204c0p-13f);
    q = fma(q, r, splat(0x1.5f3f9ap-10f));
    q = fma(q, r, splat(0x1.3b2d3ep-7f));
    q = fma(q, r, splat(0x1.c6aee6p-5f));
    q = fma(q, r, splat(0x1.ebfbdcp-3f));
    q = fma(q, r, splat(0x1.62e430p-1f));
    return {from_bits((bits_of(shifted) << 23) + 0x3f800000), r, q};
}

// 1 / (1 + exp(-x))
CAROUSEL_INLINE Vec sigmoid(Vec x) {
    return splat(1.0f) / (exponential(clamp(x, -80.0f, 80.0f), -kPerLn2).value() + 1.0f);
}

// (exp(2x) - 1) / (exp(2x) + 1)
CAROUSEL_INLINE Vec tanh(Vec x) {
    const Vec m = exponential(clamp(x, -20.0f, 20.0f), 2 * kPerLn2).minus_one();
    return m / (m + 2.0f);
}

CAROUSEL_INLINE Vec relu(Vec x) { return x < splat(0.0f) ? splat(0.0f) : x; }

CAROUSEL_INLINE Vec square_root(Vec x) {
    for (int i = 0; i < L; ++i) x[i] = __builtin_sqrtf(x[i]);
    return x;
}

CAROUSEL_INLINE Vec magnitude(Vec x) { return from_bits(bits_of(x) & 0x7fffffff); }

// x / (1 + |x|)
CAROUSEL_INLINE Vec softsign(Vec x) { return x / (magnitude(x) + 1.0f); }

// min(max(x + 3, 0), 6) / 6, torch's
CAROUSEL_INLINE Vec hard_sigmoid(Vec x) { return clamp(x + 3.0f, 0.0f, 6.0f) / 6.0f; }

}  // namespace
}  // namespace carousel
