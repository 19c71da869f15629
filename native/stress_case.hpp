// The random problems of stress.cpp: sizes, options, rows of any lengths and layout, and inputs.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "kernels.hpp"

namespace {

using carousel::Cell;
using carousel::Chance;
using carousel::Curve;
using carousel::Gate;
using carousel::Options;
using carousel::Problem;
using carousel::Rows;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::mt19937_64 generator(20);

int64_t between(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(generator);
}
bool chance(double p) { return std::bernoulli_distribution(p)(generator); }

// A block of exactly n floats; not a vector, whose spare capacity would hide an overrun.
struct Array {
    std::unique_ptr<float[]> data;
    size_t size = 0;

    Array() = default;
    explicit Array(size_t n, float value = kNan) : data(new float[n]), size(n) {
        std::fill_n(data.get(), n, value);
    }
    Array(const Array& other) : size(other.size) {
        if (!other.data) return;  // a copy of no array is no array
        data.reset(new float[size]);
        std::copy_n(other.data.get(), size, data.get());
    }
    Array(Array&&) = default;
    Array& operator=(Array&&) = default;
    float* get() const { return data.get(); }
};

Array random_array(size_t n, float scale) {
    Array array(n);
    std::normal_distribution<float> normal(0, scale);
    for (size_t i = 0; i < n; ++i) array.get()[i] = normal(generator);
    return array;
}

// What is asked: sizes, rows and inputs. Never written.
struct Case {
    Cell cell;
    int64_t T, B, I, H, P, heads = 1, memory = 0, segment = 0;
    bool reverse, packed = false, batch_first, bias, given_state;
    carousel::Product product = carousel::Product::floats;
    std::vector<int64_t> order, lengths, steps;  // empty: all rows of length T
    Options options;
#define ARRAY(name, shape) Array name;
    CAROUSEL_WEIGHTS(ARRAY)
    CAROUSEL_FIRST_STATES(ARRAY)
#undef ARRAY
    Array x, dy, dhn, dcn, dnn, dmn;

    int64_t gates() const {
        if (cell == Cell::min_gru || cell == Cell::min_gru_linear) return 2;
        if (cell == Cell::min_lstm || cell == Cell::min_lstm_linear) return 3;
        if (slstm()) return 4;
        if (cell == Cell::sru) return 3 + !direct();
        if (cell == Cell::rg_lru) return 2 + !direct();
        if (s6()) return 1 + !direct();
        if (carousel::is_late(cell)) return 3;
        return cell == Cell::lstm ? options.gates : cell == Cell::gru ? 3 : 1;
    }
    bool lstm() const { return cell == Cell::lstm; }
    bool slstm() const { return cell == Cell::slstm || cell == Cell::slstm_exp; }
    bool lmu() const { return cell == Cell::lmu_tanh || cell == Cell::lmu_relu; }
    // Cells that have torch's options, and products of bfloat16.
    bool usual() const { return !parallel() && !slstm() && !lmu(); }
    bool lru() const { return cell == Cell::lru; }
    bool s6() const { return cell == Cell::s6; }
    // Features of the states beside h: of c, n and m.
    int64_t in_c() const {
        if (s6()) return H * memory;
        return lstm() || slstm() || cell == Cell::sru || carousel::is_late(cell) ? H : 0;
    }
    int64_t in_n() const { return slstm() || lru() ? H : cell == Cell::qrnn2 ? 3 * H : 0; }
    int64_t in_m() const { return slstm() ? H : 0; }
    // Cells without a recurrent product; how many weights a unit has of its own.
    bool parallel() const { return carousel::is_scan(cell); }
    int64_t weighted() const {
        if (carousel::is_late(cell)) return lru();
        if (s6()) return memory;
        return cell == Cell::sru ? 2 : parallel() && cell >= Cell::ind_rnn_tanh ? 1 : 0;
    }
    // Whether inputs skip the cell as they are.
    bool direct() const { return carousel::has_skip(cell) && I == H; }
    // Features of da, and how many blocks of weights have biases.
    int64_t sums() const {
        if (s6()) return 2 * H + 2 * memory;
        return H * (lru() ? 4 : gates() * (cell == Cell::qrnn2 ? 2 : 1) + direct());
    }
    int64_t biased() const { return lru() || s6() ? 1 : carousel::has_skip(cell) ? 2 : gates(); }
    // Features of the gradient that comes back: of the states where outputs are a product of those.
    int64_t given() const { return lru() ? 2 * H : P; }

