/* Frames as bytes: made of records, checked, and added up. What normscope/wire/codec.py, counters.py and merging.py do
 * with numpy, and where they say what the bytes mean, without an array for anything.
 *
 * Bytes come from anywhere: nothing is read beyond their end, nothing written beyond the room there is. What is unusual
 * or wrong is left to Python, which knows what to say of it.
 */

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "record.h"

enum {
    VERSION = 1,
    HEADER = 30,
    ROW = 8,      /* bytes of a layer in the table */
    MOMENTS = 16, /* and of its moments */
    SEVEN = 7,    /* bits of an integer that are in one byte, and bytes of the longest one */
    MERGED = 16,  /* frames that are added up at most */
    WORD = 64,    /* bits */
};

/* Counts up to which a sum of them is exact; only damaged frames have more. */
static const double EXACT = 0x1p53;

/* ---- bytes, from a place on up to an end */

typedef struct {
    const uint8_t *at, *end;
    int bad; /* something was not there */
} Reader;

static const uint8_t *take(Reader *from, int64_t count) {
    const uint8_t *found = from->at;
    if (from->bad || from->end - found < count) {
        from->bad = 1;
        return NULL;
    }
    from->at += count;
    return found;
}

static uint64_t read_integer(Reader *from) {
    uint64_t value = 0;
    for (int shift = 0; shift < SEVEN * SEVEN && from->at < from->end; shift += SEVEN) {
        const uint8_t byte = *from->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
    }
    from->bad = 1;
    return 0;
}

typedef struct {
    uint8_t *at, *end;
    int full;
} Writer;

static uint8_t *make(Writer *to, int64_t count) {
    uint8_t *found = to->at;
    if (to->full || to->end - found < count) {
        to->full = 1;
        return NULL;
    }
    to->at += count;
    return found;
}

static void put_bytes(Writer *to, const void *bytes, int64_t count) {
    uint8_t *place = make(to, count);
    if (place && count) memcpy(place, bytes, (size_t)count);
}

static void write_integer(Writer *to, uint64_t value) {
    if (value < 0x80 && !to->full && to->at < to->end) { /* as nearly all are */
        *to->at++ = (uint8_t)value;
        return;
    }
    uint8_t bytes[10];
    int n = 0;
    for (; value >= 0x80; value >>= SEVEN) bytes[n++] = (uint8_t)(value | 0x80);
    bytes[n++] = (uint8_t)value;
    put_bytes(to, bytes, n);
}

/* ---- what a frame's bytes say */

typedef struct {
    uint8_t level;
    uint16_t rows, named; /* layers and series */
    uint32_t seq, frames, first, last;
    double time;
    Reader series;
    const uint8_t *table, *moments;
    Reader counters;
} Frame;

typedef struct {
    const uint8_t *name;
    int length; /* of the name */
    uint16_t size;
    uint32_t samples;
    const uint8_t *values; /* size doubles; beyond level 0, three times as many: means, minima, maxima */
} Series;

static int read_series(Reader *from, int level, Series *found) {
    const uint8_t *bytes = take(from, 1);
    if (!bytes) return 0;
    found->length = *bytes;
    if (!(found->name = take(from, found->length))) return 0;
    for (int i = 0; i < found->length; i++)
        if (found->name[i] >= 0x80) return 0; /* whether it is UTF-8, Python can say */
    if (!(bytes = take(from, 6))) return 0;
    memcpy(&found->size, bytes, 2);
    memcpy(&found->samples, bytes + 2, 4);
    found->values = take(from, 8 * (int64_t)found->size * (level ? 3 : 1));
    return found->values && found->samples;
}

static uint32_t row_identity(const Frame *frame, int row, int kinds) {
    const uint8_t *entry = frame->table + ROW * row;
    uint16_t index;
    memcpy(&index, entry, 2);
    return (uint32_t)index * (uint32_t)kinds + entry[2];
}

static uint32_t row_size(const Frame *frame, int row) {
    uint32_t size;
    memcpy(&size, frame->table + ROW * row + 4, 4);
    return size;
}

