// Runs a problem: finds the kernels, the working memory and the threads.
//
// Safe to call from several threads at once. In a process made by fork, problems run on one
// thread: the threads of the parent's pool do not exist there, and waiting for them would hang.
#pragma once

#include "kernels.hpp"

namespace carousel {

size_t saved_floats(const Problem& problem);
void forward(const Problem& problem, int threads);
void backward(const Problem& problem, int threads);

}  // namespace carousel
