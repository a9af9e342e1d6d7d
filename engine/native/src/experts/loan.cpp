#include "loan.hpp"

#include "store_desk.hpp"

namespace kimicode {

void Asked::to(int index, Stage stage) {
    Stage &now = stages[index];
    auto pinned = [](Stage s) { return s == Stage::COMING || s == Stage::READY || s == Stage::GIVEN; };
    int change = pinned(stage) - pinned(now);
    pins += change;
    if (!hit[index]) brought += change;
    given += (stage == Stage::GIVEN) - (now == Stage::GIVEN);
    if (stage == Stage::GIVEN) --left;
    if (stage == Stage::READY) ready.push_back(index);
    now = stage;
}

DeskLoan::DeskLoan(Desk &desk, int layer, std::span<const int> experts, bool prompt) : desk_(desk) {
    desk_.check(layer, experts);
    asked_.layer = layer;
    asked_.prompt = prompt;
    asked_.index_of.assign(desk.experts(), -1);
    for (int expert : experts) {
        if (asked_.index_of[expert] >= 0) continue;
        asked_.index_of[expert] = static_cast<int>(asked_.experts.size());
        asked_.experts.push_back(layer * desk.experts() + expert);
    }
    try {
        desk_.begin(asked_);
    } catch (...) {
        desk_.end(asked_);
        throw;
    }
}

DeskLoan::~DeskLoan() { desk_.end(asked_); }

bool DeskLoan::next(ExpertBytes &bytes, bool wait) { return desk_.next(asked_, bytes, wait); }

void DeskLoan::done(int expert) { desk_.done(asked_, asked_.index_of.at(expert)); }

} // namespace kimicode