/* All but the counters, of which it is only looked how long they are. */
static int read_frame(const uint8_t *data, int64_t size, int kinds, Frame *frame) {
    Reader from = {data, data + size, 0};
    const uint8_t *header = take(&from, HEADER);
    if (!header || header[0] != VERSION) return 0;
    frame->level = header[1];
    memcpy(&frame->rows, header + 2, 2);
    memcpy(&frame->seq, header + 4, 4);
    memcpy(&frame->frames, header + 8, 4);
    memcpy(&frame->first, header + 12, 4);
    memcpy(&frame->last, header + 16, 4);
    memcpy(&frame->time, header + 20, 8);
    memcpy(&frame->named, header + 28, 2);
    if (frame->first > frame->last || !isfinite(frame->time)) return 0;
    frame->series = from;
    Series some;
    for (int i = 0; i < frame->named; i++)
        if (!read_series(&from, frame->level, &some)) return 0;
    frame->series.end = from.at;
    frame->table = take(&from, ROW * (int64_t)frame->rows);
    frame->moments = take(&from, MOMENTS * (int64_t)frame->rows);
    if (from.bad) return 0;
    int64_t announced = 0;
    for (int row = 0; row < frame->rows; row++) {
        if (frame->table[ROW * row + 2] >= kinds) return 0;
        announced += row_size(frame, row);
    }
    frame->counters = from;
    return announced == from.end - from.at;
}

/* Counts of one layer at a time, and a bit for each bin that has any: most have none. */
typedef struct {
    uint64_t counts[BINS], filled[BINS / WORD + 1];
} Dense;

/* The first bin from this one on that is filled or, where all bits of `flip` are set, that is empty; BINS if none is. */
static int next_bin(const Dense *dense, int bin, uint64_t flip) {
    while (bin < BINS) {
        const uint64_t rest = (dense->filled[bin / WORD] ^ flip) >> bin % WORD;
        if (rest) return bin + __builtin_ctzll(rest);
        bin = (bin / WORD + 1) * WORD;
    }
    return BINS;
}

/* A layer's integers: added to `totals` and, if it is there, to `dense`, counts times a scale. Whether they are what
 * they should be. `counted` becomes the sum of counts.
 *
 * What is summed up over bins is rounded, not each count: a rare value is neither always dropped nor always kept. */
static int read_layer(Reader *from, uint64_t *totals, Dense *dense, double scale, double *counted) {
    for (int i = 0; i < 4; i++) totals[i] += read_integer(from);
    const uint64_t runs = read_integer(from);
    Reader spans = *from; /* read twice: the counts of all runs come behind the last run */
    uint64_t bin = 0, filled = 0;
    for (uint64_t run = 0; run < runs; run++) {
        const uint64_t gap = read_integer(from), length = read_integer(from);
        if (from->bad || gap > BINS || length < 1 || length > BINS || (bin += gap + length) > BINS) return 0;
        filled += length;
    }
    if (from->bad) return 0;
    if (!dense) {
        for (uint64_t i = 0; i < filled; i++) read_integer(from);
        return !from->bad && from->at == from->end;
    }
    bin = 0;
    double upto = 0;
    *counted = 0;
    for (uint64_t run = 0; run < runs; run++) {
        bin += read_integer(&spans);
        for (const uint64_t stop = bin + read_integer(&spans); bin < stop; bin++) {
            uint64_t count = read_integer(from);
            *counted += (double)count;
            if (scale != 1) {
                const double next = floor(*counted * scale + 0.5);
                count = (uint64_t)(next - upto), upto = next;
            }
            dense->counts[bin] += count;
            dense->filled[bin / WORD] |= (uint64_t)(count != 0) << bin % WORD;
        }
    }
    return !from->bad && from->at == from->end;
}

/* A layer's integers as bytes; leaves all bins empty. */
static void write_layer(Writer *to, const uint64_t *totals, Dense *dense) {
    int runs[BINS][2], count = 0; /* the first bin of each and the one behind it */
    for (int bin = 0; (bin = next_bin(dense, bin, 0)) < BINS; bin = runs[count++][1]) {
        runs[count][0] = bin;
        runs[count][1] = next_bin(dense, bin, UINT64_MAX);
    }
    for (int i = 0; i < 4; i++) write_integer(to, totals[i]);
    write_integer(to, (uint64_t)count);
    for (int i = 0, behind = 0; i < count; behind = runs[i++][1]) {
        write_integer(to, (uint64_t)(runs[i][0] - behind));
        write_integer(to, (uint64_t)(runs[i][1] - runs[i][0]));
    }
    for (int i = 0; i < count; i++) {
        for (int bin = runs[i][0]; bin < runs[i][1]; bin++) {
            write_integer(to, dense->counts[bin]);
            dense->counts[bin] = 0;
        }
    }
    memset(dense->filled, 0, sizeof dense->filled);
}

