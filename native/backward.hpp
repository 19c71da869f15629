// The loop over time, backward.
//
// Gate gradients of several steps are collected in a chunk, with the inputs and states they belong
// to, so that the products with them (the gradients of weights and inputs) are tall enough to be
// fast while everything still fits the cache.
//
// Where the forward pass kept only the cell states between segments, each segment is computed
// again first: from its cell states and from the outputs, which are all there.
#pragma once

#include "forward.hpp"
#include "gradients.hpp"
#include "normalized_backward.hpp"
#include "reset_backward.hpp"

namespace carousel {
namespace {

template <class C>
struct Backward : BackwardPass<C> {
    using Pass = BackwardPass<C>;
    using Pass::p, Pass::work, Pass::team, Pass::shape, Pass::share, Pass::part, Pass::units;
    using Pass::keys, Pass::saved, Pass::saved_from, Pass::wait_if_shared;

    Backward(const Problem& problem, const BackwardWork<C>& w, Team t) : Pass(problem, w, t) {}

    void pack_weights() const {
        for (int64_t q = team.thread; q < up(p.P, kWide); q += team.threads)
            if constexpr (C::kHeads)
                pack_heads_transposed(p, shape, q, work.hidden_t + q * kWide * units * C::kHidden);
            else
                pack_transposed(shape, q, p.w_hh, C::kHiddenFirst, C::kHidden, p.P, p.product,
                                work.hidden_t + q * kWide * depth(p.product, units * C::kHidden));
        if (p.dx.data)
            for (int64_t q = team.thread; q < up(p.I, kWide); q += team.threads)
                pack_transposed(shape, q, p.w_ih, C::kInputFirst, C::kInput, p.I, p.product,
                                work.input_t + q * kWide * depth(p.product, units * C::kInput));
        if (p.w_hr)
            for (int64_t q = team.thread; q < up(p.H, kWide); q += team.threads)
                pack_plain(q, p.w_hr, p.H, 1, p.P, p.H, Product::floats,
                           work.project + q * kWide * p.P);
        if (C::kResetFirst)
            for (int64_t q = team.thread; q < up(p.P, kWide); q += team.threads)
                pack_transposed(shape, q, p.w_hh, 0, 1, p.P, p.product,
                                work.candidate_t + q * kWide * depth(p.product, units));
    }

    void prepare() const {
        if (!work.once) pack_weights();
        if (team.thread == 0) zero(work.zeros, max(max(units, work.dh_step), kWide));
        for (int64_t j = 0; j < share.rows; ++j) {
            if (!share.mine(j)) continue;
            const int64_t position = share.position(j), row = row_at(p, position);
            start(work.dh + position * work.dh_step, p.dhn, row, p.P, work.dh_step);
            if (C::kHasCellState)
                for (int i = 0; i < C::kMemories; ++i)
                    start(this->cell_gradient(position, 0, i), last_memory_gradient(p, i), row,
                          p.H, units);
        }
    }

    static void start(float* to, const float* from, int64_t row, int64_t n, int64_t width) {
        if (from)
            copy(to, from + row * n, n);
        else
            zero(to, n);
        zero(to + n, width - n);
    }

    void find_keys(int64_t t, int64_t n) const {
        if constexpr (C::kOptions)
            for (int64_t j = 0; j < n; ++j)
                keys[j] = key_of(p.options.seed, t, row_at(p, share.position(j)));
    }

    // Inputs and states of the step's rows, from row k of the chunk on.
    void collect(const Step& step, int64_t k) const {
        const int64_t t = step.t;
        for (int64_t j = 0; j < step.rows; ++j) {
            if (!share.mine(j)) continue;
            const int64_t row = row_at(p, share.position(j));
            const float* x = at(p.x, t, row);
            for (int64_t f = 0; f < p.I; f += kLine)
                copy_line(part.line_of(part.x, f, k + j), x + f, p.I - f);
            const float* h = this->state(t, row, j >= step.later);
            const uint64_t key = drops_product<C>(p) ? key_of_product(p, t, row) : 0;
            for (int64_t f = 0; f < p.P; f += kLine) {
                float* line = part.line_of(part.h, f, k + j);
                if (drops_product<C>(p))
                    mask_state(p, h, f, min(p.P, f + kLine), line, key);
                else
                    copy_line(line, h + f, p.P - f);
            }
            if constexpr (C::kResetFirst)
                ResetBackward<C>{*this}.collect(t, share.position(j), k + j);
            if (p.dx.data) part.dx[k + j] = at(p.dx, t, row);
        }
        if (p.dx.data && p.padded && !p.add_to_dx) zero_ended(p, share, p.dx, step, p.I);
    }

