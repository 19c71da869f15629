// Random problems without Python, for the sanitizers: every array is a heap block of exactly its
// size, every output starts as NaN, and what must not matter is NaN.
//
// Each problem runs on 1, 2 and 3 threads on every instruction set: the forward pass must give the
// same bits, the backward pass the same gradients but for rounding. Also with nothing saved, with
// only every few steps saved, without the gradients that are not wanted, and adding to dx; products
// of bfloat16 by the CPU's instruction, where it has one, must give their twin's bits.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "dispatch.hpp"
#include "engine.hpp"
#include "stress_case.hpp"
#include "stress_int8.hpp"
#include "stress_few_rows.hpp"
#include "tile_time.hpp"

namespace {

using carousel::Product;

constexpr const char* kCellNames[] = {
    "lstm",           "gru",      "rnn_tanh",        "rnn_relu",     "min_gru",
    "min_gru_linear", "min_lstm", "min_lstm_linear", "ind_rnn_tanh", "ind_rnn_relu",
    "slstm",          "slstm_exp", "sru",             "rg_lru",
    "lmu_tanh",       "lmu_relu",        "qrnn",         "qrnn2",
    "lru",            "s6"};
static_assert(std::size(kCellNames) == carousel::kCells, "each cell has a name");

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
    results.arrays.reserve(5);
    Problem p = problem_of(c);
    p.segment = c.segment;
    Array& y = results.add("y", c.floats(c.P));
    p.y = c.rows(y.get(), c.P);
    p.hn = results.add("hn", c.B * c.P).get();
    if (c.in_c()) p.cn = results.add("cn", c.B * c.in_c()).get();
    if (c.in_n()) p.nn = results.add("nn", c.B * c.in_n()).get();
    if (c.in_m()) p.mn = results.add("mn", c.B * c.in_m()).get();
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
    results.arrays.reserve(17);
    Problem p = problem_of(c);
    p.segment = c.segment;
    p.y = c.rows(kept.y.get(), c.P), p.saved = kept.saved.get();
    if (wanted.dy) p.dy = c.rows(c.dy.get(), c.given());
    if (wanted.dhn) p.dhn = c.dhn.get(), p.dcn = c.dcn.get();
    if (wanted.dhn) p.dnn = c.dnn.get(), p.dmn = c.dmn.get();
    p.add_to_dx = wanted.add_to_dx;
    Array* dx = nullptr;
    if (wanted.dx && !c.parallel()) {
        dx = &results.add("dx", c.floats(c.I), wanted.add_to_dx ? 0.0f : kNan);
        p.dx = c.rows(dx->get(), c.I);
    }
    p.dh0 = results.add("dh0", c.B * c.P).get();
    if (c.in_c()) p.dc0 = results.add("dc0", c.B * c.in_c()).get();
    if (c.in_n()) p.dn0 = results.add("dn0", c.B * c.in_n()).get();
    if (c.in_m()) p.dm0 = results.add("dm0", c.B * c.in_m()).get();
    if (c.parallel()) {
        const int64_t sums = c.sums();
        p.da = c.rows(results.add("da", c.floats(sums), 0.0f).get(), sums);
        if (c.weighted()) p.dw_hh = results.add("dw_hh", c.w_hh.size).get();
        if (c.lru() || c.s6()) p.dw_c = results.add("dw_c", c.H).get();
        if (c.lru()) p.dw_ln_hh = results.add("dw_ln_hh", c.H).get();
    } else {
#define GRADIENT(name, shape) \
    if (p.name) p.d##name = results.add("d" #name, c.name.size).get();
        CAROUSEL_WEIGHTS(GRADIENT)
#undef GRADIENT
    }
    carousel::backward(p, threads);
    if (dx != nullptr && !c.fill_padding(*dx, c.I, 0.0f))
        results.add("padding of dx that is not zero", 1);
    return results;
}

int failures = 0;

void fail(const Case& c, const char* isa, const std::string& what) {
    ++failures;
    std::printf(
        "%s %s%s%s T=%ld B=%ld I=%ld H=%ld P=%ld segment=%ld%s%s%s%s%s%s: %s\n", isa,
        kCellNames[static_cast<int>(c.cell)], c.options.plain ? "" : " with options",
        c.product == Product::floats ? "" : " of bfloat16", long(c.T),
        long(c.B), long(c.I), long(c.H), long(c.P), long(c.segment),
        c.reverse ? " reverse" : "", c.packed ? " packed" : "",
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
    if (c.product == Product::bf16_twin && carousel::has_product(Product::bf16)) {
        Case fast = c;
        fast.product = Product::bf16;
        Kept own;
        compare(c, isa, "by its instruction", run_forward(fast, 2, true, &own), forward, 0);
        compare(c, isa, "by its instruction", run_backward(fast, own, 1, {}), backward, 0);
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
    if (first.usual() && chance(0.4)) first.product = Product::bf16_twin;
    choose_sizes(first);
    first.P = first.H, first.T = 1;
    first.reverse = first.batch_first = false, first.bias = first.given_state = true;
    choose_weights(first);
    first.h0 = random_array(first.B * first.H, 1);
    choose_memories(first);
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
            problems.back().nn = c->n0.get(), problems.back().mn = c->m0.get();
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
                for (auto& [name, array] : results->arrays) {
                    if (name == "hn") c->h0 = std::move(array);
                    if (name == "cn") c->c0 = std::move(array);
                    if (name == "nn") c->n0 = std::move(array);
                    if (name == "mn") c->m0 = std::move(array);
                }
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
            failures += run_int8(isa.c_str());
            failures += run_few_rows(isa.c_str());
        }
        std::printf("%s: %d random problems\n", isa.c_str(), cases);
        std::fflush(stdout);
    }
    if (failures > 0) std::printf("%d comparisons failed\n", failures);
    return failures > 0 ? 1 : 0;
}
