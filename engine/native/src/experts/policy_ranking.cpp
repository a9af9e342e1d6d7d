#include "policy_ranking.hpp"

namespace kimicode {

void Ranking::put(int expert, double worth) {
    remove(expert);
    order_.emplace(worth, expert);
    worth_[expert] = worth;
    there_[expert] = true;
}

void Ranking::remove(int expert) {
    if (!there_[expert]) return;
    order_.erase({worth_[expert], expert});
    there_[expert] = false;
}

} // namespace kimicode
