#include "int4.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <vector>

namespace kimicode {

extern const Int4Kernel int4_portable;
#if defined(__x86_64__)
extern const Int4Kernel int4_avx2, int4_avxvnni, int4_avx512vnni;
#elif defined(__aarch64__)
extern const Int4Kernel int4_neon, int4_neondot;
#endif

namespace {

constexpr float LARGEST = 127.0f, LEAST = 1e-36f;
constexpr float WHOLE = 12582912.0f; // 1.5 * 2^23: added to a small number, it leaves the nearest whole one in the last bits

// Numbers' magnitudes are ordered as their bits are, infinities and what is no number above all others.
float greatest(const float *values) {
    int32_t most = 0;
    for (int i = 0; i < GROUP; ++i) most = std::max(most, std::bit_cast<int32_t>(values[i]) & 0x7fffffff);
    return std::bit_cast<float>(most);
}

void quantise_group(const float *values, Activations &out) {
    float most = greatest(values);
    bool  numbers = most <= std::numeric_limits<float>::max();
    if (!numbers || most < LEAST) {
        out = {numbers ? 0.0f : std::numeric_limits<float>::quiet_NaN(), 0, {}};
        return;
    }
    float   factor = LARGEST / most;
    int32_t sum = 0;
    for (int i = 0; i < GROUP; ++i) {
        int32_t whole = std::bit_cast<int32_t>(values[i] * factor + WHOLE) - std::bit_cast<int32_t>(WHOLE);
        out.values[i] = (int8_t)whole;
        sum += whole;
    }
    out.scale = most / LARGEST;
    out.offset = 8 * sum;
}

class Int4 : public Weights {
  public:
    explicit Int4(const Int4Kernel &kernel) : kernel_(kernel) {}

    const char *name() const override { return kernel_.name; }
    int         type() const override { return TYPE_Q4_0; }
    bool        takes(int width) const override { return width > 0 && width % GROUP == 0; }
    size_t      row_bytes(int width) const override { return width / GROUP * INT4_BLOCK; }
    size_t      quantised_bytes(int width) const override { return (width / GROUP * sizeof(Activations) + 63) / 64 * 64; }
    void        quantise(const float *row, int width, std::byte *out) const override {
        kimicode::quantise(row, width, reinterpret_cast<Activations *>(out));
    }
    int    rows_together() const override { return kernel_.rows_together; }
    void   multiply(const Product &product) const override { kernel_.multiply(product); }

  private:
    const Int4Kernel &kernel_;
};

} // namespace

void quantise(const float *row, int width, Activations *out) {
    for (int at = 0; at < width; at += GROUP) quantise_group(row + at, *out++);
}

const Int4Kernel *const *int4_kernels(int &count) {
    static const Int4Kernel *const all[] = {
#if defined(__x86_64__)
        &int4_avx512vnni, &int4_avxvnni, &int4_avx2,
#elif defined(__aarch64__)
        &int4_neondot, &int4_neon,
#endif
        &int4_portable,
    };
    count = sizeof all / sizeof *all;
    return all;
}

const Weights *int4_weights(int index) {
    static const std::vector<Int4> here = [] {
        std::vector<Int4> found;
        int               count;
        const Int4Kernel *const *all = int4_kernels(count);
        for (int i = 0; i < count; ++i)
            if (all[i]->runs()) found.emplace_back(*all[i]);
        return found;
    }();
    return index >= 0 && (size_t)index < here.size() ? &here[index] : nullptr;
}

} // namespace kimicode
