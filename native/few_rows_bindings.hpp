#pragma once

#include <nanobind/nanobind.h>

namespace carousel {

void bind_few_rows(nanobind::module_& m);

}  // namespace carousel
