// Cells whose units do not see each other: what a unit was goes into what it becomes, and nothing
// else does. There is no recurrent product, so the input products of all steps can be formed
// together, many rows of any steps at once, and the loop over time is pointwise.
//
// The forward pass forms the products itself, with the tile of the other cells, so that a row's
// bits depend on the row alone. The backward pass leaves the gradients of the sums in memory: the
// products with them are plain matrix products, and whoever called makes them.
//
// Threads share the units where those divide evenly, else the rows; none ever waits for another.
#pragma once

#include "products.hpp"
#include "scan_cells.hpp"
#include "steps.hpp"

namespace carousel {
namespace {

template <class C>
Share scan_share(const Problem& p, Team team) {
    const int64_t panels = Shape<C>(p).panels;
    if (panels % team.threads == 0 || panels >= 4 * team.threads || p.B < team.threads)
        return {true, 0, 1, p.B, team.thread, team.threads};
    return share_rows(p, team);
}

template <class C>
size_t scan_saved_floats(const Problem& p) {
    return static_cast<size_t>(p.T * saved_per_step<C>(p));
}

template <class C>
size_t scan_forward_floats(const Problem&, int) {
    return 0;
}

// Rows are collected in the order of time until they fill a chunk; then their products are formed
// and their units stepped, panel by panel.
template <class C, bool kSave>
struct ScanForward {
    static constexpr int kChunk = 16 * kTileRows;

    const Problem& p;
    const Packed<C>& packed;
    const Shape<C> shape;
    const Share share;
    int64_t k = 0;
    const float *x[kChunk], *h[kChunk];  // h: null for zeros
    float *y[kChunk], *saved[kChunk];

    ScanForward(const Problem& problem, const Packed<C>& weights, Team team)
        : p(problem), packed(weights), shape(problem), share(scan_share<C>(problem, team)) {}

    void add(int64_t t, int64_t position, const float* before) {
        const int64_t row = row_at(p, position);
        x[k] = at(p.x, t, row), y[k] = at(p.y, t, row), h[k] = before;
        if (kSave) saved[k] = saved_at<C>(p.saved, t, 0, position, p);
        if (++k == kChunk) flush();
    }

    void flush() {
        alignas(64) float sums[kMostRows * kTileVectors * L];
        const InputProduct<C> product{p, packed, shape};
        each_tile(
            shape, share, k,
            [&](int64_t panel) {
                product.of_row(panel, x[0], sums);
                for (int i = 0; i < kRowPanels; ++i)
                    pointwise(panel + i, 0, sums + i * kPanelSums<C>);
            },
            [&](int64_t panel, int64_t j, int rows) {
                product.of_rows(panel, x + j, rows, sums);
                for (int m = 0; m < rows; ++m) pointwise(panel, j + m, sums + m * kPanelSums<C>);
            });
        k = 0;
    }

    CAROUSEL_INLINE void pointwise(int64_t panel, int64_t j, const float* sums) const {
        for (int b = 0; b < shape.blocks_in(panel); ++b) {
            const int64_t block = panel * C::kBlocks + b, u = block * L;
            const int count = shape.units_in(block);
            const Vec before = h[j] ? load_first(h[j] + u, count) : Vec{};
            const Vec weight = C::kWeighted ? load_first(p.w_hh + u, count) : Vec{};
            float* kept = kSave ? saved[j] + block * C::kSaved * L : nullptr;
            store_first(y[j] + u, C::template forward<kSave>(sums + b * C::kSums * L, before,
                                                             weight, kept), count);
        }
    }
};

// The units of this thread: [first, last).
struct Units {
    int64_t first, last;
    template <class C>
    Units(const Shape<C>& shape, const Share& share)
        : first(min(share.begin(shape.panels) * C::kBlocks * L, shape.H)),
          last(min(share.end(shape.panels) * C::kBlocks * L, shape.H)) {}
};

template <class C, bool kSave>
void run_scan_forward(const Problem& p, const float* packed_memory, Team team) {
    Arena arena{const_cast<float*>(packed_memory)};
    const Packed<C> packed(p, arena);
    ScanForward<C, kSave> scan(p, packed, team);
    const Share& share = scan.share;
    const Units units(scan.shape, share);

    for (const Step& step : Steps::forward(p, share)) {
        for (int64_t j = 0; j < step.rows; ++j) {
            const int64_t position = share.position(j), row = row_at(p, position);
            scan.add(step.t, position, state_before(p, step.t, row, j >= step.later, nullptr));
        }
        if (p.padded)
            for (int64_t j = step.rows; j < share.rows; ++j)
                zero(at(p.y, step.t, row_at(p, share.position(j))) + units.first,
                     units.last - units.first);
    }
    scan.flush();
    for (int64_t j = 0; j < share.rows; ++j)
        write_last_state(p, share.position(j), units.first, units.last);
}

template <class C>
void scan_forward(const Problem& p, const float* packed, float*, Team team) {
    if (p.saved)
        run_scan_forward<C, true>(p, packed, team);
    else
        run_scan_forward<C, false>(p, packed, team);
}

template <class C>
struct ScanBackward {
    const Problem& p;
    const Shape<C> shape;
    float *dh, *dw;   // [B][units]; [thread][2 units]: of a block of rows, of the blocks before it
    int64_t units;

