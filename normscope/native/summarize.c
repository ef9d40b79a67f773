/* Exact numbers and histograms of tensors: what normscope/capture/summary.py and normscope/capture/reduction.py compute
 * with numpy and torch, in one pass over each value, written into a record that another process unpacks.
 *
 * A tensor is read a block at a time, which stays in the innermost cache for the loops that follow the first. Sums are
 * double: the square of a float32 is exact there, and nothing overflows.
 */

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "record.h"

enum {
    CODES = 1 << (32 - SHIFT), /* shifted bit patterns */
    HALF = CODES / 2,
    BROKEN = 255 << (23 - SHIFT), /* the first pattern that is not finite */
    FIRST_CODE = (127 - 64) << (23 - SHIFT),
    BLOCK = 4096,
    TABLES = 8,
    APART = 128,      /* counts between two tables: at equal places in a page, writes and reads wait for each other */
    TABLE = CODES + APART,
    MOST = 65535,     /* values that are counted, at most: what a count of 16 bits can be */
    KEPT = 8192,      /* of those of a large tensor, so many stand in its histogram */
    APACE = 4,        /* values far from each other that are counted at once, into tables of their own */
    UNIT = 16,        /* neighbours that are counted together, where most values are */
    PART = 1 << 15,   /* values that make another thread worth while */
    PARTS = 16,
};

enum { FLOAT32, BFLOAT16, FLOAT16 };

/* Squares are as good as deviations unless the mean is this much further from zero than values are from it. */
static const double FAR = 1e-4;

#define EXPONENT 0x7f800000
#define MAGNITUDE 0x7fffffff

#if defined(__linux__) && defined(__x86_64__) && defined(__GLIBC__) && (!defined(__clang__) || __clang_major__ >= 14)
#define VECTORIZED __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define VECTORIZED
#endif

/* Of the interface between this file and its caller. */
int normscope_version(void) { return 4; }

typedef struct {
    double sum, squares;
    int64_t zeros, saturated, finite;
    int32_t low, high; /* as `ordered` */
    int32_t least;     /* the smallest magnitude that is not zero; MAGNITUDE if there is none */
} Scan;

static const Scan NOTHING = {0, 0, 0, 0, 0, INT32_MAX, INT32_MIN, MAGNITUDE};

/* A float's bits as an integer that is the smaller the smaller the float; again, and they are bits. */
static inline int32_t ordered(int32_t bits) { return bits ^ ((bits >> 31) & MAGNITUDE); }

static inline int is_finite(int32_t bits) { return (bits & EXPONENT) != EXPONENT; }

