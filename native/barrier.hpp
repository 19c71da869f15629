// Where the threads of a team wait for each other.
#pragma once

#include <atomic>
#include <cstdint>

#include "kernels.hpp"

namespace carousel {

struct alignas(64) Barrier {
    std::atomic<int> arrived{0};
    alignas(64) std::atomic<uint32_t> round{0};
    std::atomic<int> asleep{0};
    std::atomic<int> core{-1};  // of the thread that came last
};

}  // namespace carousel
