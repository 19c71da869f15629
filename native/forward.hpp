// The loop over time, forward: products, pointwise function, and where rows begin and end.
#pragma once

#include "normalized.hpp"
#include "reset.hpp"

namespace carousel {
namespace {

// Whether the input products of several steps are taken together, ahead of the recurrence. It costs
// a trip through memory, and pays where a thread has few rows a step: those of several steps fill
// the register tiles, and weights too large for the cache are fetched once for all of them.
template <class C>
bool looks_ahead(const Problem& p, int threads) {
    if (kNormalized<C> || p.T == 1 || p.I < 8) return false;
    const bool by_units = shared_by_units<C>(p, threads);
    const int64_t rows = by_units ? p.B : up(p.B, threads);
    const int64_t bytes = 4 * C::kGates * p.H * (p.I + p.P) / (by_units ? threads : 1);
    return rows < kTileRows || (rows < 48 && bytes > (1 << 19));
}

// Inputs of several steps, one row of the step after the other, and their sums.
struct Ahead {
    int64_t capacity = 0;       // rows
    const float** x = nullptr;  // [capacity]
    float* sums = nullptr;      // [panel][capacity][sums of a panel]
};

// Whether the recurrent product reads a masked copy of h.
template <class C>
CAROUSEL_INLINE bool drops_product(const Problem& p) {
    return C::kOptions && p.options.product.p > 0;
}
template <class C>
CAROUSEL_INLINE int masked_rows(const Problem& p) {
    return drops_product<C>(p) ? 1 : 0;
}

template <class C>
struct ForwardWork {
    float *cell, *raw, *zeros;     // [B][blocks L], the same (projection only), a row of zeros
    float* masked;                 // [B][P] (dropout of h before the product only)
    float *candidate, *update, *reset;  // [B][units] between two products: see reset.hpp
    const float **x, **h;          // this thread's rows of the step
    const float** factor;          // h, or what is masked of it: what the product reads
    float** y;
    Ahead ahead;
    uint64_t* keys;                // of the rows' masks (cells with options only)
    float* normal;                 // buffers of normalised cells

    ForwardWork(const Problem& p, int thread, int threads, Arena& arena) {
        const int64_t units = Shape<C>(p).blocks * L;
        cell = C::kHasCellState ? arena.floats(p.B * units) : nullptr;
        raw = p.w_hr ? arena.floats(p.B * units) : nullptr;
        zeros = arena.floats(max(units, p.P));
        masked = drops_product<C>(p) ? arena.floats(p.B * p.P) : nullptr;
        candidate = kResetFirst<C> ? arena.floats(p.B * units) : nullptr;
        update = kResetFirst<C> ? arena.floats(p.B * units) : nullptr;
        reset = kResetFirst<C> ? arena.floats(p.B * units) : nullptr;
        for (int i = 0; i < threads; ++i) {
            const float** rows = arena.things<const float*>((masked_rows<C>(p) + 3) * p.B);
            uint64_t* own_keys = C::kOptions ? arena.things<uint64_t>(p.B) : nullptr;
            float* own_normal = nullptr;
            if constexpr (kNormalized<C>) own_normal = arena.floats(C::forward_buffer(units));
            if (i != thread) continue;
            normal = own_normal;
            x = rows, h = rows + p.B, y = const_cast<float**>(rows + 2 * p.B);
            factor = masked_rows<C>(p) ? rows + 3 * p.B : h;
            keys = own_keys;
        }
        if (!looks_ahead<C>(p, threads)) return;
        const bool by_units = shared_by_units<C>(p, threads);
        const int64_t rows = by_units ? p.B : up(p.B, threads);
        ahead.capacity = min(rows * p.T, max(rows, 8 * kTileRows / rows * rows));
        for (int i = 0; i < threads; ++i) {
            const float** x_ahead = arena.things<const float*>(ahead.capacity);
            if (i == thread) ahead.x = x_ahead;
            if (by_units && i > 0) continue;  // each thread fills its own panels
            float* sums = arena.floats(ahead.capacity * Shape<C>(p).panels * kPanelSums<C>);
            if (by_units || i == thread) ahead.sums = sums;
        }
    }
};

template <class C>
size_t forward_floats(const Problem& p, int threads) {
    Arena arena{nullptr};
    ForwardWork<C> work(p, 0, threads, arena);
    return arena.used;
}

CAROUSEL_INLINE uint64_t key_of_product(const Problem& p, int64_t t, int64_t row) {
    return key_of(p.options.seed, p.options.each_step ? t : kEveryStep, row);
}

// Units [begin, end) of the state h of a row as the product reads them, from a multiple of L on.
void mask_state(const Problem& p, const float* h, int64_t begin, int64_t end, float* masked,
                uint64_t key) {
    for (int64_t u = begin; u < end; u += L) {
        const int count = static_cast<int>(min(L, end - u));
        const Vec scale = kept(p.options.product, key, Kind::product, u);
        store_first(masked + u - begin, load_first(h + u, count) * scale, count);
    }
}

template <class C, bool kSave>
struct Forward {
    const Problem& p;
    const Packed<C>& packed;
    const ForwardWork<C>& work;
    const Shape<C> shape;
    const Share share;
    float* saved = nullptr;  // steps from saved_from on, if kSave
    int64_t saved_from = 0;

