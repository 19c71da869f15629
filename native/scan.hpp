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
    if (C::kProjects) return share_rows(p, team);  // every unit is in every output
    if (panels % team.threads == 0 || panels >= 4 * team.threads || p.B < team.threads)
        return {true, 0, 1, p.B, team.thread, team.threads};
    return share_rows(p, team);
}

template <class C>
size_t scan_saved_floats(const Problem& p) {
    return static_cast<size_t>(p.T * saved_per_step<C>(p));
}

// Rows whose products are formed together.
template <class C>
constexpr int64_t kChunkRows = (C::kProjects ? 4 : 16) * kTileRows;

// Memory of the forward pass.
template <class C>
struct ScanMemory {
    float* cell;               // states beside the output, [B][kKept][units]
    float *states, *beside;    // of a projection: [thread][row of a chunk][kKept H] and [H] so
    int64_t step, beside_step;  // from row to row
    ScanMemory(const Problem& p, int threads, Arena& arena)
        : cell(arena.floats(p.B * Shape<C>(p).blocks * L * C::kKept)),
          step(up(C::kKept * p.H, L) * L), beside_step(up(p.H, kWide) * kWide) {
        const int64_t rows = C::kProjects ? threads * kChunkRows<C> : 0;
        states = arena.floats(rows * step), beside = arena.floats(rows * beside_step);
    }
};

template <class C>
size_t scan_forward_floats(const Problem& p, int threads) {
    Arena arena{nullptr};
    ScanMemory<C>(p, threads, arena);
    return arena.used;
}

// State k of a row beside its output, from arrays c [B][H] and n [B][kKept - 1][H]; null: zeros.
template <class C, class Float>
CAROUSEL_INLINE Float* kept_state(Float* c, Float* n, int k, int64_t row, int64_t H) {
    if (k == 0) return c ? c + row * H : nullptr;
    return n ? n + (row * (C::kKept - 1) + k - 1) * H : nullptr;
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
    static constexpr int kChunk = kChunkRows<C>;

    const Problem& p;
    const Packed<C>& packed;
    const Shape<C> shape;
    const Share share;
    ScanMemory<C> memory;
    int64_t k = 0;
    const float *x[kChunk], *h[kChunk];  // h: null for zeros
    float *y[kChunk], *saved[kChunk], *c[kChunk];

    ScanForward(const Problem& problem, const Packed<C>& weights, Arena arena, Team team)
        : p(problem), packed(weights), shape(problem), share(scan_share<C>(problem, team)),
          memory(problem, team.threads, arena) {
        if (!C::kProjects) return;
        memory.states += team.thread * kChunk * memory.step;
        memory.beside += team.thread * kChunk * memory.beside_step;
    }

    float* cell_of(int64_t position) const { return memory.cell + position * C::kKept * units(); }
    int64_t units() const { return shape.blocks * L; }

    void add(int64_t t, int64_t position, const float* before) {
        const int64_t row = row_at(p, position);
        x[k] = at(p.x, t, row), y[k] = at(p.y, t, row), h[k] = before;
        if (C::kKept > 0) c[k] = cell_of(position);
        if (kSave) saved[k] = saved_at<C>(p.saved, t, 0, position, p);
        if (++k == kChunk) flush();
    }

    void flush() {
        constexpr int64_t kPanel = C::kTwoProducts ? kPanelSums<C> : kTileVectors * L;
        alignas(64) float sums[kMostRows * kPanel];
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
        if constexpr (C::kProjects) project(sums);
        k = 0;
    }

    // y of the rows of a chunk, from the states and what passes them by.
    void project(float* sums) const {
        for (int64_t q = 0; q < up(p.H, kWide); ++q) {
            const int vectors = vectors_in(q, p.H);
            const float* w = packed.project + q * kWide * C::kKept * p.H;
            const Tiles tiles(k, vectors);
            for (int64_t i = 0; i < tiles.count; ++i) {
                const int64_t j = tiles.start(i);
                const int rows = tiles.rows(i);
                const float* states[kMostRows];
                for (int m = 0; m < rows; ++m) states[m] = memory.states + (j + m) * memory.step;
                tile_for(p.product, rows, vectors)(
                    states, 1, w, vectors * L, C::kKept * p.H,
                    memory.beside + j * memory.beside_step + q * kWide, memory.beside_step, sums,
                    kTileVectors * L);
                const int64_t count = min(vectors * L, p.H - q * kWide);
                for (int m = 0; m < rows; ++m)
                    copy(y[j + m] + q * kWide, sums + m * kTileVectors * L, count);
            }
        }
    }

    CAROUSEL_INLINE void pointwise(int64_t panel, int64_t j, const float* sums) const {
        for (int b = 0; b < shape.blocks_in(panel); ++b) {
            const int64_t block = panel * C::kBlocks + b, u = block * L;
            const int count = shape.units_in(block);
            Vec own[C::kUnitWeights + 1];
            load_own<C>(packed.own, block, own);
            const Vec input = C::kDirect ? load_first(x[j] + u, count) : Vec{};
            Vec state[C::kKept + 1];
            if (C::kKept == 0) state[0] = h[j] ? load_first(h[j] + u, count) : Vec{};
            for (int s = 0; s < C::kKept; ++s) state[s] = load(c[j] + s * units() + u);
            float* kept = kSave ? saved[j] + block * C::kSaved * L : nullptr;
            const Vec given =
                C::template forward<kSave>(sums + b * C::kSums * L, input, own, state, kept);
            for (int s = 0; s < C::kKept; ++s) store(c[j] + s * units() + u, state[s]);
            if constexpr (C::kProjects) {
                store(memory.beside + j * memory.beside_step + u, given);
                for (int s = 0; s < C::kKept; ++s)
                    store_first(memory.states + j * memory.step + s * p.H + u, state[s], count);
            } else {
                store_first(y[j] + u, given, count);
            }
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
    ScanForward<C, kSave> scan(p, packed, Arena{work}, team);
    const Share& share = scan.share;
    const Units units(scan.shape, share);
    for (int64_t j = 0; C::kKept > 0 && j < share.rows; ++j) {
        const int64_t position = share.position(j), row = row_at(p, position);
        for (int s = 0; s < C::kKept; ++s)
            take_units(kept_state<C>(p.c0, p.n0, s, row, p.H), units,
                       scan.cell_of(position) + s * scan.units());
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
        for (int s = 0; s < C::kKept; ++s)
            copy(kept_state<C>(p.cn, p.nn, s, row_at(p, position), p.H) + units.first,
                 scan.cell_of(position) + s * scan.units() + units.first,
                 units.last - units.first);
    }
}

template <class C>
void scan_forward(const Problem& p, const float* packed, float* work, Team team) {
    if (p.saved)
        run_scan_forward<C, true>(p, packed, work, team);
    else
        run_scan_forward<C, false>(p, packed, work, team);
}

}  // namespace
}  // namespace carousel
