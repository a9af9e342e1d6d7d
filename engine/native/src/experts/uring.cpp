#include "uring.hpp"

#include "reader.hpp"

#include <cerrno>
#include <system_error>

#if defined(__linux__) && __has_include(<linux/io_uring.h>)
#include <linux/io_uring.h>
#endif

#ifdef IORING_FEAT_FAST_POLL // headers of Linux 5.7 or later; the kernel that this runs on is asked

#include <algorithm>
#include <cstring>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace kimicode::reading {
namespace {

constexpr uint64_t WAKE = ~0ull; // the tag of the wait for somebody's call
constexpr unsigned OPERATIONS = 64;

[[noreturn]] void fail(int error) { throw std::system_error(error, std::generic_category(), "io_uring"); }

// Memory that the kernel shares.
class Shared {
  public:
    Shared() = default;
    ~Shared() {
        if (at_ != MAP_FAILED) munmap(at_, bytes_);
    }
    Shared(const Shared &) = delete;
    Shared &operator=(const Shared &) = delete;

    void map(int ring, off_t what, size_t bytes) {
        at_ = mmap(nullptr, bytes_ = bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, what);
        if (at_ == MAP_FAILED) fail(errno);
    }
    template <class T> T *at(size_t offset) const { return reinterpret_cast<T *>(static_cast<std::byte *>(at_) + offset); }

