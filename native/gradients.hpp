// The gradients of weights and inputs from the rows of a chunk: products of what the chunk has
// collected, summed by panels.
#pragma once

#include "once_backward.hpp"
#include "unpack.hpp"

namespace carousel {
namespace {

// w[f][v] += sum over rows r of a[r][f] b[r][v], for nv vectors v; words are of two rows.
void columns_times_rows(Product product, Columns a, int64_t features, const float* b,
                        int64_t b_row, int nv, int64_t rows, float* w) {
    const Tiles tiles(features, nv);
    for (int64_t i = 0; i < tiles.count; ++i) {
        const int64_t f = tiles.start(i);
        const int m_count = tiles.rows(i);
        const float* column[kMostRows];
        for (int m = 0; m < m_count; ++m) column[m] = a.column(f + m);
        tile_for(product, m_count, nv)(column, a.row_step, b, b_row, rows, w + f * nv * L,
                                       nv * L, w + f * nv * L, nv * L);
    }
}

template <class C>
struct ChunkGradients {
    const BackwardPass<C>& b;
    const Problem& p = b.p;
    const BackwardWork<C>& work = b.work;
    // Copies: what is read between the stores of a loop stands nearer.
    const Shape<C> shape = b.shape;
    const Share share = b.share;
    const Part<C> part = b.part;
    const int64_t units = b.units;
    float* const panel = work.panels + b.team.thread * work.panel_floats;  // this thread's
    int64_t summed = 0;  // rows of the block whose gradients are being summed

    void start() const {
        own_gradients([this](float* g, int64_t n) {
            zero(g, n);
            if (part.to_total) zero(g + part.to_total, n);
        });
    }

    // Gradients of weights and inputs from the k rows of the chunk.
    void flush(int64_t k) {
        if (work.once) return flush_once(k);
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
        b.wait_if_shared();
    }

    // From rows [r, r + rows) of the chunk.
    void weight_gradients(int64_t r, int64_t rows) const {
        const int64_t d = r * part.d_step, line = r * kLine;
        if (rounds(p.product)) {
            round_lines(part.x + line, p.I, rows), round_lines(part.h + line, p.P, rows);
            if (C::kResetFirst) round_lines(part.reset + line, p.P, rows);
            b.wait_if_shared();
        }
        for (int64_t q = share.begin(shape.panels); q < share.end(shape.panels); ++q) {
            add_weights(q, part.x + line, p.I, part.d_input + d, C::kInput, rows, part.w_input);
            if (C::kHeads)
                add_heads(q, part.h + line, part.d_hidden + d, rows);
            else
                add_weights(q, part.h + line, p.P, part.d_hidden + d, C::kHidden, rows,
                            part.w_hidden, Part<C>::kOneSide);
        }
        const int64_t wide = up(p.H, kWide);
        if (C::kResetFirst)
            for (int64_t q = share.begin(wide); q < share.end(wide); ++q)
                add_panel(part.reset + line, p.P,
                          part.d_candidate + r * part.c_step + q * kWide, part.c_step,
                          vectors_in(q, p.H), rows, part.w_candidate + q * kWide * p.P);
        if (!p.w_hr) return;
        for (int64_t q = share.begin(wide); q < share.end(wide); ++q)
            columns_times_rows(Product::floats, {part.dp + r * part.p_step, part.p_step, kLine},
                               p.P, part.raw + r * units + q * kWide, units, vectors_in(q, p.H), rows,
                               part.w_project + q * kWide * p.P);
    }

    // Of weights that are read once, which may be by no row.
    void flush_once(int64_t k) const {
        const OnceBackward<C> once{b};
        once.weights(k);
        if (p.dx.data) once.inputs(k);
        b.wait_if_shared();
    }

    // again: the panel holds the same gradients as in the call before.
    void add_weights(int64_t q, const float* lines, int64_t features, const float* d, int sums,
                     int64_t k, float* w, bool again = false) const {
        const int64_t column = q * C::kBlocks * sums * L;
        add_panel(lines, features, d + column, part.d_step, shape.blocks_in(q) * sums, k,
                  w + column * features, again);
    }

    // Of the recurrent weights of heads, of the units of panel q.
    void add_heads(int64_t q, const float* lines, const float* d, int64_t k) const {
        const int64_t column = q * C::kBlocks * C::kHidden * L;
        const int nv = shape.blocks_in(q) * C::kHidden;
        const Span read = lines_of(q);
        add_panel(lines + read.first / kLine * part.line_step, read.last - read.first, d + column,
                  part.d_step, nv, k, part.w_hidden + column * p.P + read.first * nv * L);
    }

    // The states that the units of a panel read, from the beginning of a line on.
    Span lines_of(int64_t panel) const {
        const Span read = read_by_panel<C>(p, panel);
        return {read.first / kLine * kLine, read.last};
    }

