/* How fast files can be read by the reader, for the planner, `models prepare` and benchmarks. Plain C. */

#pragma once

#include "../api.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kimicode_reader {
    const char *const *paths; /* [copies][files] */
    int                copies, files;
    uint64_t           piece;         /* bytes read at once; 0: as usual */
    int                depth;         /* pieces on the way, for each copy; 0: as usual */
    int                direct, uring; /* 0: don't */
};

struct kimicode_read_rate {
    uint64_t piece;
    int      depth;
    int      direct, uring; /* whether it was so */
    double   bytes_per_second;
};

/* Read from random places, 8 MiB each, for so many seconds. 0; 1: `error`, of `room` bytes, says what is wrong. */
KIMICODE_API int kimicode_measure_reader(const struct kimicode_reader *, double seconds, struct kimicode_read_rate *, char *error,
                                         size_t room);

/* The same with all pieces and depths that come into question, about so many seconds together: what to open a store with, the smallest
   that is within 3 % of the fastest. `piece` and `depth` given are not used. */
KIMICODE_API int kimicode_tune_reader(const struct kimicode_reader *, double seconds, struct kimicode_read_rate *, char *error,
                                      size_t room);

#ifdef __cplusplus
}
#endif
