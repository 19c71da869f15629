// The eight-bit kernels of one instruction set, as a table: compiled as kernels.cpp is, once for each.
//
// Units stand side by side in a vector, and so do the next few k of each: kGroup of them, which one
// instruction multiplies and adds up. avx512vnni has one that takes unsigned inputs by fours; the others
// widen the weights to 16 bits and take pairs. The sums are the same whole numbers.
#include "int8.hpp"

#include "cells.hpp"

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace carousel {
namespace {

#if defined(__AVX512VNNI__)
typedef uint8_t Input;
constexpr int kGroup = 4, kOffset = 128;  // added to every input, and taken from the sums again
constexpr int kRowTile = 4;
#else
typedef int16_t Input;
constexpr int kGroup = 2, kOffset = 0;
constexpr int kRowTile = 2;
#endif

// Adds to each of L units the products of its next kGroup weights with as many inputs.
CAROUSEL_INLINE VecInt add_products(VecInt sums, const int8_t* w, const Input* inputs) {
    int32_t group;
    memcpy(&group, inputs, sizeof group);
#if defined(__AVX512VNNI__)
    return (VecInt)_mm512_dpbusd_epi32((__m512i)sums, _mm512_set1_epi32(group),
                                       _mm512_loadu_si512(w));
#elif defined(__AVX512F__)
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w));
    const __m512i pairs = _mm512_madd_epi16(_mm512_cvtepi8_epi16(bytes), _mm512_set1_epi32(group));
    return sums + (VecInt)pairs;
#elif defined(__AVX2__)
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(w));
    const __m256i pairs = _mm256_madd_epi16(_mm256_cvtepi8_epi16(bytes), _mm256_set1_epi32(group));
    return sums + (VecInt)pairs;
#elif defined(__SSE2__)
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(w));
    const __m128i wide = _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
    return sums + (VecInt)_mm_madd_epi16(wide, _mm_set1_epi32(group));
#elif defined(__aarch64__)
    const int16x8_t wide = vmovl_s8(vld1_s8(w)), pairs = vreinterpretq_s16_s32(vdupq_n_s32(group));
    const int32x4_t low = vmull_s16(vget_low_s16(wide), vget_low_s16(pairs));
    const int32x4_t high = vmull_s16(vget_high_s16(wide), vget_high_s16(pairs));
    return sums + (VecInt)vpaddq_s32(low, high);
#else
    for (int i = 0; i < L; ++i)
        for (int k = 0; k < kGroup; ++k) sums[i] += w[i * kGroup + k] * inputs[k];
    return sums;
#endif
}

CAROUSEL_INLINE int64_t up(int64_t n, int64_t unit) { return (n + unit - 1) / unit; }
CAROUSEL_INLINE int64_t groups(int64_t k) { return up(k, kGroup); }
CAROUSEL_INLINE int64_t lines(int64_t bytes) { return up(bytes, 64) * 64; }

CAROUSEL_INLINE Vec as_floats(VecInt v) { return __builtin_convertvector(v, Vec); }

// A panel of L units of cell C, as it is packed: what the sums start with, scales and biases, then
// the weights [group of k][sum][L][kGroup], of the inputs first.
template <class C>
struct Panel {
    static constexpr int kHead = (2 * (C::kInput + C::kHidden) + C::kSums) * L;
    const Int8Layer& layer;
    const char* base;
    static int64_t weight_bytes(int64_t k, int sums) { return groups(k) * sums * L * kGroup; }
    static int64_t bytes(const Int8Layer& p) {
        return lines(4 * kHead + weight_bytes(p.I, C::kInput) + weight_bytes(p.H, C::kHidden));
    }
    const float* floats() const { return reinterpret_cast<const float*>(base); }
    const VecInt* starts_x() const { return reinterpret_cast<const VecInt*>(base); }
    const VecInt* starts_h() const { return starts_x() + C::kInput; }
    const float* scales_x() const { return floats() + (C::kInput + C::kHidden) * L; }
    const float* scales_h() const { return scales_x() + C::kInput * L; }
    const float* biases() const { return scales_h() + C::kHidden * L; }
    const int8_t* w_x() const { return reinterpret_cast<const int8_t*>(base) + 4 * kHead; }
    const int8_t* w_h() const { return w_x() + weight_bytes(layer.I, C::kInput); }
};

template <class C>
size_t packed_bytes(const Int8Layer& p) {
    return static_cast<size_t>(up(p.H, L) * Panel<C>::bytes(p));
}