  private:
    void  *at_ = MAP_FAILED;
    size_t bytes_ = 0;
};

class Descriptor {
  public:
    ~Descriptor() {
        if (number >= 0) close(number);
    }
    void take(int opened) {
        if (opened < 0) fail(errno);
        number = opened;
    }
    int number = -1;
};

class KernelRing final : public Ring {
  public:
    KernelRing(unsigned entries, const std::vector<int> &descriptors) : descriptors_(descriptors) {
        io_uring_params p{};
        event_.take(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        ring_.take((int)syscall(SYS_io_uring_setup, entries + 1, &p));
        if (!(p.features & IORING_FEAT_SINGLE_MMAP) || !(p.features & IORING_FEAT_NODROP)) fail(ENOSYS);
        size_t bytes = std::max(p.sq_off.array + p.sq_entries * sizeof(unsigned), p.cq_off.cqes + p.cq_entries * sizeof(io_uring_cqe));
        rings_.map(ring_.number, IORING_OFF_SQ_RING, bytes);
        requests_.map(ring_.number, IORING_OFF_SQES, p.sq_entries * sizeof(io_uring_sqe));
        head_ = rings_.at<unsigned>(p.sq_off.head);
        tail_ = rings_.at<unsigned>(p.sq_off.tail);
        mask_ = *rings_.at<unsigned>(p.sq_off.ring_mask);
        done_head_ = rings_.at<unsigned>(p.cq_off.head);
        done_tail_ = rings_.at<unsigned>(p.cq_off.tail);
        done_mask_ = *rings_.at<unsigned>(p.cq_off.ring_mask);
        done_ = rings_.at<io_uring_cqe>(p.cq_off.cqes);
        for (unsigned i = 0; i < p.sq_entries; ++i) rings_.at<unsigned>(p.sq_off.array)[i] = i;
        next_ = *tail_;
        probe();
        registered_ = tell(IORING_REGISTER_FILES, descriptors.data(), descriptors.size()) == 0;
        try_one();
    }

    void push(uint64_t tag, int index, std::byte *into, size_t bytes, uint64_t offset) override {
        io_uring_sqe &request = fresh(IORING_OP_READ, tag);
        request.fd = registered_ ? index : descriptors_[index];
        if (registered_) request.flags = IOSQE_FIXED_FILE;
        request.addr = reinterpret_cast<uint64_t>(into);
        request.len = (unsigned)bytes;
        request.off = offset;
    }

    void wait() override {
        if (!listening_) {
            io_uring_sqe &request = fresh(IORING_OP_POLL_ADD, WAKE);
            request.fd = event_.number;
            request.poll_events = POLLIN;
            listening_ = true;
        }
        __atomic_store_n(tail_, next_, __ATOMIC_RELEASE);
        unsigned unsubmitted = next_ - __atomic_load_n(head_, __ATOMIC_ACQUIRE);
        if (enter(unsubmitted, some() ? 0 : 1) >= 0) return;
        // Short of memory: what is there already may free some, else only time can help. A signal: the caller comes again.
        if (errno != EINTR && !some()) poll(nullptr, 0, 1);
    }

    bool pop(uint64_t &tag, long &result) override {
        while (some()) {
            const io_uring_cqe &found = done_[*done_head_ & done_mask_];
            tag = found.user_data;
            result = found.res;
            __atomic_store_n(done_head_, *done_head_ + 1, __ATOMIC_RELEASE);
            if (tag != WAKE) return true;
            uint64_t calls;
            [[maybe_unused]] ssize_t got = read(event_.number, &calls, sizeof calls);
            listening_ = false;
        }
        return false;
    }

    void wake() override {
        uint64_t                 one = 1;
        [[maybe_unused]] ssize_t put = write(event_.number, &one, sizeof one);
    }

  private:
    long enter(unsigned submit, unsigned wait_for) {
        return syscall(SYS_io_uring_enter, ring_.number, submit, wait_for, IORING_ENTER_GETEVENTS, nullptr, size_t{0});
    }
    long tell(unsigned what, const void *values, size_t count) {
        return syscall(SYS_io_uring_register, ring_.number, what, values, (unsigned)count);
    }

    io_uring_sqe &fresh(uint8_t operation, uint64_t tag) {
        io_uring_sqe &request = requests_.at<io_uring_sqe>(0)[next_++ & mask_];
        memset(&request, 0, sizeof request);
        request.opcode = operation;
        request.user_data = tag;
        return request;
    }

    bool some() const { return __atomic_load_n(done_tail_, __ATOMIC_ACQUIRE) != *done_head_; }

    void probe() {
        alignas(io_uring_probe) std::byte room[sizeof(io_uring_probe) + OPERATIONS * sizeof(io_uring_probe_op)]{};
        auto                             *found = reinterpret_cast<io_uring_probe *>(room);
        // Linux 5.6, which can read, is the first that can be asked.
        if (tell(IORING_REGISTER_PROBE, found, OPERATIONS)) fail(errno == EINVAL ? ENOSYS : errno);
        for (int operation : {IORING_OP_READ, IORING_OP_POLL_ADD})
            if (operation > found->last_op || !(found->ops[operation].flags & IO_URING_OP_SUPPORTED)) fail(ENOSYS);
    }

    // A container may allow a ring and forbid its use.
    void try_one() {
        alignas(SECTOR) std::byte sector[SECTOR];
        push(0, 0, sector, SECTOR, 0);
        __atomic_store_n(tail_, next_, __ATOMIC_RELEASE);
        for (long entered; (entered = enter(1, 1)) != 1;)
            if (entered < 0 && errno != EINTR) fail(errno);
        uint64_t tag;
        long     result;
        while (!pop(tag, result)) poll(nullptr, 0, 1);
        if (result < 0) fail((int)-result);
    }

    std::vector<int> descriptors_;
    Descriptor       event_, ring_; // the ring goes first
    Shared           rings_, requests_;
    unsigned        *head_, *tail_, mask_, next_; // of requests
    unsigned        *done_head_, *done_tail_, done_mask_;
    io_uring_cqe    *done_;
    bool             registered_ = false, listening_ = false;
};

} // namespace

std::unique_ptr<Ring> open_ring(unsigned entries, const std::vector<int> &descriptors) {
    return std::make_unique<KernelRing>(entries, descriptors);
}

} // namespace kimicode::reading

#else

namespace kimicode::reading {

std::unique_ptr<Ring> open_ring(unsigned, const std::vector<int> &) {
    throw std::system_error(ENOSYS, std::generic_category(), "io_uring");
}

} // namespace kimicode::reading

#endif
