/* What the library offers of the experts: the store that the backend uses, and products, caches and layers by themselves, for tests,
   benchmarks and the planner. Plain C. Functions that return int return 0, or a number and leave a sentence in `kimicode_experts_error`. */

#pragma once

#include "../api.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kimicode_range {
    int      file;
    uint64_t offset, bytes;
};

struct kimicode_store {
    const char *const           *paths; /* [copies][files] */
    int                          copies, files;
    const struct kimicode_range *ranges; /* [layers][experts][3]: gate, up, down; 0 bytes: not in the store */
    int                          layers, experts;
    uint64_t                     memory; /* bytes */
    const char                  *policy; /* "lru", "lfu", "lfru" */
    uint64_t                     piece;  /* bytes read at once; 0: as usual */
    int                          depth;  /* pieces on the way, for each copy; 0: as usual */
    int                          direct, uring; /* 0: don't */
};

struct kimicode_store_counts {
    uint64_t places, place_bytes, held, made, hits, misses, announced, announced_used, evictions;
    uint64_t bytes, reads, retries, failures;
    double   waited_seconds, busy_seconds;
    int      direct, uring;
};

/* The process's store: the backend takes experts' weights while one is open. 0; 1: see the error. */
KIMICODE_API int  kimicode_store_open(const struct kimicode_store *);
KIMICODE_API void kimicode_store_close(void);
KIMICODE_API int  kimicode_store_resize(uint64_t memory);
KIMICODE_API int  kimicode_store_counts_of(struct kimicode_store_counts *);
/* Have memory for all its places provided when processors are idle. */
KIMICODE_API int  kimicode_store_warm(void);
/* After the model is loaded: what lies where the weights would be can't be read any more, so that a mistake ends the process. */
KIMICODE_API void kimicode_store_seal(void);
/* Whether to announce experts of the next layer by its router. */
KIMICODE_API void kimicode_store_predict(int on);

/* Copy one expert's parts, one behind the other, to `out`; it is read if it must be. */
KIMICODE_API int kimicode_store_fetch(int layer, int expert, void *out);
KIMICODE_API int kimicode_store_announce(int layer, const int *experts, int count);

/* Why the last call of this thread, or the backend's last computation, failed. */
KIMICODE_API const char *kimicode_experts_error(void);

/* How many of a trace's uses a cache would have found. `trace`: `steps` computations of `used` experts each; an expert's number counts over
   all layers. -1: no such policy. */
KIMICODE_API int64_t kimicode_simulate(const char *policy, int experts, int places, const int *trace, int64_t steps, int used);

/* Names of what can multiply weights of ggml's `type` here, best first, separated by spaces; one to use instead of the best. */
KIMICODE_API const char *kimicode_weights(int type);
KIMICODE_API int         kimicode_choose_weights(const char *name);

/* out [count][rows] = x [count][width] · W [rows][width]ᵀ, by the weights of this name, with so many threads. */
KIMICODE_API int kimicode_multiply(const char *weights, const void *w, int width, int rows, const float *x, int count, float *out,
                                   int threads);

/* A whole layer of the open store: x [tokens][width], ids [tokens][used], out [tokens][used][width]; ggml's types of the three parts. */
KIMICODE_API int kimicode_layer(int layer, const int *types, int width, int hidden, const float *x, const int *ids, int tokens, int used,
                                float *out, int threads);

#ifdef __cplusplus
}
#endif