static float value_of(int32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The largest of the bits as signed integers; the smallest and the largest as unsigned ones; the smallest magnitude less
 * one, which of a zero is the largest there is. */
typedef struct {
    int32_t most;
    uint32_t first, last, least;
} Bounds;

static const Bounds NO_BOUNDS = {INT32_MIN, UINT32_MAX, 0, UINT32_MAX};

/* Extremes are found among the bits as they are: read as signed and as unsigned integers, the largest is a float's
 * extreme, and so is the smallest unsigned one where all have one sign. */
static Scan scanned(double sum, double squares, int64_t zeros, int64_t n, const Bounds *of) {
    const int32_t negative = (int32_t)of->last < 0, positive = of->most >= 0;
    return (Scan){
        sum, squares, zeros, 0, n,
        ordered((int32_t)(negative ? of->last : of->first)), ordered(positive ? of->most : (int32_t)of->first),
        of->least < MAGNITUDE ? (int32_t)(of->least + 1) : MAGNITUDE,
    };
}

/* What most blocks need: sums, extremes and zeros, of values that turn out to be finite, or have to be read again.
 *
 * Extremes are found among the bits as they are: read as signed and as unsigned integers, the largest is a float's
 * extreme, and so is the smallest unsigned one where all have one sign. */
VECTORIZED static Scan scan_finite(const float *x, const uint32_t *bits, int n) {
    double sum = 0, squares = 0;
    int32_t zeros = 0, most = INT32_MIN;
    uint32_t first = UINT32_MAX, last = 0, least = UINT32_MAX;
#pragma omp simd reduction(+ : sum, squares, zeros) reduction(min : first, least) reduction(max : most, last)
    for (int i = 0; i < n; i++) {
        const uint32_t u = bits[i], magnitude = u & MAGNITUDE;
        const int32_t s = (int32_t)u;
        const double v = x[i];
        sum += v;
        squares += v * v;
        most = s > most ? s : most;
        first = u < first ? u : first;
        last = u > last ? u : last;
        least = magnitude - 1 < least ? magnitude - 1 : least; /* of a zero, the largest there is */
        zeros += magnitude == 0;
    }
    return scanned(sum, squares, zeros, n, &(Bounds){most, first, last, least});
}

/* The same, leaving out what is not finite. */
static Scan scan_mixed(const float *x, const int32_t *bits, int n) {
    Scan found = NOTHING;
    for (int i = 0; i < n; i++) {
        if (!is_finite(bits[i])) continue;
        const int32_t s = ordered(bits[i]);
        const int32_t magnitude = bits[i] & MAGNITUDE;
        if (magnitude && magnitude < found.least) found.least = magnitude;
        found.sum += x[i];
        found.squares += (double)x[i] * x[i];
        found.zeros += x[i] == 0;
        found.finite++;
        if (s < found.low) found.low = s;
        if (s > found.high) found.high = s;
    }
    return found;
}

/* How many finite values are below or above. */
VECTORIZED static int count_outside(const float *x, const int32_t *bits, int n, float low, float high) {
    int32_t outside = 0;
#pragma omp simd reduction(+ : outside)
    for (int i = 0; i < n; i++) outside += ((x[i] < low) | (x[i] > high)) & ((bits[i] & EXPONENT) != EXPONENT);
    return outside;
}

/* The sum of finite values' squared deviations. */
VECTORIZED static double deviations(const float *x, const int32_t *bits, int n, double mean) {
    double squares = 0;
#pragma omp simd reduction(+ : squares)
    for (int i = 0; i < n; i++) {
        const double d = (bits[i] & EXPONENT) != EXPONENT ? x[i] - mean : 0;
        squares += d * d;
    }
    return squares;
}

/* Half-precision values as float32: exact. */
VECTORIZED static void widen(const uint16_t *from, int n, int kind, int32_t *to) {
    if (kind == BFLOAT16) {
        for (int i = 0; i < n; i++) to[i] = (int32_t)((uint32_t)from[i] << 16);
        return;
    }
    for (int i = 0; i < n; i++) {
        /* The exponent's bias is made up for by a product, which also makes small values normal. */
        const int32_t magnitude = (from[i] & 0x7fff) << 13;
        union {
            int32_t bits;
            float value;
        } scaled = {magnitude};
        scaled.value *= 0x1p112f;
        const int32_t broken = magnitude >= 0x7c00 << 13 ? EXPONENT : 0;
        to[i] = scaled.bits | broken | (int32_t)((uint32_t)(from[i] & 0x8000) << 16);
    }
}

/* A tensor, read a block at a time. */
typedef struct {
    const void *values;
    int64_t count;
    int kind;
    int32_t *room; /* for BLOCK values, unless they are float32 already */
} Source;

/* The block that begins at value `at`, as float32; how many values it has. */
static int block(const Source *source, int64_t at, const float **x) {
    const int64_t left = source->count - at;
    const int n = left < BLOCK ? (int)left : BLOCK;
    if (source->kind == FLOAT32) {
        *x = (const float *)source->values + at;
    } else {
        widen((const uint16_t *)source->values + at, n, source->kind, source->room);
        *x = (const float *)source->room;
    }
    return n;
}

static void merge(Scan *all, const Scan *part) {
    all->sum += part->sum, all->squares += part->squares;
    all->zeros += part->zeros, all->saturated += part->saturated, all->finite += part->finite;
    if (part->low < all->low) all->low = part->low;
    if (part->high > all->high) all->high = part->high;
    if (part->least < all->least) all->least = part->least;
}

/* How often each shifted bit pattern was seen. Several tables, of which `gather` makes one: neighbours are often alike,
 * and a count that was just written is slow to read. All are zero but while a tensor is read. */
typedef uint16_t Tables[TABLES][TABLE];

static void tally(const uint32_t *bits, int n, Tables counts) {
    int i = 0;
    for (; i + TABLES <= n; i += TABLES)
        for (int k = 0; k < TABLES; k++) counts[k][bits[i + k] >> SHIFT]++;
    for (; i < n; i++) counts[0][bits[i] >> SHIFT]++;
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

/* Sums and extremes, and counts if `tallied`: both at once, which take turns at different parts of the processor. Counting
 * waits for memory, sums and extremes do not use it. Together they take hardly longer than counting alone; no compiler
 * makes this of two loops.
 *
 * What is read next is asked for AHEAD values before it is needed: this loop does too much with each for the processor
 * to run ahead of it by itself, and of a tensor that is in no cache it would wait for half of the time.
 *
 * n: a multiple of AT_ONCE. */
enum { AT_ONCE = 16, HALF_AT_ONCE = 8, AHEAD = 1024 };

__attribute__((target("avx2,fma"))) static inline Scan scan_avx2(const float *x, const uint32_t *bits, int n,
                                                                Tables counts, const int tallied) {
    const __m256i magnitudes = _mm256_set1_epi32(MAGNITUDE), one = _mm256_set1_epi32(1);
    __m256d sums[4], squares[4];
    __m256i most = _mm256_set1_epi32(INT32_MIN), first = _mm256_set1_epi32(-1), last = _mm256_setzero_si256();
    __m256i least = first, zeros = last;
    for (int k = 0; k < 4; k++) sums[k] = squares[k] = _mm256_setzero_pd();
    for (int i = 0; i < n; i += AT_ONCE) {
        _mm_prefetch((const char *)(x + i) + sizeof(float) * AHEAD, _MM_HINT_T0); /* beyond the end, it does nothing */
        for (int k = 0; k < 2; k++) {
            const __m256 v = _mm256_loadu_ps(x + i + HALF_AT_ONCE * k);
            const __m256i u = _mm256_castps_si256(v), magnitude = _mm256_and_si256(u, magnitudes);
            const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(v));
            const __m256d high = _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1));
            sums[2 * k] = _mm256_add_pd(sums[2 * k], low), sums[2 * k + 1] = _mm256_add_pd(sums[2 * k + 1], high);
            squares[2 * k] = _mm256_fmadd_pd(low, low, squares[2 * k]);
            squares[2 * k + 1] = _mm256_fmadd_pd(high, high, squares[2 * k + 1]);
            most = _mm256_max_epi32(most, u);
            first = _mm256_min_epu32(first, u), last = _mm256_max_epu32(last, u);
            least = _mm256_min_epu32(least, _mm256_sub_epi32(magnitude, one));
            zeros = _mm256_sub_epi32(zeros, _mm256_cmpeq_epi32(magnitude, _mm256_setzero_si256()));
        }
        if (!tallied) continue;
        for (int k = 0; k < AT_ONCE; k++) counts[k % TABLES][bits[i + k] >> SHIFT]++;
    }
    double sum[4], square[4];
    _mm256_storeu_pd(sum, _mm256_add_pd(_mm256_add_pd(sums[0], sums[1]), _mm256_add_pd(sums[2], sums[3])));
    _mm256_storeu_pd(square, _mm256_add_pd(_mm256_add_pd(squares[0], squares[1]), _mm256_add_pd(squares[2], squares[3])));
    uint32_t lanes[5][HALF_AT_ONCE];
    const __m256i all[] = {most, first, last, least, zeros};
    for (int k = 0; k < 5; k++) _mm256_storeu_si256((__m256i *)lanes[k], all[k]);
    Bounds found = NO_BOUNDS;
    int64_t none = 0;
    for (int k = 0; k < HALF_AT_ONCE; k++) {
        if ((int32_t)lanes[0][k] > found.most) found.most = (int32_t)lanes[0][k];
        if (lanes[1][k] < found.first) found.first = lanes[1][k];
        if (lanes[2][k] > found.last) found.last = lanes[2][k];
        if (lanes[3][k] < found.least) found.least = lanes[3][k];
        none += lanes[4][k];
    }
    return scanned(sum[0] + sum[1] + sum[2] + sum[3], square[0] + square[1] + square[2] + square[3], none, n, &found);
}

