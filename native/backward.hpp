// The loop over time, backward.
//
// Gate gradients of several steps are collected in a chunk, with the inputs and states they belong
// to, so that the products with them (the gradients of weights and inputs) are tall enough to be
// fast while everything still fits the cache.
//
// Where the forward pass kept only the cell states between segments, each segment is computed
// again first: from its cell states and from the outputs, which are all there.
#pragma once

#include "reset_backward.hpp"

namespace carousel {
namespace {

template <class C>
struct Backward {
    const Problem& p;
    const BackwardWork<C>& work;
    const Team team;
    const Shape<C> shape;
    const Share share;
    const Part<C> part;
    const int64_t units;  // all blocks, the last one whole
    uint64_t* const keys;  // of this thread's rows of the step
    float* const panel;   // this thread's
    float* saved;         // what the steps from saved_from on have saved
    int64_t saved_from = 0;
    int64_t summed = 0;   // rows of the block whose gradients are being summed

    Backward(const Problem& problem, const BackwardWork<C>& w, Team t)
        : p(problem), work(w), team(t), shape(problem), share(share_of<C>(problem, t)),
          part(w.part(share.by_units ? 0 : t.thread)), units(shape.blocks * L),
          keys(C::kOptions ? w.keys + t.thread * up(problem.B, 8) * 8 : nullptr),
          panel(w.panels + t.thread * w.panel_floats),
          saved(problem.segment ? w.segment : problem.saved) {}

    void wait_if_shared() const {
        if (share.by_units) wait(team.barrier, team.threads);
    }

    void prepare() const {
        for (int64_t q = team.thread; q < up(p.P, kWide); q += team.threads)
            pack_transposed(shape, q, p.w_hh, C::kHiddenFirst, C::kHidden, p.P,
                            work.hidden_t + q * kWide * units * C::kHidden);
        if (p.dx.data)
            for (int64_t q = team.thread; q < up(p.I, kWide); q += team.threads)
                pack_transposed(shape, q, p.w_ih, C::kInputFirst, C::kInput, p.I,
                                work.input_t + q * kWide * units * C::kInput);
        if (p.w_hr)
            for (int64_t q = team.thread; q < up(p.H, kWide); q += team.threads)
                pack_plain(q, p.w_hr, p.H, 1, p.P, p.H, work.project + q * kWide * p.P);
        if (kResetFirst<C>)
            for (int64_t q = team.thread; q < up(p.P, kWide); q += team.threads)
                pack_transposed(shape, q, p.w_hh, 0, 1, p.P,
                                work.candidate_t + q * kWide * units);
        if (team.thread == 0) zero(work.zeros, max(max(units, work.dh_step), kWide));
        for (int64_t j = 0; j < share.rows; ++j) {
            if (!share.mine(j)) continue;
            const int64_t position = share.position(j), row = row_at(p, position);
            start(work.dh + position * work.dh_step, p.dhn, row, p.P, work.dh_step);
            if (C::kHasCellState) start(work.dc + position * units, p.dcn, row, p.H, units);
        }
        own_gradients([this](float* g, int64_t n) {
            zero(g, n);
            if (part.to_total) zero(g + part.to_total, n);
        });
    }

    // Calls visit(first, count) for the gradients of the weights that this thread sums.
    template <class Visit>
    void own_gradients(const Visit& visit) const {
        const int64_t u0 = min(share.begin(shape.panels) * C::kBlocks, shape.blocks) * L;
        const int64_t u1 = min(share.end(shape.panels) * C::kBlocks, shape.blocks) * L;
        visit(part.w_input + u0 * C::kInput * p.I, (u1 - u0) * C::kInput * p.I);
        visit(part.w_hidden + u0 * C::kHidden * p.P, (u1 - u0) * C::kHidden * p.P);
        visit(part.bias + u0 * C::kSums, (u1 - u0) * C::kSums);
        visit(part.extra + u0 * C::kExtra, (u1 - u0) * C::kExtra);
        const int64_t wide = up(p.H, kWide);
        const int64_t q0 = min(share.begin(wide) * kWide, units);
        const int64_t q1 = min(share.end(wide) * kWide, units);
        if (p.w_hr) visit(part.w_project + q0 * p.P, (q1 - q0) * p.P);
        if (kResetFirst<C>) visit(part.w_candidate + q0 * p.P, (q1 - q0) * p.P);
    }

