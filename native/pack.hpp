// Weights in the order in which the products read them.
#pragma once

#include "layout.hpp"
#include "variants.hpp"

namespace carousel {
namespace {

// Row `sum` of unit u of a gate matrix [G H][K].
template <class C>
CAROUSEL_INLINE const float* gate_row(const float* w, int sum, int64_t u, int64_t H, int64_t K) {
    return w + (C::gate_of_sum(sum) * H + u) * K;
}

// The given columns of a panel, [k][block][sum][unit]: what tile() takes as b.
template <class C>
void pack_panel(const Shape<C>& shape, int64_t panel, const float* w, int first, int sums, int64_t K,
                Span columns, Product product, float* to) {
    const int each = rounds(product) ? 2 : 1;  // columns of a row of the panel
    const int blocks = shape.blocks_in(panel), width = blocks * sums * L;
    for (int64_t k = columns.first; k < columns.last; k += L) {
        const int count = static_cast<int>(min(L, columns.last - k));
        for (int block = 0; block < blocks; ++block) {
            const int64_t u0 = (panel * C::kBlocks + block) * L;
            for (int sum = 0; sum < sums; ++sum) {
                Vec square[L];  // from a row per unit to a row per k
                for (int lane = 0; lane < L; ++lane)
                    square[lane] =
                        u0 + lane < shape.H
                            ? load_first(gate_row<C>(w, first + sum, u0 + lane, shape.H, K) + k,
                                         count)
                            : Vec{};
                transpose(square);
                for (int i = 0; i < count; i += each)
                    store(to + (k - columns.first + i) / each * width + (block * sums + sum) * L,
                          each == 1 ? square[i] : words_of(square[i], square[i + 1]));
            }
        }
    }
}

// The same as pack_transposed, of neighbouring units in words.
template <class C>
void pack_transposed_words(const Shape<C>& shape, int64_t q, const float* w, int first, int sums,
                           int64_t N, float* to) {
    const int64_t width = vectors_in(q, N) * L;
    for (int64_t block = 0; block < shape.blocks; ++block)
        for (int sum = 0; sum < sums; ++sum)
            for (int64_t u = block * L; u < (block + 1) * L; u += 2, to += width)
                for (int64_t n = 0; n < width; n += L) {
                    const int64_t column = q * kWide + n;
                    const int count = static_cast<int>(min(L, N - column));
                    Vec rows[2];
                    for (int i = 0; i < 2; ++i)
                        rows[i] = u + i < shape.H
                                      ? load_first(gate_row<C>(w, first + sum, u + i, shape.H, N) +
                                                       column,
                                                   count)
                                      : Vec{};
                    store(to + n, words_of(rows[0], rows[1]));
                }
}

// Columns [q kWide, …) of w transposed to [block][sum][unit] rows: panels of the backward pass.
template <class C>
void pack_transposed(const Shape<C>& shape, int64_t q, const float* w, int first, int sums,
                     int64_t N, Product product, float* to) {
    if (rounds(product)) return pack_transposed_words(shape, q, w, first, sums, N, to);
    const int64_t width = vectors_in(q, N) * L, n = min(width, N - q * kWide);
    for (int64_t block = 0; block < shape.blocks; ++block)
        for (int sum = 0; sum < sums; ++sum)
            for (int lane = 0; lane < L; ++lane, to += width) {
                const int64_t u = block * L + lane;
                if (u >= shape.H) {
                    zero(to, width);
                    continue;
                }
                copy(to, gate_row<C>(w, first + sum, u, shape.H, N) + q * kWide, n);
                zero(to + n, width - n);
            }
}

// Rows of panel q of the transposed recurrent weights that are not zero: those of the units of its
// columns' heads.
template <class C>
Span rows_of_heads(const Problem& p, int64_t q) {
    const Span units = heads_of<C>(p, q * kWide, (q + 1) * kWide);
    return {units.first / L * C::kHidden * L, up(units.last, L) * C::kHidden * L};
}

// Columns [k, k + count), count <= L, of row `sum` of unit u of a matrix of heads, zero where the
// unit does not read them.
template <class C>
Vec head_columns(const Problem& p, int sum, int64_t u, int64_t k, int count) {
    const int64_t size = p.H / p.heads, first = u / size * size;
    const float* row = gate_row<C>(p.w_hh, sum, u, p.H, size);
    if (k >= first && k + count <= first + size) return load_first(row + k - first, count);
    float lanes[L] = {};
    for (int i = 0; i < count; ++i)
        if (k + i >= first && k + i < first + size) lanes[i] = row[k + i - first];
    return load(lanes);
}

// As pack_panel, of the recurrent weights of heads: the rows that the panel's units read.
template <class C>
void pack_heads(const Problem& p, const Shape<C>& shape, int64_t panel, float* to) {
    const int blocks = shape.blocks_in(panel), width = blocks * C::kHidden * L;
    const Span read = read_by_panel<C>(p, panel);
    for (int64_t k = read.first; k < read.last; k += L) {
        const int count = static_cast<int>(min(L, read.last - k));
        for (int block = 0; block < blocks; ++block) {
            const int64_t u0 = (panel * C::kBlocks + block) * L;
            for (int sum = 0; sum < C::kHidden; ++sum) {
                Vec square[L];
                for (int lane = 0; lane < L; ++lane)
                    square[lane] = u0 + lane < p.H ? head_columns<C>(p, C::kHiddenFirst + sum,
                                                                     u0 + lane, k, count)
                                                   : Vec{};
                transpose(square);
                for (int i = 0; i < count; ++i)
                    store(to + (k + i) * width + (block * C::kHidden + sum) * L, square[i]);
            }
        }
    }
}

// As pack_transposed, of the recurrent weights of heads: the rows of `rows_of_heads`.
template <class C>
void pack_heads_transposed(const Problem& p, const Shape<C>& shape, int64_t q, float* to) {
    const int64_t width = vectors_in(q, p.P) * L, n = min(width, p.P - q * kWide);
    const Span rows = rows_of_heads<C>(p, q);
    to += rows.first * width;
    for (int64_t block = rows.first / (C::kHidden * L); block < rows.last / (C::kHidden * L); ++block)
        for (int sum = 0; sum < C::kHidden; ++sum)
            for (int lane = 0; lane < L; ++lane, to += width) {
                const int64_t u = block * L + lane;
                for (int64_t k = 0; k < width; k += L) {
                    const int count = static_cast<int>(max(0, min(L, n - k)));
                    store(to + k, u < shape.H && count > 0
                                      ? head_columns<C>(p, C::kHiddenFirst + sum, u,
                                                        q * kWide + k, count)
                                      : Vec{});
                }
            }
}

// Plain [K][N] from w[N][K] (rows) or w[K][N] (columns): panels of a projection, or of a second
// product.
void pack_plain(int64_t q, const float* w, int64_t k_step, int64_t n_step, int64_t K, int64_t N,
                Product product, float* to) {
    alignas(64) float rows[2][kWide];
    const int64_t width = vectors_in(q, N) * L, n = min(width, N - q * kWide);
    const int each = rounds(product) ? 2 : 1;
    for (int64_t k = 0; k < K; k += each, to += width) {
        for (int e = 0; e < each; ++e) {
            zero(rows[e], kWide);
            for (int64_t i = 0; i < n && k + e < K; ++i)
                rows[e][i] = w[(k + e) * k_step + (q * kWide + i) * n_step];
        }
        for (int64_t i = 0; i < width; i += L)
            store(to + i, each == 1 ? load(rows[0] + i)
                                    : words_of(load(rows[0] + i), load(rows[1] + i)));
    }
}

// Own weights of blocks [first, last): [block][kUnitWeights] vectors; those of no unit are zero.
template <class C>
void fill_own(const Problem& p, const Shape<C>& shape, int64_t first, int64_t last, float* to) {
    for (int64_t u = first * L; u < last * L; ++u) {
        float own[C::kUnitWeights + 1] = {};
        if (u < shape.H) C::own(p, u, own);
        for (int k = 0; k < C::kUnitWeights; ++k) to[(u / L * C::kUnitWeights + k) * L + u % L] = own[k];
    }
}

// Features that the second product reads.
template <class C>
int64_t second_reads(const Problem& p) {
    return C::kTwoProducts ? p.I : p.P;
}

template <class C>
struct Packed {
    // How long a sum over inputs, or over what the second product reads, is in floats or words.
    int64_t inputs, states;
    float *input, *hidden, *bias, *project;
    float* own;        // of units: see scan_cells.hpp
    float* candidate;  // the second product's, by panels of kWide units
    // Of weights that are each read once (see once.hpp) there are no panels, but few columns of one,
    // and the sums of all rows.
    float *columns = nullptr, *sums = nullptr;
    Packed(const Problem& p, Arena& arena, bool once = false) {
        const Shape<C> shape(p);
        const int64_t units = shape.blocks * L;
        inputs = depth(p.product, p.I), states = depth(p.product, second_reads<C>(p));
        input = arena.floats(once ? 0 : inputs * units * C::kInput);
        hidden = arena.floats(once ? 0 : states * units * C::kHidden);
        if (once) columns = arena.floats(kOnceDeep * kPanelSums<C>), sums = arena.floats(p.B * kPanelSums<C>);
        bias = arena.floats(units * C::kSums);
        project = p.w_hr ? arena.floats(C::kProjected * p.H * up(p.P, L) * L) : nullptr;
        candidate = C::kResetFirst ? arena.floats(states * units) : nullptr;
        own = arena.floats(units * C::kUnitWeights);
    }
    const float* input_panel(int64_t panel) const {
        return input + panel * C::kBlocks * L * C::kInput * inputs;
    }
    const float* hidden_panel(int64_t panel) const {
        return hidden + panel * C::kBlocks * L * C::kHidden * states;
    }
};

template <class C>
size_t packed_floats(const Problem& p) {
    Arena arena{nullptr};
    Packed<C> packed(p, arena);
    return arena.used;
}

// The weights of both products of the units of a panel.
template <class C>
void pack_products(const Problem& p, const Shape<C>& shape, const Packed<C>& packed, int64_t panel) {
    pack_panel(shape, panel, p.w_ih, C::kInputFirst, C::kInput, p.I, {0, p.I}, p.product,
               const_cast<float*>(packed.input_panel(panel)));
    float* hidden = const_cast<float*>(packed.hidden_panel(panel));
    if constexpr (C::kHeads)
        pack_heads(p, shape, panel, hidden);
    else if (C::kHidden > 0)
        pack_panel(shape, panel, p.w_hh, C::kHiddenFirst, C::kHidden, second_reads<C>(p),
                   {0, second_reads<C>(p)}, p.product, hidden);
}

template <class C>
void pack_bias(const Problem& p, const Packed<C>& packed, int64_t block) {
    for (int sum = 0; sum < C::kSums; ++sum)
        for (int lane = 0; lane < L; ++lane) {
            const int64_t u = block * L + lane, row = C::gate_of_sum(sum) * p.H + u;
            const bool from_input = sum >= C::kInputFirst && sum < C::kInputFirst + C::kInput;
            const bool from_hidden = has_hidden_bias<C>(sum);
            float value = 0.0f;
            if (p.b_ih && u < p.H && C::gate_of_sum(sum) < C::kBiased) {
                value = from_input ? p.b_ih[row] : 0.0f;
                if (C::kHidden > 0 && !C::kTwoProducts) value += from_hidden ? p.b_hh[row] : 0.0f;
            }
            packed.bias[(block * C::kSums + sum) * L + lane] = value;
        }
}

template <class C>
void pack(const Problem& p, float* memory, Team team) {
    Arena arena{memory};
    const Packed<C> packed(p, arena);
    const Shape<C> shape(p);
    for (int64_t panel = team.thread; panel < shape.panels; panel += team.threads)
        pack_products(p, shape, packed, panel);
    for (int64_t block = team.thread; block < shape.blocks; block += team.threads)
        pack_bias(p, packed, block);
    for (int64_t block = team.thread; C::kUnitWeights > 0 && block < shape.blocks; block += team.threads)
        fill_own(p, shape, block, block + 1, packed.own);
    if (p.w_hr)
        for (int64_t q = team.thread; q < up(p.P, kWide); q += team.threads)
            pack_plain(q, p.w_hr, 1, C::kProjected * p.H, C::kProjected * p.H, p.P, Product::floats,
                       packed.project + q * kWide * C::kProjected * p.H);
    if (C::kResetFirst)
        for (int64_t q = team.thread; q < up(p.H, kWide); q += team.threads)
            pack_plain(q, gate_row<C>(p.w_hh, 0, 0, p.H, p.P), 1, p.P, p.P, p.H,
                       p.product, packed.candidate + q * kWide * packed.states);
}

}  // namespace
}  // namespace carousel
