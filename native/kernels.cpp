// The kernels of one instruction set, as a table.
//
// Compiled once per instruction set, with CAROUSEL_ISA defined to its name. Only the table has
// external linkage, and nothing here calls the standard library: what two instruction sets share
// by name, the linker would take from one of them and hand to both.
#include "backward.hpp"
#include "forward.hpp"
#include "scan.hpp"
#include "slstm.hpp"

#define CAROUSEL_JOIN(a, b) a##b
#define CAROUSEL_TABLE(isa) CAROUSEL_JOIN(kernels_, isa)

namespace carousel {
namespace {

template <class C>
constexpr Kernels kernels_of = {packed_floats<C>, pack<C>,         forward_floats<C>, forward<C>,
                                saved_floats<C>,  backward_floats<C>, backward<C>};

template <class C>
constexpr Kernels scan_kernels_of = {
    packed_floats<C>,     pack<C>,                 scan_forward_floats<C>, scan_forward<C>,
    scan_saved_floats<C>, scan_backward_floats<C>, scan_backward<C>};

}  // namespace

extern const Kernels CAROUSEL_TABLE(CAROUSEL_ISA)[kTables];
const Kernels CAROUSEL_TABLE(CAROUSEL_ISA)[kTables] = {
    kernels_of<LstmCell>,
    kernels_of<GruCell>,
    kernels_of<RnnCell<false>>,
    kernels_of<RnnCell<true>>,
    scan_kernels_of<MinGruCell<true>>,
    scan_kernels_of<MinGruCell<false>>,
    scan_kernels_of<MinLstmCell<true>>,
    scan_kernels_of<MinLstmCell<false>>,
    scan_kernels_of<IndRnnCell<false>>,
    scan_kernels_of<IndRnnCell<true>>,
    kernels_of<SlstmCell<false>>,
    kernels_of<SlstmCell<true>>,
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
};

}  // namespace carousel
