// The backward pass of cells whose units do not see each other: see scan.hpp.
#pragma once

#include "scan.hpp"

namespace carousel {
namespace {

template <class C>
struct ScanBackward {
    const Problem& p;
    const Shape<C> shape;
    float *dh, *dc;   // [B][units], [B][kKept][units]
    float *own, *dw;  // [thread][units weights], [thread][2 units weights]: of rows of a block, before
    int64_t units;

    ScanBackward(const Problem& problem, int threads, Arena& arena)
        : p(problem), shape(problem), units(shape.blocks * L) {
        dh = arena.floats(p.B * units);
        dc = C::kKept > 0 ? arena.floats(p.B * C::kKept * units) : nullptr;
        own = arena.floats(threads * units * C::kUnitWeights);
        dw = arena.floats(threads * 2 * units * C::kUnitWeights);
    }

    // Of the rows of a share, units of a thread: gradients after the last step.
    void start(const Share& share, const Units& mine) const {
        for (int64_t j = 0; j < share.rows; ++j) {
            const int64_t position = share.position(j), row = row_at(p, position);
            take_units(p.dhn ? p.dhn + row * p.H : nullptr, mine, dh + position * units);
            for (int s = 0; s < C::kKept; ++s)
                take_units(kept_state<C>(p.dcn, p.dnn, s, row, p.H), mine,
                           dc + (position * C::kKept + s) * units);
        }
    }

    // The same before the first step.
    void finish(const Share& share, const Units& mine) const {
        for (int64_t j = 0; j < share.rows; ++j) {
            const int64_t position = share.position(j), row = row_at(p, position);
            const int64_t count = mine.last - mine.first;
            copy(p.dh0 + row * p.H + mine.first, dh + position * units + mine.first, count);
            for (int s = 0; s < C::kKept; ++s)
                copy(kept_state<C>(p.dc0, p.dn0, s, row, p.H) + mine.first,
                     dc + (position * C::kKept + s) * units + mine.first, count);
        }
    }

    // One row of a step, blocks [first, last). own, dw: of this thread.
    void step(int64_t t, int64_t position, bool starts, int64_t first, int64_t last,
              const float* own, float* dw) const {
        const int64_t row = row_at(p, position);
        const float* before =
            C::kKept > 0 ? nullptr : state_before(p, t, row, starts, nullptr);
        const float* after = at(p.y, t, row);
        const float* x = at(p.x, t, row);
        const float* dy = p.dy.data ? at(p.dy, t, row) : nullptr;
        const float* saved = saved_at<C>(p.saved, t, 0, position, p);
        float* da = at(p.da, t, row);
        for (int64_t block = first; block < last; ++block) {
            const int64_t u = block * L;
            const int count = shape.units_in(block);
            float* dh_memory = dh + position * units + u;
            float* dc_memory = C::kKept > 0 ? dc + position * C::kKept * units + u : nullptr;
            const Vec input = C::kDirect ? load_first(x + u, count) : Vec{};
            const Vec h_before = before ? load_first(before + u, count) : Vec{};
            const Vec h = C::kSaved == 0 ? load_first(after + u, count) : Vec{};
            Vec weights[C::kUnitWeights + 1], d_weights[C::kUnitWeights + 1], d[C::kSums + 1];
            load_own<C>(own, block, weights), load_own<C>(dw, block, d_weights);
            Vec dh = load(dh_memory), d_state[C::kKept + 1] = {};
            for (int s = 0; s < C::kKept; ++s) d_state[s] = load(dc_memory + s * units);
            if (dy && !C::kProjects) dh += load_first(dy + u, count);
            for (int s = 0; C::kProjects && dy && s < C::kKept; ++s)
                d_state[s] += load_first(dy + s * p.H + u, count);
            C::backward(saved + block * C::kSaved * L, input, h, h_before, weights, dh, d_state, d,
                        d_weights);
            store(dh_memory, C::kKept > 0 ? Vec{} : d_state[0]);
            for (int s = 0; s < C::kKept; ++s) store(dc_memory + s * units, d_state[s]);
            for (int k = 0; k < C::kUnitWeights; ++k)
                store(dw + (block * C::kUnitWeights + k) * L, d_weights[k]);
            constexpr int kLeft = C::kProjects ? 4 : C::kSums + (C::kDirect ? 1 : 0);
            for (int s = 0; s < kLeft; ++s) store_first(da + s * p.H + u, d[s], count);
        }
    }
};

template <class C>
size_t scan_backward_floats(const Problem& p, int threads) {
    Arena arena{nullptr};
    const ScanBackward<C> work(p, threads, arena);
    return arena.used;
}

template <class C>
void write_own_gradients(const Problem& p, const Units& units, const float* dw) {
    for (int64_t u = units.first; u < units.last; ++u) {
        float d[C::kUnitWeights + 1];
        for (int k = 0; k < C::kUnitWeights; ++k) d[k] = dw[(u / L * C::kUnitWeights + k) * L + u % L];
        C::own_gradient(p, u, d);
    }
}

template <class C>
void scan_backward(const Problem& p, float* memory, Team team) {
    Arena arena{memory};
    const ScanBackward<C> scan(p, team.threads, arena);
    const Share share = scan_share<C>(p, team);
    const Units mine(scan.shape, share);
    const int64_t first = mine.first / L, last = up(mine.last, L);
    const int64_t own_floats = scan.units * C::kUnitWeights;
    float* own = scan.own + team.thread * own_floats;
    float* dw = scan.dw + team.thread * 2 * own_floats;
    if (C::kUnitWeights > 0) zero(dw, 2 * own_floats), fill_own<C>(p, scan.shape, first, last, own);
    const int64_t most = share.rows * p.T > kLongSum ? kBlockRows : share.rows * p.T;
    int64_t summed = 0;
    scan.start(share, mine);
    for (const Step& step : Steps::backward(p, share))
        for (int64_t j = 0; j < step.rows; ++j) {
            if (C::kUnitWeights > 0 && summed == most) {
                add(dw + own_floats, dw, own_floats), zero(dw, own_floats);
                summed = 0;
            }
            scan.step(step.t, share.position(j), j >= step.later, first, last, own, dw);
            ++summed;
        }
    scan.finish(share, mine);
    if (C::kUnitWeights == 0) return;
    add(dw, dw + own_floats, own_floats);
    if (share.by_units) return write_own_gradients<C>(p, mine, dw);
    wait(team.barrier, team.threads);
    if (team.thread > 0) return;
    for (int thread = 1; thread < team.threads; ++thread)
        add(dw, scan.dw + thread * 2 * own_floats, own_floats);
    write_own_gradients<C>(p, Units(0, p.H), dw);
}

}  // namespace
}  // namespace carousel