    static void start(float* to, const float* from, int64_t row, int64_t n, int64_t width) {
        if (from)
            copy(to, from + row * n, n);
        else
            zero(to, n);
        zero(to + n, width - n);
    }

    // The state that row `row` had before step t. `first`: t is its first step.
    const float* state_before(int64_t t, int64_t row, bool first) const {
        if (!first) return at(p.y, p.reverse ? t + 1 : t - 1, row);
        return p.h0 ? p.h0 + row * p.P : work.zeros;
    }

    void find_keys(int64_t t, int64_t n) const {
        if constexpr (C::kOptions)
            for (int64_t j = 0; j < n; ++j)
                keys[j] = key_of(p.options.seed, t, row_at(p, share.position(j)));
    }

    // Inputs and states of the step's n rows, of which the first `later` have a step before this.
    void collect(int64_t t, int64_t n, int64_t later, int64_t k) const {
        for (int64_t j = 0; j < n; ++j) {
            if (!share.mine(j)) continue;
            const int64_t row = row_at(p, share.position(j));
            const float* x = at(p.x, t, row);
            for (int64_t f = 0; f < p.I; f += kLine)
                copy_line(part.line_of(part.x, f, k + j), x + f, p.I - f);
            const float* h = state_before(t, row, j >= later);
            const uint64_t key = drops_product<C>(p) ? key_of_product(p, t, row) : 0;
            for (int64_t f = 0; f < p.P; f += kLine) {
                float* line = part.line_of(part.h, f, k + j);
                if (drops_product<C>(p))
                    mask_state(p, h, f, min(p.P, f + kLine), line, key);
                else
                    copy_line(line, h + f, p.P - f);
            }
            if constexpr (kResetFirst<C>)
                ResetBackward<Backward, C>{*this}.collect(t, share.position(j), k + j);
            if (p.dx.data) part.dx[k + j] = at(p.dx, t, row);
        }
        if (p.dx.data && p.padded && !p.add_to_dx)
            for (int64_t j = n; j < share.rows; ++j)
                if (share.mine(j)) zero(at(p.dx, t, row_at(p, share.position(j))), p.I);
    }

    const float* saved_of(int64_t t, int64_t block, int64_t position) const {
        return saved_at<C>(saved, t - saved_from, block, position, p);
    }

    // The cell state of L units before step t, which is not the row's first.
    Vec cell_before(int64_t t, int64_t block, int64_t position) const {
        const int64_t s = p.reverse ? p.T - 1 - t : t;
        if (p.segment && s % p.segment == 0)
            return load(p.saved + (s / p.segment * p.B + position) * units + block * L);
        return load(saved_of(p.reverse ? t + 1 : t - 1, block, position) + (C::kSaved - 1) * L);
    }

    // Computes again what the steps s of [first, last) have saved, s in the order of the forward
    // pass.
    void compute_again(int64_t first, int64_t last) {
        Arena packed_arena{work.packed}, arena{work.forward};
        const Packed<C> packed(p, packed_arena);
        const ForwardWork<C> rows(p, team.thread, team.threads, arena);
        saved_from = p.reverse ? p.T - last : first;
        const Forward<C, true> forward{p, packed, rows, shape, share, saved, saved_from};
        if (C::kHasCellState)
            forward.copy_cells(p.saved + first / p.segment * p.B * units, rows.cell);
        int64_t n = 0;
        for (int64_t s = first; s < last; ++s) {
            const int64_t t = p.reverse ? p.T - 1 - s : s;
            n = rows_longer_than(p, share, t, n);
            const int64_t later = rows_with_a_step_before(t, n);
            for (int64_t j = 0; j < n; ++j) {
                const int64_t position = share.position(j), row = row_at(p, position);
                rows.x[j] = at(p.x, t, row);
                rows.h[j] = state_before(t, row, j >= later);
                rows.y[j] = work.unused_y + position * units;
            }
            if (n > 0) forward.begin(t, n, team), forward.step(t, n, team);
            // Before the copies of h, or what stands between two products, are written again.
            if (drops_product<C>(p) || kResetFirst<C>) wait_if_shared();
        }
        wait_if_shared();
    }

