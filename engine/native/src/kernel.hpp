// An arithmetic as a kernel.

#pragma once

#include "expanded_tile.hpp"
#include "tile.hpp"

#include <chrono>

namespace kimicode {

// A register block multiplied and added to itself: nothing but products, on numbers that stay in the first cache.
template <class A> __attribute__((noinline)) void products(const int32_t *numbers, int steps, typename A::Sum *out) {
    using L = Lanes<A::lanes>;
    constexpr int M = A::row_vectors, N = A::key_rows;
    typename A::Sum sum[N][M] = {};
    for (int step = 0; step < steps; ++step) {
        typename L::I rows[M];
        asm volatile("" : "+r"(numbers)); // read them again
#pragma GCC unroll 8
        for (int m = 0; m < M; ++m) rows[m] = L::load(numbers + m * A::lanes);
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) {
            typename L::I key = L::splat(numbers[M * A::lanes + n]);
#pragma GCC unroll 8
            for (int m = 0; m < M; ++m) A::multiply_add(sum[n][m], rows[m], key);
        }
    }
    memcpy(out, sum, sizeof sum);
}

// Operations a second of one thread that does nothing but products; the best of what `seconds` are enough for.
template <class A> double peak_of(double seconds) {
    constexpr int STEPS = 1 << 16;
    alignas(64) int32_t numbers[A::row_vectors * A::lanes + A::key_rows] = {};
    typename A::Sum out[A::row_vectors * A::key_rows];
    double best = 0;
    auto start = std::chrono::steady_clock::now(), before = start;
    do {
        products<A>(numbers, STEPS, out);
        auto now = std::chrono::steady_clock::now();
        double operations = 2.0 * STEPS * A::row_vectors * A::key_rows * A::lanes * A::group;
        best = std::max(best, operations / std::chrono::duration<double>(now - before).count());
        before = now;
    } while (std::chrono::duration<double>(before - start).count() < seconds);
    return best;
}

template <class A> constexpr Kernel kernel_of(const char *name, bool exact, bool (*runs)()) {
    using T = Tile<A>;
    return Kernel{name, exact, runs, T::scratch, T::share, T::merge, peak_of<A>, T::KEYS, &expanded_of<A>};
}

} // namespace kimicode
