/* What the library offers besides the backend: kernels by name, for tests, benchmarks and the planner. Plain C. */

#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KIMICODE_API __attribute__((visibility("default")))

struct kimicode_attention {
    const void *q;      /* f32 */
    size_t      q_query, q_head;           /* strides in bytes */
    const void *cells;
    size_t      cell_stride;
    int         cell;                      /* ggml's type number: 0 f32, 1 f16, 8 q8_0, 30 bf16 */
    const void *mask;   /* f16 [queries][keys], or null */
    size_t      mask_query;
    float      *out;    /* [queries][heads][latent] */
    int         queries, keys, heads, width, latent;
    float       scale;
};

/* Names of the kernels that run on this processor, best first, separated by spaces. */
KIMICODE_API const char *kimicode_kernels(void);

/* 0; 1: no such kernel here; 2: sizes or types that no kernel takes; 3: no memory. */
KIMICODE_API int kimicode_attend(const struct kimicode_attention *, const char *kernel, int threads);

/* The matrices of every head: `keys` f32 [heads][latent][key_rank], `values` f32 [heads][value_rank][latent]. */
struct kimicode_expansion {
    const float *keys, *values;
    int          key_rank, value_rank;
};

/* The expanded form, whose `out` is that of the absorbed form projected on the row space of the head's `values`; queries must lie in the
   column space of its `keys`. `form`: 0, only where it is cheaper; 2, always. 0, 1, 2, 3 as above; 4: not cheaper, or not numbers. */
KIMICODE_API int kimicode_attend_expanded(const struct kimicode_attention *, const struct kimicode_expansion *, const char *kernel,
                                          int threads, int form);

/* Operations a second of `threads` threads that do nothing but the kernel's products, measured for `seconds`; 0: no such kernel here. */
KIMICODE_API double kimicode_peak(const char *kernel, int threads, double seconds);

/* Before the backend is loaded: the kernel that it shall use. 0; 1: no such kernel here. */
KIMICODE_API int kimicode_choose(const char *kernel);

/* In which form the backend computes: 0, the cheaper, as from the start; 1, always absorbed; 2, expanded wherever it can be.
   0; 1: no such form. */
KIMICODE_API int kimicode_prefer(int form);

/* How many attentions the backend has computed in form 1 or 2. */
KIMICODE_API uint64_t kimicode_computed(int form);

/* Why the backend refused to load; empty where it didn't. */
KIMICODE_API const char *kimicode_refusal(void);

#ifdef __cplusplus
}
#endif
