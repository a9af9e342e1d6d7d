// The two ways in which pieces are read: by threads, one for each piece on the way, or by one thread and io_uring.

#pragma once

#include "reader_queue.hpp"
#include "uring.hpp"

namespace kimicode::reading {

// What both have in common.
class QueueReader : public Reader {
  public:
    void begin(uint64_t job, std::vector<Read> reads, bool urgent) override { queue_.begin(job, reads, urgent); }
    void hurry(uint64_t job) override { queue_.hurry(job); }
    bool cancel(uint64_t job) override { return queue_.cancel(job); }

    ReaderCounts counts() const override { return queue_.counts(); }
    std::string  note() const override { return note_; }

  protected:
    QueueReader(std::unique_ptr<Files> files, const ReaderOptions &options, Done done, std::function<void()> wake, std::string note)
        : files_(std::move(files)), queue_(*files_, options, std::move(done), std::move(wake)), note_(std::move(note)) {}

    std::unique_ptr<Files> files_;
    Queue                  queue_;
    std::string            note_;
};

std::unique_ptr<Reader> read_by_threads(std::unique_ptr<Files>, const ReaderOptions &, Reader::Done, const System &, std::string note);
std::unique_ptr<Reader> read_by_ring(std::unique_ptr<Files>, const ReaderOptions &, Reader::Done, std::unique_ptr<Ring>, std::string note);

} // namespace kimicode::reading
