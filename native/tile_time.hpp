// Whether products of bfloat16 numbers pay on this CPU: its flags do not say. On some, the
// instruction for them does half the sums a second of a float32 multiply-add, on others twice as many.
#pragma once

#include "kernels.hpp"

namespace carousel {

// Whether the instruction set in use has a way to multiply.
bool has_product(Product product);

// Sums a second of a tile in the first- and second-level cache, against those of floats. Measured
// when it is first asked for, in a millisecond; one answer per process. Throws
// std::invalid_argument without `has_product`.
double tile_speed(Product product);

}  // namespace carousel
