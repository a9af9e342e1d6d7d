// The kernels that this build has.

#include "attention.hpp"

#include <cstring>

namespace kimicode {

extern const Kernel portable_exact;
#if defined(__x86_64__)
extern const Kernel avx2_exact, avx2_pairs, avxvnni_pairs, avx512_exact, avx512_pairs, avx512vnni_pairs;
#elif defined(__aarch64__)
extern const Kernel neon_exact;
#endif

const Kernel *const *kernels(int &count) {
    static const Kernel *const all[] = {
#if defined(__x86_64__)
        &avx512vnni_pairs, &avxvnni_pairs, &avx512_pairs, &avx2_pairs, &avx512_exact, &avx2_exact,
#elif defined(__aarch64__)
        &neon_exact,
#endif
        &portable_exact,
    };
    count = sizeof all / sizeof *all;
    return all;
}

const Kernel *kernel_named(const char *name) {
    int count;
    const Kernel *const *all = kernels(count);
    for (int i = 0; i < count; ++i)
        if (strcmp(all[i]->name, name) == 0) return all[i];
    return nullptr;
}

} // namespace kimicode