/* How many of `n` values can be read so. */
static int at_once(int n) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? n / AT_ONCE * AT_ONCE : 0;
}

static Scan scan(const float *x, const uint32_t *bits, int n) {
    const int whole = at_once(n);
    Scan all = whole ? scan_avx2(x, bits, whole, NULL, 0) : NOTHING;
    if (whole < n) {
        const Scan rest = scan_finite(x + whole, bits + whole, n - whole);
        merge(&all, &rest);
    }
    return all;
}

static Scan scan_and_tally(const float *x, const uint32_t *bits, int n, Tables counts) {
    const int whole = at_once(n);
    Scan all = whole ? scan_avx2(x, bits, whole, counts, 1) : NOTHING;
    if (whole < n) {
        const Scan rest = scan_finite(x + whole, bits + whole, n - whole);
        tally(bits + whole, n - whole, counts);
        merge(&all, &rest);
    }
    return all;
}
#else
static Scan scan(const float *x, const uint32_t *bits, int n) { return scan_finite(x, bits, n); }

static Scan scan_and_tally(const float *x, const uint32_t *bits, int n, Tables counts) {
    tally(bits, n, counts);
    return scan_finite(x, bits, n);
}
#endif

/* Which values are counted: of every `of` units of neighbours the first `take`. */
typedef struct {
    int64_t take, of, unit;
} Share;

