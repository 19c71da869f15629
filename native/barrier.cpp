// Waits in a loop for a moment, then asleep: whoever is waited for may need the core, or another
// process may. A thread that sleeps too early costs its team a wake-up, some ten microseconds; one
// that spins too long takes them from somebody with work.
#include "barrier.hpp"

#if defined(__linux__)
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <thread>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace carousel {
namespace {

constexpr int kSpins = 2000;  // about what a wake-up takes: 50 µs on a Zen 4

#if defined(__linux__)
static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t), "the system reads the number");

void sleep_while(std::atomic<uint32_t>& word, uint32_t value) {
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}
void wake_all(std::atomic<uint32_t>& word) {
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr, 0);
}
int this_core() { return sched_getcpu(); }
#else
void sleep_while(std::atomic<uint32_t>&, uint32_t) { std::this_thread::yield(); }
void wake_all(std::atomic<uint32_t>&) {}
int this_core() { return -1; }
#endif

void pause() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("isb");  // what waits there as long as a pause does here
#endif
}

// Spinning is in vain where two threads of a team have one core: the other does not run meanwhile.
// The one that came last says where it was, and who finds itself there sleeps at once next time.
thread_local bool shares_core = false;

}  // namespace

void wait(Barrier* barrier, int threads) {
    const uint32_t round = barrier->round.load(std::memory_order_relaxed);
    const int core = this_core();
    if (barrier->arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == threads) {
        barrier->arrived.store(0, std::memory_order_relaxed);
        barrier->core.store(core, std::memory_order_relaxed);
        // In one order with `asleep`: either this thread sees the sleeper, or that one the round.
        barrier->round.store(round + 1, std::memory_order_seq_cst);
        if (barrier->asleep.load(std::memory_order_seq_cst) > 0) wake_all(barrier->round);
        return;
    }
    const auto over = [&] { return barrier->round.load(std::memory_order_seq_cst) != round; };
    for (int spin = shares_core ? kSpins : 0; spin < kSpins && !over(); ++spin) pause();
    if (!over()) {
        barrier->asleep.fetch_add(1, std::memory_order_seq_cst);
        while (!over()) sleep_while(barrier->round, round);
        barrier->asleep.fetch_sub(1, std::memory_order_relaxed);
    }
    shares_core = core >= 0 && barrier->core.load(std::memory_order_relaxed) == core;
}

}  // namespace carousel
