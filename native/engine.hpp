// Runs a problem: finds the kernels, the working memory and the threads.
//
// Safe to call from several threads at once. In a process made by fork, problems run on one
// thread: the threads of the parent's pool do not exist there, and waiting for them would hang.
#pragma once

#include <memory>
#include <vector>

#include "kernels.hpp"

namespace carousel {

size_t saved_floats(const Problem& problem);

// Advises the system to back memory with large pages: a fresh hundred megabytes in small pages
// cost more time in the system than the kernels need to fill them. Only advice: nothing fails.
void prefer_large_pages(uintptr_t address, size_t bytes);

void forward(const Problem& problem, int threads);
void backward(const Problem& problem, int threads);

struct Free {
    void operator()(float* memory) const;
};
using Memory = std::unique_ptr<float[], Free>;

// Layers of one direction, one upon the other, fed one step at a time: the weights are packed and
// the memory is taken once. A problem of the stack has T = 1, its state in h0 = hn (and c0 = cn),
// and no x and y: those are given to each step.
class Stepper {
public:
    Stepper(std::vector<Problem> layers, int threads);
    Stepper(const Stepper&) = delete;
    Stepper& operator=(const Stepper&) = delete;
    void step(const float* x, float* y);  // [B][I] to [B][P of the last layer]
    double products() const;              // multiply-adds of a step, but for the gates' number

private:
    struct Layer {
        Problem problem;
        const Kernels* kernels;
        int threads;
        Memory packed, work, output;
    };
    std::vector<Layer> layers_;
};

}  // namespace carousel