    void add_panel(const float* lines, int64_t features, const float* d, int64_t d_row, int nv,
                   int64_t k, float* w, bool again = false) const {
        const Columns columns{lines, kLine, part.line_step};
        if (rounds(p.product)) {
            if (!again) round_rows(d, d_row, nv * L, k, panel);
            d = panel, d_row = nv * L;
        } else if (features >= 2 * kLine) {  // read many times: worth a copy without gaps
            for (int64_t r = 0; r < k; ++r, d += d_row)
                for (int v = 0; v < nv; ++v) store(panel + (r * nv + v) * L, load(d + v * L));
            d = panel, d_row = nv * L;
        }
        columns_times_rows(p.product, columns, features, d, d_row, nv, depth(p.product, k), w);
    }

    // k rows of n numbers as words of two rows, one after the other.
    void round_rows(const float* from, int64_t step, int64_t n, int64_t k, float* to) const {
        const auto round_pairs = tiles_of(p.product).round_pairs;
        alignas(64) static constexpr float kNothing[kWide] = {};
        for (int64_t r = 0; r < k; r += 2, from += 2 * step, to += n)
            round_pairs(from, r + 1 < k ? from + step : kNothing, n, to);
    }

    // Rows of x or h, in their place.
    void round_lines(float* lines, int64_t features, int64_t rows) const {
        const int64_t count = up(features, kLine);
        for (int64_t i = share.begin(count); i < share.end(count); ++i)
            round_rows(lines + i * part.line_step, kLine, kLine, rows, lines + i * part.line_step);
    }

    void input_gradient(int64_t begin, int64_t end) const {
        const int64_t K = units * C::kInput, deep = depth(p.product, K);
        b.each_group(part.d_input + begin * part.d_step, part.d_step, end - begin, K, p.product,
                     [&](int64_t first, int64_t count, const float* rows_at, int64_t step) {
                         for (int64_t q = 0; q < up(p.I, kWide); ++q)
                             input_panel(q, begin + first, count, rows_at, step,
                                         work.input_t + q * kWide * deep);
                     });
    }

    // Columns [q kWide, …) of the gradient of the inputs of `n` rows, from `first` on, whose gradients
    // of the sums stand at rows_at; transposed: those columns of the weights.
    void input_panel(int64_t q, int64_t first, int64_t n, const float* rows_at, int64_t step,
                     const float* transposed) const {
        alignas(64) float sums[kMostRows * kWide];
        const int64_t K = depth(p.product, units * C::kInput), count = min(kWide, p.I - q * kWide);
        const int nv = vectors_in(q, p.I);
        const Tiles tiles(n, nv);
        for (int64_t i = 0; i < tiles.count; ++i) {
            const int64_t j = tiles.start(i);
            const int rows = tiles.rows(i);
            const float* row[kMostRows];
            for (int m = 0; m < rows; ++m) row[m] = rows_at + (j + m) * step;
            tile_for(p.product, rows, nv)(row, 1, transposed, nv * L, K,
                                          work.zeros, 0, sums, kWide);
            for (int m = 0; m < rows; ++m) {
                float* dx = part.dx[first + j + m] + q * kWide;
                const float* from = sums + m * kWide;
                if (p.add_to_dx)
                    for (int64_t c = 0; c < count; ++c) dx[c] += from[c];
                else
                    copy(dx, from, count);
            }
        }
    }

    // The sums of all blocks.
    void finish() const {
        if (part.to_total)
            own_gradients([this](float* g, int64_t n) { add(g, g + part.to_total, n); });
    }

    // Calls visit(first, count) for the gradients of the weights that this thread sums.
    template <class Visit>
    void own_gradients(const Visit& visit) const {
        const int64_t u0 = min(share.begin(shape.panels) * C::kBlocks, shape.blocks) * L;
        const int64_t u1 = min(share.end(shape.panels) * C::kBlocks, shape.blocks) * L;
        visit(part.bias + u0 * C::kSums, (u1 - u0) * C::kSums);
        visit(part.extra + u0 * C::kExtra, (u1 - u0) * C::kExtra);
        if (work.once) return;
        visit(part.w_input + u0 * C::kInput * p.I, (u1 - u0) * C::kInput * p.I);
        if (C::kHeads)
            for (int64_t q = share.begin(shape.panels); q < share.end(shape.panels); ++q) {
                const int64_t column = q * C::kBlocks * C::kHidden * L;
                const int64_t width = shape.blocks_in(q) * C::kHidden * L;
                const Span read = lines_of(q);
                visit(part.w_hidden + column * p.P + read.first * width,
                      (read.last - read.first) * width);
            }
        else
            visit(part.w_hidden + u0 * C::kHidden * p.P, (u1 - u0) * C::kHidden * p.P);
        const int64_t wide = up(p.H, kWide);
        const int64_t q0 = min(share.begin(wide) * kWide, units);
        const int64_t q1 = min(share.end(wide) * kWide, units);
        if (p.w_hr) visit(part.w_project + q0 * p.P, (q1 - q0) * p.P);
        if (C::kResetFirst) visit(part.w_candidate + q0 * p.P, (q1 - q0) * p.P);
    }
};

}  // namespace
}  // namespace carousel
