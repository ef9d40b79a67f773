/* Tensors where torch has them: the jobs of those that wait, read by C functions that torch gives other libraries, a
 * hundred times as fast as by its methods.
 *
 * Neither Python's headers nor torch's are needed: their functions are called by their addresses, and what is said of a
 * tensor has the layout of DLPack (https://dmlc.github.io/dlpack), which is fixed for a major version.
 */

#include <stdint.h>

#include "record.h"

typedef struct {
    void *data;
    struct {
        int32_t type, id;
    } device;
    int32_t dimensions;
    struct {
        uint8_t code, bits;
        uint16_t lanes;
    } dtype;
    int64_t *shape, *strides;
    uint64_t offset; /* bytes */
} Tensor;

enum { CPU = 1, FLOAT = 2 };
enum { ANY = -1 };

/* What is asked of Python and of torch. All of it needs the interpreter's lock. */
typedef struct {
    void *(*item)(void *list, intptr_t at);   /* PyList_GetItem, PyTuple_GetItem: references are borrowed */
    void *(*member)(void *tuple, intptr_t at);
    long long (*integer)(void *number);       /* PyLong_AsLongLong */
    void *(*attribute)(void *object, void *name); /* PyObject_GetAttr: a reference of our own, as the next */
    void *(*call)(void *function, ...);       /* PyObject_CallFunctionObjArgs */
    void (*release)(void *object);            /* Py_DecRef */
    void (*forgive)(void);                    /* PyErr_Clear */
    int (*tensor)(void *object, Tensor *out); /* of DLPack's exchange: lent as long as the object lives */
    void *version, *negative, *yes;           /* "_version", Tensor.is_neg, True */
} Python;

/* Whether values lie without gaps, the last index running fastest; how many they are. */
static int is_dense(const Tensor *x, int64_t *count) {
    int64_t expected = 1;
    int dense = 1;
    for (int i = x->dimensions - 1; i >= 0; i--) {
        if (x->strides && x->shape[i] != 1 && x->strides[i] != expected) dense = 0;
        expected *= x->shape[i];
    }
    *count = expected;
    return dense || !expected;
}

/* Whether a tensor is one that nobody has changed since it was of this version, and that the core can read as it is; then
 * its job. */
static int describe(const Python *python, void *object, long long version, int64_t most, Job *job) {
    Tensor x;
    if (version != ANY) {
        void *now = python->attribute(object, python->version);
        if (!now) return 0;
        const int same = python->integer(now) == version;
        python->release(now);
        if (!same) return 0;
    }
    void *found = python->call(python->negative, object, (void *)0); /* its values would be the memory's with another sign */
    if (!found) return 0;
    python->release(found);
    if (found == python->yes || python->tensor(object, &x)) return 0;
    if (x.device.type != CPU || x.dtype.code != FLOAT || x.dtype.bits != 32 || x.dtype.lanes != 1) return 0;
    job->values = (const char *)x.data + x.offset, job->kind = 0;
    return is_dense(&x, &job->count) && job->count <= most;
}

/* The job of a tensor, whatever its version and its size; 0 if there is none. */
int normscope_describe_one(const Python *python, void *object, int64_t slot, Job *job) {
    job->slot = slot;
    const int described = describe(python, object, ANY, INT64_MAX, job);
    if (!described) python->forgive();
    return described;
}

/* The jobs of a list of slots, small tensors and versions; how many there are. Of the others, the places in the list.
 *
 * jobs, others: with room for all.
 */
int64_t normscope_describe(const Python *python, void *list, int64_t count, Job *jobs, int64_t *others) {
    int64_t described = 0, left = 0;
    for (int64_t i = 0; i < count; i++) {
        void *entry = python->item(list, (intptr_t)i);
        Job *job = jobs + described;
        job->slot = python->integer(python->member(entry, 0));
        if (describe(python, python->member(entry, 1), python->integer(python->member(entry, 2)), ALL, job)) {
            described++;
        } else {
            python->forgive();
            others[left++] = i;
        }
    }
    return described;
}
