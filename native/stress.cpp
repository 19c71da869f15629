// Random problems without Python, for the sanitizers: every array is a heap block of exactly its
// size, every output starts as NaN, and what must not matter is NaN.
//
// Each problem runs on 1, 2 and 3 threads on every instruction set: the forward pass must give the
// same bits, the backward pass the same gradients but for rounding. Also with nothing saved, with
// only every few steps saved, without the gradients that are not wanted, and adding to dx.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "dispatch.hpp"
#include "engine.hpp"

namespace {

using carousel::Cell;
using carousel::Chance;
using carousel::Curve;
using carousel::Gate;
using carousel::Options;
using carousel::Problem;
using carousel::Rows;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr const char* kCellNames[] = {
    "lstm",           "gru",      "rnn_tanh",        "rnn_relu",     "min_gru",
    "min_gru_linear", "min_lstm", "min_lstm_linear", "ind_rnn_tanh", "ind_rnn_relu"};
static_assert(std::size(kCellNames) == carousel::kCells, "each cell has a name");

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
    int64_t T, B, I, H, P, segment = 0;
    bool reverse, packed = false, batch_first, bias, given_state;
    std::vector<int64_t> order, lengths, steps;  // empty: all rows of length T
    Options options;
    Array w_ih, w_hh, b_ih, b_hh, w_hr, w_c, x, h0, c0, dy, dhn, dcn;
    Array w_ln_ih, w_ln_hh, w_ln_c, b_ln_c;

    int64_t gates() const {
        if (cell == Cell::min_gru || cell == Cell::min_gru_linear) return 2;
        if (cell == Cell::min_lstm || cell == Cell::min_lstm_linear) return 3;
        return cell == Cell::lstm ? options.gates : cell == Cell::gru ? 3 : 1;
    }
    bool lstm() const { return cell == Cell::lstm; }
    // Cells without a recurrent product; whether a unit has a recurrent weight.
    bool parallel() const { return cell >= Cell::min_gru; }
    bool weighted() const { return cell >= Cell::ind_rnn_tanh; }

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
        default:  // threads share the units
            c.T = between(2, 4), c.B = between(1, 5);
            c.H = c.gates() == 1 ? between(370, 400) : between(200, 230);
            c.I = c.gates() == 1 ? between(350, 400) : between(230, 260);
    }
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
    if (c.bias) c.b_ih = random_array(rows, 0.5f);
    if (c.parallel()) {
        if (c.weighted()) c.w_hh = random_array(c.H, 0.5f);
        return;
    }
    c.w_hh = random_array(rows * c.P, 1 / std::sqrt(float(c.P)));
    if (c.bias) c.b_hh = random_array(rows, 0.5f);
    if (!c.options.normalized) return;
    if (c.gates() > 1) c.w_ln_ih = random_array(rows, 0.5f);
    c.w_ln_hh = random_array(rows, 0.5f);
    if (c.lstm()) c.w_ln_c = random_array(c.H, 0.5f), c.b_ln_c = random_array(c.H, 0.5f);
}

Case random_case() {
    Case c;
    c.cell = static_cast<Cell>(between(0, carousel::kCells - 1));
    const bool peephole = !c.parallel() && chance(0.5) && choose_options(c);
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
    c.dy = random_array(c.floats(c.P), 1), c.fill_padding(c.dy, c.P, kNan);
    if (c.given_state) c.h0 = random_array(c.B * c.P, 1);
    c.dhn = random_array(c.B * c.P, 1);
    if (c.lstm()) {
        if (c.given_state) c.c0 = random_array(c.B * c.H, 1);
        c.dcn = random_array(c.B * c.H, 1);
    }
    return c;
}

Problem problem_of(const Case& c) {
    Problem p;
    p.cell = c.cell, p.T = c.T, p.B = c.B, p.I = c.I, p.H = c.H, p.P = c.P;
    p.reverse = c.reverse, p.padded = !c.packed;
    if (!c.lengths.empty()) p.order = c.order.data(), p.lengths = c.lengths.data();
    p.options = c.options, p.w_c = c.w_c.get();
    p.w_ih = c.w_ih.get(), p.w_hh = c.w_hh.get(), p.w_hr = c.w_hr.get();
    p.b_ih = c.b_ih.get(), p.b_hh = c.b_hh.get();
    p.w_ln_ih = c.w_ln_ih.get(), p.w_ln_hh = c.w_ln_hh.get();
    p.w_ln_c = c.w_ln_c.get(), p.b_ln_c = c.b_ln_c.get();
    p.h0 = c.h0.get(), p.c0 = c.c0.get();
    p.x = c.rows(c.x.get(), c.I);
    return p;
}

