#include "int8.hpp"

#include <cstdlib>
#include <new>
#include <string>

#include "dispatch.hpp"

namespace carousel {

#if defined(__x86_64__)
extern const Int8Kernels int8_avx512vnni[kInt8Cells], int8_avx512[kInt8Cells],
    int8_avx2[kInt8Cells], int8_sse2[kInt8Cells];
#elif defined(__aarch64__)
extern const Int8Kernels int8_neon[kInt8Cells];
#else
extern const Int8Kernels int8_generic[kInt8Cells];
#endif

namespace {

struct Choice {
    const char* name;
    const Int8Kernels* kernels;
};

// Of the instruction set in use (see dispatch.hpp); AVX-512 has a better way where there is VNNI.
Choice chosen() {
#if defined(__x86_64__)
    const std::string name = active_isa().name;
    if (name == "sse2") return {"sse2", int8_sse2};
    if (name == "avx2") return {"avx2", int8_avx2};
    if (__builtin_cpu_supports("avx512vnni")) return {"avx512vnni", int8_avx512vnni};
    return {"avx512", int8_avx512};
#elif defined(__aarch64__)
    return {"neon", int8_neon};
#else
    return {"generic", int8_generic};
#endif
}

template <class Thing>
Thing* allocate(size_t bytes) {
    bytes = (bytes + 63) / 64 * 64 + 64;
    void* memory = ::operator new(bytes, std::align_val_t(64));
    return static_cast<Thing*>(memory);
}
void release(void* memory) { ::operator delete(memory, std::align_val_t(64)); }

}  // namespace

const char* int8_isa() { return chosen().name; }

Int8Stack::Int8Stack(std::vector<Int8Layer> layers, int64_t rows)
    : layers_(std::move(layers)), rows_(rows) {
    const Int8Kernels* table = chosen().kernels;
    for (const Int8Layer& layer : layers_) {
        const Int8Kernels* kernels = table + layer.cell;
        kernels_.push_back(kernels);
        packed_.push_back(allocate<char>(kernels->packed_bytes(layer)));
        work_.push_back(allocate<char>(kernels->work_bytes(layer, rows)));
        outputs_.push_back(allocate<float>(sizeof(float) * static_cast<size_t>(rows * layer.H)));
        kernels->pack(layer, packed_.back());
    }
}

Int8Stack::~Int8Stack() {
    for (size_t i = 0; i < packed_.size(); ++i)
        release(packed_[i]), release(work_[i]), release(outputs_[i]);
}

double Int8Stack::products() const {
    const int gates[] = {4, 3, 1};
    double sum = 0;
    for (const Int8Layer& layer : layers_)
        sum += static_cast<double>(gates[layer.cell] * layer.H) * (layer.I + layer.H);
    return sum;
}

void Int8Stack::step(const float* x, float* y, float* h, float* c, int64_t rows, int64_t stride) {
    backwards_ = !backwards_;
    for (size_t i = 0; i < layers_.size(); ++i) {
        const Int8Layer& layer = layers_[i];
        Int8Step one;
        one.backwards = backwards_;
        one.rows = rows, one.x = x, one.h = h, one.c = c;
        one.y = i + 1 == layers_.size() ? y : outputs_[i];
        const int64_t outside = kernels_[i]->step(layer, packed_[i], work_[i], one);
        if (i == 0) saturated += outside;
        x = one.y, h += stride * layer.H;
        if (c) c += stride * layer.H;
    }
}

}  // namespace carousel