    // Computes again what the steps s of [first, last) have saved, s in the order of the forward
    // pass.
    void compute_again(int64_t first, int64_t last) {
        Arena packed_arena{work.packed}, arena{work.forward};
        const Packed<C> packed(p, packed_arena);
        const ForwardWork<C> rows(p, team.thread, team.threads, arena);
        saved_from = p.reverse ? p.T - last : first;
        const Forward<C, true> forward{{p, packed, rows, shape, share, saved, saved_from}};
        if (C::kHasCellState)
            forward.copy_cells(p.saved + first / p.segment * p.B * C::kMemories * units, rows.cell);
        for (const Step& step : Steps::forward(p, share, first, last)) {
            const int64_t t = step.t, n = step.rows;
            for (int64_t j = 0; j < n; ++j) {
                const int64_t position = share.position(j), row = row_at(p, position);
                rows.x[j] = at(p.x, t, row);
                rows.h[j] = this->state(t, row, j >= step.later);
                rows.y[j] = work.unused_y + position * units;
            }
            if (n > 0) forward.begin(t, n, team), forward.step(t, n, team);
            // Before the copies of h, or what stands between two products, are written again.
            if (drops_product<C>(p) || C::kResetFirst) wait_if_shared();
        }
        wait_if_shared();
    }

    // h before the projection.
    CAROUSEL_INLINE Vec cell_output(int64_t t, int64_t j, bool first, int64_t block) const {
        const int64_t position = share.position(j);
        const float* kept = this->saved_of(t, block, position);
        if constexpr (C::kOptions)
            return C::output(this->site(j, block), kept,
                             this->c_before(t, position, first, block));
        else
            return C::output(kept);
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
        this->rows_times_panels(part.dp + k * part.p_step, part.p_step, n, work.project, p.P,
                                p.H, Product::floats, work.raw_dh, units, nullptr);
        wait_if_shared();
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
        if constexpr (C::kNormalized)
            normalized_pointwise(*this, t, n, later, k);
        else if constexpr (C::kResetFirst)
            reset_pointwise(*this, t, n, later, k);
        else
            whole_pointwise(t, n, later, k);
    }

    void whole_pointwise(int64_t t, int64_t n, int64_t later, int64_t k) const {
        const int64_t first = share.begin(shape.panels) * C::kBlocks;
        const int64_t last = min(share.end(shape.panels) * C::kBlocks, shape.blocks);
        const int64_t rows = this->rows_at_once(n);
        for (int64_t block = first; block < last; ++block)
            for (int64_t j = 0; j < n; j += rows) {
                rows_backward(t, j, min(n, j + rows), later, k, block);
                if (rows < n) this->fold_biases(block, block + 1);
            }
    }

    // Rows [begin, end) of the step, units of a block.
    CAROUSEL_INLINE void rows_backward(int64_t t, int64_t begin, int64_t end, int64_t later,
                                       int64_t k, int64_t block) const {
        const int count = shape.units_in(block);
        float* bias = this->bias(block);
        Vec sum[C::kSums];
        for (int s = 0; s < C::kSums; ++s) sum[s] = load(bias + s * L);
        float* own = this->extra(block);
        Vec own_sum[C::kExtra + 1];
        for (int s = 0; s < C::kExtra; ++s) own_sum[s] = load(own + s * L);
        for (int64_t j = begin; j < end; ++j) {
            Vec d[C::kSums];
            Vec extra[C::kExtra + 1] = {};
            row_backward(t, j, j >= later, block, count, d, extra);
            float* to = this->d_input(k + j, block);
            for (int s = 0; s < C::kInput; ++s) store(to + s * L, d[C::kInputFirst + s]);
            if (!Part<C>::kOneSide) {
                to = this->d_hidden(k + j, block);
                for (int s = 0; s < C::kHidden; ++s) store(to + s * L, d[C::kHiddenFirst + s]);
            }
            for (int s = 0; s < C::kSums; ++s) sum[s] += d[s];
            for (int s = 0; s < C::kExtra; ++s) own_sum[s] += extra[s];
        }
        for (int s = 0; s < C::kSums; ++s) store(bias + s * L, sum[s]);
        for (int s = 0; s < C::kExtra; ++s) store(own + s * L, own_sum[s]);
    }

