#include "store_layout.hpp"

#include <algorithm>

namespace kimicode {
namespace {

struct Runs {
    std::array<Range, PARTS> runs;
    std::array<int, PARTS>   run_of; // each part's, or -1
    int                      count = 0;
};

// Less than a sector lies between what belongs together: it is read anyway.
bool continues(const Range &run, const Range &part) {
    return part.file == run.file && part.offset >= run.offset + run.bytes && part.offset - run.offset - run.bytes < SECTOR;
}

bool before(const Range &a, const Range &b) { return a.file != b.file ? a.file < b.file : a.offset < b.offset; }

Runs runs_of(const ExpertRanges &ranges) {
    std::array<int, PARTS> order;
    for (int part = 0; part < PARTS; ++part) order[part] = part;
    std::sort(order.begin(), order.end(), [&](int a, int b) { return before(ranges[a], ranges[b]); });
    Runs found;
    found.run_of.fill(-1);
    for (int part : order) {
        const Range &range = ranges[part];
        if (!range.bytes) continue;
        if (found.count && continues(found.runs[found.count - 1], range))
            found.runs[found.count - 1].bytes = range.offset + range.bytes - found.runs[found.count - 1].offset;
        else
            found.runs[found.count++] = range;
        found.run_of[part] = found.count - 1;
    }
    return found;
}

} // namespace

Laid lay(const ExpertRanges &ranges, std::byte *place) {
    Laid laid{{}, {}};
    Runs found = runs_of(ranges);
    for (int i = 0; i < found.count; ++i) {
        laid.reads.push_back({found.runs[i], place});
        place += room(found.runs[i]);
    }
    for (int part = 0; part < PARTS; ++part) {
        if (found.run_of[part] < 0) continue;
        const Read &read = laid.reads[found.run_of[part]];
        laid.parts[part] = read.into + read.range.offset % SECTOR + (ranges[part].offset - read.range.offset);
    }
    return laid;
}

size_t laid_bytes(const ExpertRanges &ranges) {
    Runs found = runs_of(ranges);
    size_t bytes = 0;
    for (int i = 0; i < found.count; ++i) bytes += room(found.runs[i]);
    return bytes;
}

} // namespace kimicode
