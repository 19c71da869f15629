// Weights that were packed: whether they are still those of their module. Asked in every call.
//
// They share their memory with a copy until somebody writes to them, and move then (see
// carousel.kernels.watch): so it is enough to compare where they stand.
#pragma once

#include <nanobind/nanobind.h>

#include <vector>

#include "dispatch.hpp"

namespace carousel {

namespace nb = nanobind;

// A float32 tensor on the CPU.
struct TensorView {
    void* data = nullptr;
    int64_t dims = 0;
    const int64_t *sizes = nullptr, *strides = nullptr;
    bool is_contiguous() const {
        int64_t expected = 1;
        for (int64_t i = dims - 1; i >= 0; --i) {
            if (sizes[i] > 1 && strides[i] != expected) return false;
            expected *= sizes[i];
        }
        return true;
    }
};

// How a tensor is read without asking Python, which takes ten times as long: by the C functions that
// torch exports, from the place in a Python object where torch keeps its own tensor. The module
// carousel.kernels.reading finds both, and tries them; without functions Python is asked.
struct TensorApi {
    using Function = int (*)(void* tensor, void* result);  // 0 if all went well
    enum { kData, kDims, kSizes, kStrides, kDtype, kDevice, kLayout, kMutable, kFunctions };

    int64_t offset = 0;
    std::vector<Function> functions;
    int32_t dtype = 0, device = 0, layout = 0;  // float32, the CPU, strided

    bool direct() const { return !functions.empty(); }
    // The result of a function of torch's on a tensor.
    template <class T>
    T ask(int function, nb::handle tensor) const {
        T result{};
        if (functions[function](reinterpret_cast<char*>(tensor.ptr()) + offset, &result) != 0)
            throw std::invalid_argument("torch does not say what a tensor is");
        return result;
    }
    // False of a tensor of another kind, or without memory of its own. To be asked where `direct`.
    // written: whether its memory is to be written to: if it is shared until then, torch makes a copy
    // of it.
    bool view(nb::handle tensor, TensorView& view, bool written = false) const {
        int32_t kinds[3] = {};
        void* own = reinterpret_cast<char*>(tensor.ptr()) + offset;
        return functions[kDevice](own, &kinds[0]) == 0 && kinds[0] == device &&
               functions[kLayout](own, &kinds[1]) == 0 && kinds[1] == layout &&
               functions[kDtype](own, &kinds[2]) == 0 && kinds[2] == dtype &&
               functions[kDims](own, &view.dims) == 0 && functions[kSizes](own, &view.sizes) == 0 &&
               functions[kStrides](own, &view.strides) == 0 &&
               functions[written ? kMutable : kData](own, &view.data) == 0;
    }
};

inline TensorApi& tensor_api() {
    static TensorApi api;
    return api;
}

inline uintptr_t address_of(nb::handle tensor) {
    const TensorApi& api = tensor_api();
    if (!api.direct()) return nb::cast<uintptr_t>(tensor.attr("const_data_ptr")());
    return reinterpret_cast<uintptr_t>(api.ask<void*>(TensorApi::kData, tensor));
}

class Watched {
public:
    explicit Watched(nb::tuple weights) : weights_(weights) {  // on the CPU, of up to 3 dimensions
        for (nb::handle weight : weights_) places_.push_back(place(weight));
    }

    // Whether these are the weights that were packed, as they were, and for the kernels in use.
    bool unchanged(nb::list weights) const {
        if (weights.size() != places_.size() || isa_ != &active_isa()) return false;
        for (size_t i = 0; i < places_.size(); ++i)
            if (!unchanged(i, PyList_GetItem(weights.ptr(), static_cast<Py_ssize_t>(i))))
                return false;
        return true;
    }

    // The same of `parameters` under these names.
    bool unchanged(nb::dict parameters, nb::tuple names) const {
        if (isa_ != &active_isa()) return false;
        for (size_t i = 0; i < places_.size(); ++i)
            if (!unchanged(i, PyDict_GetItemWithError(parameters.ptr(),
                                                      PyTuple_GetItem(names.ptr(), i)))) {
                PyErr_Clear();
                return false;
            }
        return true;
    }

    // For Python's collector of cycles: weights may refer to whom they are kept for.
    int visit(visitproc visit, void* arg) const {
        Py_VISIT(weights_.ptr());
        return 0;
    }
    void clear() { weights_ = nb::tuple(), places_.assign(1, Place{}); }

private:
    // Turned around in place, a weight keeps its address alone.
    struct Place {
        uintptr_t address = 0;
        int64_t dims = 0, sizes[3] = {}, strides[3] = {};
        bool operator==(const Place& other) const {
            for (int i = 0; i < 3; ++i)
                if (sizes[i] != other.sizes[i] || strides[i] != other.strides[i]) return false;
            return address == other.address && dims == other.dims;
        }
    };

    static Place place(nb::handle weight) {
        Place found;
        found.address = address_of(weight);
        const TensorApi& api = tensor_api();
        if (!api.direct()) {
            const nb::object shape = weight.attr("shape"), strides = weight.attr("stride")();
            found.dims = static_cast<int64_t>(nb::len(shape));
            for (int64_t i = 0; i < found.dims && i < 3; ++i) {
                found.sizes[i] = nb::cast<int64_t>(shape[i]);
                found.strides[i] = nb::cast<int64_t>(strides[i]);
            }
            return found;
        }
        found.dims = api.ask<int64_t>(TensorApi::kDims, weight);
        const auto* sizes = api.ask<const int64_t*>(TensorApi::kSizes, weight);
        const auto* strides = api.ask<const int64_t*>(TensorApi::kStrides, weight);
        for (int64_t i = 0; i < found.dims && i < 3; ++i)
            found.sizes[i] = sizes[i], found.strides[i] = strides[i];
        return found;
    }

    bool unchanged(size_t i, PyObject* weight) const {
        return weight && i < nb::len(weights_) &&
               weight == PyTuple_GetItem(weights_.ptr(), static_cast<Py_ssize_t>(i)) &&
               place(weight) == places_[i];
    }

    nb::tuple weights_;
    std::vector<Place> places_;
    const Isa* isa_ = &active_isa();
};

}  // namespace carousel
