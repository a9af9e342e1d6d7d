// Readers and what can happen to them, for tests: `try_reader mode case folder` prints "name: value" lines, which test_reader.py reads.

#include "experts/reader_queue.hpp"
#include "try_reader.hpp"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <set>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

using namespace kimicode;
using namespace kimicode::reading;

namespace {

constexpr size_t PIECE = 16 * SECTOR, SIZE = 40 * PIECE + 1234; // the last sector is not whole

struct Case {
    std::string folder, mode;
    Faults      faults = {};
    Jobs        jobs = {};
    Bytes       bytes = random_bytes(SIZE, 1);
    uint64_t    next = 0;

    std::string path(int copy) const { return folder + "/copy" + std::to_string(copy); }

    std::unique_ptr<Reader> open(int copies = 1, int depth = 4) { return open(copies, depth, faulty(mode, faults)); }
    std::unique_ptr<Reader> open(int copies, int depth, const System &system) {
        ReaderOptions options;
        for (int copy = 0; copy < copies; ++copy) options.copies.push_back({path(copy)});
        options.piece = PIECE;
        options.depth = depth;
        options.uring = mode != "threads";
        return open_reader(options, jobs.done(), system);
    }
    void write(int copies = 1) const {
        for (int copy = 0; copy < copies; ++copy) reading::write(path(copy), bytes);
    }
    std::string read(Reader &reader, Range range) { return read_one(reader, jobs, next++, range, bytes); }
    std::string read_all(Reader &reader) { return read(reader, {0, 0, SIZE}); }
};

void say(const char *name, const std::string &value) { printf("%s: %s\n", name, value.c_str()); }
void say(const char *name, uint64_t value) { printf("%s: %llu\n", name, (unsigned long long)value); }

void say(const Reader &reader) {
    ReaderCounts counts = reader.counts();
    say("bytes", counts.bytes);
    say("reads", counts.reads);
    say("retries", counts.retries);
    say("failures", counts.failures);
}

// What opening says.
template <class Open> void say_opened(const char *name, Open open) {
    try {
        say(name, open()->note());
    } catch (const std::runtime_error &error) {
        say(name, error.what());
    }
}

void plain(Case &c) {
    c.write(2);
    auto reader = c.open(2);
    say("all", c.read_all(*reader));
    constexpr Range PARTS[] = {{0, 0, 1}, {0, SIZE - 1, 1}, {0, SECTOR - 1, 2}, {0, 5000, 3 * PIECE}, {0, SIZE - 5000, 5000},
                               {0, PIECE, PIECE}, {0, 7, 0}};
    for (const Range &range : PARTS)
        say("part", c.read(*reader, range));
    say("outside", c.read(*reader, {0, SIZE - 10, 11}));
    say("nowhere", c.read(*reader, {1, 0, 11}));
    say("busy", reader->counts().busy_seconds > 0);
}

// Ranges that continue each other are read as one, also where they share a sector.
void together(Case &c) {
    c.write();
    auto   reader = c.open();
    Memory memory(PIECE);
    Range  first{0, 5000, 6000}, second{0, 11000, 7000}, apart{0, 18001, 4000};
    reader->begin(0, {{first, memory.at}, {second, memory.at + SECTOR}, {apart, memory.at + 8 * SECTOR}}, false);
    say("error", c.jobs.error(0));
    bool same = !memcmp(memory.at + 5000 % SECTOR, c.bytes.data() + 5000, 13000) &&
                !memcmp(memory.at + 8 * SECTOR + 18001 % SECTOR, c.bytes.data() + 18001, 4000);
    say("same", same);
    say(*reader);
}

void once(Case &c, int copies) {
    c.write(copies);
    auto          reader = c.open(copies);
    std::set<int> failed;
    bool          elsewhere = true;
    c.faults.set([&](int descriptor, uint64_t offset, long result) -> long {
        if (offset != 3 * PIECE) return result;
        if (failed.empty()) {
            failed.insert(descriptor);
            return -EIO;
        }
        elsewhere = failed.insert(descriptor).second;
        return result;
    });
    say("error", c.read_all(*reader));
    say("elsewhere", elsewhere);
    say(*reader);
}

void always(Case &c) {
    c.write();
    auto reader = c.open();
    c.faults.set([](int, uint64_t offset, long result) -> long { return offset == 3 * PIECE ? -EIO : result; });
    say("error", c.read_all(*reader));
    say("other", c.read(*reader, {0, 4 * PIECE, 2 * PIECE}));
    say(*reader);
}

// Reads that bring less than was asked for: whole sectors, odd bytes, and signals between.
void pieces(Case &c) {
    c.write();
    auto            reader = c.open();
    std::mt19937_64 random(1);
    c.faults.set([&](int, uint64_t, long result) -> long {
        switch (random() % 4) {
        case 0: return -EINTR;
        case 1: return -EAGAIN;
        case 2: return result > (long)SECTOR ? (long)(1 + random() % (result - SECTOR) / SECTOR) * (long)SECTOR : result;
        default: return result > (long)SECTOR ? (long)(SECTOR + random() % (result - SECTOR)) : result;
        }
    });
    say("error", c.read_all(*reader));
    say(*reader);
}

void interrupted(Case &c) {
    c.write();
    auto reader = c.open();
    c.faults.set([](int, uint64_t, long) -> long { return -EAGAIN; });
    say("error", c.read_all(*reader));
}

void ended(Case &c) {
    c.write();
    auto reader = c.open();
    c.faults.set([](int, uint64_t offset, long result) -> long { return offset >= 3 * PIECE ? 0 : result; });
    say("error", c.read_all(*reader));
}

void truncated(Case &c) {
    c.write(2);
    auto reader = c.open(2);
    say("before", c.read_all(*reader));
    std::filesystem::resize_file(c.path(0), SIZE - PIECE);
    say("after", c.read_all(*reader));
    say("for good", c.read(*reader, {0, 0, 10}));
}

void written(Case &c) {
    c.write();
    auto reader = c.open();
    std::fstream(c.path(0), std::ios::binary | std::ios::in | std::ios::out).seekp(SIZE / 2).put(1);
    say("after", c.read(*reader, {0, 0, 10}));
}

void replaced(Case &c) {
    c.write(2);
    auto reader = c.open();
    std::filesystem::rename(c.path(1), c.path(0));
    std::string error; // at once, or when the path is looked at
    while (error.empty()) error = c.read(*reader, {0, 0, 10});
    say("after", error);
}

void opening(Case &c) {
    c.write(3);
    std::filesystem::resize_file(c.path(1), SIZE - 1);
    say_opened("size", [&] { return c.open(2); });
    c.bytes[SIZE - 1] ^= 1;
    reading::write(c.path(1), c.bytes);
    say_opened("content", [&] { return c.open(2); });
    say_opened("missing", [&] { return c.open(4); });
    std::filesystem::create_directory(c.path(3));
    say_opened("folder", [&] { return c.open(4); });
    ReaderOptions odd;
    odd.copies = {{c.path(0)}};
    odd.piece = 1000;
    say_opened("piece", [&] { return Reader::open(odd, c.jobs.done()); });
    odd.piece = PIECE;
    odd.depth = 0;
    say_opened("depth", [&] { return Reader::open(odd, c.jobs.done()); });
    odd.depth = 1;
    odd.copies.clear();
    say_opened("none", [&] { return Reader::open(odd, c.jobs.done()); });
}

// The limit of open files is the process's own, and real.
void descriptors(Case &c) {
    c.write(2);
    int next = dup(0);
    close(next);
    auto allow = [&](int more) {
        rlimit limit{(rlim_t)(next + more), (rlim_t)(next + more)};
        setrlimit(RLIMIT_NOFILE, &limit);
    };
    allow(3);
    auto reader = c.open(2); // two files, and the ring has too few
    say("few", c.read_all(*reader));
    reader.reset();
    allow(1);
    say_opened("fewer", [&] { return c.open(2); });
}

void ring(Case &c) {
    c.write();
    for (int error : {ENOSYS, EPERM, EMFILE, ENOMEM}) {
        System system = faulty(c.mode, c.faults);
        system.ring = [error](unsigned, const std::vector<int> &) -> std::unique_ptr<Ring> {
            throw std::system_error(error, std::generic_category());
        };
        auto reader = c.open(1, 4, system);
        say("note", reader->note());
        say("error", c.read_all(*reader));
        say("uring", reader->counts().uring);
    }
    System system = faulty("own", c.faults);
    system.ring = [first = system.ring](unsigned entries, const std::vector<int> &descriptors) {
        if (entries > 2) throw std::system_error(ENOMEM, std::generic_category());
        return first(entries, descriptors);
    };
    auto reader = c.open(1, 8, system);
    say("note", reader->note());
    say("error", c.read_all(*reader));
}

// From now on this system call is not permitted to this thread, as in containers.
void forbid(long call) {
    sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    sock_fprog  program{(unsigned short)std::size(filter), filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) perror("seccomp");
}

void forbidden(Case &c) {
    c.write();
    for (long call : {SYS_io_uring_enter, SYS_io_uring_setup}) {
        forbid(call);
        auto reader = Reader::open({{{c.path(0)}}, PIECE, 4, true, true}, c.jobs.done());
        say("note", reader->note());
        say("error", c.read_all(*reader));
    }
}

// A file system without direct I/O, which says so when a file is opened, or when it is read.
void buffered(Case &c, bool late) {
    c.write();
    std::set<int>    direct;
    std::atomic<int> forgotten{0};
    System           system = faulty(c.mode, c.faults), real = System::real();
    system.open = [&, late](const std::string &path, bool asked) {
        if (asked && !late) return -EINVAL;
        int descriptor = real.open(path, false);
        if (asked) direct.insert(descriptor);
        return descriptor;
    };
    system.close = [&](int descriptor) {
        direct.erase(descriptor);
        real.close(descriptor);
    };
    system.forget = [&](int, uint64_t, size_t) { ++forgotten; };
    c.faults.set([&](int descriptor, uint64_t, long result) -> long { return direct.count(descriptor) ? -EINVAL : result; });
    auto reader = c.open(1, 4, system);
    say("error", c.read_all(*reader));
    say("note", reader->note());
    say("direct", reader->counts().direct);
    say("forgotten", forgotten == (int)reader->counts().reads);
}

void slow(Case &c) {
    c.write(2);
    std::map<int, int> reads;
    std::mutex         mutex;
    System             system = faulty(c.mode, c.faults), real = System::real();
    std::vector<int>   opened;
    system.open = [&](const std::string &path, bool direct) { return opened.emplace_back(real.open(path, direct)); };
    system.read = [&](int descriptor, std::byte *into, size_t bytes, uint64_t offset) {
        bool slow = opened.size() > 1 && descriptor == opened[1];
        if (slow) std::this_thread::sleep_for(std::chrono::milliseconds(20));
        {
            std::lock_guard lock(mutex);
            ++reads[descriptor];
        }
        return real.read(descriptor, into, bytes, offset);
    };
    auto reader = c.open(2, 2, system);
    reads.clear();
    for (int i = 0; i < 4; ++i) say("error", c.read_all(*reader));
    say("both", reads[opened[0]] > 0 && reads[opened[1]] > 0);
    say("mostly fast", reads[opened[0]] > 3 * reads[opened[1]]);
}

void order(Case &c) {
    c.write();
    auto   reader = c.open(1, 1);
    Memory memory(10 * SECTOR);
    auto   begin = [&](uint64_t job, bool urgent) { reader->begin(job, {{{0, job * SECTOR, 100}, memory.at + job * SECTOR}}, urgent); };
    c.faults.gate.shut();
    begin(0, false);
    c.faults.gate.wait_for_one();
    for (uint64_t job : {1, 2, 3}) begin(job, false);
    for (uint64_t job : {4, 5}) begin(job, true);
    for (uint64_t job : {6, 7}) begin(job, false);
    reader->hurry(3);
    reader->hurry(4);
    reader->hurry(99);
    say("cancelled", reader->cancel(6));
    say("too late", reader->cancel(0));
    say("unknown", reader->cancel(99));
    c.faults.gate.open();
    for (uint64_t job : {0, 1, 2, 3, 4, 5, 7}) c.jobs.error(job);
    std::string said;
    for (auto job : c.jobs.order()) said += std::to_string(job);
    say("order", said);
    say("done", reader->cancel(7));
    reader.reset();
    say("never", !c.jobs.is_done(6));
}

// Closed while one of a job's two pieces is on the way: that job is read, the others aren't.
void closing(Case &c) {
    c.write();
    System        system = faulty(c.mode, c.faults);
    ReaderOptions options{{{c.path(0)}}, PIECE, 1, true, false};
    Files         files(options.copies, true, system);
    Queue         queue(files, options, c.jobs.done(), [] {});
    Memory        memory(20 * PIECE);
    for (uint64_t job : {0, 1, 2}) queue.begin(job, {{{0, 0, 2 * PIECE}, memory.at + 3 * job * PIECE}}, job == 2);
    Piece piece;
    say("taken", queue.take(piece, -1, false));
    queue.close();
    queue.begin(3, {{{0, 0, PIECE}, memory.at}}, false);
    int error;
    do {
        say("over", queue.over());
        Rest left = rest(piece);
        advance(piece, system.read(files.descriptor(0, 0), left.into, left.bytes, left.offset), error);
        queue.read(piece);
    } while (queue.take(piece, -1, false));
    say("over", queue.over());
    for (uint64_t job : {0, 1, 2, 3}) say("job", c.jobs.error(job));
    say("right", !memcmp(memory.at, c.bytes.data(), 2 * PIECE));
}

struct Asked {
    std::vector<Range>                   ranges;
    std::vector<std::unique_ptr<Memory>> memory;
    bool                                 cancelled = false;
};

// Several threads with jobs of all kinds, on two drives that fail now and then, and a reader that is closed before it is through.
void soak(Case &c) {
    constexpr uint64_t CLIENTS = 3, JOBS = 120, LEFT = 40;
    c.write(2);
    std::mt19937_64 faults(3);
    c.faults.set([&](int, uint64_t, long result) -> long {
        switch (faults() % 16) {
        case 0:
        case 3: return -EIO;
        case 1: return -EINTR;
        case 2: return result > (long)SECTOR ? (long)(1 + faults() % result) : result;
        default: return result;
        }
    });
    std::vector<Asked> asked(CLIENTS * JOBS + LEFT);
    auto               reader = c.open(2, 3);
    auto               begin = [&](uint64_t job, std::mt19937_64 &random) {
        std::vector<Read> reads;
        for (uint64_t i = 0; i <= random() % 3; ++i) {
            uint64_t offset = random() % SIZE;
            Range    range{0, offset, std::min<uint64_t>(1 + random() % (5 * PIECE), SIZE - offset)};
            asked[job].ranges.push_back(range);
            asked[job].memory.push_back(std::make_unique<Memory>(room(range)));
            reads.push_back({range, asked[job].memory.back()->at});
        }
        reader->begin(job, reads, random() % 2);
    };
    std::vector<std::thread> clients;
    for (uint64_t client = 0; client < CLIENTS; ++client)
        clients.emplace_back([&, client] {
            std::mt19937_64 random(client);
            for (uint64_t i = 0; i < JOBS; ++i) {
                uint64_t job = client * JOBS + i, other = client * JOBS + random() % (i + 1);
                begin(job, random);
                if (random() % 4 == 0) reader->hurry(other);
                if (random() % 4 == 0 && !asked[other].cancelled) asked[other].cancelled = reader->cancel(other);
                if (random() % 8 == 0 && !asked[other].cancelled) c.jobs.error(other);
            }
        });
    for (auto &client : clients) client.join();
    for (uint64_t job = 0; job < CLIENTS * JOBS; ++job)
        if (!asked[job].cancelled) c.jobs.error(job);
    std::mt19937_64 random(9);
    for (uint64_t job = CLIENTS * JOBS; job < asked.size(); ++job) begin(job, random);
    reader.reset();
    std::map<std::string, uint64_t> found;
    for (uint64_t job = 0; job < asked.size(); ++job) {
        bool        done = c.jobs.is_done(job);
        std::string error = done ? c.jobs.error(job) : "";
        if (done == asked[job].cancelled) ++found["unexpected"];
        else if (asked[job].cancelled) ++found["cancelled"];
        else if (error == "the reader was closed") ++found["closed"];
        else if (error.find("Input/output error") != std::string::npos) ++found["failed"];
        else if (error.empty()) ++found["read"];
        else say("unexpected error", error), ++found["unexpected"];
        for (size_t i = 0; done && error.empty() && i < asked[job].ranges.size(); ++i) {
            const Range &range = asked[job].ranges[i];
            if (memcmp(asked[job].memory[i]->at + range.offset % SECTOR, c.bytes.data() + range.offset, range.bytes)) ++found["wrong"];
        }
    }
    for (const char *kind : {"read", "failed", "cancelled", "closed", "wrong", "unexpected"}) say(kind, found[kind]);
}

const std::map<std::string, std::function<void(Case &)>> CASES = {
    {"plain", plain},
    {"together", together},
    {"once", [](Case &c) { once(c, 1); }},
    {"elsewhere", [](Case &c) { once(c, 2); }},
    {"always", always},
    {"pieces", pieces},
    {"interrupted", interrupted},
    {"ended", ended},
    {"truncated", truncated},
    {"written", written},
    {"replaced", replaced},
    {"opening", opening},
    {"descriptors", descriptors},
    {"ring", ring},
    {"forbidden", forbidden},
    {"buffered", [](Case &c) { buffered(c, false); }},
    {"late", [](Case &c) { buffered(c, true); }},
    {"slow", slow},
    {"order", order},
    {"closing", closing},
    {"soak", soak},
};

} // namespace

int main(int, char **words) {
    Case c{words[3], words[1]};
    CASES.at(words[2])(c);
}
