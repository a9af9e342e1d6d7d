#include "layer.hpp"

#include "queue.hpp"
#include "silu.hpp"

#include <algorithm>
#include <new>
#include <numeric>

namespace kimicode {
namespace {

constexpr size_t LINE = 64;                 // of the cache, and what weights want of memory
constexpr size_t SMALLEST = 128u << 10, LARGEST = 1u << 20; // bytes of a matrix in one task: below, a tenth of memory's rate is lost
constexpr size_t TASKS = 16;                // that a thread should find in a phase, so that all finish together
constexpr int    FEW_ROWS = 4;              // quantised by one thread: waking others takes as long

size_t lines(size_t bytes) { return (bytes + LINE - 1) / LINE * LINE; }

// Memory of one computation: first added up, then given out in the same order.
class Areas {
  public:
    size_t add(size_t bytes) {
        size_t start = size_;
        size_ += lines(bytes);
        return start;
    }
    void from(Block &memory) {
        start_ = memory.reserve(std::max(size_, LINE));
        if (!start_) throw std::bad_alloc();
    }
    std::byte *at(size_t area) const { return start_ + area; }

  private:
    size_t     size_ = 0;
    std::byte *start_ = nullptr;
};

// How many rows of a matrix are one task, where `experts` of them have `rows` each.
int task_rows(const Weights &weights, int width, int rows, size_t experts, const Team &team) {
    // Whole lines of results, so that no two threads write to one.
    size_t row = weights.row_bytes(width), step = std::lcm<size_t>(weights.rows_together(), LINE / sizeof(float));
    size_t bytes = std::clamp(row * rows * experts / (team.threads() * TASKS), SMALLEST, LARGEST);
    return (int)(std::max<size_t>(1, bytes / row / step) * step);
}

int pieces(int rows, int each) { return (rows + each - 1) / each; }

// Rows of activations, quantised for one kind of weights.
struct Quantised {
    const Weights *weights;
    int            width;
    size_t         stride, area;

    Quantised(const Weights &w, int width, size_t count, Areas &areas)
        : weights(&w), width(width), stride(w.quantised_bytes(width)), area(areas.add(stride * count)) {}
    std::byte *row(const Areas &areas, size_t index) const { return areas.at(area) + index * stride; }
    void       make(const Areas &areas, size_t index, const std::byte *from) const {
        weights->quantise(reinterpret_cast<const float *>(from), width, row(areas, index));
    }
};

void each_row(Team &team, int count, const std::function<void(int)> &work) {
    if (count <= FEW_ROWS) {
        for (int row = 0; row < count; ++row) work(row);
        return;
    }
    team.run([&](int member) {
        for (int row = member; row < count; row += team.threads()) work(row);
    });
}

// Every thread takes pieces until none is left. `between` prepares a group's next phase.
void work_through(Queue &queue, Team &team, const std::function<void(const Task &, int)> &work,
                  const std::function<void(const Task &)> &between) {
    team.run([&](int member) {
        try {
            for (Task piece; queue.take(piece);) {
                work(piece, member);
                if (!queue.finish(piece)) continue;
                between(piece);
                queue.advance(piece);
            }
        } catch (...) {
            queue.fail();
            throw;
        }
    });
}

// The layer as two phases of each expert: gate and up together, rows of `hidden`; then down.
class Layer {
  public:
    Layer(const ExpertLayer &l, Team &team, Block &memory)
        : l_(l), groups_(grouped(l.ids, l.ids_token, l.tokens, l.used, l.experts)), rows_(inner_rows(team)),
          down_rows_(task_rows(*l.down, l.hidden, l.width, groups_.experts.size(), team)), count_(groups_.largest()), x_gate_(*l.gate, l.width, l.tokens, areas_),
          x_up_(l.gate == l.up ? x_gate_ : Quantised(*l.up, l.width, l.tokens, areas_)),
          inner_(*l.down, l.hidden, groups_.choices.size(), areas_) {
        hidden_ = areas_.add(groups_.choices.size() * l.hidden * sizeof(float));
        part_bytes_ = lines((size_t)count_ * rows_ * sizeof(float));
        parts_ = areas_.add(2 * part_bytes_ * team.threads());
        areas_.from(memory);
        point();
    }

    void run(Store &store, Team &team, const std::function<void()> &begun) {
        auto loan = store.borrow(l_.layer, groups_.experts, l_.tokens >= PROMPT_TOKENS);
        if (begun) begun();
        each_row(team, l_.tokens, [&](int token) {
            x_gate_.make(areas_, token, l_.x + token * l_.x_token);
            if (l_.gate != l_.up) x_up_.make(areas_, token, l_.x + token * l_.x_token);
        });
        Queue queue(groups_, *loan, {pieces(l_.hidden, rows_), pieces(l_.width, down_rows_)});
        work_through(
            queue, team, [&](const Task &p, int member) { p.phase == 0 ? inner(p, member) : outer(p); },
            [&](const Task &p) {
                if (p.phase == 0) quantise(p.group);
            });
    }

