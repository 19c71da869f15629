// Runs a problem: finds the kernels, the working memory and the threads.
//
// Safe to call from several threads at once. In a process made by fork, problems run on one
// thread: the threads of the parent's pool do not exist there, and waiting for them would hang.
#pragma once

#include "kernels.hpp"

namespace carousel {

size_t saved_floats(const Problem& problem);

// Advises the system to back memory with large pages: a fresh hundred megabytes in small pages
// cost more time in the system than the kernels need to fill them. Only advice: nothing fails.
void prefer_large_pages(uintptr_t address, size_t bytes);

void forward(const Problem& problem, int threads);
void backward(const Problem& problem, int threads);

}  // namespace carousel