    // Vectors of the wider of the two products of a panel.
    int vectors_of(int64_t panel) const {
        return shape.blocks_in(panel) * (C::kInput > C::kHidden ? C::kInput : C::kHidden);
    }

    // What the inputs add to the sums of panel `panel`, from their biases on, for rows x[0] to
    // x[rows - 1].
    void input_product(int64_t panel, const float* const* x, int rows, float* sums) const {
        const int nx = shape.blocks_in(panel) * C::kInput;
        const float* bias = packed.bias + panel * kPanelSums<C>;
        tile_for(rows, nx)(x, 1, packed.input_panel(p, panel), nx * L, p.I,
                           bias + C::kInputFirst * L, 0, sums + C::kInputFirst * L, kPanelSums<C>);
        add_bias_of_hidden_alone(bias, sums, rows);
    }

    // Sums that only the recurrent product fills start from their bias.
    void add_bias_of_hidden_alone(const float* bias, float* sums, int rows) const {
        constexpr int first = C::kInputFirst + C::kInput;
        for (int m = 0; m < rows; ++m)
            for (int s = first; s < C::kSums; ++s)
                store(sums + m * kPanelSums<C> + s * L, load(bias + s * L));
    }

    // What the states add to them, for rows [j, j + rows) of the step.
    void hidden_product(int64_t panel, int64_t j, int rows, float* sums) const {
        const int nh = shape.blocks_in(panel) * C::kHidden;
        sums += C::kHiddenFirst * L;
        tile_for(rows, nh)(work.factor + j, 1, packed.hidden_panel(p, panel), nh * L, p.P, sums,
                           kPanelSums<C>, sums, kPanelSums<C>);
    }

    // The same for one row and kRowPanels whole panels, which keeps enough sums in flight. Those
    // of the next panel stand `next` floats on.
    static constexpr int kRowPanels = kTileRows >= 6 ? 4 : 3;
    void input_product_of_row(int64_t panel, float* sums) const {
        constexpr int64_t step = kPanelSums<C>;
        constexpr int nx = C::kBlocks * C::kInput;
        const float* bias = packed.bias + panel * step;
        tile_row<nx, kRowPanels>(work.x[0], packed.input_panel(p, panel), nx * L, nx * L * p.I, p.I,
                                 bias + C::kInputFirst * L, step, sums + C::kInputFirst * L, step);
        for (int i = 0; i < kRowPanels; ++i)
            add_bias_of_hidden_alone(bias + i * step, sums + i * step, 1);
    }
    void hidden_product_of_row(int64_t panel, float* sums, int64_t next) const {
        constexpr int nh = C::kBlocks * C::kHidden;
        sums += C::kHiddenFirst * L;
        tile_row<nh, kRowPanels>(work.factor[0], packed.hidden_panel(p, panel), nh * L, nh * L * p.P,
                                 p.P, sums, next, sums, next);
    }