/* Those of the `n` values from the tensor's value `at` on, into so many tables; with larger units, `at` begins one. */
static void tally_some(const uint32_t *bits, int64_t n, int64_t at, Share share, Tables counts, int tables) {
    const int64_t group = share.of * share.unit;
    int64_t first = at / group * group - at; /* where the group begins that value `at` is of */
    if (share.unit > 1) {
        for (; first < n; first += group) {
            const int64_t from = first > 0 ? first : 0, end = first + share.take * share.unit, to = end < n ? end : n;
            if (tables == TABLES && from < to) tally(bits + from, (int)(to - from), counts);
            for (int64_t i = from; tables < TABLES && i < to; i++) counts[0][bits[i] >> SHIFT]++;
        }
        return;
    }
    if (first < 0) first += group;
    if (tables == TABLES) {
        for (; first + (APACE - 1) * group < n; first += APACE * group)
            for (int k = 0; k < APACE; k++) counts[k][bits[first + k * group] >> SHIFT]++;
    }
    for (; first < n; first += group) counts[0][bits[first] >> SHIFT]++;
}

/* A part of a tensor: the values from `at` up to `end`, of which a share is counted; if not all, into so many tables. */
static Scan read_part(const Source *source, int64_t at, int64_t end, float low, float high, Share share, Tables counts,
                      int tables) {
    const int bounded = low > -INFINITY || high < INFINITY;
    Scan all = NOTHING;
    const float *x;
    for (; at < end; at += BLOCK) {
        const int n = block(source, at, &x);
        const int32_t *bits = (const int32_t *)x;
        Scan part = share.of == 1 ? scan_and_tally(x, (const uint32_t *)bits, n, counts)
                                  : scan(x, (const uint32_t *)bits, n);
        if (!is_finite(ordered(part.low)) || !is_finite(ordered(part.high))) part = scan_mixed(x, bits, n);
        if (bounded) part.saturated = count_outside(x, bits, n, low, high);
        if (share.of > 1) tally_some((const uint32_t *)bits, n, at, share, counts, tables);
        merge(&all, &part);
    }
    return all;
}

/* A large tensor, read by several threads: those that torch computes with, which it has just used. */
typedef struct {
    const Source *source;
    float low, high;
    Share share;
    int parts, taken[PARTS];
    int (*number)(void); /* which of the threads asks */
    Scan scans[PARTS];
    uint16_t counts[PARTS][1][TABLE];
} Shared;

static int64_t cut(const Shared *work, int part) {
    return part == work->parts ? work->source->count : work->source->count / work->parts * part / BLOCK * BLOCK;
}

/* What each of the threads does: first the part that it has probably just computed, and has in its own caches; then
 * others, as long as there are any. */
static void help(void *shared) {
    Shared *work = shared;
    int32_t room[BLOCK];
    const int own = work->number();
    for (int i = 0; i < work->parts; i++) {
        const int k = (own + i) % work->parts;
        if (__atomic_exchange_n(&work->taken[k], 1, __ATOMIC_RELAXED)) continue;
        Source source = *work->source;
        source.room = room;
        memset(work->counts[k], 0, sizeof work->counts[k]);
        work->scans[k] =
            read_part(&source, cut(work, k), cut(work, k + 1), work->low, work->high, work->share, work->counts[k], 1);
    }
}

