// The walk over time, which every pass takes: from the first step to the last or back, and at each
// how many rows are at work. And what stands before a row's first step, and after its last.
#pragma once

#include "layout.hpp"

namespace carousel {
namespace {

// How many of a share's rows, longest first, are longer than t; `n` is a guess to start from.
int64_t rows_longer_than(const Problem& p, const Share& share, int64_t t, int64_t n) {
    while (n < share.rows && length_at(p, share.position(n)) > t) ++n;
    while (n > 0 && length_at(p, share.position(n - 1)) <= t) --n;
    return n;
}

struct Step {
    int64_t s = 0;      // its place in the order of the forward pass
    int64_t t = 0;      // of the arrays: T - 1 - s in reverse
    int64_t rows = 0;   // of the share's rows, longest first, so many are longer than t
    int64_t later = 0;  // so many of those have a step before this one; the others start here
};

// for (const Step& step : Steps::forward(p, share)) …
class Steps {
public:
    // Steps s of [first, last), in the order of the forward pass.
    static Steps forward(const Problem& p, const Share& share, int64_t first, int64_t last) {
        return {p, share, first, last, 1};
    }
    static Steps forward(const Problem& p, const Share& share) { return {p, share, 0, p.T, 1}; }
    // All steps, the last one first.
    static Steps backward(const Problem& p, const Share& share) {
        return {p, share, p.T - 1, -1, -1};
    }

    struct End {};
    class Iterator {
    public:
        explicit Iterator(const Steps& steps) : steps_(steps) {
            step_.s = steps.first_;
            find();
        }
        const Step& operator*() const { return step_; }
        bool operator!=(End) const { return step_.s != steps_.end_; }
        void operator++() {
            step_.s += steps_.direction_;
            find();
        }

    private:
        void find() {
            if (step_.s == steps_.end_) return;
            const Problem& p = steps_.p_;
            const int64_t t = p.reverse ? p.T - 1 - step_.s : step_.s;
            const int64_t n = rows_longer_than(p, steps_.share_, t, step_.rows);
            step_.t = t, step_.rows = n;
            step_.later = step_.s == 0 ? 0
                          : p.reverse  ? rows_longer_than(p, steps_.share_, t + 1, n)
                                       : n;
        }

        const Steps& steps_;
        Step step_;
    };
    Iterator begin() const { return Iterator(*this); }
    End end() const { return {}; }

private:
    Steps(const Problem& p, const Share& share, int64_t first, int64_t end, int64_t direction)
        : p_(p), share_(share), first_(first), end_(end), direction_(direction) {}

    const Problem& p_;
    const Share& share_;
    int64_t first_, end_, direction_;
};

// The state of row `row` before step t. starts: it has no step before; then `zeros` without h0.
CAROUSEL_INLINE const float* state_before(const Problem& p, int64_t t, int64_t row, bool starts,
                                          const float* zeros) {
    if (!starts) return at(p.y, p.reverse ? t + 1 : t - 1, row);
    return p.h0 ? p.h0 + row * p.P : zeros;
}

// States beside h, before the first step and after the last, in the order of their names there.
CAROUSEL_INLINE const float* first_memory(const Problem& p, int memory) {
    return memory == 0 ? p.c0 : memory == 1 ? p.n0 : p.m0;
}
CAROUSEL_INLINE float* last_memory(const Problem& p, int memory) {
    return memory == 0 ? p.cn : memory == 1 ? p.nn : p.mn;
}
// Their gradients.
CAROUSEL_INLINE float* first_memory_gradient(const Problem& p, int memory) {
    return memory == 0 ? p.dc0 : memory == 1 ? p.dn0 : p.dm0;
}
CAROUSEL_INLINE const float* last_memory_gradient(const Problem& p, int memory) {
    return memory == 0 ? p.dcn : memory == 1 ? p.dnn : p.dmn;
}

// What a cell's functions take of the states beside h: one by itself, several together.
template <class C>
CAROUSEL_INLINE decltype(auto) memories(Vec (&all)[C::kMemories]) {
    if constexpr (C::kMemories == 1)
        return (all[0]);
    else
        return (all);
}

// The units [first, last) of the state after the last step of the row at `position`, into hn.
void write_last_state(const Problem& p, int64_t position, int64_t first, int64_t last) {
    const int64_t row = row_at(p, position), length = length_at(p, position);
    float* to = p.hn + row * p.P;
    const float* from = length > 0 ? at(p.y, p.reverse ? 0 : length - 1, row)
                        : p.h0     ? p.h0 + row * p.P
                                   : nullptr;
    if (from == nullptr)
        zero(to + first, last - first);
    else if (from != to)
        copy(to + first, from + first, last - first);
}

// Zeros the first `features` features of this thread's rows that have ended before the step.
inline void zero_ended(const Problem& p, const Share& share, const Rows& array, const Step& step,
                int64_t features) {
    for (int64_t j = step.rows; j < share.rows; ++j)
        if (share.mine(j)) zero(at(array, step.t, row_at(p, share.position(j))), features);
}

}  // namespace
}  // namespace carousel
