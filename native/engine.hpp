// Runs a problem: finds the kernels, the working memory and the threads.
//
// Safe to call from several threads at once. In a process made by fork, problems run on one
// thread: the threads of the parent's pool do not exist there, and waiting for them would hang.
#pragma once

#include <atomic>
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

// What a forward pass of a whole stack is given. States: [layers][directions][B][...], by the names
// of CAROUSEL_FIRST_STATES; null: zeros. last: the same of CAROUSEL_LAST_STATES, written.
struct Batch {
    int64_t T = 0, B = 0;
    int64_t rows = 0;  // of x in all: T B, or fewer of a packed sequence
    bool padded = true;
    Rows x, y;
    const int64_t *order = nullptr, *lengths = nullptr;
    std::vector<const float*> first;
    std::vector<float*> last;
};

// Weights of a stack, packed once for any number of forward passes that save nothing: of several
// threads at once. Problems come layer by layer, each with its directions one after the other; they
// have weights and options, and no batch.
class Packed {
public:
    Packed(std::vector<Problem> problems, int directions, int threads);
    void forward(const Batch& batch, int threads) const;
    size_t bytes() const { return bytes_; }
    double products() const { return products_; }  // multiply-adds of a row, but for the gates' number
    int64_t calls() const { return calls_; }  // of forward so far

private:
    struct Layer {
        Problem problem;
        const Kernels* kernels;
        Memory packed;
    };
    Problem on(const Batch& batch, size_t layer, const Rows& x, const Rows& y) const;

    std::vector<Layer> layers_;
    size_t directions_, bytes_ = 0;
    double products_ = 0;
    mutable std::atomic<int64_t> calls_{0};
};

}  // namespace carousel
