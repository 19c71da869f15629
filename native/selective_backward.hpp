// The backward pass of the selective scan: see selective.hpp. It leaves in da the gradients of the sums
// a and n, or of the inputs that are n, H features each, then those of B and C, N features each.
#pragma once

#include "selective.hpp"

namespace carousel {
namespace {

template <class C>
struct SelectiveBackward {
    const Problem& p;
    const SelectiveShape<C> shape;
    float *decay, *skip;   // of all threads: [block][N] vectors, [block]; each thread fills its own
    float *d_row, *d_all;  // gradients of A, then of D: of a row, and of all before
    float *d_b, *d_c;      // [step of a segment][N] vectors, of all blocks so far
    int64_t weights;

    SelectiveBackward(const Problem& problem, int threads, Arena& arena)
        : p(problem), shape(problem), weights(shape.units * (shape.N + 1)) {
        decay = arena.floats(threads * weights);
        d_row = arena.floats(threads * weights), d_all = arena.floats(threads * weights);
        d_b = arena.floats(threads * segment()), d_c = arena.floats(threads * segment());
    }
    int64_t segment() const { return kSegment * shape.padded * L; }

    void of_thread(int thread) {
        decay += thread * weights, d_row += thread * weights, d_all += thread * weights;
        d_b += thread * segment(), d_c += thread * segment();
        skip = decay + shape.units * shape.N;
        for (int64_t block = 0; block < shape.blocks; ++block) {
            fill_decay<C>(p, shape, block, decay);
            store(skip + block * L, load_first(p.w_c + block * L, shape.units_in(block)));
        }
        zero(d_all, weights);
    }

    // Steps [s, s + count) of a row.
    struct Run {
        int64_t row, s, count;
        SavedRow<C> saved;
        int64_t length;
        bool reverse;
        int64_t time(int64_t j) const { return reverse ? length - 1 - s - j : s + j; }
    };

    // Gradients on their way through a block of units, [kSegment] vectors each.
    struct Block {
        alignas(64) float dy[kSegment * L], written[kSegment * L], d_delta[kSegment * L],
            d_written[kSegment * L];
    };

    void of_row(int64_t position) const {
        const int64_t row = row_at(p, position), length = length_at(p, position);
        const int64_t floats = shape.N * p.H;
        keep_memory(p.dc0 + row * floats, p.dcn ? p.dcn + row * floats : nullptr, floats);
        const float* dhn = p.dhn ? p.dhn + row * p.H : nullptr;
        keep_memory(p.dh0 + row * p.H, length == 0 ? dhn : nullptr, p.H);
        zero(d_row, weights);
        for (int64_t s = (length - 1) / kSegment * kSegment; length > 0 && s >= 0; s -= kSegment) {
            const Run run{row, s, min(length - s, kSegment), SavedRow<C>(p, shape, position), length,
                          p.reverse};
            zero(d_b, run.count * shape.padded * L), zero(d_c, run.count * shape.padded * L);
            for (int64_t block = 0; block < shape.blocks; ++block)
                of_block(run, block, s + run.count == length ? dhn : nullptr);
            write_sums(run);
        }
        add(d_all, d_row, weights);
    }

    CAROUSEL_INLINE void of_block(const Run& run, int64_t block, const float* dhn) const {
        Block at_block;
        const int64_t u = block * L;
        const int count = shape.units_in(block);
        for (int64_t j = 0; j < run.count; ++j) {
            Vec dy = p.dy.data ? load_first(at(p.dy, run.time(j), run.row) + u, count) : Vec{};
            if (dhn && j == run.count - 1) dy += load_first(dhn + u, count);
            const float* step = run.saved.at(run.s + j);
            store(at_block.dy + j * L, dy);
            store(at_block.written + j * L, load(step + u) * load(step + shape.units + u));
            store(at_block.d_delta + j * L, Vec{}), store(at_block.d_written + j * L, Vec{});
        }
        int64_t n = 0;
        for (; n + kGroup <= shape.N; n += kGroup) group<kGroup>(run, block, n, at_block);
        for (; n < shape.N; ++n) group<1>(run, block, n, at_block);
        Vec d_skip = load(d_row + shape.units * shape.N + u);
        for (int64_t j = 0; j < run.count; ++j) {
            const float* step = run.saved.at(run.s + j);
            const Vec delta = load(step + u), in = load(step + shape.units + u);
            const Vec dy = load(at_block.dy + j * L), d_written = load(at_block.d_written + j * L);
            // The slope of softplus, σ(a) = 1 - exp(-Δ).
            const Vec slope = -exponential(clamp(delta, 0.0f, 80.0f), -kPerLn2).minus_one();
            float* da = at(p.da, run.time(j), run.row) + u;
            store_first(da, fma(d_written, in, load(at_block.d_delta + j * L)) * slope, count);
            store_first(da + p.H, fma(d_written, delta, dy * load(skip + u)), count);
            d_skip = fma(dy, in, d_skip);
        }
        store(d_row + shape.units * shape.N + u, d_skip);
    }

