// A call of a layer whose weights are kept packed: what it is given is looked at, its results are
// made and computed, without a line of Python in between. A small layer takes less time than one.
#pragma once

#include <nanobind/nanobind.h>

#include <vector>

#include "engine.hpp"
#include "watched.hpp"

namespace carousel {

// What a layer was when its weights were packed. Whatever changes any of it, the next call sees.
struct Described {
    nb::dict own;         // attributes that stand in its __dict__, and their values
    nb::dict inherited;   // those that its class has
    nb::tuple absent;     // names that must not stand in its __dict__
    nb::tuple weights;    // names of its parameters

    bool fits(nb::handle kind, nb::handle attributes) const {
        for (auto [name, value] : own) {
            PyObject* found = PyDict_GetItemWithError(attributes.ptr(), name.ptr());
            if (!found || !same(found, value)) return false;
        }
        for (nb::handle name : absent)
            if (PyDict_Contains(attributes.ptr(), name.ptr()) != 0) return false;
        for (auto [name, value] : inherited) {
            if (PyDict_Contains(attributes.ptr(), name.ptr()) != 0) return false;
            if (!same(kind.attr(name).ptr(), value)) return false;
        }
        return true;
    }

private:
    static bool same(PyObject* found, nb::handle value) {
        if (found == value.ptr()) return true;
        const int equal = PyObject_RichCompareBool(found, value.ptr(), Py_EQ);
        if (equal < 0) throw nb::python_error();
        return equal == 1;
    }
};

class PlainCall {
    static constexpr double kShort = 1e6;  // multiply-adds; see Feed
    static constexpr int64_t kLarge = 1 << 20;  // floats from which large pages pay

public:
    // features: of x, of y, and of each state. depth: layers times directions.
    // watched: of type Watched.
    PlainCall(const Packed& packed, nb::object watched, Described described, nb::tuple tensor_types,
              std::vector<int64_t> features, int64_t depth, bool batch_first)
        : packed_(packed), watched_(std::move(watched)), described_(std::move(described)),
          types_(tensor_types), features_(std::move(features)), depth_(depth),
          batch_first_(batch_first) {}

    // The layer's answer, (y, h) or (y, (h, c)); None for a call that needs a closer look.
    // kind: the layer's class.
    nb::object answer(nb::handle kind, nb::handle attributes, nb::handle x, nb::handle hx,
                      int threads) const {
        TensorView in;
        Batch batch;
        if (!read(x, in) || in.dims != 3 || in.sizes[2] != features_[0] || in.strides[2] != 1 ||
            in.sizes[0] < 1 || in.sizes[1] < 1 || !described_.fits(kind, attributes))
            return nb::none();
        const int time = batch_first_ ? 1 : 0, row = 1 - time;
        batch.T = in.sizes[time], batch.B = in.sizes[row], batch.rows = batch.T * batch.B;
        if (!states(hx, batch)) return nb::none();
        PyObject* parameters = PyDict_GetItemWithError(attributes.ptr(), parameters_.ptr());
        if (!parameters || watched_.is_none() ||
            !nb::inst_ptr<Watched>(watched_)->unchanged(nb::borrow<nb::dict>(parameters),
                                                        described_.weights))
            return nb::none();

        nb::object y = x.attr(new_empty_)(in.sizes[0], in.sizes[1], features_[1]);
        const int64_t rest = features_[1];
        batch.x = Rows{static_cast<float*>(in.data), nullptr, in.strides[time], in.strides[row]};
        batch.y = Rows{memory(y), nullptr, batch_first_ ? rest : batch.B * rest,
                       batch_first_ ? batch.T * rest : rest};
        if (batch.rows * rest >= kLarge)
            prefer_large_pages(reinterpret_cast<uintptr_t>(batch.y.data), 4 * batch.rows * rest);
        nb::object last[kMost];
        const size_t count = features_.size() - 2;
        for (size_t i = 0; i < count; ++i) {
            last[i] = x.attr(new_empty_)(depth_, batch.B, features_[i + 2]);
            batch.last.push_back(memory(last[i]));
        }
        if (packed_.products() * batch.rows < kShort) {
            packed_.forward(batch, threads);
        } else {
            nb::gil_scoped_release others_may_run;
            packed_.forward(batch, threads);
        }
        if (count == 1) return nb::make_tuple(y, last[0]);
        nb::list several;
        for (size_t i = 0; i < count; ++i) several.append(last[i]);
        return nb::make_tuple(y, nb::tuple(several));
    }

    // For Python's collector of cycles.
    int visit(visitproc visit, void* arg) const {
        Py_VISIT(watched_.ptr());
        return 0;
    }
    void clear() { watched_ = nb::none(); }

private:
    static constexpr size_t kMost = 8;  // states

    bool read(nb::handle tensor, TensorView& view) const {
        if (!tensor_api().direct()) return false;
        PyObject* type = tensor.type().ptr();
        for (nb::handle known : types_)
            if (known.ptr() == type) return tensor_api().view(tensor, view);
        return false;
    }

    static float* memory(nb::handle tensor) {
        return reinterpret_cast<float*>(address_of(tensor));
    }

    // The states before the first step, if they fit.
    bool states(nb::handle hx, Batch& batch) const {
        const size_t count = features_.size() - 2;
        if (hx.is_none()) return true;
        if (count == 1) return state(hx, 0, batch);
        if (!PyTuple_CheckExact(hx.ptr()) || nb::len(hx) != count) return false;
        for (size_t i = 0; i < count; ++i)
            if (!state(PyTuple_GetItem(hx.ptr(), static_cast<Py_ssize_t>(i)), i, batch))
                return false;
        return true;
    }

    bool state(nb::handle part, size_t i, Batch& batch) const {
        TensorView view;
        const int64_t wanted = features_[i + 2];
        if (!read(part, view) || view.dims != 3 || view.sizes[0] != depth_ ||
            view.sizes[1] != batch.B || view.sizes[2] != wanted || !view.is_contiguous())
            return false;
        batch.first.push_back(static_cast<const float*>(view.data));
        return true;
    }

    const Packed& packed_;
    nb::object watched_;
    Described described_;
    nb::tuple types_;
    std::vector<int64_t> features_;
    int64_t depth_;
    bool batch_first_;
    nb::str new_empty_{"new_empty"}, parameters_{"_parameters"};
};

}  // namespace carousel
