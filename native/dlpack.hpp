// What the fast path of a stream needs of DLPack's C interface: where a tensor's numbers lie, told
// by the library that owns it, without its headers. Layouts are those of dmlc/dlpack 1.3
// (include/dlpack/dlpack.h); torch has the exchange table since 2.10.
#pragma once

#include <cstdint>

namespace carousel::dlpack {

constexpr int32_t kCpu = 1;
constexpr uint8_t kFloat = 2;

struct Tensor {
    void* data;
    struct {
        int32_t type, id;
    } device;
    int32_t ndim;
    struct {
        uint8_t code, bits;
        uint16_t lanes;
    } dtype;
    const int64_t *shape, *strides;  // strides in elements; null: contiguous
    uint64_t byte_offset;
};

struct ExchangeTable {
    struct {
        uint32_t major, minor;
    } version;
    const void* older;
    void (*allocate)();  // the first three are not called here
    void (*from_object)();
    void (*to_object)();
    int (*view)(void* object, Tensor* view);  // 0, or -1 with a Python error set; may be null
    void (*work_stream)();
};

// The address of a contiguous (rows, features) float32 matrix on the CPU; null for anything else.
inline float* matrix(const Tensor& t, int64_t rows, int64_t features) {
    if (t.device.type != kCpu || t.dtype.code != kFloat || t.dtype.bits != 32 ||
        t.dtype.lanes != 1 || t.ndim != 2 || t.shape[0] != rows || t.shape[1] != features)
        return nullptr;
    if (t.strides && ((features > 1 && t.strides[1] != 1) ||
                      (rows > 1 && t.strides[0] != features)))
        return nullptr;
    return reinterpret_cast<float*>(static_cast<char*>(t.data) + t.byte_offset);
}

}  // namespace carousel::dlpack
