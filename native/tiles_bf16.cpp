// The tiles of AVX-512 with its instruction for bfloat16 numbers, compiled with that alone: a CPU
// without it runs the rest.
#include "microkernel.hpp"

namespace carousel {
namespace {

struct MultiplyBf16 {
    static CAROUSEL_INLINE Vec add(Vec x, Vec w, Vec sum) {
        __m512bh a, b;
        std::memcpy(&a, &x, sizeof a), std::memcpy(&b, &w, sizeof b);
        return _mm512_dpbf16_ps(sum, a, b);
    }
};

void store_words(float* to, __m512bh words, int64_t count) {
    Vec bits;
    std::memcpy(&bits, &words, sizeof bits);
    store_first(to, bits, static_cast<int>(count < L ? count : L));
}

void round_row(const float* from, int64_t n, float* to) {
    for (; n > 0; n -= 2 * L, from += 2 * L, to += L) {
        const Vec low = load_first(from, static_cast<int>(n < L ? n : L));
        Vec high{};
        if (n > L) high = load_first(from + L, static_cast<int>(n < 2 * L ? n - L : L));
        store_words(to, _mm512_cvtne2ps_pbh(high, low), (n + 1) / 2);
    }
}

void round_pairs(const float* low, const float* high, int64_t n, float* to) {
    alignas(64) static constexpr uint16_t kInTurn[32] = {
        0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
        8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const __m512i in_turn = _mm512_load_si512(kInTurn);
    for (int64_t i = 0; i < n; i += L) {
        const __m512bh both = _mm512_cvtne2ps_pbh(load(high + i), load(low + i));
        __m512i words;
        std::memcpy(&words, &both, sizeof words);
        Vec bits;
        words = _mm512_permutexvar_epi16(in_turn, words);
        std::memcpy(&bits, &words, sizeof bits);
        store(to + i, bits);
    }
}

constexpr TileTable kTiles = tile_table<MultiplyBf16>(round_row, round_pairs);

}  // namespace

extern const void* const bf16_tiles;
const void* const bf16_tiles = &kTiles;

}  // namespace carousel
