// The loop over time, forward: products, pointwise function, and where rows begin and end.
#pragma once

#include "normalized.hpp"
#include "once.hpp"
#include "reset.hpp"

namespace carousel {
namespace {

template <class C, bool kSave>
struct Forward : ForwardPass<C, kSave> {
    using Pass = ForwardPass<C, kSave>;
    using Pass::p, Pass::packed, Pass::work, Pass::shape, Pass::share;

    InputProduct<C> input_product() const { return {p, packed, shape}; }

    // The states that the units of a panel read: floats, or words of all of them.
    CAROUSEL_INLINE Span read_in_tiles(int64_t panel) const {
        return C::kHeads ? read_by_panel<C>(p, panel) : Span{0, packed.states};
    }

    // What the states add to the sums of a panel, for rows [j, j + rows) of the step.
    void hidden_product(int64_t panel, int64_t j, int rows, float* sums) const {
        const int nh = shape.blocks_in(panel) * C::kHidden;
        sums += C::kHiddenFirst * L;
        const float* const* factors = this->factors(j);
        const Span read = read_in_tiles(panel);
        const float* of_heads[kMostRows];
        if (C::kHeads) {
            for (int m = 0; m < rows; ++m) of_heads[m] = factors[m] + read.first;
            factors = of_heads;
        }
        tile_for(p.product, rows, nh)(factors, 1, packed.hidden_panel(panel) + read.first * nh * L,
                                      nh * L, read.last - read.first, sums, kPanelSums<C>, sums,
                                      kPanelSums<C>);
    }

    // The same for one row and kRowPanels whole panels. Those of the next panel stand `next` floats
    // on.
    void hidden_product_of_row(int64_t panel, float* sums, int64_t next) const {
        constexpr int nh = C::kBlocks * C::kHidden;
        const Span read = read_in_tiles(panel), last = read_in_tiles(panel + kRowPanels - 1);
        if (C::kHeads && (read.first != last.first || read.last != last.last)) {
            for (int i = 0; i < kRowPanels; ++i) hidden_product(panel + i, 0, 1, sums + i * next);
            return;
        }
        sums += C::kHiddenFirst * L;
        row_tile_for(p.product, nh)(*this->factors(0) + read.first,
                                    packed.hidden_panel(panel) + read.first * nh * L, nh * L,
                                    nh * L * packed.states, read.last - read.first, sums, next,
                                    sums, next);
    }

    // Whether the pointwise function mixes the h before the step into the one after it.
    CAROUSEL_INLINE bool reads_state() const {
        if constexpr (C::kOptions)
            return C::reads_state(p);
        else
            return !C::kHasCellState && C::kSums > 1;
    }

    CAROUSEL_INLINE Vec cell_forward(int64_t j, int64_t block, int count, const float* sums,
                                     Vec before, Vec (&c)[C::kMemories], float* kept) const {
        if constexpr (C::kOptions)
            return C::template forward<kSave>(this->site(j, block, count), sums, before,
                                              memories<C>(c), kept);
        else
            return C::template forward<kSave>(sums, before, memories<C>(c), kept);
    }

    // What a step's products need: keys and masked copies of h of options, and rounded copies. All
    // threads call it that share by units. ahead: the products of the inputs are there already.
    void begin(int64_t t, int64_t n, Team team, bool ahead = false) const {
        mask(t, n, team);
        if (!rounds(p.product)) return;
        if (!ahead) work.rounded_x.take(work.x, n);
        work.rounded_h.take(work.factor, n);
    }

    void mask(int64_t t, int64_t n, Team team) const {
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
        if constexpr (C::kResetFirst)
            ResetForward<C, kSave>{*this}.gates(t, panel, j, rows, sums);
        else
            whole_pointwise(t, panel, j, rows, sums);
    }

    void whole_pointwise(int64_t t, int64_t panel, int64_t j, int rows, const float* sums) const {
        const int blocks = shape.blocks_in(panel);
        for (int m = 0; m < rows; ++m, sums += kPanelSums<C>) {
            const int64_t position = share.position(j + m);
            for (int u = 0; u < blocks; ++u) {
                const int64_t block = panel * C::kBlocks + u;
                const int count = shape.units_in(block);
                Vec before{}, c[C::kMemories] = {};
                if (reads_state()) before = this->state_of(j + m, block, count);
                if (C::kHasCellState)
                    for (int i = 0; i < C::kMemories; ++i)
                        c[i] = load(this->cell_of(position, block, i));
                const Vec h = cell_forward(j + m, block, count, sums + u * C::kSums * L, before, c,
                                           this->kept_of(t, block, position));
                if (C::kHasCellState)
                    for (int i = 0; i < C::kMemories; ++i)
                        store(this->cell_of(position, block, i), c[i]);
                this->put(j + m, position, block, count, h);
            }
        }
    }