    CAROUSEL_INLINE void row_backward(int64_t t, int64_t j, bool first, int64_t block, int count,
                                      Vec* d, Vec* extra) const {
        const int64_t position = share.position(j), row = row_at(p, position), u = block * L;
        Vec h{}, h_before{}, c[C::kMemories] = {}, dc[C::kMemories] = {};
        if (C::kSaved == 0) h = load_first(at(p.y, t, row) + u, count);
        if (!C::kHasCellState && C::kSaved > 0)
            h_before = load_first(this->state(t, row, first) + u, count);
        if (C::kHasCellState) {
            for (int i = 0; i < C::kMemories; ++i)
                dc[i] = load(this->cell_gradient(position, block, i));
            for (int i = 0; i < C::kMemoriesRead; ++i)
                c[i] = this->c_before(t, position, first, block, i);
        }
        const Vec dh = this->output_gradient(t, position, block, count);
        const float* kept = C::kSaved ? this->saved_of(t, block, position) : nullptr;
        Vec direct;
        if constexpr (C::kOptions)
            direct = C::backward(this->site(j, block), kept, h_before, memories<C>(c), dh,
                                 memories<C>(dc), d, extra);
        else
            direct = C::backward(kept, h, h_before, memories<C>(c), dh, memories<C>(dc), d);
        // Lanes without a unit: an infinite input times their weights of zero has left NaN there,
        // which the next products would spread.
        if (count < L)
            for (int s = 0; s < C::kSums; ++s) d[s] = keep_first(d[s], count);
        if (C::kHasCellState)
            for (int i = 0; i < C::kMemories; ++i)
                store(this->cell_gradient(position, block, i), dc[i]);
        this->put_direct(position, block, direct);
    }

    // From the gradients of the step's outputs to those of its sums, in rows k, k + 1, … of the
    // chunk, and to those of the states before it.
    void one_step(const Step& step, int64_t k) const {
        const int64_t t = step.t, n = step.rows;
        find_keys(t, n);
        if (p.w_hr) unproject(t, n, step.later, k);
        pointwise(t, n, step.later, k);
        wait_if_shared();
        if (step.later == 0 && !p.dh0) return;  // all rows start here, of nobody's state
        const bool masked = drops_product<C>(p);
        float* product = masked ? work.factor_dh : work.dh;
        if constexpr (C::kHeads) {
            this->rows_times_panels(part.d_hidden + k * part.d_step, part.d_step, n, work.hidden_t,
                                    units * C::kHidden, p.P, Product::floats, product,
                                    work.dh_step, product,
                                    [this](int64_t q) { return rows_of_heads<C>(p, q); });
            return wait_if_shared();
        }
        const float* from = masked && !C::kResetFirst ? nullptr : product;
        if (work.once)
            OnceBackward<C>{*this}.states(n, k, product, from);
        else
            this->rows_times_panels(part.d_hidden + k * part.d_step, part.d_step, n,
                                    work.hidden_t, units * C::kHidden, p.P, p.product, product,
                                    work.dh_step, from);
        wait_if_shared();
        if (masked) add_masked(t, n);
    }

    // Gradients of the initial state, and of the weights from all threads, in torch's layout.
    void finish() const {
        for (int64_t j = 0; j < share.rows; ++j) {
            if (!share.mine(j)) continue;
            const int64_t position = share.position(j), row = row_at(p, position);
            if (p.dh0) copy(p.dh0 + row * p.P, work.dh + position * work.dh_step, p.P);
            if (!C::kHasCellState) continue;
            for (int i = 0; i < C::kMemories; ++i)
                if (float* to = first_memory_gradient(p, i))
                    copy(to + row * p.H, this->cell_gradient(position, 0, i), p.H);
        }
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
    ChunkGradients<C> gradients{backward};
    backward.prepare();
    gradients.start();
    if (p.segment) pack<C>(p, work.packed, team);
    if (team.threads > 1) wait(team.barrier, team.threads);

    int64_t k = 0;  // rows of the chunk
    for (const Step& step : Steps::backward(p, share)) {
        const int64_t s = step.s, n = step.rows;
        if (p.segment && (s == p.T - 1 || (s + 1) % p.segment == 0))
            backward.compute_again(s / p.segment * p.segment, s + 1);
        if (k + n > backward.part.capacity) gradients.flush(k), k = 0;
        backward.collect(step, k);
        if (n == 0) continue;
        backward.one_step(step, k);
        k += n;
    }
    gradients.flush(k);
    gradients.finish();
    backward.finish();
}

}  // namespace
}  // namespace carousel
