// The kernels of one instruction set for the cells without a recurrent product, as a table: see
// kernels.cpp.
#include "scan_backward.hpp"
#include "scan_states.hpp"
#include "selective_backward.hpp"

namespace carousel {
namespace {

size_t none_once(const Problem&, int) { return 0; }

template <class C>
constexpr Kernels kernels_of = {
    packed_floats<C>,     pack<C>,                 scan_forward_floats<C>, scan_forward<C>,
    none_once,            nullptr,
    scan_saved_floats<C>, scan_backward_floats<C>, scan_backward<C>};

template <class C>
constexpr Kernels selective_kernels_of = {
    selective_packed_floats<C>,   selective_pack<C>,
    selective_forward_floats<C>,  selective_forward<C>,
    none_once,                    nullptr,
    selective_saved_floats<C>,    selective_backward_floats<C>,
    selective_backward<C>};

}  // namespace

extern const Kernels CAROUSEL_TABLE(scan_kernels_, CAROUSEL_ISA)[kScanTables];
const Kernels CAROUSEL_TABLE(scan_kernels_, CAROUSEL_ISA)[kScanTables] = {
    kernels_of<MinGruCell<true>>,
    kernels_of<MinGruCell<false>>,
    kernels_of<MinLstmCell<true>>,
    kernels_of<MinLstmCell<false>>,
    kernels_of<IndRnnCell<false>>,
    kernels_of<IndRnnCell<true>>,
    kernels_of<SruCell<false>>,
    kernels_of<RgLruCell<false>>,
    kernels_of<SruCell<true>>,
    kernels_of<RgLruCell<true>>,
    kernels_of<QrnnCell<1>>,
    kernels_of<QrnnCell<2>>,
    kernels_of<LruCell>,
    selective_kernels_of<SelectiveCell<false>>,
    selective_kernels_of<SelectiveCell<true>>,
};

}  // namespace carousel
