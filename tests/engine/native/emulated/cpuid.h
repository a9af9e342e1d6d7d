// A processor that has every feature it is asked for: see immintrin.h here.

#pragma once

static inline int __get_cpuid_count(unsigned, unsigned, unsigned *a, unsigned *b, unsigned *c, unsigned *d) {
    *a = *b = *c = *d = ~0u;
    return 1;
}
