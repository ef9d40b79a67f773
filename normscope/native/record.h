/* What the parts of the measuring core share: the bins, what is asked of a tensor, and a tensor's record. */

#ifndef NORMSCOPE_RECORD_H
#define NORMSCOPE_RECORD_H

#include <stdint.h>

/* As in normscope/sketch.py; the tests hold the two to the same answers. */
enum {
    SHIFT = 20,                            /* a float's bits shifted so far: sign, exponent, leading mantissa bits */
    PER_SIGN = (32 + 64) << (23 - SHIFT), /* bins of either sign */
    BINS = 2 * PER_SIGN + 3,
    ZERO_BIN = PER_SIGN + 1,
    ALL = 1 << 14, /* values up to which all of a tensor stand in its histogram; of a larger one, some do */
};

/* What is asked of a tensor. */
typedef struct {
    const void *values;
    int64_t count, kind, slot;
} Job;

/* What a record begins with; then come the filled bins, increasing, and as many counts, all of 16 bits. */
typedef struct {
    double values, zeros, saturated, broken; /* how many; broken are those that are not finite */
    double mean, deviation, smallest, largest; /* of the finite ones; the deviation is the population's */
    uint32_t slot;                             /* whose it is */
    uint32_t filled;                           /* bins */
} Head;

/* In units of 4 bytes, a record's length: always even, so that the next one's doubles are where doubles may be. */
static inline int64_t record_length(int filled) { return ((int64_t)sizeof(Head) / 4 + filled + 1) / 2 * 2; }

#endif