struct Results {
    std::vector<std::pair<std::string, Array>> arrays;
    Array& add(const char* name, size_t n, float value = kNan) {
        arrays.emplace_back(name, Array(n, value));
        return arrays.back().second;
    }
};

struct Kept {  // what the backward pass reads
    Array y, saved;
};

Results run_forward(const Case& c, int threads, bool save, Kept* kept = nullptr) {
    Results results;
    results.arrays.reserve(3);
    Problem p = problem_of(c);
    p.segment = c.segment;
    Array& y = results.add("y", c.floats(c.P));
    p.y = c.rows(y.get(), c.P);
    p.hn = results.add("hn", c.B * c.P).get();
    if (c.lstm()) p.cn = results.add("cn", c.B * c.H).get();
    Array saved(save ? carousel::saved_floats(p) : 0);
    if (save) p.saved = saved.get();
    carousel::forward(p, threads);
    if (kept != nullptr) kept->y = Array(y), kept->saved = std::move(saved);
    if (!c.fill_padding(y, c.P, 0.0f)) results.add("padding of y that is not zero", 1);
    return results;
}

struct Wanted {
    bool dx = true, add_to_dx = false, dy = true, dhn = true;
};

Results run_backward(const Case& c, const Kept& kept, int threads, Wanted wanted) {
    Results results;
    results.arrays.reserve(15);
    Problem p = problem_of(c);
    p.segment = c.segment;
    p.y = c.rows(kept.y.get(), c.P), p.saved = kept.saved.get();
    if (wanted.dy) p.dy = c.rows(c.dy.get(), c.P);
    if (wanted.dhn) p.dhn = c.dhn.get(), p.dcn = c.dcn.get();
    p.add_to_dx = wanted.add_to_dx;
    Array* dx = nullptr;
    if (wanted.dx && !c.parallel()) {
        dx = &results.add("dx", c.floats(c.I), wanted.add_to_dx ? 0.0f : kNan);
        p.dx = c.rows(dx->get(), c.I);
    }
    p.dh0 = results.add("dh0", c.B * c.P).get();
    if (c.lstm()) p.dc0 = results.add("dc0", c.B * c.H).get();
    if (c.weighted() || !c.parallel()) p.dw_hh = results.add("dw_hh", c.w_hh.size).get();
    if (c.parallel()) {
        const int64_t sums = c.gates() * c.H;
        p.da = c.rows(results.add("da", c.floats(sums), 0.0f).get(), sums);
    } else {
        p.dw_ih = results.add("dw_ih", c.w_ih.size).get();
    }
    if (c.bias && !c.parallel()) {
        p.db_ih = results.add("db_ih", c.b_ih.size).get();
        p.db_hh = results.add("db_hh", c.b_hh.size).get();
    }
    if (c.P != c.H) p.dw_hr = results.add("dw_hr", c.w_hr.size).get();
    if (p.w_c) p.dw_c = results.add("dw_c", c.w_c.size).get();
    if (p.w_ln_ih) p.dw_ln_ih = results.add("dw_ln_ih", c.w_ln_ih.size).get();
    if (p.w_ln_hh) p.dw_ln_hh = results.add("dw_ln_hh", c.w_ln_hh.size).get();
    if (p.w_ln_c) p.dw_ln_c = results.add("dw_ln_c", c.w_ln_c.size).get();
    if (p.b_ln_c) p.db_ln_c = results.add("db_ln_c", c.b_ln_c.size).get();
    carousel::backward(p, threads);
    if (dx != nullptr && !c.fill_padding(*dx, c.I, 0.0f))
        results.add("padding of dx that is not zero", 1);
    return results;
}

int failures = 0;

void fail(const Case& c, const char* isa, const std::string& what) {
    ++failures;
    std::printf(
        "%s %s%s T=%ld B=%ld I=%ld H=%ld P=%ld segment=%ld%s%s%s%s%s%s: %s\n", isa,
        kCellNames[static_cast<int>(c.cell)], c.options.plain ? "" : " with options", long(c.T), long(c.B), long(c.I), long(c.H), long(c.P),
        long(c.segment), c.reverse ? " reverse" : "", c.packed ? " packed" : "",
        c.lengths.empty() ? "" : " ragged", c.batch_first ? " batch-first" : "",
        c.bias ? " bias" : "", c.given_state ? " state" : "", what.c_str());
}

