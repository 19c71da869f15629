// What Python sees of operations on a few rows: carousel.kernels.few_rows checks what it is given.
#include "few_rows_bindings.hpp"

#include <nanobind/stl/array.h>

#include <array>
#include <stdexcept>
#include <vector>

#include "dispatch.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace carousel {
namespace {

class RowProgram {
    // Below so many multiply-adds a run keeps the interpreter: see feed.hpp.
    static constexpr double kShort = 1e6;
    using Four = std::array<int64_t, 4>;

public:
    void add(int kind, const std::array<uintptr_t, 4>& arrays, Four sizes, Four from, Four to) {
        if (kind < 0 || kind >= kRowKinds) throw std::invalid_argument("no such operation on rows");
        for (int64_t size : sizes)
            if (size < 0) throw std::invalid_argument("a size is less than nothing");
        RowOperation o;
        o.kind = static_cast<RowKind>(kind);
        o.x = reinterpret_cast<const float*>(arrays[0]);
        o.w = reinterpret_cast<const float*>(arrays[1]);
        o.b = reinterpret_cast<const float*>(arrays[2]);
        o.y = reinterpret_cast<float*>(arrays[3]);
        for (int i = 0; i < 4; ++i) o.sizes[i] = sizes[i], o.from[i] = from[i], o.to[i] = to[i];
        if (o.kind == RowKind::product) products_ += 1.0 * sizes[0] * sizes[1] * sizes[2];
        operations_.push_back(o);
    }

    void run() const {
        const RunRows kernel = active_isa().few_rows;
        if (products_ < kShort) return kernel(operations_.data(), count());
        nb::gil_scoped_release others_may_run;
        kernel(operations_.data(), count());
    }

private:
    int64_t count() const { return static_cast<int64_t>(operations_.size()); }
    std::vector<RowOperation> operations_;
    double products_ = 0;
};

}  // namespace

void bind_few_rows(nb::module_& m) {
    nb::class_<RowProgram>(m, "RowProgram", "Operations on a few rows, one after the other.")
        .def(nb::init<>())
        .def("add", &RowProgram::add, "kind"_a, "arrays"_a, "sizes"_a, "distances"_a, "to"_a,
             "kind: 0 copy, 1 product, 2 magnitude, 3 relu, 4 sigmoid, 5 tanh. arrays: addresses of "
             "x, weight, bias and y. sizes, distances (of x), to (of y): see native/few_rows.hpp.")
        .def("run", &RowProgram::run);
}

}  // namespace carousel
