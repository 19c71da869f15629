// Operations of one step of a few rows, one after the other: what dense layers and convolutions of a
// short frame are made of. Weights are read where they lie, so nothing is packed and nothing gets old.
#pragma once

#include <cstdint>

#include "kernels.hpp"

namespace carousel {

enum class RowKind : int { copy, product, magnitude, relu, sigmoid, tanh };
constexpr int kRowKinds = 6;

struct RowOperation {
    RowKind kind = RowKind::copy;
    const float *x = nullptr, *w = nullptr, *b = nullptr;
    float* y = nullptr;
    // copy: y[i] = x[i] over four axes, whose distances are from and to, in floats.
    // product: y (rows, outputs) = x (rows, inputs) wᵀ + b; sizes = rows, inputs, outputs. No b: null.
    // magnitude: y (rows, n) = √(re² + im²) of x (rows, 2 n), real parts first; sizes = rows, n.
    // relu, sigmoid, tanh: of sizes[0] numbers; y may be x.
    int64_t sizes[4] = {}, from[4] = {}, to[4] = {};
};

using RunRows = void (*)(const RowOperation* operations, int64_t count);

}  // namespace carousel
