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

// How a tensor is read without asking Python, which takes ten times as long: by the C functions that
// torch exports, from the place in a Python object where torch keeps its own tensor. The module
// carousel.kernels.watch finds both, and tries them; without `data` Python is asked.
struct TensorApi {
    int64_t offset = 0;
    int (*data)(void* tensor, const void** address) = nullptr;  // without a copy on write
    int (*dims)(void* tensor, int64_t* dims) = nullptr;
    int (*sizes)(void* tensor, int64_t** sizes) = nullptr;
    int (*strides)(void* tensor, int64_t** strides) = nullptr;
    void* of(nb::handle tensor) const { return reinterpret_cast<char*>(tensor.ptr()) + offset; }
};

inline TensorApi& tensor_api() {
    static TensorApi api;
    return api;
}

inline uintptr_t address_of(nb::handle tensor) {
    const TensorApi& api = tensor_api();
    if (!api.data) return nb::cast<uintptr_t>(tensor.attr("const_data_ptr")());
    const void* address = nullptr;
    if (api.data(api.of(tensor), &address) != 0)
        throw std::invalid_argument("torch does not say where a tensor stands");
    return reinterpret_cast<uintptr_t>(address);
}

class Watched {
public:
    explicit Watched(nb::tuple weights) : weights_(weights) {  // matrices and vectors on the CPU
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

private:
    // Turned around in place, a weight keeps its address alone.
    struct Place {
        uintptr_t address = 0;
        int64_t dims = 0, sizes[2] = {}, strides[2] = {};
        bool operator==(const Place& other) const {
            return address == other.address && dims == other.dims && sizes[0] == other.sizes[0] &&
                   sizes[1] == other.sizes[1] && strides[0] == other.strides[0] &&
                   strides[1] == other.strides[1];
        }
    };

    static Place place(nb::handle weight) {
        Place found;
        found.address = address_of(weight);
        const TensorApi& api = tensor_api();
        if (!api.data) {
            const nb::object shape = weight.attr("shape"), strides = weight.attr("stride")();
            found.dims = static_cast<int64_t>(nb::len(shape));
            for (int64_t i = 0; i < found.dims && i < 2; ++i) {
                found.sizes[i] = nb::cast<int64_t>(shape[i]);
                found.strides[i] = nb::cast<int64_t>(strides[i]);
            }
            return found;
        }
        void* tensor = api.of(weight);
        int64_t *sizes = nullptr, *strides = nullptr;
        if (api.dims(tensor, &found.dims) != 0 || api.sizes(tensor, &sizes) != 0 ||
            api.strides(tensor, &strides) != 0)
            throw std::invalid_argument("torch does not say how a tensor is laid out");
        for (int64_t i = 0; i < found.dims && i < 2; ++i)
            found.sizes[i] = sizes[i], found.strides[i] = strides[i];
        return found;
    }

    bool unchanged(size_t i, PyObject* weight) const {
        return weight && weight == PyTuple_GetItem(weights_.ptr(), static_cast<Py_ssize_t>(i)) &&
               place(weight) == places_[i];
    }

    nb::tuple weights_;
    std::vector<Place> places_;
    const Isa* isa_ = &active_isa();
};

}  // namespace carousel
