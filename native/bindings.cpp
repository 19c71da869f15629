// The only file that knows Python.
#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "dispatch.hpp"

namespace nb = nanobind;
using namespace nb::literals;

NB_MODULE(_native, m) {
    m.doc() = "Compiled core of Carousel; use it through carousel.kernels.";
    m.def("active_isa", [] { return std::string(carousel::active_isa().name); },
          "Name of the instruction set in use.");
    m.def("supported_isas", &carousel::supported_isas,
          "Instruction sets this CPU can run, the preferred one first.");
    m.def(
        "known_isas",
        [] {
            std::vector<std::pair<std::string, std::string>> rows;
            for (const auto& isa : carousel::known_isas())
                rows.emplace_back(isa.name, isa.description);
            return rows;
        },
        "Every (name, description) this build knows, the preferred one first.");
}