    ScanBackward(const Problem& problem, int threads, Arena& arena)
        : p(problem), shape(problem), units(shape.blocks * L) {
        dh = arena.floats(p.B * units);
        dw = C::kWeighted ? arena.floats(threads * 2 * units) : nullptr;
    }

    // Of the rows of a share, units of a thread: dh after the last step.
    void start(const Share& share, const Units& mine) const {
        for (int64_t j = 0; j < share.rows; ++j) {
            const int64_t position = share.position(j), from = mine.first / L * L;
            float* to = dh + position * units;
            zero(to + from, up(mine.last, L) * L - from);
            if (p.dhn)
                copy(to + mine.first, p.dhn + row_at(p, position) * p.H + mine.first,
                     mine.last - mine.first);
        }
    }

    // The same of dh0, before the first step.
    void finish(const Share& share, const Units& mine) const {
        for (int64_t j = 0; j < share.rows; ++j) {
            const int64_t position = share.position(j);
            copy(p.dh0 + row_at(p, position) * p.H + mine.first,
                 dh + position * units + mine.first, mine.last - mine.first);
        }
    }

    // One row of a step, blocks [first, last).
    void step(int64_t t, int64_t position, bool starts, int64_t first, int64_t last,
              float* dw) const {
        const int64_t row = row_at(p, position);
        const float* before = state_before(p, t, row, starts, nullptr);
        const float* after = at(p.y, t, row);
        const float* dy = p.dy.data ? at(p.dy, t, row) : nullptr;
        const float* saved = saved_at<C>(p.saved, t, 0, position, p);
        float* da = at(p.da, t, row);
        for (int64_t block = first; block < last; ++block) {
            const int64_t u = block * L;
            const int count = shape.units_in(block);
            float* dh_memory = dh + position * units + u;
            const Vec h_before = before ? load_first(before + u, count) : Vec{};
            const Vec h = C::kSaved == 0 ? load_first(after + u, count) : Vec{};
            const Vec weight = C::kWeighted ? load_first(p.w_hh + u, count) : Vec{};
            Vec dh = load(dh_memory), d[C::kSums];
            if (dy) dh += load_first(dy + u, count);
            dh = C::backward(saved + block * C::kSaved * L, h, h_before, weight, dh, d);
            store(dh_memory, dh);
            if (C::kWeighted) store(dw + u, fma(d[0], h_before, load(dw + u)));
            for (int s = 0; s < C::kSums; ++s)
                store_first(da + C::gate_of_sum(s) * p.H + u, d[s], count);
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
void scan_backward(const Problem& p, float* memory, Team team) {
    Arena arena{memory};
    const ScanBackward<C> scan(p, team.threads, arena);
    const Share share = scan_share<C>(p, team);
    const Units mine(scan.shape, share);
    const int64_t first = mine.first / L, last = up(mine.last, L);
    float* dw = C::kWeighted ? scan.dw + team.thread * 2 * scan.units : nullptr;
    float* total = C::kWeighted ? dw + scan.units : nullptr;
    if (C::kWeighted) zero(dw, 2 * scan.units);
    const int64_t most = share.rows * p.T > kLongSum ? kBlockRows : share.rows * p.T;
    int64_t summed = 0;
    scan.start(share, mine);
    for (const Step& step : Steps::backward(p, share))
        for (int64_t j = 0; j < step.rows; ++j) {
            if (C::kWeighted && summed == most) {
                add(total, dw, scan.units), zero(dw, scan.units);
                summed = 0;
            }
            scan.step(step.t, share.position(j), j >= step.later, first, last, dw);
            ++summed;
        }
    if (C::kWeighted) add(dw, total, scan.units);
    scan.finish(share, mine);
    if (!C::kWeighted) return;
    if (share.by_units) return copy(p.dw_hh + mine.first, dw + mine.first, mine.last - mine.first);
    wait(team.barrier, team.threads);
    if (team.thread > 0) return;
    copy(p.dw_hh, dw, p.H);
    for (int thread = 1; thread < team.threads; ++thread)
        for (int64_t u = 0; u < p.H; ++u) p.dw_hh[u] += scan.dw[thread * 2 * scan.units + u];
}

}  // namespace
}  // namespace carousel
