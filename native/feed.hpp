// A stream's step on tensors as they are.
#pragma once

#include <nanobind/nanobind.h>

#include <utility>
#include <vector>

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
    // exchange: the capsule that tensors of `type` are read through, where they are not read
    // directly (see watched.hpp). watched: the weights that were packed, in `parameters` by these
    // names. quiet: mappings that must stay empty. make: makes memory for outputs, a list of them.
    Feed(Stepper& stepper, nb::type_object type, nb::capsule exchange, const Watched& watched,
         nb::dict parameters, nb::tuple names, nb::tuple quiet,
         std::pair<int64_t, int64_t> x_shape, std::pair<int64_t, int64_t> y_shape,
         nb::callable make)
        : stepper_(stepper), watched_(watched), type_(type), parameters_(parameters),
          names_(names), quiet_(quiet), make_(make), x_(x_shape), y_(y_shape) {
        const auto* table = static_cast<const dlpack::ExchangeTable*>(exchange.data());
        if (table->version.major == 1) view_ = table->view;
    }

    // The output: `out`, or memory of our own if that is None. None, and nothing done, unless x and
    // out fit and the weights are as they were packed.
    nb::object step(nb::handle x, nb::handle out) {
        const float* from = matrix(x, x_, false);
        if (!from || !unchanged()) return nb::none();
        nb::object y = out.is_none() ? fresh() : nb::borrow(out);
        float* to = matrix(y, y_, true);
        if (!to) return nb::none();
        if (stepper_.products() < kShort) {
            stepper_.step(from, to);
        } else {
            nb::gil_scoped_release others_may_run;
            stepper_.step(from, to);
        }
        return y;
    }

private:
    bool unchanged() const {
        for (nb::handle mapping : quiet_)
            if (nb::len(mapping) != 0) return false;
        return watched_.unchanged(parameters_, names_);
    }

    float* matrix(nb::handle object, std::pair<int64_t, int64_t> shape, bool written) const {
        if (object.type().ptr() != type_.ptr()) return nullptr;
        const TensorApi& api = tensor_api();
        if (api.direct()) {
            TensorView found;
            const bool fits = api.view(object, found, written) && found.dims == 2 &&
                              found.sizes[0] == shape.first && found.sizes[1] == shape.second &&
                              found.is_contiguous();
            return fits ? static_cast<float*>(found.data) : nullptr;
        }
        dlpack::Tensor view;
        if (!view_) return nullptr;
        if (view_(object.ptr(), &view) != 0) {  // a tensor without memory of its own
            PyErr_Clear();
            return nullptr;
        }
        return dlpack::matrix(view, shape.first, shape.second);
    }

    nb::object fresh() {
        if (fresh_.empty())
            for (nb::handle output : nb::cast<nb::list>(make_())) fresh_.push_back(nb::borrow(output));
        nb::object last = std::move(fresh_.back());
        fresh_.pop_back();
        return last;
    }

    Stepper& stepper_;
    const Watched& watched_;
    nb::object type_;
    nb::dict parameters_;
    nb::tuple names_, quiet_;
    nb::callable make_;
    std::vector<nb::object> fresh_;
    std::pair<int64_t, int64_t> x_, y_;
    int (*view_)(void*, dlpack::Tensor*) = nullptr;
};

}  // namespace carousel
