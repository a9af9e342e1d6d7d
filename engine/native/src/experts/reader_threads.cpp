#include "reader_drive.hpp"

#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

namespace kimicode::reading {
namespace {

class ThreadReader final : public QueueReader {
  public:
    ThreadReader(std::unique_ptr<Files> files, const ReaderOptions &options, Done done, const System &system, std::string note)
        : QueueReader(std::move(files), options, std::move(done), [] {}, std::move(note)), system_(system) {
        size_t wanted = (size_t)options.depth * (size_t)files_->copies();
        threads_.reserve(wanted);
        try {
            while (threads_.size() < wanted)
                threads_.emplace_back([this, copy = (int)threads_.size() % files_->copies()] { serve(copy); });
        } catch (const std::system_error &error) {
            note_ += ", " + std::to_string(threads_.size()) + " of " + std::to_string(wanted) + ": " + error.code().message();
            if ((int)threads_.size() >= files_->copies()) return;
            end();
            throw std::runtime_error("no thread can be started to read files: " + error.code().message() + ": end other programs");
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
            int  error = 0;
            Step step = Step::AGAIN;
            while (step == Step::AGAIN) {
                Rest left = rest(piece);
                step = advance(piece, system_.read(files_->descriptor(copy, piece.file), left.into, left.bytes, left.offset), error);
            }
            step == Step::READ ? queue_.read(piece) : queue_.failed(piece, error);
        }
    }

    System                   system_;
    std::vector<std::thread> threads_;
};

} // namespace

std::unique_ptr<Reader> read_by_threads(std::unique_ptr<Files> files, const ReaderOptions &options, Reader::Done done, const System &system,
                                        std::string note) {
    return std::make_unique<ThreadReader>(std::move(files), options, std::move(done), system, std::move(note));
}

} // namespace kimicode::reading
