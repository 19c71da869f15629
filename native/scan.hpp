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

// Of states beside the output, [B][units].
template <class C>
size_t scan_forward_floats(const Problem& p, int) {
    return C::kHasCellState ? p.B * Shape<C>(p).blocks * L : 0;
}

// The own weights of a block of units. own: [block][kUnitWeights] vectors.
template <class C>
CAROUSEL_INLINE void load_own(const float* own, int64_t block, Vec* to) {
    for (int k = 0; k < C::kUnitWeights; ++k) to[k] = load(own + (block * C::kUnitWeights + k) * L);
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
    float* const cell;  // [B][units]
    int64_t k = 0;
    const float *x[kChunk], *h[kChunk];  // h: null for zeros
    float *y[kChunk], *saved[kChunk], *c[kChunk];

    ScanForward(const Problem& problem, const Packed<C>& weights, float* work, Team team)
        : p(problem), packed(weights), shape(problem), share(scan_share<C>(problem, team)),
          cell(work) {}

    float* cell_of(int64_t position) const { return cell + position * shape.blocks * L; }

    void add(int64_t t, int64_t position, const float* before) {
        const int64_t row = row_at(p, position);
        x[k] = at(p.x, t, row), y[k] = at(p.y, t, row), h[k] = before;
        if (C::kHasCellState) c[k] = cell_of(position);
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
            Vec own[C::kUnitWeights + 1];
            load_own<C>(packed.own, block, own);
            const Vec input = C::kDirect ? load_first(x[j] + u, count) : Vec{};
            Vec state = C::kHasCellState ? load(c[j] + u)
                        : h[j]           ? load_first(h[j] + u, count)
                                         : Vec{};
            float* kept = kSave ? saved[j] + block * C::kSaved * L : nullptr;
            store_first(y[j] + u, C::template forward<kSave>(sums + b * C::kSums * L, input, own,
                                                             state, kept), count);
            if (C::kHasCellState) store(c[j] + u, state);
        }
    }
};

// The units of this thread: [first, last).
struct Units {
    int64_t first, last;
    Units(int64_t from, int64_t to) : first(from), last(to) {}
    template <class C>
    Units(const Shape<C>& shape, const Share& share)
        : first(min(share.begin(shape.panels) * C::kBlocks * L, shape.H)),
          last(min(share.end(shape.panels) * C::kBlocks * L, shape.H)) {}
};

// Units of a row of [B][H], or zeros where there is none, to a row of whole vectors.
void take_units(const float* from, const Units& units, float* to) {
    const int64_t first = units.first / L * L;
    zero(to + first, up(units.last, L) * L - first);
    if (from) copy(to + units.first, from + units.first, units.last - units.first);
}

template <class C, bool kSave>
void run_scan_forward(const Problem& p, const float* packed_memory, float* work, Team team) {
    Arena arena{const_cast<float*>(packed_memory)};
    const Packed<C> packed(p, arena);
    ScanForward<C, kSave> scan(p, packed, work, team);
    const Share& share = scan.share;
    const Units units(scan.shape, share);
    if (C::kHasCellState)
        for (int64_t j = 0; j < share.rows; ++j) {
            const int64_t position = share.position(j);
            take_units(p.c0 ? p.c0 + row_at(p, position) * p.H : nullptr, units,
                       scan.cell_of(position));
        }

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
    for (int64_t j = 0; j < share.rows; ++j) {
        const int64_t position = share.position(j);
        write_last_state(p, position, units.first, units.last);
        if (C::kHasCellState)
            copy(p.cn + row_at(p, position) * p.H + units.first,
                 scan.cell_of(position) + units.first, units.last - units.first);
    }
}

template <class C>
void scan_forward(const Problem& p, const float* packed, float* work, Team team) {
    if (p.saved)
        run_scan_forward<C, true>(p, packed, work, team);
    else
        run_scan_forward<C, false>(p, packed, work, team);
}

template <class C>
struct ScanBackward {
    const Problem& p;
    const Shape<C> shape;
    float *dh, *dc;   // [B][units]
    float *own, *dw;  // [thread][units weights], [thread][2 units weights]: of rows of a block, before
    int64_t units;

    ScanBackward(const Problem& problem, int threads, Arena& arena)
        : p(problem), shape(problem), units(shape.blocks * L) {
        dh = arena.floats(p.B * units);
        dc = C::kHasCellState ? arena.floats(p.B * units) : nullptr;
        own = arena.floats(threads * units * C::kUnitWeights);
        dw = arena.floats(threads * 2 * units * C::kUnitWeights);
    }

    // Of the rows of a share, units of a thread: gradients after the last step.
    void start(const Share& share, const Units& mine) const {
        for (int64_t j = 0; j < share.rows; ++j) {
            const int64_t position = share.position(j), row = row_at(p, position) * p.H;
            take_units(p.dhn ? p.dhn + row : nullptr, mine, dh + position * units);
            if (C::kHasCellState)
                take_units(p.dcn ? p.dcn + row : nullptr, mine, dc + position * units);
        }
    }

    // The same before the first step.
    void finish(const Share& share, const Units& mine) const {
        for (int64_t j = 0; j < share.rows; ++j) {
            const int64_t from = share.position(j) * units + mine.first;
            const int64_t to = row_at(p, share.position(j)) * p.H + mine.first;
            copy(p.dh0 + to, dh + from, mine.last - mine.first);
            if (C::kHasCellState) copy(p.dc0 + to, dc + from, mine.last - mine.first);
        }
    }

    // One row of a step, blocks [first, last). own, dw: of this thread.
    void step(int64_t t, int64_t position, bool starts, int64_t first, int64_t last,
              const float* own, float* dw) const {
        const int64_t row = row_at(p, position);
        const float* before =
            C::kHasCellState ? nullptr : state_before(p, t, row, starts, nullptr);
        const float* after = at(p.y, t, row);
        const float* x = at(p.x, t, row);
        const float* dy = p.dy.data ? at(p.dy, t, row) : nullptr;
        const float* saved = saved_at<C>(p.saved, t, 0, position, p);
        float* da = at(p.da, t, row);
        for (int64_t block = first; block < last; ++block) {
            const int64_t u = block * L;
            const int count = shape.units_in(block);
            float* dh_memory = dh + position * units + u;
            float* dc_memory = C::kHasCellState ? dc + position * units + u : nullptr;
            const Vec input = C::kDirect ? load_first(x + u, count) : Vec{};
            const Vec h_before = before ? load_first(before + u, count) : Vec{};
            const Vec h = C::kSaved == 0 ? load_first(after + u, count) : Vec{};
            Vec weights[C::kUnitWeights + 1], d_weights[C::kUnitWeights + 1], d[C::kSums + 1];
            load_own<C>(own, block, weights), load_own<C>(dw, block, d_weights);
            Vec dh = load(dh_memory), d_state = C::kHasCellState ? load(dc_memory) : Vec{};
            if (dy) dh += load_first(dy + u, count);
            C::backward(saved + block * C::kSaved * L, input, h, h_before, weights, dh, d_state, d,
                        d_weights);
            store(dh_memory, C::kHasCellState ? Vec{} : d_state);
            if (C::kHasCellState) store(dc_memory, d_state);
            for (int k = 0; k < C::kUnitWeights; ++k)
                store(dw + (block * C::kUnitWeights + k) * L, d_weights[k]);
            for (int s = 0; s < C::kSums + (C::kDirect ? 1 : 0); ++s)
                store_first(da + s * p.H + u, d[s], count);
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