    // Coefficients [n, n + kOf) of a block: their memory once more, then back through the steps.
    template <int kOf>
    CAROUSEL_INLINE void group(const Run& run, int64_t block, int64_t n, Block& at_block) const {
        const int64_t u = block * L;
        const int count = shape.units_in(block);
        alignas(64) float faded_by[kSegment * kOf * L], memory[(kSegment + 1) * kOf * L];
        Vec a[kOf], c[kOf], dc[kOf], da[kOf];
        const float* kept =
            run.s > 0 ? run.saved.before(run.s) + (block * shape.N + n) * L : nullptr;
        const int64_t place = (run.row * shape.N + n) * p.H + u;
        for (int i = 0; i < kOf; ++i) {
            a[i] = load(decay + (block * shape.N + n + i) * L);
            da[i] = load(d_row + (block * shape.N + n + i) * L);
            dc[i] = load_first(p.dc0 + place + i * p.H, count);
            c[i] = kept   ? load(kept + i * L)
                   : p.c0 ? load_first(p.c0 + place + i * p.H, count)
                          : Vec{};
            store(memory + i * L, c[i]);
        }
        for (int64_t j = 0; j < run.count; ++j) {
            const float* step = run.saved.at(run.s + j);
            const Vec delta = load(step + u), w = load(at_block.written + j * L);
            for (int i = 0; i < kOf; ++i) {
                const Vec e = faded(delta * a[i]);
                c[i] = fma(e, c[i], w * splat(step[2 * shape.units + n + i]));
                store(faded_by + (j * kOf + i) * L, e), store(memory + ((j + 1) * kOf + i) * L, c[i]);
            }
        }
        for (int64_t j = run.count - 1; j >= 0; --j) {
            const float* step = run.saved.at(run.s + j);
            const float *b = step + 2 * shape.units + n, *out = b + shape.padded;
            const Vec delta = load(step + u), w = load(at_block.written + j * L);
            const Vec dy = load(at_block.dy + j * L);
            Vec d_delta = load(at_block.d_delta + j * L), d_w = load(at_block.d_written + j * L);
            for (int i = 0; i < kOf; ++i) {
                const Vec e = load(faded_by + (j * kOf + i) * L);
                float *sum_b = d_b + (j * shape.padded + n + i) * L,
                      *sum_c = d_c + (j * shape.padded + n + i) * L;
                store(sum_c, fma(dy, load(memory + ((j + 1) * kOf + i) * L), load(sum_c)));
                dc[i] = fma(dy, splat(out[i]), dc[i]);
                store(sum_b, fma(dc[i], w, load(sum_b)));
                d_w = fma(dc[i], splat(b[i]), d_w);
                dc[i] = dc[i] * e;
                const Vec d_exponent = dc[i] * load(memory + (j * kOf + i) * L);
                d_delta = fma(d_exponent, a[i], d_delta);
                da[i] = fma(d_exponent, delta, da[i]);
            }
            store(at_block.d_delta + j * L, d_delta), store(at_block.d_written + j * L, d_w);
        }
        for (int i = 0; i < kOf; ++i) {
            store(d_row + (block * shape.N + n + i) * L, da[i]);
            store_first(p.dc0 + place + i * p.H, dc[i], count);
        }
    }

    // The gradients of B and C of a run: sums over all units.
    void write_sums(const Run& run) const {
        for (int64_t j = 0; j < run.count; ++j) {
            float* da = at(p.da, run.time(j), run.row) + 2 * p.H;
            for (int64_t n = 0; n < shape.N; n += L) {
                const int count = static_cast<int>(min(L, shape.N - n));
                store_first(da + n, across(d_b + (j * shape.padded + n) * L), count);
                store_first(da + shape.N + n, across(d_c + (j * shape.padded + n) * L), count);
            }
        }
    }

    // The sums of the lanes of L vectors, one after the other.
    static Vec across(const float* vectors) {
        Vec rows[L], sum{};
        for (int i = 0; i < L; ++i) rows[i] = load(vectors + i * L);
        transpose(rows);
        for (int i = 0; i < L; ++i) sum += rows[i];
        return sum;
    }
};

template <class C>
size_t selective_backward_floats(const Problem& p, int threads) {
    Arena arena{nullptr};
    const SelectiveBackward<C> work(p, threads, arena);
    return arena.used;
}

template <class C>
void selective_backward(const Problem& p, float* memory, Team team) {
    Arena arena{memory};
    SelectiveBackward<C> scan(p, team.threads, arena);
    float* first = scan.d_all;
    scan.of_thread(team.thread);
    const Share share = share_rows(p, team);
    for (int64_t j = 0; j < share.rows; ++j) scan.of_row(share.position(j));
    wait(team.barrier, team.threads);
    if (team.thread > 0) return;
    for (int thread = 1; thread < team.threads; ++thread)
        add(first, first + thread * scan.weights, scan.weights);
    const int64_t N = scan.shape.N;
    for (int64_t u = 0; u < p.H; ++u) {
        for (int64_t n = 0; n < N; ++n) {
            const int64_t place = (u / L * N + n) * L + u % L;
            p.dw_hh[u * N + n] = first[place] * scan.decay[place];
        }
        p.dw_c[u] = first[scan.shape.units * N + u];
    }
}

}  // namespace
}  // namespace carousel