    // Whether the pointwise function mixes the h before the step into the one after it.
    CAROUSEL_INLINE bool reads_state() const {
        if constexpr (C::kOptions)
            return C::reads_state(p);
        else
            return !C::kHasCellState && C::kSums > 1;
    }

    CAROUSEL_INLINE Vec cell_forward(int64_t j, int64_t unit, int count, const float* sums,
                                     Vec before, Vec& c, float* kept) const {
        if constexpr (C::kOptions)
            return C::template forward<kSave>(Site{p, unit, count, work.keys[j]}, sums, before, c,
                                              kept);
        else
            return C::template forward<kSave>(sums, before, c, kept);
    }

    // What the options need of a step before its products: keys, and the masked copies of h. All
    // threads call it that share by units.
    void begin(int64_t t, int64_t n, Team team) const {
        if constexpr (C::kOptions) {
            for (int64_t j = 0; j < n; ++j)
                work.keys[j] = key_of(p.options.seed, t, row_at(p, share.position(j)));
            if (!drops_product<C>(p)) return;
            for (int64_t j = 0; j < n; ++j) {
                const int64_t position = share.position(j);
                float* masked = work.masked + position * p.P;
                work.factor[j] = masked;
                if (share.mine(j))
                    mask_state(p, work.h[j], 0, p.P, masked,
                               key_of_product(p, t, row_at(p, position)));
            }
            if (share.by_units) wait(team.barrier, team.threads);
        }
    }

    void pointwise(int64_t t, int64_t panel, int64_t j, int rows, const float* sums) const {
        if constexpr (kResetFirst<C>)
            ResetForward<Forward, C>{*this}.gates(t, panel, j, rows, sums);
        else
            whole_pointwise(t, panel, j, rows, sums);
    }

    void whole_pointwise(int64_t t, int64_t panel, int64_t j, int rows, const float* sums) const {
        const int blocks = shape.blocks_in(panel);
        for (int m = 0; m < rows; ++m, sums += kPanelSums<C>) {
            const int64_t position = share.position(j + m);
            for (int u = 0; u < blocks; ++u) {
                const int64_t block = panel * C::kBlocks + u;
                const int units = shape.units_in(block);
                const int64_t column = position * shape.blocks * L + block * L;
                Vec before{}, c{};
                if (reads_state()) before = load_first(work.h[j + m] + block * L, units);
                if (C::kHasCellState) c = load(work.cell + column);
                float* kept =
                    kSave ? saved_at<C>(saved, t - saved_from, block, position, p) : nullptr;
                const Vec h = cell_forward(j + m, block * L, units, sums + u * C::kSums * L, before,
                                           c, kept);
                if (C::kHasCellState) store(work.cell + column, c);
                if (p.w_hr)
                    store(work.raw + column, h);
                else
                    store_first(work.y[j + m] + block * L, h, units);
            }
        }
    }

    static constexpr bool kSaves = kSave;

    // Step t of n rows. ahead: sums of the step's first row where the inputs were looked ahead to;
    // null elsewhere. All threads call it that share by units.
    void step(int64_t t, int64_t n, Team team, float* ahead = nullptr) const {
        if constexpr (kNormalized<C>) return normalized_step<C>(*this, t, n);
        products(t, n, ahead);
        if constexpr (kResetFirst<C>) ResetForward<Forward, C>{*this}.finish(t, n, team);
    }

