/* The writer's end of a ring, as normscope/sending/ring.py has it: a record is committed, and the next one finds its
 * room, in less time than Python takes to find the first of the numbers. */

#include <stdint.h>
#include <string.h>

enum { READ_UNITS, READ_RECORDS, WRITTEN_RECORDS = 3 }; /* of the counters that both sides see */
enum { WRITTEN, CLAIMED, COUNT };                      /* of the writer's own */
enum { ENTRY = 3 };

typedef struct {
    char *values;
    int64_t *counters, *entries, *state;
    int64_t size, whole; /* units of 4 bytes: of all, and of the largest record with its note */
    int64_t waiting;     /* records that may wait */
} Ring;

/* Make a record of `count` units where room was found last, and of a note; where in the ring the next one goes, -1 if
 * there is no room now. */
int64_t normscope_commit(const Ring *ring, int64_t count, const char *note, int64_t length) {
    int64_t *state = ring->state, *entry = ring->entries + state[COUNT] % ring->waiting * ENTRY;
    memcpy(ring->values + 4 * (state[CLAIMED] % ring->size + count), note, (size_t)length);
    entry[0] = state[CLAIMED], entry[1] = count, entry[2] = length;
    const int64_t end = state[CLAIMED] + count + length / 8 * 2 + 2;
    state[WRITTEN] = end + end % 2, state[COUNT]++;
    /* Last, and seen last: now the reader may look. */
    __atomic_store_n(ring->counters + WRITTEN_RECORDS, state[COUNT], __ATOMIC_RELEASE);

    int64_t start = state[WRITTEN];
    if (start % ring->size + ring->whole > ring->size) start += ring->size - start % ring->size;
    if (start + ring->whole - ring->counters[READ_UNITS] > ring->size) return -1;
    if (state[COUNT] - ring->counters[READ_RECORDS] >= ring->waiting) return -1;
    state[CLAIMED] = start;
    return start % ring->size;
}
