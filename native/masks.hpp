// Random masks without a generator's state: a number for each (seed, step, row, kind, unit), the
// same whoever asks, in whatever order, on any instruction set. carousel/cells/masks.py computes
// the same numbers with tensors.
//
// Counter-based generation: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3". A
// key of 64 bits per step and row is made by the finaliser of SplitMix64 (Steele et al. 2014); the
// 32 bits of a unit by two rounds of multiply and shift, the halves of the key entering before each.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace carousel {
namespace {

typedef uint32_t VecUint __attribute__((vector_size(CAROUSEL_VECTOR_BYTES)));

enum class Kind : uint32_t { cell, state, candidate, product };

constexpr uint64_t kGolden = 0x9e3779b97f4a7c15;
constexpr int64_t kEveryStep = -1;  // as a step: of masks that are constant over time

CAROUSEL_INLINE uint64_t mixed(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

CAROUSEL_INLINE uint64_t key_of(uint64_t seed, int64_t step, int64_t row) {
    const uint64_t at_step = mixed(seed + kGolden * static_cast<uint64_t>(step + 2));
    return mixed(at_step + kGolden * static_cast<uint64_t>(row + 1));
}

// Which of units [u, u + L) have drawn below the limit.
CAROUSEL_INLINE VecInt happens(const Chance& chance, uint64_t key, Kind kind, int64_t u) {
    const uint32_t offset = static_cast<uint32_t>(kind) * 0x9e3779b9u;
    const uint32_t low = static_cast<uint32_t>(key) + offset + static_cast<uint32_t>(u);
    const uint32_t high = static_cast<uint32_t>(key >> 32) + offset;
    VecUint x;
    for (int i = 0; i < L; ++i) x[i] = static_cast<uint32_t>(i);
    x += low;
    x = (x ^ (x >> 16)) * 0x21f0aaadu;
    x = (x ^ (x >> 15) ^ high) * 0x735a2d97u;
    x ^= x >> 15;
    return reinterpret_cast<VecInt>(x >> 8) < VecInt{} + chance.limit;
}

// 0 for what is dropped, else 1 / (1 - p).
CAROUSEL_INLINE Vec kept(const Chance& chance, uint64_t key, Kind kind, int64_t u) {
    return happens(chance, key, kind, u) ? Vec{} : splat(chance.scale);
}

}  // namespace
}  // namespace carousel