    int64_t rows_with_a_step_before(int64_t t, int64_t n) const {
        if (p.reverse) return t == p.T - 1 ? 0 : rows_longer_than(p, share, t + 1, n);
        return t == 0 ? 0 : n;
    }

    Site site(int64_t j, int64_t block) const {
        return {p, block * L, shape.units_in(block), keys[j]};
    }

    // h before the projection.
    CAROUSEL_INLINE Vec cell_output(int64_t t, int64_t j, bool first, int64_t block) const {
        const int64_t position = share.position(j);
        if constexpr (!C::kOptions)
            return C::output(saved_of(t, block, position));
        else if constexpr (kNormalized<C>)
            return load(saved_of(t, block, position) + C::kRaw * L);
        else
            return C::output(site(j, block), saved_of(t, block, position),
                             c_before(t, position, first, block));
    }

    CAROUSEL_INLINE Vec c_before(int64_t t, int64_t position, bool first, int64_t block) const {
        if (!first) return cell_before(t, block, position);
        if (!p.c0) return Vec{};
        return load_first(p.c0 + row_at(p, position) * p.H + block * L, shape.units_in(block));
    }

    // Through the projection: dh of the outputs to dh of the units.
    void unproject(int64_t t, int64_t n, int64_t later, int64_t k) const {
        for (int64_t j = 0; j < n; ++j) {
            if (!share.mine(j)) continue;
            const int64_t position = share.position(j);
            float* dh = work.dh + position * work.dh_step;
            float* dp = part.dp + (k + j) * part.p_step;
            const float* dy = p.dy.data ? at(p.dy, t, row_at(p, position)) : work.zeros;
            for (int64_t i = 0; i < p.P; ++i) dp[i] = dh[i] + dy[i];
            zero(dp + p.P, part.p_step - p.P);
            zero(dh, work.dh_step);
            for (int64_t block = 0; block < shape.blocks; ++block)
                store(part.raw + (k + j) * units + block * L, cell_output(t, j, j >= later, block));
        }
        wait_if_shared();
        rows_times_panels(part.dp + k * part.p_step, part.p_step, n, work.project, p.P, p.H,
                          work.raw_dh, units, nullptr);
        wait_if_shared();
    }

    // c[position] (+)= a[row] · panels, for n rows and this thread's panels of the N columns.
    // from: what to add to, with c's layout; null: nothing.
    void rows_times_panels(const float* a, int64_t a_row, int64_t n, const float* panels,
                           int64_t K, int64_t N, float* c, int64_t c_row, const float* from) const {
        const int64_t wide = up(N, kWide);
        for (int64_t q = share.begin(wide); q < share.end(wide); ++q) {
            const int nv = vectors_in(q, N);
            const Tiles tiles(n, nv);
            for (int64_t i = 0; i < tiles.count; ++i) {
                const int64_t j = tiles.start(i);
                const int rows = tiles.rows(i);
                const float* row[kMostRows];
                for (int m = 0; m < rows; ++m) row[m] = a + (j + m) * a_row;
                const int64_t to = share.position(j) * c_row + q * kWide;
                tile_for(rows, nv)(row, 1, panels + q * kWide * K, nv * L, K,
                                   from ? from + to : work.zeros, from ? share.step * c_row : 0,
                                   c + to, share.step * c_row);
            }
        }
    }