/* ---- frames of records */

/* Where the records begin that lie one after another in `units` units of 4 bytes, ordered by slot, as pairs of beginning
 * and slot; 0 if there are not exactly `rows` sound ones, or one slot has several. */
static int order_records(const char *records, int64_t units, int64_t rows, int64_t slots, int64_t (*places)[2]) {
    int64_t at = 0;
    for (int64_t row = 0; row < rows; row++) {
        Head head;
        if (units - at < record_length(0)) return 0;
        memcpy(&head, records + 4 * at, sizeof head);
        if (head.slot >= slots || head.filled > BINS || record_length((int)head.filled) > units - at) return 0;
        int64_t place = row; /* nearly always they come in order */
        for (; place > 0 && places[place - 1][1] > head.slot; place--) {
            places[place][0] = places[place - 1][0], places[place][1] = places[place - 1][1];
        }
        if (place > 0 && places[place - 1][1] == head.slot) return 0;
        places[place][0] = at, places[place][1] = head.slot;
        at += record_length((int)head.filled);
    }
    return at == units;
}

/* The counters and the histogram of a record; 0 if its bins do not increase. */
static int write_record(Writer *to, const Head *head, const uint16_t *bins) {
    const double counters[4] = {head->values, head->zeros, head->saturated, head->broken};
    const int filled = (int)head->filled;
    for (int i = 0; i < 4; i++) write_integer(to, (uint64_t)counters[i]);
    uint64_t runs = 0;
    for (int i = 0; i < filled; i++) {
        if (bins[i] >= BINS || (i && bins[i] <= bins[i - 1])) return 0;
        runs += !i || bins[i] != bins[i - 1] + 1;
    }
    write_integer(to, runs);
    for (int i = 0, behind = 0; i < filled;) {
        int stop = i + 1;
        while (stop < filled && bins[stop] == bins[stop - 1] + 1) stop++;
        write_integer(to, (uint64_t)(bins[i] - behind));
        write_integer(to, (uint64_t)(stop - i));
        behind = bins[stop - 1] + 1, i = stop;
    }
    for (int i = 0; i < filled; i++) write_integer(to, bins[filled + i]);
    return 1;
}

/* What follows a frame's series, made of a step's records; how many bytes, 0 if that is for Python.
 *
 * layers, kinds: of each slot. places: room for two integers of each record. broken: how many records have values that
 * are not finite.
 */
int64_t normscope_frame(const char *records, int64_t units, int64_t rows, const uint16_t *layers, const uint8_t *kinds,
                        int64_t slots, int64_t (*places)[2], uint8_t *out, int64_t room, int64_t *broken) {
    if (!order_records(records, units, rows, slots, places)) return 0;
    Writer to = {out, out + room, 0};
    uint8_t *table = make(&to, ROW * rows), *moments = make(&to, MOMENTS * rows);
    if (to.full) return 0;
    memset(table, 0, (size_t)(ROW * rows));
    *broken = 0;
    for (int64_t row = 0; row < rows; row++) {
        const Head *head = (const Head *)(records + 4 * places[row][0]);
        const float numbers[4] = {(float)head->mean, (float)head->deviation, (float)head->smallest, (float)head->largest};
        memcpy(moments + MOMENTS * row, numbers, MOMENTS);
        const uint8_t *before = to.at;
        if (!write_record(&to, head, (const uint16_t *)(head + 1)) || to.full) return 0;
        const uint32_t size = (uint32_t)(to.at - before);
        memcpy(table + ROW * row, layers + head->slot, 2);
        table[ROW * row + 2] = kinds[head->slot];
        memcpy(table + ROW * row + 4, &size, 4);
        *broken += head->broken > 0;
    }
    return to.at - out;
}

/* ---- frames of others */

/* Whether these bytes are a frame without any fault; 0 leaves it to Python to say.
 *
 * found: level, layers, sequence number, frames, first step, last step, the largest layer.
 */
int normscope_check(const uint8_t *data, int64_t size, int64_t kinds, int64_t found[7]) {
    Frame frame;
    if (!read_frame(data, size, (int)kinds, &frame)) return 0;
    int64_t largest = -1;
    for (int row = 0; row < frame.rows; row++) {
        uint64_t totals[4] = {0};
        Reader layer = {frame.counters.at, frame.counters.at + row_size(&frame, row), 0};
        if (!read_layer(&layer, totals, NULL, 1, NULL)) return 0;
        frame.counters.at = layer.at;
        const int64_t index = row_identity(&frame, row, (int)kinds) / kinds;
        if (index > largest) largest = index;
    }
    const int64_t values[7] = {frame.level, frame.rows, frame.seq, frame.frames, frame.first, frame.last, largest};
    memcpy(found, values, sizeof values);
    return 1;
}

