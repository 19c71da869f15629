// What Python sees of the eight-bit steps: carousel.kernels.int8 checks what it is given.
#include "int8_bindings.hpp"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>

#include "dlpack.hpp"
#include "int8.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace carousel {
namespace {

template <class Thing>
Thing* at(uintptr_t address) {
    return reinterpret_cast<Thing*>(address);
}

Int8Layer layer_of(int cell, int64_t I, int64_t H, const std::vector<uintptr_t>& arrays) {
    if (cell < 0 || cell >= kInt8Cells || I < 1 || H < 1 || arrays.size() != 7)
        throw std::invalid_argument("an eight-bit layer is an LSTM, GRU or RNN, with seven arrays");
    Int8Layer layer;
    layer.cell = cell, layer.I = I, layer.H = H;
    layer.w_ih = at<const int8_t>(arrays[0]), layer.w_hh = at<const int8_t>(arrays[1]);
    layer.scale_ih = at<const float>(arrays[2]), layer.scale_hh = at<const float>(arrays[3]);
    layer.b_ih = at<const float>(arrays[4]), layer.b_hh = at<const float>(arrays[5]);
    layer.levels = at<const float>(arrays[6]);
    return layer;
}

// Steps with tensors as they are: what Feed is to Stepper.
class Int8Feed {
    static constexpr double kShort = 5e6;  // below so many multiply-adds, the interpreter is kept

public:
    Int8Feed(Int8Stack& stack, nb::type_object type, nb::capsule exchange, uintptr_t h, uintptr_t c)
        : stack_(stack), type_(type), h_(at<float>(h)), c_(at<float>(c)) {
        const auto* table = static_cast<const dlpack::ExchangeTable*>(exchange.data());
        if (table->version.major == 1) view_ = table->view;
    }

    // Whether x and out fit: then the step is done.
    bool step(nb::handle x, nb::handle out) {
        const int64_t rows = stack_.rows();
        const float* from = matrix(x, stack_.inputs());
        float* to = from ? matrix(out, stack_.outputs()) : nullptr;
        if (!to) return false;
        if (stack_.products() * static_cast<double>(rows) < kShort) {
            stack_.step(from, to, h_, c_, rows, rows);
        } else {
            nb::gil_scoped_release others_may_run;
            stack_.step(from, to, h_, c_, rows, rows);
        }
        return true;
    }

private:
    float* matrix(nb::handle object, int64_t features) const {
        if (!view_ || object.type().ptr() != type_.ptr()) return nullptr;
        dlpack::Tensor view;
        if (view_(object.ptr(), &view) != 0) {
            PyErr_Clear();
            return nullptr;
        }
        return dlpack::matrix(view, stack_.rows(), features);
    }

    Int8Stack& stack_;
    nb::object type_;
    float *h_, *c_;
    int (*view_)(void*, dlpack::Tensor*) = nullptr;
};

// Steps of sequences x [T][rows][I] to y [T][rows][H]: counts[t] rows, of the first, take step t.
void run(Int8Stack& stack, uintptr_t x, uintptr_t y, uintptr_t h, uintptr_t c,
         const std::vector<int64_t>& counts) {
    const int64_t rows = stack.rows();
    for (int64_t count : counts)
        if (count < 0 || count > rows) throw std::invalid_argument("a count of rows is out of range");
    nb::gil_scoped_release others_may_run;
    const float* from = at<const float>(x);
    float* to = at<float>(y);
    for (int64_t count : counts) {
        stack.step(from, to, at<float>(h), at<float>(c), count, rows);
        from += rows * stack.inputs(), to += rows * stack.outputs();
    }
}

}  // namespace

void bind_int8(nb::module_& m) {
    m.def("int8_isa", [] { return std::string(int8_isa()); },
          "Name of the instructions that eight-bit products run on.");
    nb::class_<Int8Layer>(m, "Int8Layer", "A layer of eight-bit weights: see native/int8.hpp.")
        .def("__init__",
             [](Int8Layer* self, int cell, int64_t I, int64_t H, std::vector<uintptr_t> arrays) {
                 new (self) Int8Layer(layer_of(cell, I, H, arrays));
             },
             "cell"_a, "I"_a, "H"_a, "arrays"_a,
             "arrays: addresses of w_ih, w_hh, scale_ih, scale_hh, b_ih, b_hh, levels.");
    nb::class_<Int8Stack>(m, "Int8Stack", "Layers of eight-bit weights, packed once.")
        .def("__init__",
             [](Int8Stack* self, std::vector<Int8Layer> layers, int64_t rows) {
                 if (layers.empty() || rows < 1)
                     throw std::invalid_argument("a stack has a layer and a row at least");
                 new (self) Int8Stack(std::move(layers), rows);
             },
             "layers"_a, "rows"_a)
        .def("run", &run, "x"_a, "y"_a, "h"_a, "c"_a, "counts"_a,
             "Steps of sequences (T, rows, I): counts[t] rows, of the first, take step t.")
        .def_rw("saturated", &Int8Stack::saturated,
                "Inputs so far beyond the range that they were calibrated for.");
    nb::class_<Int8Feed>(m, "Int8Feed", "An eight-bit stack that reads and writes tensors.")
        .def(
            "__init__",
            [](Int8Feed* self, Int8Stack& stack, nb::type_object type, nb::capsule exchange,
               uintptr_t h, uintptr_t c, nb::tuple) { new (self) Int8Feed(stack, type, exchange, h, c); },
            "stack"_a, "type"_a, "exchange"_a, "h"_a, "c"_a, "kept"_a,
            nb::sig("def __init__(self, stack: Int8Stack, type: type, exchange: object, h: int, "
                    "c: int, kept: tuple[object, ...]) -> None"),
            "kept: what owns the memory of h, c and the stack's levels.", nb::keep_alive<1, 2>(),
            nb::keep_alive<1, 7>())
        .def("step", &Int8Feed::step, "x"_a, "out"_a,
             "Whether x and out fit; then the step is done.");
}

}  // namespace carousel