    // dh += mask · d(masked h)
    void add_masked(int64_t t, int64_t n) const {
        for (int64_t j = 0; j < n; ++j) {
            if (!share.mine(j)) continue;
            const int64_t position = share.position(j), at = position * work.dh_step;
            const uint64_t key = key_of_product(p, t, row_at(p, position));
            for (int64_t u = 0; u < work.dh_step; u += L) {
                const Vec scale = kept(p.options.product, key, Kind::product, u);
                store(work.dh + at + u,
                      fma(scale, load(work.factor_dh + at + u), load(work.dh + at + u)));
            }
        }
        wait_if_shared();
    }

    void pointwise(int64_t t, int64_t n, int64_t later, int64_t k) const {
        if constexpr (kNormalized<C>)
            normalized_pointwise<C>(*this, t, n, later, k);
        else if constexpr (kResetFirst<C>)
            reset_pointwise<C>(*this, t, n, later, k);
        else
            whole_pointwise(t, n, later, k);
    }

    void whole_pointwise(int64_t t, int64_t n, int64_t later, int64_t k) const {
        const int64_t first = share.begin(shape.panels) * C::kBlocks;
        const int64_t last = min(share.end(shape.panels) * C::kBlocks, shape.blocks);
        const int64_t rows = part.block_of(n);
        for (int64_t block = first; block < last; ++block)
            for (int64_t j = 0; j < n; j += rows) {
                rows_backward(t, j, min(n, j + rows), later, k, block);
                if (rows < n) fold_biases(block, block + 1);
            }
    }

    // Rows [begin, end) of the step, units of a block.
    CAROUSEL_INLINE void rows_backward(int64_t t, int64_t begin, int64_t end, int64_t later,
                                       int64_t k, int64_t block) const {
        const int count = shape.units_in(block);
        float* bias = part.bias + block * C::kSums * L;
        Vec sum[C::kSums];
        for (int s = 0; s < C::kSums; ++s) sum[s] = load(bias + s * L);
        float* own = part.extra + block * C::kExtra * L;
        Vec own_sum[C::kExtra + 1];
        for (int s = 0; s < C::kExtra; ++s) own_sum[s] = load(own + s * L);
        for (int64_t j = begin; j < end; ++j) {
            Vec d[C::kSums];
            Vec extra[C::kExtra + 1] = {};
            row_backward(t, j, j >= later, block, count, d, extra);
            float* to = part.d_input + (k + j) * part.d_step + block * C::kInput * L;
            for (int s = 0; s < C::kInput; ++s) store(to + s * L, d[C::kInputFirst + s]);
            if (!Part<C>::kOneSide) {
                to = part.d_hidden + (k + j) * part.d_step + block * C::kHidden * L;
                for (int s = 0; s < C::kHidden; ++s) store(to + s * L, d[C::kHiddenFirst + s]);
            }
            for (int s = 0; s < C::kSums; ++s) sum[s] += d[s];
            for (int s = 0; s < C::kExtra; ++s) own_sum[s] += extra[s];
        }
        for (int s = 0; s < C::kSums; ++s) store(bias + s * L, sum[s]);
        for (int s = 0; s < C::kExtra; ++s) store(own + s * L, own_sum[s]);
    }

    // A step of many rows is more than one block of what the pointwise functions sum themselves.
    void fold_biases(int64_t first, int64_t last) const {
        part.fold(part.bias + first * C::kSums * L, (last - first) * C::kSums * L);
        part.fold(part.extra + first * C::kExtra * L, (last - first) * C::kExtra * L);
    }