    // Step t of n rows. ahead: sums of the step's first row where the inputs were looked ahead to;
    // null elsewhere. All threads call it that share by units.
    void step(int64_t t, int64_t n, Team team, float* ahead = nullptr) const {
        if constexpr (C::kNormalized) return normalized_step(*this, t, n);
        if (packed.columns)
            OnceForward<Forward, C>{*this}.products(t, n);
        else
            products(t, n, ahead);
        if constexpr (C::kResetFirst) ResetForward<C, kSave>{*this}.finish(t, n, team);
    }

    void products(int64_t t, int64_t n, float* ahead) const {
        alignas(64) float here[kMostRows * kTileVectors * L];
        const int64_t of_panel = work.ahead.capacity * kPanelSums<C>;
        each_tile(
            shape, share, n,
            [&](int64_t panel) {
                const int64_t next = ahead ? of_panel : kPanelSums<C>;
                float* sums = ahead ? ahead + panel * of_panel : here;
                if (!ahead) input_product().of_row(panel, *this->inputs(0), sums);
                hidden_product_of_row(panel, sums, next);
                for (int i = 0; i < kRowPanels; ++i) pointwise(t, panel + i, 0, 1, sums + i * next);
            },
            [&](int64_t panel, int64_t j, int rows) {
                float* sums = ahead ? ahead + panel * of_panel + j * kPanelSums<C> : here;
                if (!ahead) input_product().of_rows(panel, this->inputs(j), rows, sums);
                hidden_product(panel, j, rows, sums);
                pointwise(t, panel, j, rows, sums);
            });
    }

    // The input products of as many steps as there is room for, from s on. Returns the first step
    // that is left.
    int64_t look_ahead(int64_t s) const {
        const Ahead& ahead = work.ahead;
        int64_t k = 0;
        for (const Step& step : Steps::forward(p, share, s, p.T)) {
            if (k + step.rows > ahead.capacity) break;
            for (int64_t j = 0; j < step.rows; ++j)
                ahead.x[k++] = at(p.x, step.t, row_at(p, share.position(j)));
            ++s;
        }
        if (rounds(p.product)) ahead.rounded.take(ahead.x, k);
        const float** x = rounds(p.product) ? ahead.rounded.rows : ahead.x;
        for (int64_t panel = share.begin(shape.panels); panel < share.end(shape.panels); ++panel) {
            const Tiles tiles(k, widest_product(shape, panel));
            for (int64_t i = 0; i < tiles.count; ++i) {
                const int64_t j = tiles.start(i);
                input_product().of_rows(panel, x + j, tiles.rows(i),
                                        ahead.sums + (panel * ahead.capacity + j) * kPanelSums<C>);
            }
        }
        return s;
    }

    // Cell states [B][kMemories][units] of this thread's rows and units.
    void copy_cells(const float* from, float* to) const {
        const int64_t units = shape.blocks * L;
        const int64_t u0 = share.begin(shape.panels) * C::kBlocks * L;
        const int64_t u1 = min(share.end(shape.panels) * C::kBlocks, shape.blocks) * L;
        for (int64_t j = 0; j < share.rows; ++j)
            for (int i = 0; i < C::kMemories; ++i) {
                const int64_t row = (share.position(j) * C::kMemories + i) * units;
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
                tile_for(Product::floats, rows, nv)(raw, 1, packed.project + q * kWide * p.H,
                                                    nv * L, p.H, work.zeros, 0, sums, kWide);
                for (int m = 0; m < rows; ++m)
                    copy(work.y[j + m] + q * kWide, sums + m * kWide,
                         min(kWide, p.P - q * kWide));
            }
        }
    }

