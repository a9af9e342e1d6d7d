// A team at work, for tests: prints "name value" lines, which test_threads.py reads.

#include "team.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <new>
#include <string>
#include <thread>
#include <vector>

using namespace kimicode;

namespace {

// Whether every member of `threads` worked exactly once, in each of many rounds.
bool complete(Team &team, int rounds) {
    for (int round = 0; round < rounds; ++round) {
        std::vector<std::atomic<int>> calls(team.threads());
        team.run([&](int member) { ++calls[member]; });
        if (!std::all_of(calls.begin(), calls.end(), [](const auto &n) { return n == 1; })) return false;
    }
    return true;
}

// Whether the exception of one member reaches the caller, and the team works on.
bool survives(Team &team) {
    try {
        team.run([&](int member) {
            if (member == team.threads() - 1) throw std::bad_alloc();
        });
    } catch (const std::bad_alloc &) {
        return complete(team, 3);
    }
    return false;
}

int threads_of_process() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.rfind("Threads:", 0) == 0) return std::stoi(line.substr(8));
    return 0;
}

// The same once it stays so: threads that end do so when their caller goes on already.
int settled() {
    int last = threads_of_process(), same = 0;
    while (same < 20) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        int now = threads_of_process();
        same = now == last ? same + 1 : 0;
        last = now;
    }
    return last;
}

double microseconds_a_round(Team &team) {
    constexpr int ROUNDS = 200;
    auto start = std::chrono::steady_clock::now();
    for (int round = 0; round < ROUNDS; ++round) team.run([](int) {});
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / ROUNDS;
}

} // namespace

int main() {
    bool whole = true, caught = true, resized = true;
    for (int threads : {1, 2, 3, 8, 64}) {
        Team team(threads);
        whole &= complete(team, 20);
        caught &= survives(team);
    }
    Team team(2);
    complete(team, 1);
    int two = settled();
    for (int threads : {1, 3, 1, 2, 3, 2}) {
        team.resize(threads);
        resized &= team.threads() == threads && complete(team, 20);
    }
    int three = settled();
    std::atomic<int> together{0};
    auto alone = [&] {
        Team mine(2);
        together += complete(mine, 100);
    };
    std::thread first(alone), second(alone);
    first.join();
    second.join();
    printf("complete %d\ncaught %d\nresized %d\ntogether %d\nmore %d\nmicroseconds %.1f\n", whole, caught, resized, together.load(), three - two,
           microseconds_a_round(team));
}