/* How OpenMP's runtime of GNU starts a parallel region; compilers call it, and it is part of its binary interface. */
typedef void Parallel(void (*help)(void *), void *shared, unsigned threads, unsigned flags);

/* The threads that torch computes with. */
typedef struct {
    Parallel *parallel; /* NULL where there are none to borrow */
    int (*number)(void);
    int64_t count;
} Threads;

static Scan read_shared(const Source *source, float low, float high, Share share, Tables counts,
                        const Threads *threads, int parts) {
    Shared work = {.source = source, .low = low, .high = high, .share = share, .parts = parts, .number = threads->number};
    /* Always all threads: a region of fewer would end the others, and torch would have to start them anew. */
    threads->parallel(help, &work, 0, 0);
    Scan all = NOTHING;
    for (int k = 0; k < parts; k++) {
        merge(&all, &work.scans[k]);
        for (int code = 0; code < CODES; code++) counts[0][code] += work.counts[k][0][code];
    }
    return all;
}

/* One pass, or two where the variance would be lost in the mean. */
static Scan read_all(const Source *source, float low, float high, Share share, Head *head, Tables counts,
                     const Threads *threads) {
    const int64_t worth = source->count / PART < PARTS ? source->count / PART : PARTS;
    const int parts = (int)(worth < threads->count ? worth : threads->count);
    const Scan all = threads->parallel && parts > 1 && share.of > 1
                         ? read_shared(source, low, high, share, counts, threads, parts)
                         : read_part(source, 0, source->count, low, high, share, counts, TABLES);
    head->values = (double)source->count, head->zeros = (double)all.zeros, head->saturated = (double)all.saturated;
    head->broken = (double)(source->count - all.finite);
    if (all.finite == 0) {
        head->mean = head->deviation = head->smallest = head->largest = NAN;
        return all;
    }
    const double mean = all.sum / all.finite;
    double variance = all.squares / all.finite - mean * mean;
    if (!(variance > FAR * mean * mean)) {
        double squares = 0;
        const float *x;
        for (int64_t at = 0; at < source->count; at += BLOCK) {
            const int n = block(source, at, &x);
            squares += deviations(x, (const int32_t *)x, n, mean);
        }
        variance = squares / all.finite;
    }
    head->mean = mean, head->deviation = sqrt(variance);
    head->smallest = value_of(ordered(all.low)), head->largest = value_of(ordered(all.high));
    return all;
}

/* Filled bins and their counts. */
typedef struct {
    int filled, last;
    uint16_t bins[BINS], counts[BINS];
} Filled;

/* The count of a pattern, which may share its bin with the pattern before: the tiny ones do, and the outermost. */
static void put(Filled *out, int code, int sign, uint16_t count) {
    int place = code - FIRST_CODE + 1;
    place = place < 0 ? 0 : place > PER_SIGN + 1 ? PER_SIGN + 1 : place;
    const int bin = ZERO_BIN + sign * place;
    if (bin == out->last) {
        out->counts[out->filled - 1] += count;
    } else {
        out->bins[out->filled] = (uint16_t)(out->last = bin);
        out->counts[out->filled++] = count;
    }
}

/* The first table's counts of the patterns from `first` to `last` become those of all; the others', zero. */
VECTORIZED static void join(Tables counts, int first, int last) {
    for (int k = 1; k < TABLES; k++) {
        for (int code = first; code <= last; code++) counts[0][code] += counts[k][code];
        memset(counts[k] + first, 0, sizeof(uint16_t) * (size_t)(last - first + 1));
    }
}

/* Filled bins in the order of values: negative ones from the largest magnitude down, then positive ones. Most patterns
 * are beyond the largest magnitude or below the smallest, and are not looked at. Leaves all counts zero. */