  private:
    int inner_rows(const Team &team) const {
        size_t experts = groups_.experts.size();
        return std::max(task_rows(*l_.gate, l_.width, l_.hidden, experts, team), task_rows(*l_.up, l_.width, l_.hidden, experts, team));
    }

    float *hidden(size_t choice) const { return reinterpret_cast<float *>(areas_.at(hidden_)) + choice * l_.hidden; }

    // Where each choice's rows are.
    void point() {
        for (size_t i = 0; i < groups_.choices.size(); ++i) {
            auto [token, slot] = groups_.choices[i];
            gate_rows_.push_back(x_gate_.row(areas_, token));
            up_rows_.push_back(x_up_.row(areas_, token));
            inner_rows_.push_back(inner_.row(areas_, i));
            out_.push_back(reinterpret_cast<float *>(l_.out + token * l_.out_token + slot * l_.out_used));
        }
    }

    // Some rows of gate and up, and what comes of both.
    void inner(const Task &p, int member) const {
        int        first = p.index * rows_, last = std::min(first + rows_, l_.hidden), count = groups_.count(p.group);
        size_t     start = groups_.starts[p.group];
        float     *gate = reinterpret_cast<float *>(areas_.at(parts_) + member * 2 * part_bytes_), *up = gate + part_bytes_ / sizeof(float);
        std::vector<float *> gates(count), ups(count);
        for (int row = 0; row < count; ++row) {
            gates[row] = gate + (size_t)row * rows_ - first;
            ups[row] = up + (size_t)row * rows_ - first;
        }
        l_.gate->multiply({p.bytes.parts[0], l_.width, first, last, &gate_rows_[start], count, gates.data()});
        l_.up->multiply({p.bytes.parts[1], l_.width, first, last, &up_rows_[start], count, ups.data()});
        for (int row = 0; row < count; ++row)
            silu_times(gates[row] + first, ups[row] + first, last - first, hidden(start + row) + first);
    }

    void quantise(int group) const {
        for (int i = groups_.starts[group]; i < groups_.starts[group + 1]; ++i)
            inner_.make(areas_, i, reinterpret_cast<const std::byte *>(hidden(i)));
    }

    // Some rows of down.
    void outer(const Task &p) const {
        int    first = p.index * down_rows_, last = std::min(first + down_rows_, l_.width);
        size_t start = groups_.starts[p.group];
        l_.down->multiply({p.bytes.parts[2], l_.hidden, first, last, &inner_rows_[start], groups_.count(p.group), &out_[start]});
    }

    const ExpertLayer &l_;
    Areas              areas_;
    Groups             groups_;
    int                rows_, down_rows_, count_; // of a task, and of the largest group
    Quantised          x_gate_, x_up_, inner_;
    size_t             hidden_, parts_, part_bytes_;
    std::vector<const std::byte *> gate_rows_, up_rows_, inner_rows_;
    std::vector<float *>           out_;
};

} // namespace

void compute(const ExpertLayer &l, Store &store, Team &team, Block &memory, const std::function<void()> &begun) {
    Layer(l, team, memory).run(store, team, begun);
}

void compute(const ExpertProduct &p, Store &store, Team &team, Block &memory) {
    Groups    groups = grouped(p.ids, p.ids_token, p.tokens, p.used, p.experts);
    auto      loan = store.borrow(p.layer, groups.experts, p.tokens >= PROMPT_TOKENS);
    int       rows = task_rows(*p.weights, p.width, p.rows, groups.experts.size(), team);
    bool      own = p.x_used != 0; // every choice has a row of its own
    Areas     areas;
    Quantised x(*p.weights, p.width, own ? groups.choices.size() : p.tokens, areas);
    areas.from(memory);
    std::vector<const std::byte *> from;
    std::vector<float *>           out;
    for (size_t i = 0; i < groups.choices.size(); ++i) {
        auto [token, slot] = groups.choices[i];
        from.push_back(x.row(areas, own ? i : token));
        out.push_back(reinterpret_cast<float *>(p.out + token * p.out_token + slot * p.out_used));
    }
    each_row(team, own ? (int)groups.choices.size() : p.tokens, [&](int row) {
        Choice choice = own ? groups.choices[row] : Choice{row, 0};
        x.make(areas, row, p.x + choice.token * p.x_token + choice.slot * p.x_used);
    });
    Queue queue(groups, *loan, {pieces(p.rows, rows)});
    work_through(
        queue, team,
        [&](const Task &piece, int) {
            int first = piece.index * rows, last = std::min(first + rows, p.rows), start = groups.starts[piece.group];
            p.weights->multiply({piece.bytes.parts[p.part], p.width, first, last, &from[start], groups.count(piece.group), &out[start]});
        },
        [](const Task &) {});
}

} // namespace kimicode