    CAROUSEL_INLINE void row_backward(int64_t t, int64_t j, bool first, int64_t block, int count,
                                      Vec* d, Vec* extra) const {
        const int64_t position = share.position(j), row = row_at(p, position), u = block * L;
        Vec h{}, h_before{}, c{}, dc{};
        if (C::kSaved == 0) h = load_first(at(p.y, t, row) + u, count);
        if (!C::kHasCellState && C::kSaved > 0)
            h_before = load_first(state_before(t, row, first) + u, count);
        if (C::kHasCellState) {
            dc = load(work.dc + position * units + u);
            c = c_before(t, position, first, block);
        }
        float* dh_memory = work.dh + position * work.dh_step + u;
        Vec dh;
        if (p.w_hr) {
            dh = load(work.raw_dh + position * units + u);
        } else {
            dh = load(dh_memory);
            if (p.dy.data) dh += load_first(at(p.dy, t, row) + u, count);
        }
        const float* kept = C::kSaved ? saved_of(t, block, position) : nullptr;
        Vec direct;
        if constexpr (C::kOptions)
            direct = C::backward(site(j, block), kept, h_before, c, dh, dc, d, extra);
        else
            direct = C::backward(kept, h, h_before, c, dh, dc, d);
        // Lanes without a unit: an infinite input times their weights of zero has left NaN there,
        // which the next products would spread.
        if (count < L)
            for (int s = 0; s < C::kSums; ++s) d[s] = keep_first(d[s], count);
        if (C::kHasCellState) store(work.dc + position * units + u, dc);
        if (!p.w_hr) store(dh_memory, direct);
    }

    // Gradients of weights and inputs from the k rows of the chunk.
    void flush(int64_t k) {
        if (k == 0) return;
        const int64_t block = part.block_of(k);
        for (int64_t r = 0; r < k; r += block) {
            const int64_t rows = min(block, k - r);
            weight_gradients(r, rows);
            summed += rows;
            if (!part.to_total || summed < kBlockRows) continue;
            own_gradients([this](float* g, int64_t n) { part.fold(g, n); });
            summed = 0;
        }
        if (p.dx.data) input_gradient(share.begin(k), share.end(k));
        wait_if_shared();
    }

    // From rows [r, r + rows) of the chunk.
    void weight_gradients(int64_t r, int64_t rows) const {
        const int64_t d = r * part.d_step, line = r * kLine;
        add_weights(part.x + line, p.I, part.d_input + d, C::kInput, rows, part.w_input);
        add_weights(part.h + line, p.P, part.d_hidden + d, C::kHidden, rows, part.w_hidden);
        const int64_t wide = up(p.H, kWide);
        if (kResetFirst<C>)
            for (int64_t q = share.begin(wide); q < share.end(wide); ++q)
                add_panel(part.reset + line, p.P,
                          part.d_candidate + r * part.c_step + q * kWide, part.c_step,
                          vectors_in(q, p.H), rows, part.w_candidate + q * kWide * p.P);
        if (!p.w_hr) return;
        for (int64_t q = share.begin(wide); q < share.end(wide); ++q)
            columns_times_rows({part.dp + r * part.p_step, part.p_step, kLine}, p.P,
                               part.raw + r * units + q * kWide, units, vectors_in(q, p.H), rows,
                               part.w_project + q * kWide * p.P);
    }

    void add_weights(const float* lines, int64_t features, const float* d, int sums, int64_t k,
                     float* w) const {
        for (int64_t q = share.begin(shape.panels); q < share.end(shape.panels); ++q) {
            const int64_t column = q * C::kBlocks * sums * L;
            add_panel(lines, features, d + column, part.d_step, shape.blocks_in(q) * sums, k,
                      w + column * features);
        }
    }

    void add_panel(const float* lines, int64_t features, const float* b, int64_t b_row, int nv,
                   int64_t k, float* w) const {
        const Columns columns{lines, kLine, part.line_step};
        if (features >= 2 * kLine) {  // read many times: worth a copy without gaps
            for (int64_t r = 0; r < k; ++r, b += b_row)
                for (int v = 0; v < nv; ++v) store(panel + (r * nv + v) * L, load(b + v * L));
            b = panel, b_row = nv * L;
        }
        columns_times_rows(columns, features, b, b_row, nv, k, w);
    }