    // The cell states before the first step, of this thread's rows.
    void start_cells() const {
        const int64_t units = shape.blocks * L;
        for (int64_t j = 0; j < share.rows; ++j) {
            if (!share.mine(j)) continue;
            for (int i = 0; i < C::kMemories; ++i) {
                float* c = this->cell_of(share.position(j), 0, i);
                zero(c + p.H, units - p.H);
                if (const float* first = first_memory(p, i))
                    copy(c, first + row_at(p, share.position(j)) * p.H, p.H);
                else
                    zero(c, p.H);
            }
        }
    }

    // Where the rows of the step stand.
    void find_rows(const Step& step) const {
        for (int64_t j = 0; j < step.rows; ++j) {
            const int64_t row = row_at(p, share.position(j));
            work.x[j] = at(p.x, step.t, row);
            work.y[j] = at(p.y, step.t, row);
            work.h[j] = state_before(p, step.t, row, j >= step.later, work.zeros);
        }
    }

    void finish() const {
        for (int64_t j = 0; j < share.rows; ++j) {
            if (!share.mine(j)) continue;
            const int64_t position = share.position(j);
            write_last_state(p, position, 0, p.P);
            if (C::kHasCellState)
                for (int i = 0; i < C::kMemories; ++i)
                    copy(last_memory(p, i) + row_at(p, position) * p.H,
                         this->cell_of(position, 0, i), p.H);
        }
    }
};

template <class C, bool kSave>
void run_forward(const Problem& p, const Packed<C>& packed, float* memory, Team team) {
    Arena arena{memory};
    const ForwardWork<C> work(p, team.thread, team.threads, arena);
    const Forward<C, kSave> forward{
        {p, packed, work, Shape<C>(p), share_of<C>(p, team), p.saved, 0}};
    const Share& share = forward.share;
    const int64_t units = forward.shape.blocks * L;

    if (team.thread == 0) zero(work.zeros, max(units, p.P));
    if (C::kHasCellState) forward.start_cells();
    if (team.threads > 1) wait(team.barrier, team.threads);

    int64_t seen = 0;
    float* ahead = nullptr;
    for (const Step& step : Steps::forward(p, share)) {
        const int64_t t = step.t, n = step.rows;
        if (work.ahead.sums && step.s == seen) {
            seen = forward.look_ahead(step.s);
            ahead = work.ahead.sums;
        }
        if (C::kHasCellState && p.segment && p.saved && step.s % p.segment == 0)
            forward.copy_cells(work.cell,
                               p.saved + step.s / p.segment * p.B * C::kMemories * units);
        forward.find_rows(step);
        if (p.padded) zero_ended(p, share, p.y, step, p.P);
        if (n > 0) forward.begin(t, n, team, ahead != nullptr), forward.step(t, n, team, ahead);
        if (ahead) ahead += n * kPanelSums<C>;
        if (p.w_hr) {
            if (share.by_units) wait(team.barrier, team.threads);
            if (n > 0) forward.project(n);
        }
        if (share.by_units) wait(team.barrier, team.threads);
    }
    forward.finish();
}

template <class C>
void run_forward(const Problem& p, const Packed<C>& packed, float* work, Team team) {
    if (p.saved && !p.segment)
        run_forward<C, true>(p, packed, work, team);
    else
        run_forward<C, false>(p, packed, work, team);
}

template <class C>
void forward(const Problem& p, const float* packed, float* work, Team team) {
    Arena arena{const_cast<float*>(packed)};
    run_forward<C>(p, Packed<C>(p, arena), work, team);
}

template <class C>
size_t once_floats(const Problem& p, int threads) {
    if (!reads_once<C>(p, threads)) return 0;
    Arena arena{nullptr};
    for (int i = 0; i < threads; ++i) Packed<C>(p, arena, true);
    return arena.used;
}

template <class C>
void forward_once(const Problem& p, float* panels, float* work, Team team) {
    Arena arena{panels};
    for (int i = 0; i < team.thread; ++i) Packed<C>(p, arena, true);
    run_forward<C>(p, Packed<C>(p, arena, true), work, team);
}

template <class C>
size_t saved_floats(const Problem& p) {
    if (!p.segment) return static_cast<size_t>(p.T * saved_per_step<C>(p));
    return C::kHasCellState
               ? static_cast<size_t>(up(p.T, p.segment) * p.B * C::kMemories *
                                     Shape<C>(p).blocks * L)
               : 0;
}

}  // namespace
}  // namespace carousel