// Arrays that both have must agree: in every bit with a tolerance of 0, else relative to the
// largest expected magnitude. NaN agrees with nothing.
void compare(const Case& c, const char* isa, const std::string& when, const Results& actual,
             const Results& expected, float tolerance) {
    for (const auto& [name, array] : actual.arrays) {
        const Array* other = nullptr;
        for (const auto& [other_name, candidate] : expected.arrays)
            if (other_name == name) other = &candidate;
        if (other == nullptr) {
            fail(c, isa, name + " " + when);
            continue;
        }
        float largest = 0, difference = 0;
        bool nan = false;
        for (size_t i = 0; i < array.size; ++i) {
            const float a = array.get()[i], e = other->get()[i];
            largest = std::max(largest, std::abs(e));
            difference = std::max(difference, std::abs(a - e));
            nan = nan || std::isnan(a) || std::isnan(e);
        }
        if (nan) fail(c, isa, "NaN in " + name + " " + when);
        if (difference > tolerance * largest) fail(c, isa, name + " differs " + when);
    }
}

void run(const Case& c, const char* isa) {
    constexpr float kTolerance = 1e-4f;
    Kept kept;
    const Results forward = run_forward(c, 1, true, &kept);
    const Results backward = run_backward(c, kept, 1, {});
    const Results of_state = run_backward(c, kept, 1, {true, false, false, true});
    const Results of_output = run_backward(c, kept, 1, {true, false, true, false});
    compare(c, isa, "from itself on 1 thread", backward, backward, 0);
    for (int threads = 1; threads <= 3; ++threads) {
        const std::string on = "on " + std::to_string(threads) + " threads";
        Kept own;
        compare(c, isa, on, run_forward(c, threads, true, &own), forward, 0);
        compare(c, isa, on + ", nothing saved", run_forward(c, threads, false), forward, 0);
        compare(c, isa, on, run_backward(c, own, threads, {}), backward, kTolerance);
        compare(c, isa, on + " without dx", run_backward(c, own, threads, {false}), backward,
                kTolerance);
        compare(c, isa, on + " added to dx", run_backward(c, own, threads, {true, true}), backward,
                kTolerance);
        compare(c, isa, on + " without dy",
                run_backward(c, own, threads, {true, false, false, true}), of_state, kTolerance);
        compare(c, isa, on + " without dhn",
                run_backward(c, own, threads, {true, false, true, false}), of_output, kTolerance);
    }
    if (c.segment == 0) return;
    Case whole = c;
    whole.segment = 0;
    Kept all;
    compare(c, isa, "from saving everything", forward, run_forward(whole, 2, true, &all), 0);
    compare(c, isa, "from saving everything", run_backward(c, kept, 2, {}),
            run_backward(whole, all, 2, {}), 0);
}

// A stack of two layers fed step by step, against the layers one after the other.
void run_stepper(const char* isa) {
    Case first;
    first.cell = static_cast<Cell>(between(0, carousel::kCells - 1));
    if (first.cell == Cell::gru && chance(0.5))
        first.options.plain = false, first.options.reset_first = true;
    choose_sizes(first);
    first.P = first.H, first.T = 1;
    first.reverse = first.batch_first = false, first.bias = first.given_state = true;
    choose_weights(first);
    first.h0 = random_array(first.B * first.H, 1);
    if (first.lstm()) first.c0 = random_array(first.B * first.H, 1);
    Case second = first;
    second.I = second.H;
    choose_weights(second);
    first.x = random_array(first.B * first.I, 1);
    for (int threads = 1; threads <= 3; ++threads) {
        Case one = first, two = second;
        std::vector<Problem> problems;
        for (Case* c : {&one, &two}) {
            problems.push_back(problem_of(*c));
            problems.back().hn = c->h0.get(), problems.back().cn = c->c0.get();
        }
        Case lower = first, upper = second;
        carousel::Stepper stepper(problems, threads);
        for (int step = 0; step < 3; ++step) {
            Results stepped;
            Array& y = stepped.add("y", first.B * first.H);
            stepper.step(first.x.get(), y.get());
            Results below = run_forward(lower, 1, false);
            upper.x = Array(below.arrays[0].second);
            Results above = run_forward(upper, 1, false);
            compare(first, isa, "fed step by step", stepped, above, 0);
            for (auto [c, results] : {std::pair(&lower, &below), std::pair(&upper, &above)}) {
                c->h0 = std::move(results->arrays[1].second);
                if (c->lstm()) c->c0 = std::move(results->arrays[2].second);
            }
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    const int cases = argc > 1 ? std::atoi(argv[1]) : 100;
    for (const std::string& isa : carousel::supported_isas()) {
        setenv("CAROUSEL_ISA", isa.c_str(), 1);
        for (int i = 0; i < cases; ++i) {
            run(random_case(), isa.c_str());
            if (i % 4 == 0) run_stepper(isa.c_str());
        }
        std::printf("%s: %d random problems\n", isa.c_str(), cases);
        std::fflush(stdout);
    }
    if (failures > 0) std::printf("%d comparisons failed\n", failures);
    return failures > 0 ? 1 : 0;
}