// One side of a panel: the inputs' or the hidden state's.
template <class C>
void pack_side(const Int8Layer& p, int64_t first, int from, int sums, const int8_t* w,
               const float* scale, int64_t K, int32_t* starts, float* scales, int8_t* to) {
    for (int s = 0; s < sums; ++s)
        for (int i = 0; i < L; ++i) {
            const int64_t unit = first + i, row = C::gate_of_sum(from + s) * p.H + unit;
            int32_t sum = 0;
            for (int64_t k = 0; k < groups(K) * kGroup; ++k) {
                const bool there = unit < p.H && k < K;
                const int8_t weight = there ? w[row * K + k] : 0;
                to[((k / kGroup * sums + s) * L + i) * kGroup + k % kGroup] = weight;
                sum += weight;
            }
            starts[s * L + i] = -kOffset * sum;
            scales[s * L + i] = unit < p.H ? scale[row] : 0.0f;
        }
}

template <class C>
void pack(const Int8Layer& p, char* packed) {
    for (int64_t first = 0; first < p.H; first += L, packed += Panel<C>::bytes(p)) {
        const Panel<C> panel{p, packed};
        auto starts = [](const VecInt* v) { return (int32_t*)v; };
        pack_side<C>(p, first, C::kInputFirst, C::kInput, p.w_ih, p.scale_ih, p.I,
                     starts(panel.starts_x()), (float*)panel.scales_x(), (int8_t*)panel.w_x());
        pack_side<C>(p, first, C::kHiddenFirst, C::kHidden, p.w_hh, p.scale_hh, p.H,
                     starts(panel.starts_h()), (float*)panel.scales_h(), (int8_t*)panel.w_h());
        float* biases = (float*)panel.biases();
        for (int s = 0; s < C::kSums; ++s)
            for (int i = 0; i < L; ++i) {
                const int64_t row = C::gate_of_sum(s) * p.H + first + i;
                const bool x = s >= C::kInputFirst && s < C::kInputFirst + C::kInput;
                const bool h = s >= C::kHiddenFirst && s < C::kHiddenFirst + C::kHidden;
                float bias = 0.0f;
                if (first + i < p.H) bias = (x ? p.b_ih[row] : 0.0f) + (h ? p.b_hh[row] : 0.0f);
                biases[s * L + i] = bias;
            }
    }
}

// Whole numbers of a row: round(x level) within ±127, and how many were beyond that, or no number.
// levels: [n], or null where each is 127.
int64_t quantize(const float* x, const float* levels, int64_t n, Input* to) {
    constexpr float kRounds = 12582912.0f;  // 1.5 2^23: what is added to it is rounded
    VecInt outside{};
    for (int64_t k = 0; k < n; k += L) {
        const int count = static_cast<int>(n - k < L ? n - k : L);
        Vec v = load_first(x + k, count) * (levels ? load_first(levels + k, count) : splat(127.0f));
        v = v == v ? v : splat(1e9f);
        outside -= (VecInt)(magnitude(v) > splat(127.5f));
        const VecInt whole = bits_of(clamp(v, -127.0f, 127.0f) + splat(kRounds)) - 0x4b400000;
        int32_t lanes[L];
        memcpy(lanes, &whole, sizeof lanes);
        if (count == L)
            for (int i = 0; i < L; ++i) to[k + i] = static_cast<Input>(lanes[i] + kOffset);
        else
            for (int i = 0; i < count; ++i) to[k + i] = static_cast<Input>(lanes[i] + kOffset);
    }
    for (int64_t k = n; k < groups(n) * kGroup; ++k) to[k] = 0;
    int64_t sum = 0;
    for (int i = 0; i < L; ++i) sum += outside[i];
    return sum;
}

int64_t row_bytes(int64_t k) { return lines(groups(k) * kGroup * static_cast<int64_t>(sizeof(Input))); }

template <class C>
size_t work_bytes(const Int8Layer& p, int64_t rows) {
    return static_cast<size_t>(rows * (row_bytes(p.I) + row_bytes(p.H)));
}

// Whole-number sums of U panels and R rows with one side's inputs.
template <int R, int U, int S>
CAROUSEL_INLINE void sum_side(const int8_t* const* w, const VecInt* const* starts,
                              const char* inputs, int64_t stride, int64_t count,
                              VecInt (&sums)[R][U][S]) {
    for (int r = 0; r < R; ++r)
        for (int u = 0; u < U; ++u)
            for (int s = 0; s < S; ++s) sums[r][u][s] = starts[u][s];
    for (int64_t g = 0; g < count; ++g)
#pragma GCC unroll 8
        for (int u = 0; u < U; ++u)
#pragma GCC unroll 4
            for (int s = 0; s < S; ++s) {
                const int8_t* weights = w[u] + (g * S + s) * L * kGroup;
#pragma GCC unroll 4
                for (int r = 0; r < R; ++r) {
                    const auto* row = reinterpret_cast<const Input*>(inputs + r * stride);
                    sums[r][u][s] = add_products(sums[r][u][s], weights, row + g * kGroup);
                }
            }
}

