// The kernels of one instruction set, as a table: of the cells with a recurrent product. Those of the
// others are in scan_kernels.cpp, which is compiled beside it.
//
// Compiled once per instruction set, with CAROUSEL_ISA defined to its name. Only the table has external
// linkage, and nothing here calls the standard library: what two instruction sets share
// by name, the linker would take from one of them and hand to both.
#include "backward.hpp"
#include "forward.hpp"
#include "lmu.hpp"
#include "slstm.hpp"

namespace carousel {
namespace {

template <class C>
constexpr Kernels kernels_of = {packed_floats<C>, pack<C>,         forward_floats<C>,
                                forward<C>,       once_floats<C>,  forward_once<C>,
                                saved_floats<C>,  backward_floats<C>, backward<C>};

int64_t tile_floats(int64_t K) { return kTileRows * K + kWide * K + kTileRows * kWide; }

void run_tile(Product product, float* memory, int64_t K) {
    const float* rows[kTileRows];
    for (int m = 0; m < kTileRows; ++m) rows[m] = memory + m * K;
    float* panel = memory + kTileRows * K;
    float* sums = panel + kWide * K;
    tile_for(product, kTileRows, kTileVectors)(rows, 1, panel, kWide, depth(product, K), sums,
                                               kWide, sums, kWide);
}

}  // namespace

extern const KernelTable CAROUSEL_TABLE(kernels_, CAROUSEL_ISA);
const KernelTable CAROUSEL_TABLE(kernels_, CAROUSEL_ISA) = {{
    kernels_of<LstmCell>,
    kernels_of<GruCell>,
    kernels_of<RnnCell<false>>,
    kernels_of<RnnCell<true>>,
    kernels_of<SlstmCell<false>>,
    kernels_of<SlstmCell<true>>,
    kernels_of<LmuCell<false>>,
    kernels_of<LmuCell<true>>,
    kernels_of<LstmVariant<2>>,
    kernels_of<LstmVariant<3>>,
    kernels_of<LstmVariant<4>>,
    kernels_of<GruVariant>,
    kernels_of<RnnVariant>,
    kernels_of<Normalized<LstmVariant<2>>>,
    kernels_of<Normalized<LstmVariant<3>>>,
    kernels_of<Normalized<LstmVariant<4>>>,
    kernels_of<Normalized<GruVariant>>,
    kernels_of<Normalized<RnnVariant>>,
    kernels_of<GruResetFirst>,
}, run_tile, tile_floats};

}  // namespace carousel
