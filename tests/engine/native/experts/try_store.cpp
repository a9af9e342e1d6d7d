// The store's promises, one function each: prints "name 1", or "name 0" where one is broken, which test_store.py reads.

#include "try_store.hpp"

#include <atomic>
#include <cstdio>

using namespace kimicode;

namespace {

using Experts = std::vector<int>;
std::string folder;

// What the loan gives without waiting.
Experts given(Store::Loan &loan) {
    Experts all;
    for (ExpertBytes bytes; loan.next(bytes, false);) all.push_back(bytes.expert);
    return all;
}

// Bring these in by a computation of their own.
void fill(Opened &opened, int layer, const Experts &experts, bool prompt = false) {
    auto loan = opened.store->borrow(layer, experts, prompt);
    ExpertBytes bytes;
    for (size_t left = experts.size(); left > 0;) {
        opened.reader->finish_all();
        while (loan->next(bytes, false)) loan->done(bytes.expert), --left;
    }
}

// Whether an expert is in memory. It counts as a use.
bool has(Opened &opened, int layer, int expert) {
    auto loan = opened.store->borrow(layer, Experts{expert}, false);
    ExpertBytes bytes;
    return loan->next(bytes, false);
}

bool what_is_there_comes_first() {
    Opened o(options_of(folder, 1, 8, 4));
    fill(o, 0, {0, 1});
    auto loan = o.store->borrow(0, Experts{2, 0, 3, 1}, false);
    bool there = given(*loan) == Experts{0, 1};
    o.reader->finish(3);
    bool as_they_come = given(*loan) == Experts{3};
    o.reader->finish(2);
    return there && as_they_come && given(*loan) == Experts{2};
}

bool misses_are_read_urgently_in_order() {
    Opened o(options_of(folder, 1, 8, 4));
    auto loan = o.store->borrow(0, Experts{5, 2, 7}, false);
    auto jobs = o.reader->jobs();
    return o.reader->wanted() == Experts{5, 2, 7} && std::all_of(jobs.begin(), jobs.end(), [](const auto &job) { return job.urgent; });
}

bool bytes_are_right() {
    StoreOptions options = options_of(folder, 2, 8, 4);
    // Parts that don't lie together are read one by one.
    std::swap(options.ranges[11][0], options.ranges[12][0]);
    Opened o(options);
    auto loan = o.store->borrow(1, Experts{0, 3, 4}, false);
    for (int expert : {8, 11, 12}) o.reader->finish(expert);
    o.reader->finish_all();
    int all = 0;
    for (ExpertBytes bytes; loan->next(bytes, false); ++all)
        if (!right(bytes, options, 1)) return false;
    return all == 3;
}

bool an_announced_one_is_hurried() {
    Opened o(options_of(folder, 1, 8, 4));
    o.store->announce(0, Experts{6});
    bool low = !o.reader->jobs().at(0).urgent;
    auto loan = o.store->borrow(0, Experts{6}, false);
    bool hurried = o.reader->jobs().at(0).hurried;
    o.reader->finish(6);
    StoreCounts c = o.store->counts();
    return low && hurried && given(*loan) == Experts{6} && c.misses == 1 && c.hits == 0 && c.announced == 1 && c.announced_used == 1;
}

bool an_announced_one_that_came_is_a_hit() {
    Opened o(options_of(folder, 1, 8, 4));
    o.store->announce(0, Experts{6, 7});
    o.reader->finish_all();
    auto loan = o.store->borrow(0, Experts{6}, false);
    StoreCounts c = o.store->counts();
    return given(*loan) == Experts{6} && c.hits == 1 && c.announced == 2 && c.announced_used == 1;
}

bool an_announcement_that_proves_wrong_is_not_read() {
    Opened o(options_of(folder, 1, 8, 4));
    o.store->announce(0, Experts{6, 7});
    auto loan = o.store->borrow(0, Experts{6}, false);
    return o.reader->wanted() == Experts{6};
}

bool an_announcement_makes_room_for_what_is_wanted() {
    Opened o(options_of(folder, 2, 8, 2));
    o.store->announce(1, Experts{6, 7});
    auto loan = o.store->borrow(0, Experts{3}, false);
    return o.reader->wanted() == Experts{14, 3};
}

bool an_announcement_drops_nothing_of_the_last_token() {
    Opened o(options_of(folder, 2, 8, 3));
    fill(o, 0, {1});
    fill(o, 0, {2});
    fill(o, 1, {4});
    o.store->announce(0, Experts{5, 6});
    // Only expert 1 was not of layer 0's last token.
    return o.reader->wanted() == Experts{5};
}

bool more_may_be_asked_for_than_there_are_places() {
    StoreOptions options = options_of(folder, 1, 8, 2);
    Opened o(options);
    Experts all{7, 6, 5, 4, 3, 2, 1, 0}, came;
    auto loan = o.store->borrow(0, all, false);
    for (ExpertBytes bytes; came.size() < all.size();) {
        if (o.reader->wanted().size() > 2) return false;
        if (!o.reader->finish(all[came.size()]) || !loan->next(bytes, false) || !right(bytes, options, 0)) return false;
        came.push_back(bytes.expert);
        loan->done(bytes.expert);
    }
    ExpertBytes none;
    return came == all && !loan->next(none, true);
}

bool an_error_ends_its_loan_alone() {
    Opened o(options_of(folder, 1, 8, 4));
    auto loan = o.store->borrow(0, Experts{1, 2}, false), other = o.store->borrow(0, Experts{2, 3}, false);
    o.reader->finish(1, "the drive is broken");
    bool raised = false;
    ExpertBytes bytes;
    try {
        loan->next(bytes, true);
    } catch (const ReadError &error) {
        raised = std::string(error.what()) == "the drive is broken";
    }
    o.reader->finish_all();
    bool other_works = given(*other) == Experts{2, 3};
    loan.reset();
    auto again = o.store->borrow(0, Experts{1}, false);
    return raised && other_works && o.reader->wanted() == Experts{1} && o.reader->finish(1) && given(*again) == Experts{1};
}

bool a_loan_that_ends_early_gives_all_back() {
    Opened o(options_of(folder, 1, 8, 2));
    {
        fill(o, 0, {0});
        auto loan = o.store->borrow(0, Experts{0, 1, 2, 3}, false);
        given(*loan);
        o.reader->begin_all();
        // 1 is on the way, and stays so; 2 and 3 have no places yet.
    }
    bool on_the_way = o.reader->wanted() == Experts{1};
    {
        auto loan = o.store->borrow(0, Experts{4}, false);
    }
    bool cancelled = o.reader->wanted() == Experts{1};
    o.reader->finish_all();
    return on_the_way && cancelled && has(o, 0, 1) && o.store->counts().held == 1;
}

bool one_expert_serves_two_loans() {
    Opened o(options_of(folder, 1, 8, 2));
    auto first = o.store->borrow(0, Experts{1}, false), second = o.store->borrow(0, Experts{1}, false);
    bool once = o.reader->wanted() == Experts{1};
    o.reader->finish_all();
    bool both = given(*first) == Experts{1} && given(*second) == Experts{1};
    first->done(1);
    auto third = o.store->borrow(0, Experts{2, 3}, false);
    return once && both && o.reader->wanted() == Experts{2};
}

bool a_loan_with_nothing_takes_what_nobody_waits_for() {
    Opened o(options_of(folder, 2, 8, 2));
    fill(o, 0, {0, 1});
    auto first = o.store->borrow(0, Experts{0, 1}, false), second = o.store->borrow(1, Experts{5}, false);
    o.reader->work();
    ExpertBytes bytes;
    if (!second->next(bytes, true) || bytes.expert != 5) return false;
    second->done(5);
    Experts came;
    while (first->next(bytes, true)) came.push_back(bytes.expert), first->done(bytes.expert);
    std::sort(came.begin(), came.end());
    return came == Experts{0, 1};
}

bool it_does_so_in_a_store_that_shrinks() {
    Opened o(options_of(folder, 2, 8, 5));
    fill(o, 0, {0, 1, 2, 3, 4});
    auto first = o.store->borrow(0, Experts{0, 1, 2, 3, 4}, false);
    o.store->resize(2 * o.store->counts().place_bytes);
    auto second = o.store->borrow(1, Experts{5}, false);
    o.reader->work();
    ExpertBytes bytes;
    return second->next(bytes, true) && bytes.expert == 5 && o.store->counts().held == 2;
}

bool announcements_have_few_places() {
    Opened o(options_of(folder, 3, 64, 32));
    Experts all;
    for (int expert = 0; expert < 64; ++expert) all.push_back(expert);
    o.store->announce(1, all);
    bool few = o.reader->wanted().size() == 8;
    // What was never computed makes room for the next announcement.
    o.store->announce(2, Experts{5, 6});
    return few && o.reader->wanted() == Experts{133, 134};
}

bool it_shrinks_and_grows() {
    Opened o(options_of(folder, 1, 8, 4));
    uint64_t place = o.store->counts().place_bytes;
    fill(o, 0, {0, 1, 2, 3});
    auto loan = o.store->borrow(0, Experts{0, 1, 2}, false);
    given(*loan);
    o.store->resize(2 * place);
    bool one_went = o.store->counts().places == 2 && o.store->counts().held == 3;
    loan->done(0);
    bool another_went = o.store->counts().held == 2;
    loan->done(1);
    bool stays = o.store->counts().held == 2 && has(o, 0, 1) && !has(o, 0, 3);
    loan.reset();
    o.store->resize(6 * place);
    fill(o, 0, {0, 1, 2, 3, 4, 5});
    return one_went && another_went && stays && o.store->counts().held == 6;
}

bool the_least_worthy_goes() {
    Opened o(options_of(folder, 1, 8, 3));
    fill(o, 0, {0});
    fill(o, 0, {1});
    fill(o, 0, {2});
    fill(o, 0, {0});
    fill(o, 0, {3});
    return has(o, 0, 0) && has(o, 0, 2) && has(o, 0, 3) && o.store->counts().evictions == 1;
}

bool a_prompt_spares_what_decoding_needs() {
    Opened o(options_of(folder, 4, 16, 32, "lfru"));
    for (int layer = 0; layer < 4; ++layer) fill(o, layer, {3, 7, 11});
    Experts all;
    for (int expert = 0; expert < 16; ++expert) all.push_back(expert);
    uint64_t hits[3];
    for (uint64_t &found : hits) {
        uint64_t before = o.store->counts().hits;
        for (int layer = 0; layer < 4; ++layer) fill(o, layer, all, true);
        found = o.store->counts().hits - before;
    }
    bool kept = true;
    for (int layer = 0; layer < 4; ++layer)
        for (int expert : {3, 7, 11}) kept = kept && has(o, layer, expert);
    // The same ones stay each time, all but the few places that the others pass through.
    return kept && hits[0] == 12 && hits[1] >= 26 && hits[2] >= 26;
}

bool a_prompt_reads_through_few_places() {
    Opened o(options_of(folder, 1, 64, 32));
    Experts all;
    for (int expert = 0; expert < 64; ++expert) all.push_back(expert);
    auto loan = o.store->borrow(0, all, true);
    return o.reader->wanted().size() == 4;
}

bool waiting_counts_where_nothing_can_be_computed() {
    Opened o(options_of(folder, 1, 8, 4));
    auto loan = o.store->borrow(0, Experts{1, 2}, false);
    o.reader->finish(1);
    ExpertBytes bytes, another;
    loan->next(bytes, true);
    // While one thread has an expert, another one that waits does not count.
    std::thread second([&] { loan->next(another, true); });
    o.reader->finish(2);
    second.join();
    bool busy = o.store->counts().waited_seconds == 0;
    loan->done(1), loan->done(2);
    auto next = o.store->borrow(0, Experts{3}, false);
    std::thread waiting([&] { next->next(bytes, true); });
    while (o.store->counts().waited_seconds == 0) std::this_thread::yield();
    o.reader->finish(3);
    waiting.join();
    return busy;
}

bool what_it_cant_do_is_said() {
    auto says = [](StoreOptions options, const std::string &part) {
        try {
            Opened o(options);
        } catch (const std::runtime_error &error) {
            return std::string(error.what()).find(part) != std::string::npos;
        }
        return false;
    };
    StoreOptions small = options_of(folder, 2, 8, 1), unknown = options_of(folder, 2, 8, 4, "best"), far = options_of(folder, 2, 8, 4);
    far.ranges[3][1].offset = 1 << 20;
    StoreOptions missing = options_of(folder, 2, 8, 4);
    missing.files.copies[0][0] += ".not";
    Opened o(options_of(folder, 2, 8, 4));
    bool outside = false, layer = false, less = false;
    try {
        o.store->borrow(0, Experts{8}, false);
    } catch (const std::out_of_range &) {
        outside = true;
    }
    try {
        o.store->announce(2, Experts{0});
    } catch (const std::out_of_range &) {
        layer = true;
    }
    try {
        o.store->resize(100);
    } catch (const std::runtime_error &) {
        less = true;
    }
    return says(small, "room for 2 of layer") && says(unknown, "\"best\"") && says(far, "behind its end") && says(missing, "No such file") &&
           outside && layer && less;
}

// Several threads with loans of their own, each with more experts than places, announcing and resizing meanwhile.
bool threads_get_along() {
    StoreOptions options = options_of(folder, 3, 16, 3, "lfru");
    Opened o(options);
    o.reader->work();
    std::atomic<bool> all_right = true;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            for (int round = 0; round < 150; ++round) {
                Experts wanted;
                for (int i = 0; i < 6; ++i) wanted.push_back((round * 7 + i * 5 + t * 3) % 16);
                int layer = (round + t) % 3;
                auto loan = o.store->borrow(layer, wanted, round % 5 == 4);
                o.store->announce((layer + 1) % 3, wanted);
                if (round % 10 == t) o.store->resize((uint64_t)(2 + round % 5) * o.store->counts().place_bytes);
                int left = round % 7 == 6 ? 2 : 100; // sometimes it ends early
                for (ExpertBytes bytes; left-- > 0 && loan->next(bytes, true); loan->done(bytes.expert))
                    if (!right(bytes, options, layer)) all_right = false;
            }
        });
    for (std::thread &thread : threads) thread.join();
    return all_right;
}