/* The series of that name in a frame, the last one if there are several; 0 if there is none. */
static int find_series(const Frame *frame, const Series *like, Series *found) {
    Reader from = frame->series;
    int known = 0;
    for (int i = 0; i < frame->named; i++) {
        Series some;
        read_series(&from, frame->level, &some);
        if (some.length == like->length && !memcmp(some.name, like->name, (size_t)some.length)) *found = some, known = 1;
    }
    return known;
}

static double number(const uint8_t *values, int64_t i) {
    double value;
    memcpy(&value, values + 8 * i, 8);
    return value;
}

/* The series of this name in all frames as one: the longest of them, if their lengths differ. */
static void merge_series(Writer *to, const Frame *frames, int n, const Series *like) {
    Series parts[MERGED];
    int count = 0;
    uint16_t size = 0;
    for (int i = 0; i < n; i++)
        if (find_series(frames + i, like, parts + count)) {
            if (parts[count].size > size) size = parts[count].size;
            count++;
        }
    int kept = 0;
    uint64_t samples = 0;
    for (int i = 0; i < count; i++)
        if (parts[i].size == size) parts[kept++] = parts[i], samples += parts[i].samples;
    const uint8_t length = (uint8_t)like->length;
    put_bytes(to, &length, 1);
    put_bytes(to, like->name, length);
    put_bytes(to, &size, 2);
    const uint32_t said = samples < UINT32_MAX ? (uint32_t)samples : UINT32_MAX; /* of damaged frames, say */
    put_bytes(to, &said, 4);
    const int64_t low = frames[0].level ? size : 0, high = frames[0].level ? 2 * (int64_t)size : 0;
    for (int what = 0; what < 3; what++)
        for (int64_t i = 0; i < size; i++) {
            double value = what ? NAN : 0;
            for (int k = 0; k < kept; k++) {
                if (what == 0) value += (double)parts[k].samples / (double)samples * number(parts[k].values, i);
                if (what == 1) value = fmin(value, number(parts[k].values, low + i));
                if (what == 2) value = fmax(value, number(parts[k].values, high + i));
            }
            put_bytes(to, &value, 8);
        }
}

static int merge_all_series(Writer *to, const Frame *frames, int n) {
    int count = 0;
    for (int i = 0; i < n; i++) {
        Reader from = frames[i].series;
        for (int k = 0; k < frames[i].named; k++) {
            Series some, other;
            read_series(&from, frames[i].level, &some);
            int new = 1;
            for (int before = 0; before < i && new; before++) new = !find_series(frames + before, &some, &other);
            Reader same = frames[i].series;
            for (int before = 0; before < k && new; before++) {
                read_series(&same, frames[i].level, &other);
                new = other.length != some.length || memcmp(other.name, some.name, (size_t)some.length);
            }
            if (new) merge_series(to, frames, n, &some), count++;
        }
    }
    return count;
}

/* What to multiply each part's counts by, so that each value has the same say; whether that is anything but 1.
 *
 * finite: values of each part. counted: how many of these its histogram holds. As in normscope/wire/merging.py. */
static int find_scales(const double *finite, const double *counted, int n, double *scales) {
    double all_finite = 0, all_counted = 0;
    int unlike = 0;
    for (int i = 0; i < n; i++) {
        scales[i] = 1;
        if (!(counted[i] > 0)) continue; /* nothing to weigh */
        if (!(finite[i] > 0)) return 0;
        all_finite += finite[i], all_counted += counted[i];
    }
    for (int i = 0; i < n; i++) unlike |= counted[i] > 0 && finite[i] * all_counted != all_finite * counted[i];
    if (!unlike || all_counted > EXACT) return 0;
    for (int i = 0; i < n; i++)
        if (counted[i] > 0) scales[i] = finite[i] / counted[i] * (all_counted / all_finite);
    return 1;
}

