// Steps of a layer with weights of eight bits. carousel/quantization.py has the scheme: a weight is a
// whole number times the scale of its row, an input one of -127 … 127 times the scale of its feature
// (which is in the weights), the hidden state one times 1/127. Sums of products are whole numbers, so
// that every instruction set has the same; cell state, gates and what a step gives out are float32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace carousel {

// One layer: G gates, I inputs, H units, in torch's order of gates. Scales multiply the sums.
struct Int8Layer {
    int cell = 0;  // 0 LSTM, 1 GRU, 2 RNN with tanh: the first of `Cell`
    int64_t I = 0, H = 0;
    const int8_t *w_ih = nullptr, *w_hh = nullptr;        // [G H][I], [G H][H]
    const float *scale_ih = nullptr, *scale_hh = nullptr;  // [G H]
    const float *b_ih = nullptr, *b_hh = nullptr;          // [G H]
    const float* levels = nullptr;  // [I] whole numbers per unit of each input: x levels is rounded
};

// What one step of one layer works on. x [rows][I], y, h and c [rows][H]; c of the LSTM alone.
struct Int8Step {
    int64_t rows = 0;
    const float* x = nullptr;
    float *y = nullptr, *h = nullptr, *c = nullptr;
    bool backwards = false;  // from the last units to the first: the same results
};

// The kernels of one cell on one instruction set.
struct Int8Kernels {
    size_t (*packed_bytes)(const Int8Layer&);
    void (*pack)(const Int8Layer&, char* packed);
    size_t (*work_bytes)(const Int8Layer&, int64_t rows);
    // Returns how many inputs lay beyond the range of their feature, or were no number.
    int64_t (*step)(const Int8Layer&, const char* packed, char* work, const Int8Step&);
};
constexpr int kInt8Cells = 3;

// Layers one upon the other, their weights packed once: `step` of some rows, `run` of sequences.
class Int8Stack {
public:
    // rows: the most there will be. The layers' arrays are read here and not again, but for levels.
    Int8Stack(std::vector<Int8Layer> layers, int64_t rows);
    Int8Stack(const Int8Stack&) = delete;
    Int8Stack& operator=(const Int8Stack&) = delete;
    ~Int8Stack();

    // States [layers][rows][H], changed in place; `stride`: rows of the arrays. The first `rows`
    // rows take a step: x [rows][I] to y [rows][H].
    void step(const float* x, float* y, float* h, float* c, int64_t rows, int64_t stride);
    double products() const;  // multiply-adds of a row's step
    int64_t inputs() const { return layers_.front().I; }
    int64_t outputs() const { return layers_.back().H; }
    int64_t rows() const { return rows_; }
    int64_t saturated = 0;  // inputs so far beyond the range they were calibrated for

private:
    std::vector<Int8Layer> layers_;
    std::vector<const Int8Kernels*> kernels_;
    std::vector<char*> packed_, work_;
    std::vector<float*> outputs_;
    int64_t rows_;
    bool backwards_ = false;  // every other step, so that it begins with what is in the cache still
};

// Name of what the whole-number products of this CPU run on.
const char* int8_isa();

}  // namespace carousel
