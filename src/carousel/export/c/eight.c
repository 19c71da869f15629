/* Products of whole numbers of eight bits, in sections as helpers.c has them. Four weights of a column
   stand side by side; a vector has the next four of so many columns. All forms give the same sums. */

== eight: whole
/* Columns of a vector, and what adds to each the products of its four weights with four inputs.
   NET_FLIP: what the signs of inputs are xored with, as the processor takes them without a sign. */
#if defined(__AVX512VNNI__)
#include <immintrin.h>
#define NET_LANES 16
typedef __m512i NET_sums;
static NET_sums NET_none(void) { return _mm512_setzero_si512(); }
static NET_sums NET_group(int four) { return _mm512_set1_epi32(four); }
static NET_sums NET_add(NET_sums sums, const signed char *w, NET_sums x) {
    return _mm512_dpbusd_epi32(sums, x, _mm512_loadu_si512((const void *)w));
}
static void NET_put(int *to, NET_sums sums) { _mm512_storeu_si512((void *)to, sums); }
#elif defined(__AVX2__)
#include <immintrin.h>
#define NET_LANES 8
typedef __m256i NET_sums;
static NET_sums NET_none(void) { return _mm256_setzero_si256(); }
static NET_sums NET_group(int four) { return _mm256_set1_epi32(four); }
static NET_sums NET_add(NET_sums sums, const signed char *w, NET_sums x) {
    /* |x| times w with the sign of x: pairs are at most 2 * 127 * 127, which 16 bits hold */
    const __m256i signed_w = _mm256_sign_epi8(_mm256_loadu_si256((const __m256i *)w), x);
#if defined(__AVXVNNI__)
    return _mm256_dpbusd_avx_epi32(sums, _mm256_abs_epi8(x), signed_w);
#else
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(x), signed_w);
    return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#endif
}
static void NET_put(int *to, NET_sums sums) { _mm256_storeu_si256((__m256i *)to, sums); }
#elif defined(__SSE2__)
#include <emmintrin.h>
#define NET_LANES 4
typedef __m128i NET_sums;
static NET_sums NET_none(void) { return _mm_setzero_si128(); }
static NET_sums NET_group(int four) {
    const __m128i bytes = _mm_set1_epi32(four);
    return _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
}
static NET_sums NET_add(NET_sums sums, const signed char *w, NET_sums x) {
    const __m128i bytes = _mm_loadu_si128((const __m128i *)w);
    const __m128i low = _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
    const __m128i high = _mm_srai_epi16(_mm_unpackhi_epi8(bytes, bytes), 8);
    const __m128 first = _mm_castsi128_ps(_mm_madd_epi16(low, x));
    const __m128 second = _mm_castsi128_ps(_mm_madd_epi16(high, x));
    const __m128i even = _mm_castps_si128(_mm_shuffle_ps(first, second, 0x88));
    const __m128i odd = _mm_castps_si128(_mm_shuffle_ps(first, second, 0xdd));
    return _mm_add_epi32(sums, _mm_add_epi32(even, odd));
}
static void NET_put(int *to, NET_sums sums) { _mm_storeu_si128((__m128i *)to, sums); }
#elif defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>
#define NET_LANES 4
typedef int32x4_t NET_sums;
static NET_sums NET_none(void) { return vdupq_n_s32(0); }
static NET_sums NET_group(int four) { return vdupq_n_s32(four); }
static NET_sums NET_add(NET_sums sums, const signed char *w, NET_sums x) {
    const int8x16_t weights = vld1q_s8(w), inputs = vreinterpretq_s8_s32(x);
#if defined(__ARM_FEATURE_DOTPROD)
    return vdotq_s32(sums, weights, inputs);
#else
    const int16x8_t low = vmull_s8(vget_low_s8(weights), vget_low_s8(inputs));
    const int16x8_t high = vmull_s8(vget_high_s8(weights), vget_high_s8(inputs));
    return vpadalq_s16(sums, vpaddq_s16(low, high));
#endif
}
static void NET_put(int *to, NET_sums sums) { vst1q_s32(to, sums); }
#endif

/* Before a loop over the vectors of a panel, which have to stay in registers. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 8
#define NET_UNROLL _Pragma("GCC unroll 16")
#else
#define NET_UNROLL
#endif

== whole: clamp
#if defined(__AVX512VNNI__)
#define NET_FLIP (-128)
#define NET_STARTS(table) table,
#define NET_START_OF(j) + starts[j]
#else
#define NET_FLIP 0
#define NET_STARTS(table)
#define NET_START_OF(j)
#endif

/* round(v) within -127 ... 127, halves to even: adding 1.5 * 2^23 rounds. No number becomes 127. */
static signed char NET_round(float v) {
    v = NET_clamp(v == v ? v : 127.0f, 127.0f) + 12582912.0f;
    return (signed char)((int)(v - 12582912.0f) ^ NET_FLIP);
}

== whole_state: whole
/* Hidden states, which lie in (-1, 1), as whole numbers of 1/127. */
static void NET_whole_state(const float *h, int n, signed char *to) {
    int k;
    for (k = 0; k < n; ++k) to[k] = NET_round(h[k] * 127.0f);
}

== whole_inputs: whole
/* Inputs as whole numbers, levels[k] of them for each unit; returns how many lie beyond their range,
   or are no number. */
static unsigned long NET_whole_inputs(const float *x, const float *levels, int n, signed char *to) {
    int k, within = 0;
    for (k = 0; k < n; ++k) to[k] = NET_round(x[k] * levels[k]);
    for (k = 0; k < n; ++k) {
        const float v = x[k] * levels[k];
        within += (v <= 127.5f) & (v >= -127.5f);
    }
    return (unsigned long)(n - within);
}
