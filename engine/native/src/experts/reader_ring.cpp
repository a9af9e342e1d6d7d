#include "reader_drive.hpp"

#include <thread>
#include <utility>

namespace kimicode::reading {
namespace {

class RingReader final : public QueueReader {
  public:
    RingReader(std::unique_ptr<Files> files, const ReaderOptions &options, Done done, std::unique_ptr<Ring> ring, std::string note)
        : QueueReader(std::move(files), options, std::move(done), [this] { wake(); }, std::move(note)), ring_(std::move(ring)),
          pieces_((size_t)options.depth * (size_t)files_->copies()) {
        for (size_t i = pieces_.size(); i-- > 0;) free_.push_back(i);
        thread_ = std::thread([this] { serve(); });
    }
    ~RingReader() override {
        queue_.close();
        thread_.join();
    }

  private:
    // The reader's own thread, in `Done`, is awake.
    void wake() {
        if (std::this_thread::get_id() != thread_.get_id()) ring_->wake();
    }

    void serve() {
        for (;;) {
            for (Piece piece; queue_.take(piece, -1, false);) {
                size_t place = free_.back();
                free_.pop_back();
                pieces_[place] = piece;
                push(place);
            }
            if (free_.size() == pieces_.size() && queue_.over()) return;
            ring_->wait();
            uint64_t place;
            for (long result; ring_->pop(place, result);) arrived(place, result);
        }
    }

    void push(size_t place) {
        const Piece &piece = pieces_[place];
        Rest         left = rest(piece);
        ring_->push(place, files_->index(piece.copy, piece.file), left.into, left.bytes, left.offset);
    }

    void arrived(size_t place, long result) {
        int  error;
        Step step = advance(pieces_[place], result, error);
        if (step == Step::AGAIN) return push(place);
        Piece piece = pieces_[place];
        free_.push_back(place);
        step == Step::READ ? queue_.read(piece) : queue_.failed(piece, error);
    }

    std::unique_ptr<Ring> ring_;
    std::vector<Piece>    pieces_; // on the way, by tag
    std::vector<size_t>   free_;
    std::thread           thread_;
};

} // namespace

std::unique_ptr<Reader> read_by_ring(std::unique_ptr<Files> files, const ReaderOptions &options, Reader::Done done,
                                     std::unique_ptr<Ring> ring, std::string note) {
    return std::make_unique<RingReader>(std::move(files), options, std::move(done), std::move(ring), std::move(note));
}

} // namespace kimicode::reading