    void products(int64_t t, int64_t n, float* ahead) const {
        alignas(64) float here[kMostRows * kTileVectors * L];
        const int64_t of_panel = work.ahead.capacity * kPanelSums<C>;
        const int64_t end = share.end(shape.panels);
        int64_t panel = share.begin(shape.panels);
        if (n == 1) {
            const int64_t whole = min(end, shape.blocks / C::kBlocks);
            const int64_t next = ahead ? of_panel : kPanelSums<C>;
            for (; panel + kRowPanels <= whole; panel += kRowPanels) {
                float* sums = ahead ? ahead + panel * of_panel : here;
                if (!ahead) input_product_of_row(panel, sums);
                hidden_product_of_row(panel, sums, next);
                for (int i = 0; i < kRowPanels; ++i) pointwise(t, panel + i, 0, 1, sums + i * next);
            }
        }
        for (; panel < end; ++panel) {
            const Tiles tiles(n, vectors_of(panel));
            for (int64_t i = 0; i < tiles.count; ++i) {
                const int64_t j = tiles.start(i);
                const int rows = tiles.rows(i);
                float* sums = ahead ? ahead + panel * of_panel + j * kPanelSums<C> : here;
                if (!ahead) input_product(panel, work.x + j, rows, sums);
                hidden_product(panel, j, rows, sums);
                pointwise(t, panel, j, rows, sums);
            }
        }
    }

    // The input products of as many steps as there is room for, from s on, of which the first has
    // about n rows. Returns the first step that is left.
    int64_t look_ahead(int64_t s, int64_t n) const {
        const Ahead& ahead = work.ahead;
        int64_t k = 0;
        for (; s < p.T; ++s) {
            const int64_t t = p.reverse ? p.T - 1 - s : s;
            n = rows_longer_than(p, share, t, n);
            if (k + n > ahead.capacity) break;
            for (int64_t j = 0; j < n; ++j) ahead.x[k++] = at(p.x, t, row_at(p, share.position(j)));
        }
        for (int64_t panel = share.begin(shape.panels); panel < share.end(shape.panels); ++panel) {
            const Tiles tiles(k, vectors_of(panel));
            for (int64_t i = 0; i < tiles.count; ++i) {
                const int64_t j = tiles.start(i);
                input_product(panel, ahead.x + j, tiles.rows(i),
                              ahead.sums + (panel * ahead.capacity + j) * kPanelSums<C>);
            }
        }
        return s;
    }

    // Cell states [B][units] of this thread's rows and units.
    void copy_cells(const float* from, float* to) const {
        const int64_t units = shape.blocks * L;
        const int64_t u0 = share.begin(shape.panels) * C::kBlocks * L;
        const int64_t u1 = min(share.end(shape.panels) * C::kBlocks, shape.blocks) * L;
        for (int64_t j = 0; j < share.rows; ++j) {
            const int64_t row = share.position(j) * units;
            copy(to + row + u0, from + row + u0, u1 - u0);
        }
    }