// R rows of U panels from unit `first` on: products, gates, state.
template <class C, int R, int U>
void tile(const Int8Layer& p, const char* packed, const char* work, const Int8Step& step,
          int64_t row, int64_t first) {
    const int64_t size_x = row_bytes(p.I), size_h = row_bytes(p.H);
    const char *x = work + row * size_x, *h = work + step.rows * size_x + row * size_h;
    const VecInt *starts_x[U], *starts_h[U];
    const int8_t *w_x[U], *w_h[U];
    for (int u = 0; u < U; ++u) {
        const Panel<C> panel{p, packed + (first / L + u) * Panel<C>::bytes(p)};
        starts_x[u] = panel.starts_x(), starts_h[u] = panel.starts_h();
        w_x[u] = panel.w_x(), w_h[u] = panel.w_h();
    }
    VecInt of_x[R][U][C::kInput], of_h[R][U][C::kHidden];
    sum_side<R, U, C::kInput>(w_x, starts_x, x, size_x, groups(p.I), of_x);
    sum_side<R, U, C::kHidden>(w_h, starts_h, h, size_h, groups(p.H), of_h);
    for (int r = 0; r < R; ++r)
        for (int u = 0; u < U; ++u) {
            const Panel<C> panel{p, packed + (first / L + u) * Panel<C>::bytes(p)};
            float sums[C::kSums * L];
            for (int s = 0; s < C::kSums; ++s) {
                Vec sum = load(panel.biases() + s * L);
                const int i = s - C::kInputFirst, j = s - C::kHiddenFirst;
                if (j >= 0 && j < C::kHidden)
                    sum = fma(as_floats(of_h[r][u][j]), load(panel.scales_h() + j * L), sum);
                if (i >= 0 && i < C::kInput)
                    sum = fma(as_floats(of_x[r][u][i]), load(panel.scales_x() + i * L), sum);
                store(sums + s * L, sum);
            }
            const int64_t unit = first + u * L, place = (row + r) * p.H + unit;
            const int count = static_cast<int>(p.H - unit < L ? p.H - unit : L);
            Vec c = C::kHasCellState ? load_first(step.c + place, count) : Vec{};
            const Vec before = load_first(step.h + place, count);
            const Vec after = C::template forward<false>(sums, before, c, nullptr);
            if (C::kHasCellState) store_first(step.c + place, c, count);
            store_first(step.h + place, after, count);
            store_first(step.y + place, after, count);
        }
}

template <class C>
int64_t step(const Int8Layer& p, const char* packed, char* work, const Int8Step& step) {
    // Panels of one row that are summed together, so that enough sums are under way.
    constexpr int kWide = C::kGates == 1 ? 8 : C::kGates == 3 ? 2 : 1;
    const int64_t size_x = row_bytes(p.I), size_h = row_bytes(p.H);
    int64_t outside = 0;
    for (int64_t row = 0; row < step.rows; ++row) {
        auto* x = reinterpret_cast<Input*>(work + row * size_x);
        auto* h = reinterpret_cast<Input*>(work + step.rows * size_x + row * size_h);
        outside += quantize(step.x + row * p.I, p.levels, p.I, x);
        quantize(step.h + row * p.H, nullptr, p.H, h);
    }
    const int64_t panels = up(p.H, L), wide = panels / kWide, all = wide + panels % kWide;
    int64_t row = 0;
    for (; step.rows - row >= kRowTile; row += kRowTile)
        for (int64_t n = 0; n < panels; ++n) {
            const int64_t panel = step.backwards ? panels - 1 - n : n;
            tile<C, kRowTile, 1>(p, packed, work, step, row, panel * L);
        }
    for (; row < step.rows; ++row)
        for (int64_t n = 0; n < all; ++n) {
            const int64_t i = step.backwards ? all - 1 - n : n;
            if (i < wide)
                tile<C, 1, kWide>(p, packed, work, step, row, i * kWide * L);
            else
                tile<C, 1, 1>(p, packed, work, step, row, (i - wide + wide * kWide) * L);
        }
    return outside;
}

template <class C>
constexpr Int8Kernels int8_of = {packed_bytes<C>, pack<C>, work_bytes<C>, step<C>};

}  // namespace

extern const Int8Kernels CAROUSEL_TABLE(int8_, CAROUSEL_ISA)[kInt8Cells];
const Int8Kernels CAROUSEL_TABLE(int8_, CAROUSEL_ISA)[kInt8Cells] = {
    int8_of<LstmCell>,
    int8_of<GruCell>,
    int8_of<RnnCell<false>>,
};

}  // namespace carousel