    void input_gradient(int64_t begin, int64_t end) const {
        alignas(64) float sums[kMostRows * kWide];
        const int64_t K = units * C::kInput, n = end - begin;
        for (int64_t q = 0; q < up(p.I, kWide); ++q) {
            const int nv = vectors_in(q, p.I);
            const int64_t count = min(kWide, p.I - q * kWide);
            const Tiles tiles(n, nv);
            for (int64_t i = 0; i < tiles.count; ++i) {
                const int64_t j = begin + tiles.start(i);
                const int rows = tiles.rows(i);
                const float* row[kMostRows];
                for (int m = 0; m < rows; ++m) row[m] = part.d_input + (j + m) * part.d_step;
                tile_for(rows, nv)(row, 1, work.input_t + q * kWide * K, nv * L, K, work.zeros, 0,
                                   sums, kWide);
                for (int m = 0; m < rows; ++m) {
                    float* dx = part.dx[j + m] + q * kWide;
                    const float* from = sums + m * kWide;
                    if (p.add_to_dx)
                        for (int64_t c = 0; c < count; ++c) dx[c] += from[c];
                    else
                        copy(dx, from, count);
                }
            }
        }
    }

    // Gradients of the initial state, and of the weights from all parts, in torch's layout.
    void finish() const {
        for (int64_t j = 0; j < share.rows; ++j) {
            if (!share.mine(j)) continue;
            const int64_t position = share.position(j), row = row_at(p, position);
            if (p.dh0) copy(p.dh0 + row * p.P, work.dh + position * work.dh_step, p.P);
            if (p.dc0) copy(p.dc0 + row * p.H, work.dc + position * units, p.H);
        }
        if (part.to_total)
            own_gradients([this](float* g, int64_t n) { add(g, g + part.to_total, n); });
        if (team.threads > 1) wait(team.barrier, team.threads);
        const Unpack<C> unpack{p, work, shape};
        for (int64_t block = team.thread; block < shape.blocks; block += team.threads)
            unpack.block(block);
        if (p.w_hr)
            for (int64_t q = team.thread; q < up(p.H, kWide); q += team.threads) unpack.project(q);
    }
};

template <class C>
size_t backward_floats(const Problem& p, int threads) {
    Arena arena{nullptr};
    const BackwardWork<C> work(p, threads, arena);
    return arena.used;
}

template <class C>
void backward(const Problem& p, float* memory, Team team) {
    Arena arena{memory};
    const BackwardWork<C> work(p, team.threads, arena);
    Backward<C> backward(p, work, team);
    const Share& share = backward.share;
    backward.prepare();
    if (p.segment) pack<C>(p, work.packed, team);
    if (team.threads > 1) wait(team.barrier, team.threads);

    int64_t n = 0, k = 0;
    for (int64_t s = p.T - 1; s >= 0; --s) {
        const int64_t t = p.reverse ? p.T - 1 - s : s;
        n = rows_longer_than(p, share, t, n);
        if (p.segment && (s == p.T - 1 || (s + 1) % p.segment == 0))
            backward.compute_again(s / p.segment * p.segment, s + 1);
        if (k + n > backward.part.capacity) backward.flush(k), k = 0;
        const int64_t later = backward.rows_with_a_step_before(t, n);
        backward.collect(t, n, later, k);
        if (n == 0) continue;
        backward.find_keys(t, n);
        if (p.w_hr) backward.unproject(t, n, later, k);
        backward.pointwise(t, n, later, k);
        backward.wait_if_shared();
        float* product = drops_product<C>(p) ? work.factor_dh : work.dh;
        backward.rows_times_panels(backward.part.d_hidden + k * backward.part.d_step,
                                   backward.part.d_step, n, work.hidden_t,
                                   backward.units * C::kHidden, p.P, product, work.dh_step,
                                   drops_product<C>(p) && !kResetFirst<C> ? nullptr : product);
        backward.wait_if_shared();
        if (drops_product<C>(p)) backward.add_masked(t, n);
        k += n;
    }
    backward.flush(k);
    backward.finish();
}

}  // namespace
}  // namespace carousel
