// Products of bfloat16 numbers: float32 rounded to 8 bits of mantissa, to the nearest, ties to even.
//
// Two neighbours k, k + 1 of a sum stand in one word, as large as a float, the earlier one in its
// low half; a sum of odd length ends with a zero. So everything else is as with floats: rows,
// panels and tiles have half as many k, whose product with a word of b is
//
//   sum = a_low * b_low + (a_high * b_high + sum)
//
// rounded to float32 after each addition; a product of two bfloat16 numbers is exact. That is the
// instruction vdpbf16ps, and the twin below does the same on every instruction set, bit for bit but
// for results below 1e-38, which the instruction takes for zero, as it does such numbers.
#pragma once

#include "kernels.hpp"
#include "microkernel.hpp"

namespace carousel {
#if defined(CAROUSEL_HAS_BF16)
extern const void* const bf16_tiles;  // a TileTable, compiled for that instruction: tiles_bf16.cpp
#endif
namespace {

// The numbers of words' low and high halves; what is below the normal ones is zero.
CAROUSEL_INLINE Vec half(VecInt bits) {
    return from_bits((bits & 0x7f800000) != 0 ? bits : bits & INT32_MIN);
}
struct MultiplyTwin {
    static CAROUSEL_INLINE Vec add(Vec x, Vec w, Vec sum) {
        const VecInt a = bits_of(x), b = bits_of(w);
        const VecInt high = VecInt{} + INT32_C(-65536);
        sum = fma(half(a & high), half(b & high), sum);
        return fma(half(a << 16), half(b << 16), sum);
    }
};

// The bits of x with a rounded upper half; the lower one is left over. NaN stays NaN.
CAROUSEL_INLINE VecInt rounded_bits(Vec x) {
    const VecInt bits = bits_of(x);
    const VecInt rounded = bits + 0x7fff + ((bits >> 16) & 1);
    return x == x ? rounded : bits | 0x400000;
}

// Words of two vectors, lane by lane.
CAROUSEL_INLINE Vec words_of(Vec low, Vec high) {
    const VecInt below = (rounded_bits(low) >> 16) & 0xffff;
    return from_bits(below | (rounded_bits(high) & INT32_C(-65536)));
}

// Even lanes, and odd lanes, of two vectors side by side.
template <int... J>
CAROUSEL_INLINE Vec every_second(Vec a, Vec b, int first, Lanes<J...>) {
    return first ? __builtin_shufflevector(a, b, (2 * J + 1)...)
                 : __builtin_shufflevector(a, b, (2 * J)...);
}

// n floats as words of neighbours.
void round_row_twin(const float* from, int64_t n, float* to) {
    for (int64_t i = 0; i < n; i += 2 * L, from += 2 * L, to += L) {
        const int64_t left = n - i, words = (left + 1) / 2;
        const Vec a = load_first(from, static_cast<int>(left < L ? left : L));
        Vec b{};
        if (left > L) b = load_first(from + L, static_cast<int>(left < 2 * L ? left - L : L));
        store_first(to, words_of(every_second(a, b, 0, AllLanes{}), every_second(a, b, 1, AllLanes{})),
                    static_cast<int>(words < L ? words : L));
    }
}

// n numbers of two rows, whole vectors, as words.
void round_pairs_twin(const float* low, const float* high, int64_t n, float* to) {
    for (int64_t i = 0; i < n; i += L) store(to + i, words_of(load(low + i), load(high + i)));
}

constexpr TileTable kFloatTiles = tile_table<MultiplyFloats>();
constexpr TileTable kTwinTiles = tile_table<MultiplyTwin>(round_row_twin, round_pairs_twin);

CAROUSEL_INLINE const TileTable& tiles_of(Product product) {
#if defined(CAROUSEL_HAS_BF16)
    if (product == Product::bf16) return *static_cast<const TileTable*>(bf16_tiles);
#endif
    return product == Product::floats ? kFloatTiles : kTwinTiles;
}
CAROUSEL_INLINE Tile tile_for(Product product, int rows, int vectors) {
    return tiles_of(product).tiles[rows - 1][vectors - 1];
}
CAROUSEL_INLINE RowTile row_tile_for(Product product, int vectors) {
    return tiles_of(product).of_row[vectors - 1];
}

CAROUSEL_INLINE bool rounds(Product product) { return product != Product::floats; }
// Floats, or words, of a sum over K.
CAROUSEL_INLINE int64_t depth(Product product, int64_t K) {
    return rounds(product) ? (K + 1) / 2 : K;
}

}  // namespace
}  // namespace carousel