static void gather(Tables counts, const Scan *all, Filled *out) {
    const int32_t below = ordered(all->low) & MAGNITUDE, above = ordered(all->high) & MAGNITUDE;
    const int some = all->least < MAGNITUDE;
    const int first = some ? all->least >> SHIFT : 1, last = some ? (below > above ? below : above) >> SHIFT : 0;
    uint16_t *sum = counts[0];
    out->filled = 0, out->last = -1;
    for (int sign = HALF; sign >= 0; sign -= HALF) {
        join(counts, sign, sign); /* zeros, and what is nearly none */
        if (first <= last) join(counts, sign + first, sign + last);
        for (int k = 0; k < TABLES; k++) memset(counts[k] + sign + BROKEN, 0, sizeof(uint16_t) * (HALF - BROKEN));
    }
    for (int code = last; code >= first; code--)
        if (sum[HALF + code]) put(out, code, -1, sum[HALF + code]);
    if (first > 0 && sum[HALF]) put(out, 0, -1, sum[HALF]);
    if (first > 0 && sum[0]) put(out, 0, 1, sum[0]);
    for (int code = first; code <= last; code++)
        if (sum[code]) put(out, code, 1, sum[code]);
    for (int sign = 0; sign <= HALF; sign += HALF) {
        sum[sign] = 0;
        if (first <= last) memset(sum + sign + first, 0, sizeof(uint16_t) * (size_t)(last - first + 1));
    }
}

/* Of the values that were counted, every so many-th in the order of values, KEPT in all: as good a histogram as what
 * was counted, for a fraction of its bytes. Where they begin is drawn from what the tensor is like, so that over many
 * steps every value has the same chance to be among them, the rarest too. */
static void thin(Filled *out, int64_t counted, const Scan *all) {
    uint64_t draw = (uint64_t)all->zeros;
    for (int k = 0; k < 3; k++) {
        const uint32_t more = (uint32_t[]){(uint32_t)all->low, (uint32_t)all->high, (uint32_t)all->least}[k];
        draw = ((draw ^ more) + 1) * 0x9e3779b97f4a7c15u; /* the golden ratio, as in Fibonacci hashing */
        draw ^= draw >> 32;
    }
    const int64_t start = (int64_t)((draw >> 40) * (uint64_t)counted >> 24);
    int64_t seen = 0, kept = 0;
    int filled = 0;
    for (int i = 0; i < out->filled; i++) {
        seen += out->counts[i];
        const int64_t upto = (seen * KEPT + start) / counted;
        if (upto > kept) out->bins[filled] = out->bins[i], out->counts[filled++] = (uint16_t)(upto - kept);
        kept = upto;
    }
    out->filled = filled;
}

/* The smallest number from `least` on that shares no factor with the count. */
static int64_t coprime(int64_t count, int64_t least) {
    for (;; least++) {
        int64_t a = count, b = least;
        while (b) {
            const int64_t rest = a % b;
            a = b, b = rest;
        }
        if (a == 1) return least;
    }
}

/* Which of `count` values are counted. A group of neighbours shares no factor with the count, hence with no side of the
 * tensor: what is counted never keeps to a few columns. As `stride` in normscope/capture/reduction.py. */
static Share share_of(int64_t count) {
    if (count <= MOST) return (Share){1, 1, 1};
    if (count > 2 * MOST) return (Share){1, coprime(count, (count + MOST - 1) / MOST), 1};
    /* More than half of the values. A group that is cut off at the end may have all that it may take. */
    const int64_t units = count / UNIT, of = coprime(units, UNIT);
    return (Share){(MOST / UNIT - of) * of / units, of, UNIT};
}

/* A place that is watched. */
typedef struct {
    float low, high; /* values beyond these are saturated */
    int64_t seen;    /* the step at which it was seen last */
} Slot;

/* Where a step's records go, one after another. */
typedef struct {
    char *memory;
    int64_t at, stop; /* in units of 4 bytes, from where to where in it */
    int64_t share;    /* units that a slot which was not seen yet is to find */
    int64_t slots, unseen, rows, step;
    Slot *of;
    Threads threads;
    uint16_t (*counts)[TABLE]; /* Tables, zero */
} Pad;

/* Bytes of a pad's tables. */
int64_t normscope_tables(void) { return sizeof(Tables); }

