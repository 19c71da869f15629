// A stream's step on tensors as they are.
#pragma once

#include <nanobind/nanobind.h>

#include <utility>

#include "dlpack.hpp"
#include "engine.hpp"
#include "watched.hpp"

namespace carousel {

// A stepper fed with tensors as they are. To ask a tensor for its shape, type and address from
// Python takes longer than a small step.
class Feed {
    // Below so many multiply-adds, some 20 microseconds, a step keeps the interpreter: to get it
    // back from a thread that took it can take five milliseconds.
    static constexpr double kShort = 1e6;

public:
    // exchange: the capsule that tensors of `type` are read through. watched: the weights that were
    // packed, in `parameters` by these names. quiet: mappings that must stay empty.
    Feed(Stepper& stepper, nb::type_object type, nb::capsule exchange, const Watched& watched,
         nb::dict parameters, nb::tuple names, nb::tuple quiet,
         std::pair<int64_t, int64_t> x_shape, std::pair<int64_t, int64_t> y_shape)
        : stepper_(stepper), watched_(watched), type_(type), parameters_(parameters),
          names_(names), quiet_(quiet), x_(x_shape), y_(y_shape) {
        const auto* table = static_cast<const dlpack::ExchangeTable*>(exchange.data());
        if (table->version.major == 1) view_ = table->view;
    }

    // Whether x and out fit and the weights are as they were packed: then the step is done.
    bool step(nb::handle x, nb::handle out) {
        const float* from = matrix(x, x_);
        float* to = from ? matrix(out, y_) : nullptr;
        if (!to || !unchanged()) return false;
        if (stepper_.products() < kShort) {
            stepper_.step(from, to);
        } else {
            nb::gil_scoped_release others_may_run;
            stepper_.step(from, to);
        }
        return true;
    }

private:
    bool unchanged() const {
        for (nb::handle mapping : quiet_)
            if (nb::len(mapping) != 0) return false;
        return watched_.unchanged(parameters_, names_);
    }

    float* matrix(nb::handle object, std::pair<int64_t, int64_t> shape) const {
        if (!view_ || object.type().ptr() != type_.ptr()) return nullptr;
        dlpack::Tensor view;
        if (view_(object.ptr(), &view) != 0) {  // a tensor without memory of its own
            PyErr_Clear();
            return nullptr;
        }
        return dlpack::matrix(view, shape.first, shape.second);
    }

    Stepper& stepper_;
    const Watched& watched_;
    nb::object type_;
    nb::dict parameters_;
    nb::tuple names_, quiet_;
    std::pair<int64_t, int64_t> x_, y_;
    int (*view_)(void*, dlpack::Tensor*) = nullptr;
};

}  // namespace carousel
