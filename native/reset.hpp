// The GRU whose reset gate acts before the recurrent product of its candidate (Cho et al. 2014):
//
//   r, z = σ(·), n = φ(a_n + W_hn (r ⊙ h)), h' = n + z (h - n)
//
// A step has two products, the second of what the first has made: r and z of all units, then n.
// Between them stand, for each row, z, what the input adds to n, and r ⊙ h.
#pragma once

#include "forward_pass.hpp"

namespace carousel {
namespace {

// The sums are n, r, z. The recurrent product of the loop fills r and z; that of n is here.
struct GruResetFirst : CellDefaults {
    static constexpr int kGates = 3, kSums = 3;
    static constexpr int kInputFirst = 0, kInput = 3, kHiddenFirst = 1, kHidden = 2;
    static constexpr int kSaved = 3, kBlocks = 1;  // n r z
    static constexpr bool kOptions = true, kTwoSides = true, kResetFirst = true;
    static constexpr int gate_of_sum(int sum) { return sum == 0 ? 2 : sum - 1; }
    static Vec output(const Site&, const float*, Vec) { return Vec{}; }  // no projection
};

template <class C, bool kSave>
struct ResetForward {
    const ForwardPass<C, kSave>& f;
    const Problem& p = f.p;
    const Shape<C>& shape = f.shape;
    const int64_t units = shape.blocks * L;

    // Gates of a panel's rows [j, j + rows) of the step, from their sums.
    void gates(int64_t t, int64_t block, int64_t j, int rows, const float* sums) const {
        for (int m = 0; m < rows; ++m, sums += kPanelSums<C>) {
            const int64_t position = f.share.position(j + m), at = position * units + block * L;
            const Vec r = apply_gate(p.options, load(sums + L));
            const Vec z = apply_gate(p.options, load(sums + 2 * L));
            const Vec read = load_first(f.work.factor[j + m] + block * L, shape.units_in(block));
            store(f.work.candidate + at, load(sums));
            store(f.work.update + at, z);
            store(f.work.reset + at, r * read);
            if (!kSave) continue;
            float* kept = f.kept_of(t, block, position);
            store(kept + L, r), store(kept + 2 * L, z);
        }
    }

    // The second product, and the new states, of panel q of the candidates.
    void candidates(int64_t t, int64_t q, int64_t n, const float* const* operands) const {
        alignas(64) float sums[kMostRows * kWide];
        const int nv = vectors_in(q, p.H);
        const Tiles tiles(n, nv);
        for (int64_t i = 0; i < tiles.count; ++i) {
            const int64_t j = tiles.start(i);
            const int rows = tiles.rows(i);
            tile_for(p.product, rows, nv)(
                operands + j, 1, f.packed.candidate + q * kWide * f.packed.states, nv * L,
                f.packed.states, f.work.candidate + f.share.position(j) * units + q * kWide,
                f.share.step * units, sums, kWide);
            for (int m = 0; m < rows; ++m) states(t, q, j + m, nv, sums + m * kWide);
        }
    }

    // The same of one row and kRowPanels whole panels, which keeps enough sums in flight.
    void candidates_of_row(int64_t t, int64_t q, const float* operand) const {
        alignas(64) float sums[kRowPanels * kWide];
        const int64_t K = f.packed.states;
        row_tile_for(p.product, kTileVectors)(
            operand, f.packed.candidate + q * kWide * K, kWide, kWide * K, K,
            f.work.candidate + f.share.position(0) * units + q * kWide, kWide, sums, kWide);
        for (int i = 0; i < kRowPanels; ++i) states(t, q + i, 0, kTileVectors, sums + i * kWide);
    }

    void states(int64_t t, int64_t q, int64_t j, int nv, const float* sums) const {
        const Options& o = p.options;
        const int64_t position = f.share.position(j);
        for (int v = 0; v < nv; ++v) {
            const int64_t block = q * kTileVectors + v;
            const Site at = f.site(j, block, shape.units_in(block));
            const Vec h = f.state_of(j, block, at.count);
            const Vec z = load(f.work.update + position * units + at.unit);
            const Vec n = apply(o.activation, load(sums + v * L));
            if (kSave) store(f.kept_of(t, block, position), n);
            const Vec candidate = dropped(at, n);
            f.put(j, position, block, at.count,
                  zoned(at, o.zone_state, Kind::state, h, fma(z, h - candidate, candidate)));
        }
    }

    // All of this thread's panels, after the gates of all threads.
    void finish(int64_t t, int64_t n, Team team) const {
        if (f.share.by_units) wait(team.barrier, team.threads);
        const int64_t wide = up(p.H, kWide), end = f.share.end(wide);
        const float** operands = f.work.second;
        for (int64_t j = 0; j < n; ++j) operands[j] = f.work.reset + f.share.position(j) * units;
        if (rounds(p.product)) {  // over those of h, which are multiplied
            f.work.rounded_h.take(operands, n);
            operands = f.work.rounded_h.rows;
        }
        int64_t q = f.share.begin(wide);
        if (n == 1)
            for (; q + kRowPanels <= min(end, p.H / kWide); q += kRowPanels)
                candidates_of_row(t, q, *operands);
        for (; q < end; ++q) candidates(t, q, n, operands);
    }
};

}  // namespace
}  // namespace carousel
