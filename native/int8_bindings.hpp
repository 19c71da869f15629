#pragma once

#include <nanobind/nanobind.h>

namespace carousel {

void bind_int8(nanobind::module_& m);

}  // namespace carousel