/* Begin a step's records there, to be made by so many threads. */
void normscope_begin(Pad *pad, char *memory, int64_t at, int64_t stop, int64_t threads) {
    const int64_t share = (stop - at) / pad->slots, most = record_length(BINS);
    pad->memory = memory, pad->at = at, pad->stop = stop, pad->threads.count = threads;
    pad->share = (share < most ? share : most) / 2 * 2;
    pad->unseen = pad->slots, pad->rows = 0, pad->step++;
}

/* The record of one tensor, in at most `room` units of 4 bytes from an even unit on; its length, 0 if even the numbers
 * do not fit. Where the histogram does not, it is left out. */
static int64_t write(const Job *job, const Slot *slot, void *record, int64_t room, Tables counts,
                     const Threads *threads) {
    if (room < record_length(0)) return 0;
    int32_t block_room[BLOCK];
    Filled found;
    Head *head = record;
    const Source source = {job->values, job->count, (int)job->kind, block_room};
    const Scan all = read_all(&source, slot->low, slot->high, share_of(job->count), head, counts, threads);
    gather(counts, &all, &found);
    if (job->count > ALL) {
        int64_t counted = 0;
        for (int i = 0; i < found.filled; i++) counted += found.counts[i];
        if (counted > KEPT) thin(&found, counted, &all);
    }
    if (record_length(found.filled) > room) found.filled = 0;
    head->slot = (uint32_t)job->slot, head->filled = (uint32_t)found.filled;
    uint16_t *rest = (uint16_t *)(head + 1);
    memcpy(rest, found.bins, 2 * (size_t)found.filled);
    memcpy(rest + found.filled, found.counts, 2 * (size_t)found.filled);
    return record_length(found.filled);
}

/* The records of tensors, as far as there is room for each slot that has not been seen yet, too; how many of them. */
int64_t normscope_add(Pad *pad, const Job *jobs, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        Slot *slot = pad->of + jobs[i].slot;
        pad->unseen -= slot->seen != pad->step;
        slot->seen = pad->step;
        const int64_t room = pad->stop - pad->at - pad->share * pad->unseen;
        const int64_t length = write(&jobs[i], slot, pad->memory + 4 * pad->at, room, pad->counts, &pad->threads);
        if (!length) return i;
        pad->at += length, pad->rows++;
    }
    return count;
}

/* The record of one tensor, wherever there is room for it; its length. */
int64_t normscope_record(const Job *job, float low, float high, void *record, int64_t room) {
    Tables counts;
    memset(counts, 0, sizeof counts);
    return write(job, &(Slot){low, high, 0}, record, room, counts, &(Threads){NULL, NULL, 1});
}

/* Where each of the records begins that lie one after another in `units` units of 4 bytes, and whose it is; 0 if there
 * are not exactly `rows` sound ones. */
int normscope_find(const char *records, int64_t units, int64_t rows, int64_t *begins, int64_t *slots) {
    int64_t at = 0;
    for (int64_t row = 0; row < rows; row++) {
        Head head;
        if (units - at < record_length(0)) return 0;
        memcpy(&head, records + 4 * at, sizeof head);
        if (head.filled > BINS || record_length((int)head.filled) > units - at) return 0;
        begins[row] = at, slots[row] = head.slot;
        at += record_length((int)head.filled);
    }
    return at == units;
}

/* Records that begin there, as the arrays of a frame; how many bins are filled.
 *
 * moments [rows][4], counters [rows][4], bins and counts: where they go.
 */
int64_t normscope_unpack(const char *records, const int64_t *begins, int64_t rows, double *moments, int64_t *counters,
                         int64_t *bins, int64_t *counts) {
    int64_t filled = 0;
    for (int64_t row = 0; row < rows; row++) {
        const Head *head = (const Head *)(records + 4 * begins[row]);
        memcpy(moments + 4 * row, &head->mean, 4 * sizeof(double));
        counters[4 * row] = (int64_t)head->values, counters[4 * row + 1] = (int64_t)head->zeros;
        counters[4 * row + 2] = (int64_t)head->saturated, counters[4 * row + 3] = (int64_t)head->broken;
        const uint16_t *rest = (const uint16_t *)(head + 1);
        for (uint32_t i = 0; i < head->filled; i++) bins[filled + i] = row * BINS + rest[i];
        for (uint32_t i = 0; i < head->filled; i++) counts[filled + i] = rest[head->filled + i];
        filled += head->filled;
    }
    return filled;
}
