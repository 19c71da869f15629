#include "engine.hpp"

#if defined(_WIN32)
#include <malloc.h>
#else
#include <pthread.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>
#ifndef CAROUSEL_STD_THREADS
#include <omp.h>
#include <sys/resource.h>
#include <unistd.h>
#endif

#include "barrier.hpp"
#include "dispatch.hpp"
#include "tile_time.hpp"

namespace carousel {

namespace {

std::atomic<bool> forked{false};
#if !defined(_WIN32)  // which has no fork
const int fork_handler = pthread_atfork(nullptr, nullptr, [] { forked = true; });
#endif

Memory allocate(size_t floats) {
    const size_t bytes = std::max<size_t>(1, (floats * sizeof(float) + 63) / 64) * 64;
#if defined(_WIN32)
    auto* memory = static_cast<float*>(_aligned_malloc(bytes, 64));
#else
    auto* memory = static_cast<float*>(std::aligned_alloc(64, bytes));
#endif
    if (memory == nullptr) throw std::bad_alloc();
    return Memory(memory);
}

#ifndef CAROUSEL_STD_THREADS
// Whether this thread has had to give up its core 20 times within a second of its CPU time. Alone on
// a machine that hardly happens; where another process wants the cores, it does after every slice.
bool cores_are_contended() {
    thread_local long switches = 0, since = -1;
    rusage usage;
    if (getrusage(RUSAGE_THREAD, &usage) != 0) return false;
    const long milliseconds = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
                              (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
    if (since < 0 || milliseconds - since > 1000) {
        switches = usage.ru_nivcsw, since = milliseconds;
        return false;
    }
    return usage.ru_nivcsw - switches >= 20;
}

// libgomp's threads spin for milliseconds wherever they wait, after torch's work and after ours, but for
// microseconds where there are more of them than CPUs. So where cores are contended a team larger than
// the machine is made, once, and sleeps from then on; not where the user has said how to wait.
void spin_briefly() {
    const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    std::thread([cpus] {
#pragma omp parallel num_threads(static_cast<int>(cpus) + 1)
        std::atomic_signal_fence(std::memory_order_seq_cst);
        for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
    }).detach();
}

void spin_briefly_if_contended() {
    constexpr long kMost = 64;  // threads that do nothing count, too, where their number is limited
    static std::atomic<bool> settled{std::getenv("GOMP_SPINCOUNT") || std::getenv("OMP_WAIT_POLICY") ||
                                     sysconf(_SC_NPROCESSORS_ONLN) > kMost};
    if (settled.load(std::memory_order_relaxed) || !cores_are_contended()) return;
    if (!settled.exchange(true)) spin_briefly();
}
#endif

// Calls work(Team) on each thread of a team of at most `threads`.
template <class Work>
void parallel(int threads, const Work& work) {
    Barrier barrier;
    if (threads <= 1) return work(Team{0, 1, &barrier});
#ifdef CAROUSEL_STD_THREADS
    std::vector<std::thread> others;
    for (int i = 1; i < threads; ++i)
        others.emplace_back([&, i] { work(Team{i, threads, &barrier}); });
    work(Team{0, threads, &barrier});
    for (auto& other : others) other.join();
#else
    spin_briefly_if_contended();
#pragma omp parallel num_threads(threads)
    work(Team{omp_get_thread_num(), omp_get_num_threads(), &barrier});
#endif
}

// How many threads are worth starting.
int team_size(const Problem& p, int threads) {
    if (forked || threads <= 1) return 1;
    const double step = 2.0 * p.H * (p.I + p.P) * p.B;
    if (step * p.T < 2e5) return 1;
    return p.B < threads && step < 1e5 ? 1 : threads;
}

const Kernels& kernels_for(const Problem& p) {
    if (p.product != Product::floats && p.cell >= Cell::min_gru)
        throw std::invalid_argument("the products of this cell are of floats alone");
    if (!has_product(p.product))
        throw std::invalid_argument("this CPU, or CAROUSEL_ISA, has no instruction for bfloat16");
    return active_isa().of(p);
}

// Working memory for a team of any size up to `threads`: the system may give fewer than asked for,
// and they may need more, as they share by rows where more threads would share by units.
size_t most_floats(size_t (*floats)(const Problem&, int), const Problem& p, int threads) {
    size_t most = 0;
    for (int n = 1; n <= threads; ++n) most = std::max(most, floats(p, n));
    return most;
}

}  // namespace

void prefer_large_pages(uintptr_t address, size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    constexpr uintptr_t kLarge = 2 << 20;
    const uintptr_t begin = (address + kLarge - 1) / kLarge * kLarge;
    const uintptr_t end = (address + bytes) / kLarge * kLarge;
    if (end > begin) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#else
    (void)address, (void)bytes;
#endif
}

size_t saved_floats(const Problem& p) { return kernels_for(p).saved_floats(p); }

void forward(const Problem& p, int threads) {
    const Kernels& kernels = kernels_for(p);
    const int size = team_size(p, threads);
    const size_t panels = kernels.once_floats(p, size);
    const Memory packed = allocate(panels > 0 ? panels : kernels.packed_floats(p));
    const Memory work = allocate(most_floats(kernels.forward_floats, p, size));
    parallel(size, [&](Team team) {
        if (panels > 0) return kernels.forward_once(p, packed.get(), work.get(), team);
        kernels.pack(p, packed.get(), team);
        if (team.threads > 1) wait(team.barrier, team.threads);
        kernels.forward(p, packed.get(), work.get(), team);
    });
}

void backward(const Problem& p, int threads) {
    const Kernels& kernels = kernels_for(p);
    const int size = team_size(p, threads);
    const Memory work = allocate(most_floats(kernels.backward_floats, p, size));
    parallel(size, [&](Team team) { kernels.backward(p, work.get(), team); });
}

void Free::operator()(float* memory) const {
#if defined(_WIN32)
    _aligned_free(memory);
#else
    std::free(memory);
#endif
}

Stepper::Stepper(std::vector<Problem> layers, int threads) {
    for (Problem& p : layers) {
        const Kernels& kernels = kernels_for(p);
        p.x.row = p.I, p.y.row = p.P;
        const int size = team_size(p, threads);
        layers_.push_back({p, &kernels, size, allocate(kernels.packed_floats(p)),
                           allocate(most_floats(kernels.forward_floats, p, size)),
                           allocate(static_cast<size_t>(p.B * p.P))});
        kernels.pack(p, layers_.back().packed.get(), Team{});
    }
}

double Stepper::products() const {
    double sum = 0;
    for (const Layer& layer : layers_) {
        const Problem& p = layer.problem;
        sum += static_cast<double>(p.B) * p.H * (p.I + p.P);
    }
    return sum;
}

void Stepper::step(const float* x, float* y) {
    for (Layer& layer : layers_) {
        Problem& p = layer.problem;
        p.x.data = const_cast<float*>(x);
        p.y.data = &layer == &layers_.back() ? y : layer.output.get();
        parallel(forked ? 1 : layer.threads, [&](Team team) {
            layer.kernels->forward(p, layer.packed.get(), layer.work.get(), team);
        });
        x = p.y.data;
    }
}

// Distances between the rows of a step and between the steps of a padded (T, B, features) array, or
// of a packed sequence, which has the order of x.
static Rows between(const Batch& batch, float* data, int64_t features) {
    return {data, batch.x.steps, batch.B * features, features};
}

Packed::Packed(std::vector<Problem> problems, int directions, int threads)
    : directions_(static_cast<size_t>(directions)) {
    for (const Problem& p : problems) {
        const Kernels& kernels = kernels_for(p);
        const size_t floats = kernels.packed_floats(p);
        layers_.push_back({p, &kernels, allocate(floats)});
        const Memory& packed = layers_.back().packed;
        prefer_large_pages(reinterpret_cast<uintptr_t>(packed.get()), floats * sizeof(float));
        parallel(forked || floats < (1 << 16) ? 1 : threads,
                 [&](Team team) { kernels.pack(p, packed.get(), team); });
        bytes_ += floats * sizeof(float);
        products_ += static_cast<double>(p.H) * static_cast<double>(p.I + p.P);
    }
}

// The problem of one direction of one layer, on a batch.
Problem Packed::on(const Batch& batch, size_t layer, const Rows& x, const Rows& y) const {
    Problem p = layers_[layer].problem;
    const int64_t place = static_cast<int64_t>(layer) * batch.B;
    p.T = batch.T, p.B = batch.B, p.padded = batch.padded;
    p.order = batch.order, p.lengths = batch.lengths;
    p.x = x, p.y = y;
    p.y.data += static_cast<int64_t>(layer % directions_) * p.P;
    size_t i = 0;
#define CAROUSEL_FIRST(name, shape)                                             \
    if (i < batch.first.size() && batch.first[i])                               \
        p.name = batch.first[i] + place * features_of(p, i);                     \
    ++i;
#define CAROUSEL_LAST(name, shape)                                              \
    if (i < batch.last.size() && batch.last[i])                                 \
        p.name = batch.last[i] + place * features_of(p, i);                     \
    ++i;
    CAROUSEL_FIRST_STATES(CAROUSEL_FIRST)
    i = 0;
    CAROUSEL_LAST_STATES(CAROUSEL_LAST)
#undef CAROUSEL_FIRST
#undef CAROUSEL_LAST
    return p;
}

void Packed::forward(const Batch& batch, int threads) const {
    calls_.fetch_add(1, std::memory_order_relaxed);
    Memory below;  // the output of the layer below
    Rows x = batch.x;
    for (size_t layer = 0; layer < layers_.size(); layer += directions_) {
        Memory output;
        Rows y = batch.y;
        if (layer + directions_ < layers_.size()) {
            const int64_t features = static_cast<int64_t>(directions_) * layers_[layer].problem.P;
            output = allocate(static_cast<size_t>(batch.rows * features));
            y = between(batch, output.get(), features);
        }
        for (size_t d = 0; d < directions_; ++d) {
            const Problem p = on(batch, layer + d, x, y);
            const Kernels& kernels = *layers_[layer + d].kernels;
            const int size = team_size(p, threads);
            const Memory work = allocate(most_floats(kernels.forward_floats, p, size));
            const float* packed = layers_[layer + d].packed.get();
            parallel(size, [&](Team team) { kernels.forward(p, packed, work.get(), team); });
        }
        below = std::move(output);
        x = y;
    }
}

}  // namespace carousel
