// Random operations on a few rows against plain loops, in arrays of just their size: the sanitizers
// see what is read or written beside them. Included by stress.cpp.
#pragma once

#include "few_rows.hpp"

namespace {

int run_few_rows(const char* isa) {
    using carousel::RowKind;
    const int64_t rows = between(1, 9), inputs = between(1, 70), outputs = between(1, 40);
    const auto x = Int8Case::floats(rows * inputs, 1.0f), w = Int8Case::floats(outputs * inputs, 1.0f);
    const auto b = Int8Case::floats(outputs, 1.0f);
    std::vector<float> y(rows * outputs, NAN), turned(rows * inputs, NAN), size(rows * inputs / 2, NAN);
    carousel::RowOperation product, copy, magnitude;
    product.kind = RowKind::product, product.x = x.data(), product.w = w.data();
    product.b = between(0, 1) ? b.data() : nullptr, product.y = y.data();
    product.sizes[0] = rows, product.sizes[1] = inputs, product.sizes[2] = outputs;
    copy.x = x.data() + inputs - 1, copy.y = turned.data();  // each row back to front
    const int64_t sizes[4] = {1, rows, inputs, 1}, from[4] = {0, inputs, -1, 0}, to[4] = {0, 1, rows, 0};
    for (int i = 0; i < 4; ++i) copy.sizes[i] = sizes[i], copy.from[i] = from[i], copy.to[i] = to[i];
    magnitude.kind = RowKind::magnitude, magnitude.x = x.data(), magnitude.y = size.data();
    magnitude.sizes[0] = 1, magnitude.sizes[1] = static_cast<int64_t>(size.size());
    std::vector<carousel::RowOperation> all = {product, copy, magnitude};
    std::vector<float> made[3] = {y, y, y};
    for (int kind = 0; kind < 3; ++kind) {
        carousel::RowOperation one;
        one.kind = static_cast<RowKind>(static_cast<int>(RowKind::relu) + kind);
        one.x = y.data(), one.y = made[kind].data(), one.sizes[0] = rows * outputs;
        all.push_back(one);
    }
    carousel::active_isa().few_rows(all.data(), static_cast<int64_t>(all.size()));
    int wrong = 0;
    auto far = [](double a, double b) { return !(std::fabs(a - b) < 1e-4); };
    for (int64_t r = 0; r < rows; ++r) {
        for (int64_t o = 0; o < outputs; ++o) {
            const size_t at = static_cast<size_t>(r * outputs + o);
            double sum = product.b ? b[o] : 0.0;
            for (int64_t k = 0; k < inputs; ++k) sum += double(x[r * inputs + k]) * w[o * inputs + k];
            wrong += far(y[at], sum) + far(made[0][at], sum < 0 ? 0 : sum);
            wrong += far(made[1][at], 1 / (1 + std::exp(-sum))) + far(made[2][at], std::tanh(sum));
        }
        for (int64_t k = 0; k < inputs; ++k)
            wrong += turned[k * rows + r] != x[r * inputs + inputs - 1 - k];
    }
    for (size_t i = 0; i < size.size(); ++i)
        wrong += far(size[i], std::hypot(double(x[i]), double(x[size.size() + i])));
    if (wrong > 0)
        std::printf("%s few rows %ld inputs %ld outputs %ld: %d differ\n", isa, static_cast<long>(rows),
                    static_cast<long>(inputs), static_cast<long>(outputs), wrong);
    return wrong > 0;
}

}  // namespace