    // y = W_hr h for the rows of the step.
    void project(int64_t n) const {
        alignas(64) float sums[kMostRows * kWide];
        const int64_t units = shape.blocks * L, panels = up(p.P, kWide);
        for (int64_t q = share.begin(panels); q < share.end(panels); ++q) {
            const int nv = vectors_in(q, p.P);
            const Tiles tiles(n, nv);
            for (int64_t i = 0; i < tiles.count; ++i) {
                const int64_t j = tiles.start(i);
                const int rows = tiles.rows(i);
                const float* raw[kMostRows];
                for (int m = 0; m < rows; ++m)
                    raw[m] = work.raw + share.position(j + m) * units;
                tile_for(rows, nv)(raw, 1, packed.project + q * kWide * p.H, nv * L, p.H,
                                   work.zeros, 0, sums, kWide);
                for (int m = 0; m < rows; ++m)
                    copy(work.y[j + m] + q * kWide, sums + m * kWide,
                         min(kWide, p.P - q * kWide));
            }
        }
    }
};

template <class C, bool kSave>
void run_forward(const Problem& p, const float* packed_memory, float* memory, Team team) {
    Arena packed_arena{const_cast<float*>(packed_memory)}, arena{memory};
    const Packed<C> packed(p, packed_arena);
    const ForwardWork<C> work(p, team.thread, team.threads, arena);
    const Forward<C, kSave> forward{p,       packed, work, Shape<C>(p), share_of<C>(p, team),
                                    p.saved, 0};
    const Share& share = forward.share;
    const int64_t units = forward.shape.blocks * L;

    if (team.thread == 0) zero(work.zeros, max(units, p.P));
    if (C::kHasCellState)
        for (int64_t j = 0; j < share.rows; ++j) {
            if (!share.mine(j)) continue;
            float* c = work.cell + share.position(j) * units;
            zero(c + p.H, units - p.H);
            if (p.c0)
                copy(c, p.c0 + row_at(p, share.position(j)) * p.H, p.H);
            else
                zero(c, p.H);
        }
    if (team.threads > 1) wait(team.barrier, team.threads);

    int64_t n = 0, t_before = 0, seen = 0;
    float* ahead = nullptr;
    for (int64_t s = 0; s < p.T; ++s) {
        const int64_t t = p.reverse ? p.T - 1 - s : s;
        if (work.ahead.sums && s == seen) {
            seen = forward.look_ahead(s, n);
            ahead = work.ahead.sums;
        }
        if (C::kHasCellState && p.segment && p.saved && s % p.segment == 0)
            forward.copy_cells(work.cell, p.saved + s / p.segment * p.B * units);
        const int64_t started = n;  // rows from here on have no step before this one
        n = rows_longer_than(p, share, t, n);
        for (int64_t j = 0; j < n; ++j) {
            const int64_t row = row_at(p, share.position(j));
            work.x[j] = at(p.x, t, row);
            work.y[j] = at(p.y, t, row);
            work.h[j] = j < started ? at(p.y, t_before, row)
                        : p.h0      ? p.h0 + row * p.P
                                    : work.zeros;
        }
        if (p.padded)
            for (int64_t j = n; j < share.rows; ++j)
                if (share.mine(j)) zero(at(p.y, t, row_at(p, share.position(j))), p.P);
        if (n > 0) forward.begin(t, n, team), forward.step(t, n, team, ahead);
        if (ahead) ahead += n * kPanelSums<C>;
        if (p.w_hr) {
            if (share.by_units) wait(team.barrier, team.threads);
            if (n > 0) forward.project(n);
        }
        if (share.by_units) wait(team.barrier, team.threads);
        t_before = t;
    }
    for (int64_t j = 0; j < share.rows; ++j) {
        if (!share.mine(j)) continue;
        const int64_t position = share.position(j), row = row_at(p, position);
        const int64_t length = length_at(p, position);
        float* hn = p.hn + row * p.P;
        if (length > 0)
            copy(hn, at(p.y, p.reverse ? 0 : length - 1, row), p.P);
        else if (!p.h0)
            zero(hn, p.P);
        else if (hn != p.h0 + row * p.P)
            copy(hn, p.h0 + row * p.P, p.P);
        if (C::kHasCellState) copy(p.cn + row * p.H, work.cell + position * units, p.H);
    }
}

template <class C>
void forward(const Problem& p, const float* packed, float* work, Team team) {
    if (p.saved && !p.segment)
        run_forward<C, true>(p, packed, work, team);
    else
        run_forward<C, false>(p, packed, work, team);
}

template <class C>
size_t saved_floats(const Problem& p) {
    if (!p.segment) return static_cast<size_t>(p.T * saved_per_step<C>(p));
    return C::kHasCellState
               ? static_cast<size_t>(up(p.T, p.segment) * p.B * Shape<C>(p).blocks * L)
               : 0;
}

}  // namespace
}  // namespace carousel