    // A (T, B, features) array in this case's layout.
    size_t floats(int64_t features) const {
        const int64_t rows = packed ? std::accumulate(lengths.begin(), lengths.end(), int64_t{0})
                                    : T * B;
        return static_cast<size_t>(rows * features);
    }
    Rows rows(float* data, int64_t features) const {
        if (packed) return {data, steps.data(), 0, features};
        return batch_first ? Rows{data, nullptr, features, T * features}
                           : Rows{data, nullptr, B * features, features};
    }
    // Sets the padding of an array to a value; returns whether all of it was that value before.
    bool fill_padding(Array& array, int64_t features, float value) const {
        bool was = true;
        if (packed || lengths.empty()) return was;
        const Rows place = rows(array.get(), features);
        for (int64_t j = 0; j < B; ++j)
            for (int64_t t = lengths[j]; t < T; ++t)
                for (int64_t f = 0; f < features; ++f) {
                    float& at = place.data[t * place.step + order[j] * place.row + f];
                    was = was && at == value;
                    at = value;
                }
        return was;
    }
};

void choose_lengths(Case& c) {
    c.order.resize(c.B), c.lengths.resize(c.B);
    std::iota(c.order.begin(), c.order.end(), 0);
    c.packed = chance(0.4);
    if (!c.packed) std::shuffle(c.order.begin(), c.order.end(), generator);
    for (auto& length : c.lengths) length = between(c.packed ? 1 : 0, c.T);
    std::sort(c.lengths.rbegin(), c.lengths.rend());
    if (!c.packed) return;
    c.T = c.lengths[0];
    int64_t before = 0;
    for (int64_t t = 0; t < c.T; ++t) {
        c.steps.push_back(before);
        for (int64_t length : c.lengths) before += length > t;
    }
}

void choose_sizes(Case& c) {
    switch (between(0, 2)) {
        case 0:  // tiny: whatever is not a multiple of anything
            c.T = between(1, 9), c.B = between(1, 9), c.I = between(1, 17), c.H = between(1, 40);
            break;
        case 1:  // threads share the rows
            c.T = between(2, 9), c.B = between(3, 70), c.I = between(1, 70), c.H = between(40, 110);
            break;
        default: {  // threads share the units
            c.T = between(2, 4), c.B = between(1, 5);
            const bool one = c.cell == Cell::rnn_tanh || c.cell == Cell::rnn_relu ||
                             c.cell == Cell::ind_rnn_tanh || c.cell == Cell::ind_rnn_relu;
            c.H = one ? between(370, 400) : between(200, 230);
            c.I = one ? between(350, 400) : between(230, 260);
        }
    }
    if (chance(0.2)) c.T = 1;  // each weight is read once
    if (c.slstm() && chance(0.7)) c.heads = between(1, 5), c.H = (c.H + 4) / c.heads * c.heads;
    if (carousel::has_skip(c.cell) && chance(0.5)) c.I = c.H;
    if (c.s6()) c.memory = between(1, 20), c.T += chance(0.5) ? between(10, 40) : 0;
    c.P = c.lstm() && c.H > 1 && chance(0.4) ? between(1, c.H - 1) : c.H;
}

Chance random_chance() {
    const float p = chance(0.5) ? 0.0f : static_cast<float>(between(1, 9)) / 10;
    return {p, 1 / (1 - p), static_cast<int32_t>(std::lround(p * (1 << 24)))};
}

// Before the sizes, which depend on the gates. Returns whether there are peepholes.
bool choose_options(Case& c) {
    Options& o = c.options;
    o.plain = false;
    o.activation = static_cast<Curve>(between(0, 3));
    o.output = static_cast<Curve>(between(0, 4));
    o.hard_gates = chance(0.5), o.draws = chance(0.7), o.each_step = chance(0.5);
    o.zone_cell = random_chance(), o.zone_state = random_chance();
    o.candidate = random_chance(), o.product = random_chance();
    o.seed = generator();
    o.normalized = chance(0.4);
    o.reset_first = c.cell == Cell::gru && !o.normalized && chance(0.6);
    if (!c.lstm()) return false;
    const bool peephole = chance(0.5);
    int with_peephole = 0;
    o.gates = 0;
    o.coupled = chance(0.3);
    for (Gate* gate : {&o.i, &o.f, &o.g, &o.o}) {
        const bool absent = gate == &o.f ? o.coupled || chance(0.3) : chance(0.2);
        if (gate != &o.g && absent && !(gate == &o.i && o.coupled)) continue;
        gate->sum = o.gates++;
        if (peephole && gate != &o.g) gate->peephole = with_peephole++;
    }
    if (o.gates == 1) o.o.sum = o.gates++, o.o.peephole = peephole ? with_peephole++ : -1;
    return peephole;
}

void choose_weights(Case& c) {
    const int64_t rows = c.gates() * c.H;
    c.w_ih = random_array(rows * c.I, 1 / std::sqrt(float(c.I)));
    if (c.bias) c.b_ih = random_array(c.biased() * c.H, 0.5f);
    if (c.parallel()) {
        if (c.weighted()) c.w_hh = random_array(c.weighted() * c.H, 0.5f);
        if (c.lru()) {
            c.w_c = random_array(c.H, 1), c.w_ln_hh = random_array(c.H, 0.5f);
            c.w_hr = random_array(2 * c.H * c.H, 1 / std::sqrt(float(c.H)));
        }
        if (c.s6()) {
            c.w_c = random_array(c.H, 1);
            c.w_ln_ih = random_array(c.memory * c.I, 1 / std::sqrt(float(c.I)));
            c.w_ln_hh = random_array(c.memory * c.I, 1 / std::sqrt(float(c.I)));
        }
        if (c.cell == Cell::qrnn2) c.w_hh = random_array(rows * c.I, 1 / std::sqrt(float(c.I)));
        return;
    }
    const int64_t read = c.P / c.heads;
    c.w_hh = random_array(rows * read, 1 / std::sqrt(float(read)));
    if (c.lmu()) {
        c.w_c = Array(c.H);
        for (int64_t u = 0; u < c.H; ++u) c.w_c.get()[u] = chance(0.5) ? 1.0f : 0.0f;
    }
    if (c.bias && !c.slstm() && !c.lmu()) c.b_hh = random_array(rows, 0.5f);
    if (!c.options.normalized) return;
    if (c.gates() > 1) c.w_ln_ih = random_array(rows, 0.5f);
    c.w_ln_hh = random_array(rows, 0.5f);
    if (c.lstm()) c.w_ln_c = random_array(c.H, 0.5f), c.b_ln_c = random_array(c.H, 0.5f);
}

// Its normaliser, a sum of gates, is zero or positive: here positive, for around zero the memory has
// no derivative.
void choose_memories(Case& c) {
    if (c.in_c()) c.c0 = random_array(c.B * c.in_c(), 1);
    if (c.in_m()) c.m0 = random_array(c.B * c.in_m(), 1);
    if (c.in_n()) c.n0 = random_array(c.B * c.in_n(), 1);
    for (size_t i = 0; c.slstm() && i < c.n0.size; ++i) c.n0.get()[i] = 1 + std::abs(c.n0.get()[i]);
}

Case random_case() {
    Case c;
    c.cell = static_cast<Cell>(between(0, carousel::kCells - 1));
    const bool peephole = c.usual() && chance(0.5) && choose_options(c);
    if (c.usual() && chance(0.4)) c.product = carousel::Product::bf16_twin;
    choose_sizes(c);
    if (c.P != c.H) c.options.zone_state = {};
    c.reverse = chance(0.5), c.batch_first = chance(0.5);
    c.bias = chance(0.8), c.given_state = chance(0.7);
    if (chance(0.6)) choose_lengths(c);
    if (!c.parallel() && chance(0.3)) c.segment = between(1, c.T + 1);
    choose_weights(c);
    if (c.P != c.H) c.w_hr = random_array(c.P * c.H, 1 / std::sqrt(float(c.H)));
    if (peephole) c.w_c = random_array((c.gates() - 1) * c.H, 0.5f);
    c.x = random_array(c.floats(c.I), 1), c.fill_padding(c.x, c.I, kNan);
    c.dy = random_array(c.floats(c.given()), 1), c.fill_padding(c.dy, c.given(), kNan);
    if (c.given_state) c.h0 = random_array(c.B * c.P, 1);
    c.dhn = random_array(c.B * c.P, 1);
    if (c.given_state) choose_memories(c);
    if (c.in_c()) c.dcn = random_array(c.B * c.in_c(), 1);
    if (c.in_n()) c.dnn = random_array(c.B * c.in_n(), 1);
    if (c.in_m()) c.dmn = random_array(c.B * c.in_m(), 1);
    return c;
}

Problem problem_of(const Case& c) {
    Problem p;
    p.cell = c.cell, p.T = c.T, p.B = c.B, p.I = c.I, p.H = c.H, p.P = c.P;
    p.heads = c.heads, p.memory = c.memory, p.reverse = c.reverse, p.padded = !c.packed;
    if (!c.lengths.empty()) p.order = c.order.data(), p.lengths = c.lengths.data();
    p.options = c.options, p.product = c.product;
#define SET(name, shape) p.name = c.name.get();
    CAROUSEL_WEIGHTS(SET)
    CAROUSEL_FIRST_STATES(SET)
#undef SET
    p.x = c.rows(c.x.get(), c.I);
    return p;
}

}  // namespace
