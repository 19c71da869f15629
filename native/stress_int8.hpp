// Random layers of eight bits against the scheme in plain loops: the whole numbers must be the same,
// on every instruction set, and what is made of them but for the rounding of float32.
#pragma once

#include <cmath>
#include <cstdio>
#include <vector>

#include "int8.hpp"
#include "stress_case.hpp"

namespace {

struct Int8Case {
    int cell = static_cast<int>(between(0, carousel::kInt8Cells - 1));
    int64_t I = between(1, 70), H = between(1, 70), rows = between(1, 6);
    int64_t gates = cell == 0 ? 4 : cell == 1 ? 3 : 1;
    std::vector<int8_t> w_ih = bytes(gates * H * I), w_hh = bytes(gates * H * H);
    std::vector<float> scale_ih = floats(gates * H, 1e-4f), scale_hh = floats(gates * H, 1e-4f);
    std::vector<float> b_ih = floats(gates * H, 1), b_hh = floats(gates * H, 1);
    std::vector<float> levels = std::vector<float>(static_cast<size_t>(I), 60.0f);

    static std::vector<int8_t> bytes(int64_t n) {
        std::vector<int8_t> made(static_cast<size_t>(n));
        for (auto& one : made) one = static_cast<int8_t>(between(-127, 127));
        return made;
    }
    static std::vector<float> floats(int64_t n, float scale) {
        std::vector<float> made(static_cast<size_t>(n));
        for (auto& one : made) one = scale * static_cast<float>(between(-1000, 1000)) / 1000;
        return made;
    }
    carousel::Int8Layer layer() const {
        return {cell,          I, H, w_ih.data(), w_hh.data(), scale_ih.data(), scale_hh.data(),
                b_ih.data(), b_hh.data(), levels.data()};
    }
};

// The sum of one gate of one unit, of the inputs or of the hidden state.
double int8_sum(const std::vector<int8_t>& w, const std::vector<float>& scale,
                const std::vector<float>& bias, int64_t row, const float* x, int64_t K,
                float level) {
    int64_t sum = 0;
    for (int64_t k = 0; k < K; ++k) {
        const float v = std::isnan(x[k]) ? 1e9f : x[k] * level;
        sum += std::lrint(std::fmin(std::fmax(v, -127.0f), 127.0f)) * w[row * K + k];
    }
    return static_cast<double>(sum) * scale[row] + bias[row];
}

// One unit's h, with c in place; before: the row's h.
double int8_unit(const Int8Case& p, int64_t unit, const float* x, const float* before, float& c) {
    double a[4], b[4];
    for (int64_t g = 0; g < p.gates; ++g) {
        const int64_t row = g * p.H + unit;
        a[g] = int8_sum(p.w_ih, p.scale_ih, p.b_ih, row, x, p.I, 60.0f);
        b[g] = int8_sum(p.w_hh, p.scale_hh, p.b_hh, row, before, p.H, 127.0f);
    }
    auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
    if (p.cell == 2) return std::tanh(a[0] + b[0]);
    if (p.cell == 1) {
        const double z = sigmoid(a[1] + b[1]), n = std::tanh(a[2] + sigmoid(a[0] + b[0]) * b[2]);
        return n + z * (before[unit] - n);
    }
    const double next = sigmoid(a[1] + b[1]) * c + sigmoid(a[0] + b[0]) * std::tanh(a[2] + b[2]);
    c = static_cast<float>(next);
    return sigmoid(a[3] + b[3]) * std::tanh(next);
}

// How many of two steps of a random layer are not what the scheme says.
int run_int8(const char* isa) {
    const Int8Case p;
    carousel::Int8Stack stack({p.layer()}, p.rows);
    std::vector<float> h = Int8Case::floats(p.rows * p.H, 0.99f), c = h, y(h.size());
    int wrong = 0;
    int64_t outside = 0;
    for (int step = 0; step < 2; ++step) {
        std::vector<float> x = Int8Case::floats(p.rows * p.I, 2.5f);  // some beyond 127 / 60
        if (between(0, 3) == 0) x[0] = NAN;
        for (float v : x) outside += !(std::fabs(v * 60.0f) <= 127.5f);
        const std::vector<float> before = h;
        std::vector<float> cells = c;
        stack.step(x.data(), y.data(), h.data(), c.data(), p.rows, p.rows);
        for (int64_t r = 0; r < p.rows; ++r)
            for (int64_t u = 0; u < p.H; ++u) {
                const size_t at = static_cast<size_t>(r * p.H + u);
                const double wanted =
                    int8_unit(p, u, x.data() + r * p.I, before.data() + r * p.H, cells[at]);
                wrong += !(std::fabs(y[at] - wanted) < 1e-5) || y[at] != h[at];
                wrong += p.cell == 0 && !(std::fabs(c[at] - cells[at]) < 1e-5);
            }
    }
    wrong += stack.saturated != outside;
    if (wrong > 0)
        std::printf("%s int8 cell %d I %ld H %ld rows %ld: %d differ\n", isa, p.cell,
                    static_cast<long>(p.I), static_cast<long>(p.H), static_cast<long>(p.rows), wrong);
    return wrong > 0;
}

}  // namespace