// Several threads with one loan.
bool threads_share_a_loan() {
    StoreOptions options = options_of(folder, 1, 64, 5);
    Opened o(options);
    o.reader->work();
    Experts all;
    for (int expert = 0; expert < 64; ++expert) all.push_back(expert);
    for (int round = 0; round < 10; ++round) {
        auto loan = o.store->borrow(0, all, round % 2);
        std::atomic<int> came = 0;
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&] {
                for (ExpertBytes bytes; loan->next(bytes, true); loan->done(bytes.expert)) came += right(bytes, options, 0);
            });
        for (std::thread &thread : threads) thread.join();
        if (came != 64) return false;
    }
    return true;
}

struct Case {
    const char *name;
    bool (*works)();
};
constexpr Case CASES[] = {
    {"what_is_there_comes_first", what_is_there_comes_first},
    {"misses_are_read_urgently_in_order", misses_are_read_urgently_in_order},
    {"bytes_are_right", bytes_are_right},
    {"an_announced_one_is_hurried", an_announced_one_is_hurried},
    {"an_announced_one_that_came_is_a_hit", an_announced_one_that_came_is_a_hit},
    {"an_announcement_that_proves_wrong_is_not_read", an_announcement_that_proves_wrong_is_not_read},
    {"an_announcement_makes_room_for_what_is_wanted", an_announcement_makes_room_for_what_is_wanted},
    {"an_announcement_drops_nothing_of_the_last_token", an_announcement_drops_nothing_of_the_last_token},
    {"more_may_be_asked_for_than_there_are_places", more_may_be_asked_for_than_there_are_places},
    {"an_error_ends_its_loan_alone", an_error_ends_its_loan_alone},
    {"a_loan_that_ends_early_gives_all_back", a_loan_that_ends_early_gives_all_back},
    {"one_expert_serves_two_loans", one_expert_serves_two_loans},
    {"a_loan_with_nothing_takes_what_nobody_waits_for", a_loan_with_nothing_takes_what_nobody_waits_for},
    {"it_does_so_in_a_store_that_shrinks", it_does_so_in_a_store_that_shrinks},
    {"announcements_have_few_places", announcements_have_few_places},
    {"it_shrinks_and_grows", it_shrinks_and_grows},
    {"the_least_worthy_goes", the_least_worthy_goes},
    {"a_prompt_spares_what_decoding_needs", a_prompt_spares_what_decoding_needs},
    {"a_prompt_reads_through_few_places", a_prompt_reads_through_few_places},
    {"waiting_counts_where_nothing_can_be_computed", waiting_counts_where_nothing_can_be_computed},
    {"what_it_cant_do_is_said", what_it_cant_do_is_said},
    {"threads_get_along", threads_get_along},
    {"threads_share_a_loan", threads_share_a_loan},
};

} // namespace

int main(int, char **arguments) {
    folder = arguments[1];
    for (auto &[name, works] : CASES) std::printf("%s %d\n", name, works()), std::fflush(stdout);
}