/* T. F. Chan, G. H. Golub and R. J. LeVeque, 1979. */
static void merge_moments(const float (*moments)[4], const double *finite, int n, float *out) {
    double total = 0, mean = 0, spread = 0, low = INFINITY, high = -INFINITY;
    for (int i = 0; i < n; i++) total += finite[i];
    if (!(total > 0)) {
        out[0] = out[1] = out[2] = out[3] = NAN;
        return;
    }
    /* A layer that had no finite value has NaN moments, which must not poison its neighbours in time. */
    for (int i = 0; i < n; i++)
        if (finite[i] > 0) mean += finite[i] * moments[i][0];
    mean /= total;
    for (int i = 0; i < n; i++) {
        if (!(finite[i] > 0)) continue;
        const double away = moments[i][0] - mean, deviation = moments[i][1];
        spread += finite[i] * (deviation * deviation + away * away);
        if (moments[i][2] < low) low = moments[i][2];
        if (moments[i][3] > high) high = moments[i][3];
    }
    out[0] = (float)mean, out[1] = (float)sqrt(spread / total), out[2] = (float)low, out[3] = (float)high;
}

static void write_header(Writer *to, const Frame *frames, int n, uint16_t named) {
    const Frame *last = frames + n - 1;
    uint32_t count = 0;
    for (int i = 0; i < n; i++) count += frames[i].frames;
    const uint8_t start[2] = {VERSION, (uint8_t)(frames->level + 1)};
    put_bytes(to, start, 2);
    put_bytes(to, &frames->rows, 2);
    put_bytes(to, &frames->seq, 4);
    put_bytes(to, &count, 4);
    put_bytes(to, &frames->first, 4);
    put_bytes(to, &last->last, 4);
    put_bytes(to, &last->time, 8);
    put_bytes(to, &named, 2);
}

/* The frame of the next level that consecutive frames of one level make; how many bytes, 0 if that is for Python:
 * layers that are not the same in all of them, or anything that is wrong. */
int64_t normscope_merge(const uint8_t *const *datas, const int64_t *sizes, int64_t count, int64_t kinds, uint8_t *out,
                        int64_t room) {
    Frame frames[MERGED];
    const int n = (int)count;
    if (count < 1 || count > MERGED) return 0;
    for (int i = 0; i < n; i++) {
        if (!read_frame(datas[i], sizes[i], (int)kinds, frames + i)) return 0;
        if (frames[i].level != frames->level || frames[i].rows != frames->rows) return 0;
        for (int row = 0; row < frames[i].rows; row++) {
            const uint32_t here = row_identity(frames + i, row, (int)kinds);
            if (i ? here != row_identity(frames, row, (int)kinds)
                  : row && here <= row_identity(frames, row - 1, (int)kinds))
                return 0;
        }
    }
    Writer to = {out, out + room, 0};
    write_header(&to, frames, n, 0);
    const uint16_t named = (uint16_t)merge_all_series(&to, frames, n);
    const int rows = frames->rows;
    uint8_t *table = make(&to, ROW * rows), *moments = make(&to, MOMENTS * rows);
    if (to.full) return 0;
    memcpy(out + HEADER - 2, &named, 2);
    if (rows) memcpy(table, frames->table, (size_t)(ROW * rows));
    Dense dense = {0};
    for (int row = 0; row < rows; row++) {
        uint64_t totals[4] = {0};
        double finite[MERGED], counted[MERGED], scales[MERGED];
        float parts[MERGED][4];
        Reader layers[MERGED];
        for (int i = 0; i < n; i++) {
            Reader *from = &frames[i].counters;
            Reader layer = layers[i] = (Reader){from->at, from->at + row_size(frames + i, row), 0};
            uint64_t mine[4] = {0};
            if (!read_layer(&layer, mine, &dense, 1, counted + i)) return 0;
            from->at = layer.at;
            for (int k = 0; k < 4; k++) totals[k] += mine[k];
            finite[i] = (double)mine[0] - (double)mine[3];
            memcpy(parts[i], frames[i].moments + MOMENTS * row, MOMENTS);
        }
        if (find_scales(finite, counted, n, scales)) { /* rarely: once more, each part by its weight */
            memset(&dense, 0, sizeof dense);
            uint64_t again[4] = {0};
            for (int i = 0; i < n; i++) read_layer(layers + i, again, &dense, scales[i], counted + i);
        }
        float merged[4];
        merge_moments((const float (*)[4])parts, finite, n, merged);
        memcpy(moments + MOMENTS * row, merged, MOMENTS);
        const uint8_t *before = to.at;
        write_layer(&to, totals, &dense);
        if (to.full) return 0;
        const uint32_t size = (uint32_t)(to.at - before);
        memcpy(table + ROW * row + 4, &size, 4);
    }
    return to.at - out;
}
