// The operations of few_rows.hpp in one instruction set; compiled as kernels.cpp is, once for each.
//
// A product of few rows is bound by how its weights are read, which lie row by row: lanes are
// neighbours in a sum, and L sums are added up across their lanes together. The order of a sum depends
// on its length alone, so an answer does not depend on the rows beside it.
#include "few_rows.hpp"

#include "simd.hpp"

namespace carousel {
namespace {

// Half of the way to the sums of the lanes of two vectors: a's where S is not set in a lane, else b's.
template <int S, int... J>
CAROUSEL_INLINE Vec folded(Vec a, Vec b, Lanes<J...>) {
    return __builtin_shufflevector(a, b, ((J & S) ? L + J - S : J)...) +
           __builtin_shufflevector(a, b, ((J & S) ? L + J : J + S)...);
}

// Lane j of the result: the sum of the lanes of vectors[j].
template <int S>
CAROUSEL_INLINE Vec lane_sums(Vec* vectors) {
    for (int i = 0; i < L / (2 * S); ++i)
        vectors[i] = folded<S>(vectors[2 * i], vectors[2 * i + 1], AllLanes{});
    if constexpr (2 * S < L) return lane_sums<2 * S>(vectors);
    return vectors[0];
}

// R rows from `row` on, and the L / R outputs from `first` on, as far as there are so many.
template <int R>
void product_tile(const RowOperation& o, int64_t row, int64_t first) {
    constexpr int O = L / R;
    const int64_t K = o.sizes[1], outputs = o.sizes[2];
    const float *x[R], *w[O];
    for (int r = 0; r < R; ++r) x[r] = o.x + (row + r) * K;
    for (int j = 0; j < O; ++j) w[j] = o.w + (first + j < outputs ? first + j : outputs - 1) * K;
    Vec sums[L] = {};
    int64_t k = 0;
    for (; k + L <= K; k += L) {
        Vec inputs[R];
        for (int r = 0; r < R; ++r) inputs[r] = load(x[r] + k);
#pragma GCC unroll 16
        for (int j = 0; j < O; ++j) {
            const Vec weights = load(w[j] + k);
#pragma GCC unroll 4
            for (int r = 0; r < R; ++r)
                sums[r * O + j] = fma(inputs[r], weights, sums[r * O + j]);
        }
    }
    if (const int rest = static_cast<int>(K - k)) {
        Vec inputs[R];
        for (int r = 0; r < R; ++r) inputs[r] = load_first(x[r] + k, rest);
#pragma GCC unroll 16
        for (int j = 0; j < O; ++j) {
            const Vec weights = load_first(w[j] + k, rest);
#pragma GCC unroll 4
            for (int r = 0; r < R; ++r)
                sums[r * O + j] = fma(inputs[r], weights, sums[r * O + j]);
        }
    }
    float lanes[L];
    store(lanes, lane_sums<1>(sums));
    const int64_t count = outputs - first < O ? outputs - first : O;
    for (int r = 0; r < R; ++r)
        for (int64_t j = 0; j < count; ++j)
            o.y[(row + r) * outputs + first + j] =
                lanes[r * O + j] + (o.b ? o.b[first + j] : 0.0f);
}

template <int R>
int64_t product_rows(const RowOperation& o, int64_t row) {
    for (; o.sizes[0] - row >= R; row += R)
        for (int64_t first = 0; first < o.sizes[2]; first += L / R) product_tile<R>(o, row, first);
    return row;
}

void product(const RowOperation& o) { product_rows<1>(o, product_rows<2>(o, product_rows<4>(o, 0))); }

void copy(const RowOperation& o) {
    for (int64_t a = 0; a < o.sizes[0]; ++a)
        for (int64_t b = 0; b < o.sizes[1]; ++b)
            for (int64_t c = 0; c < o.sizes[2]; ++c) {
                const float* x = o.x + a * o.from[0] + b * o.from[1] + c * o.from[2];
                float* y = o.y + a * o.to[0] + b * o.to[1] + c * o.to[2];
                for (int64_t d = 0; d < o.sizes[3]; ++d) y[d * o.to[3]] = x[d * o.from[3]];
            }
}

template <class F>
CAROUSEL_INLINE void each(int64_t n, const F& some) {
    for (int64_t k = 0; k < n; k += L) some(k, static_cast<int>(n - k < L ? n - k : L));
}

void magnitudes(const RowOperation& o) {
    const int64_t n = o.sizes[1];
    for (int64_t row = 0; row < o.sizes[0]; ++row) {
        const float *real = o.x + row * 2 * n, *imaginary = real + n;
        each(n, [&](int64_t k, int count) {
            const Vec re = load_first(real + k, count), im = load_first(imaginary + k, count);
            store_first(o.y + row * n + k, square_root(re * re + im * im), count);
        });
    }
}

template <Vec (*F)(Vec)>
void pointwise(const RowOperation& o) {
    each(o.sizes[0],
         [&](int64_t k, int count) { store_first(o.y + k, F(load_first(o.x + k, count)), count); });
}

void run(const RowOperation* operations, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
        const RowOperation& o = operations[i];
        switch (o.kind) {
            case RowKind::copy: copy(o); break;
            case RowKind::product: product(o); break;
            case RowKind::magnitude: magnitudes(o); break;
            case RowKind::relu: pointwise<relu>(o); break;
            case RowKind::sigmoid: pointwise<sigmoid>(o); break;
            case RowKind::tanh: pointwise<tanh>(o); break;
        }
    }
}

}  // namespace

extern const RunRows CAROUSEL_TABLE(few_rows_kernels_, CAROUSEL_ISA);
const RunRows CAROUSEL_TABLE(few_rows_kernels_, CAROUSEL_ISA) = run;

}  // namespace carousel
