#include "reader.hpp"

#include "reader_open.hpp"
#include "reader_queue.hpp"

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <thread>

namespace kimicode::reading {
namespace {

class QueueReader : public Reader {
  public:
    QueueReader(const ReaderOptions &options, Done done, const System &system)
        : system_(system), files_(options.copies, options.direct, system), queue_(files_, options, std::move(done), [this] { wake(); }) {}

    void begin(uint64_t job, std::vector<Read> reads, bool urgent) override { queue_.begin(job, reads, urgent); }
    void hurry(uint64_t job) override { queue_.hurry(job); }
    bool cancel(uint64_t job) override { return queue_.cancel(job); }

    ReaderCounts counts() const override { return queue_.counts(); }

  protected:
    virtual void wake() {}

    System system_;
    Files  files_;
    Queue  queue_;
};

class ThreadReader final : public QueueReader {
  public:
    ThreadReader(const ReaderOptions &options, Done done, const System &system) : QueueReader(options, std::move(done), system) {
        threads_.reserve((size_t)options.depth * (size_t)files_.copies());
        try {
            for (int i = 0; i < options.depth; ++i)
                for (int copy = 0; copy < files_.copies(); ++copy) threads_.emplace_back([this, copy] { serve(copy); });
        } catch (const std::system_error &error) {
            if ((int)threads_.size() >= files_.copies()) return;
            end();
            throw std::runtime_error(std::string("no thread can be started to read files: ") + error.what() + ": end other programs");
        }
    }
    ~ThreadReader() override { end(); }

  private:
    void end() {
        queue_.close();
        for (auto &thread : threads_) thread.join();
    }

    void serve(int copy) {
        for (Piece piece; queue_.take(piece, copy, true);) {
            int descriptor = files_.descriptor(copy, piece.file);
            int error = 0;
            Step step = Step::AGAIN;
            while (step == Step::AGAIN) {
                Rest left = rest(piece);
                step = advance(piece, system_.read(descriptor, left.into, left.bytes, left.offset), error);
            }
            step == Step::READ ? queue_.read(piece) : queue_.failed(piece, error);
        }
    }

    std::vector<std::thread> threads_;
};

void check(const ReaderOptions &options) {
    if (options.piece == 0 || options.piece % SECTOR || options.depth < 1)
        throw std::runtime_error("a reader's pieces must be multiples of " + std::to_string(SECTOR) + " bytes, and its depth at least 1");
}

} // namespace

std::unique_ptr<Reader> open_reader(const ReaderOptions &options, Reader::Done done, const System &system) {
    check(options);
    return std::make_unique<ThreadReader>(options, std::move(done), system);
}

} // namespace kimicode::reading

namespace kimicode {

std::unique_ptr<Reader> Reader::open(const ReaderOptions &options, Done done) {
    return reading::open_reader(options, std::move(done), reading::System::real());
}

} // namespace kimicode
