#include "tile_time.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <vector>

#include "dispatch.hpp"

namespace carousel {

bool has_product(Product product) {
    return product != Product::bf16 || active_isa().has_bf16();
}

namespace {

constexpr int64_t kLength = 256;  // of a sum: a panel of weights is then 64 KB of floats

double seconds(const Isa& isa, Product product, std::vector<float>& memory) {
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    for (int i = 0; i < 8; ++i) isa.table->run_tile(product, memory.data(), kLength);
    return std::chrono::duration<double>(Clock::now() - start).count();
}

double measured(const Isa& isa, Product product) {
    std::vector<float> memory(static_cast<size_t>(isa.table->tile_floats(kLength)), 1.0f);
    double floats = 1e9, rounded = 1e9;
    for (int round = 0; round < 20; ++round) {  // in turn, and the best: others may use the core
        floats = std::min(floats, seconds(isa, Product::floats, memory));
        rounded = std::min(rounded, seconds(isa, product, memory));
    }
    return floats / rounded;
}

}  // namespace

double tile_speed(Product product) {
    if (!has_product(product))
        throw std::invalid_argument("this CPU, or CAROUSEL_ISA, has no instruction for bfloat16");
    if (product == Product::floats) return 1;
    const Isa& isa = active_isa();
    if (product == Product::bf16) {
        static const double speed = measured(isa, Product::bf16);
        return speed;
    }
    static const double speed = measured(isa, Product::bf16_twin);
    return speed;
}

}  // namespace carousel
