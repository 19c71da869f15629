#include "dispatch.hpp"

#include <cstdlib>
#include <stdexcept>

namespace carousel {

#define CAROUSEL_DECLARE(isa)                                         \
    extern const KernelTable CAROUSEL_TABLE(kernels_, isa);           \
    extern const Kernels CAROUSEL_TABLE(scan_kernels_, isa)[kScanTables]; \
    extern const RunRows CAROUSEL_TABLE(few_rows_kernels_, isa);
#define CAROUSEL_KERNELS(isa) \
    &CAROUSEL_TABLE(kernels_, isa), CAROUSEL_TABLE(scan_kernels_, isa), \
        CAROUSEL_TABLE(few_rows_kernels_, isa)

#if defined(__x86_64__)
CAROUSEL_DECLARE(avx512)
CAROUSEL_DECLARE(avx2)
CAROUSEL_DECLARE(sse2)
#elif defined(__aarch64__)
CAROUSEL_DECLARE(neon)
#else
CAROUSEL_DECLARE(generic)
#endif

namespace {

#if defined(__x86_64__)
bool has_avx512() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
}
bool has_avx512_bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#endif
bool always() { return true; }
bool never() { return false; }

std::string join(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

}  // namespace

const std::vector<Isa>& known_isas() {
    static const std::vector<Isa> isas = {
#if defined(__x86_64__)
        {"avx512", "AVX-512 F, BW, DQ and VL with FMA (16 floats per register)", has_avx512,
         has_avx512_bf16, CAROUSEL_KERNELS(avx512)},
        {"avx2", "AVX2 with FMA (8 floats per register)", has_avx2, never, CAROUSEL_KERNELS(avx2)},
        {"sse2", "baseline x86-64 (4 floats per register)", always, never, CAROUSEL_KERNELS(sse2)},
#elif defined(__aarch64__)
        {"neon", "baseline aarch64 (4 floats per register)", always, never, CAROUSEL_KERNELS(neon)},
#else
        {"generic", "portable C++", always, never, CAROUSEL_KERNELS(generic)},
#endif
    };
    return isas;
}

std::vector<std::string> supported_isas() {
    std::vector<std::string> names;
    for (const auto& isa : known_isas())
        if (isa.supported()) names.emplace_back(isa.name);
    return names;
}

const Isa& active_isa() {
    const char* wanted = std::getenv("CAROUSEL_ISA");
    for (const auto& isa : known_isas()) {
        const bool chosen = wanted == nullptr || *wanted == '\0' || std::string(wanted) == isa.name;
        if (chosen && isa.supported()) return isa;
    }
    throw std::invalid_argument("CAROUSEL_ISA is '" + std::string(wanted) +
                                "', but this CPU and build offer: " + join(supported_isas()) +
                                ". Unset CAROUSEL_ISA to choose automatically.");
}

}  // namespace carousel
