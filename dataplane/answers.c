#include "dataplane/answers.h"

#include <stdalign.h>
#include <stdlib.h>
#include <xxhash.h>

#include "keys/huge_memory.h"
#include "keys/prefetch.h"

#define WAYS 4
/* With a seed instead, each hash of a long message would make this anew. */
#define SECRET_SIZE 192
static_assert(SECRET_SIZE >= XXH3_SECRET_SIZE_MIN && SECRET_SIZE % sizeof(uint64_t) == 0, "what the hash wants");
#define EXCHANGE_LIFETIME_NS (UINT64_C(247) * 1000000000)

/* What a look-up reads of a set lies in one cache line; the answers themselves are touched only where one is kept or
 * sent again. */
struct set {
    alignas(64) uint64_t fingerprint[WAYS]; /* 0: never used */
    uint64_t since_ns[WAYS];
};
static_assert(sizeof(struct set) == 64, "a cache line");

struct answer {
    uint8_t address[16];
    uint16_t port;
    uint16_t length; /* 0: being made */
    uint8_t message[ANSWER_SIZE_MAX];
};

struct answers {
    uint8_t secret[SECRET_SIZE];
    uint32_t set_mask;
    struct set *sets;
    struct answer (*answers)[WAYS];
};

/* Paid for now, not in a burst. */
static void *take(size_t size)
{
    void *memory = huge_memory_take(size);
    return memory ? memset(memory, 0, size) : NULL;
}

struct answers *answers_new(uint32_t entries, uint64_t secret)
{
    uint32_t sets = entries / WAYS > 0 ? entries / WAYS : 1;
    assert((sets & (sets - 1)) == 0);
    struct answers *a = malloc(sizeof *a);
    if (!a)
        return NULL;
    *a = (struct answers){.set_mask = sets - 1};
    for (uint64_t i = 0; i < SECRET_SIZE / sizeof i; i++) {
        uint64_t word = XXH3_64bits_withSeed(&i, sizeof i, secret);
        memcpy(a->secret + i * sizeof i, &word, sizeof word);
    }
    a->sets = take(sets * sizeof *a->sets);
    a->answers = take(sets * sizeof *a->answers);
    if (a->sets && a->answers)
        return a;
    answers_free(a);
    return NULL;
}

void answers_free(struct answers *a)
{
    size_t sets = (size_t)a->set_mask + 1;
    huge_memory_give(a->sets, sets * sizeof *a->sets);
    huge_memory_give(a->answers, sets * sizeof *a->answers);
    free(a);
}

uint64_t answers_fingerprint(const struct answers *a, const struct request *r)
{
    uint8_t endpoint[sizeof r->source.address + sizeof r->source.port];
    memcpy(endpoint, r->source.address, sizeof r->source.address);
    memcpy(endpoint + sizeof r->source.address, &r->source.port, sizeof r->source.port);
    uint64_t hash = XXH3_64bits_withSecret(r->frame.data + r->datagram, r->datagram_length, a->secret, SECRET_SIZE);
    hash ^= XXH3_64bits_withSecret(endpoint, sizeof endpoint, a->secret, SECRET_SIZE);
    return hash ? hash : 1;
}

static uint32_t set_of(const struct answers *a, uint64_t fingerprint)
{
    return (uint32_t)fingerprint & a->set_mask;
}

void answers_prefetch(const struct answers *a, uint64_t fingerprint)
{
    prefetch_to_write(&a->sets[set_of(a, fingerprint)]);
}

static bool same(const struct answer *answer, const struct request *r)
{
    return answer->port == r->source.port && memcmp(answer->address, r->source.address, sizeof answer->address) == 0;
}

enum answer_state answers_find(struct answers *a, const struct request *r, uint64_t now_ns, struct bytes *answer)
{
    uint32_t at = set_of(a, r->fingerprint);
    const struct set *set = &a->sets[at];
    for (unsigned i = 0; i < WAYS; i++) {
        if (set->fingerprint[i] != r->fingerprint || now_ns - set->since_ns[i] >= EXCHANGE_LIFETIME_NS)
            continue;
        const struct answer *kept = &a->answers[at][i];
        if (!same(kept, r))
            continue;
        *answer = (struct bytes){kept->message, kept->length};
        return kept->length > 0 ? ANSWER_KEPT : ANSWER_PENDING;
    }
    return ANSWER_NEW;
}

void answers_note(struct answers *a, const struct request *r, uint64_t now_ns)
{
    uint32_t at = set_of(a, r->fingerprint);
    struct set *set = &a->sets[at];
    unsigned oldest = 0;
    for (unsigned i = 1; i < WAYS; i++)
        if (set->since_ns[i] < set->since_ns[oldest])
            oldest = i;
    set->fingerprint[oldest] = r->fingerprint;
    set->since_ns[oldest] = now_ns;
    struct answer *noted = &a->answers[at][oldest];
    noted->port = r->source.port;
    noted->length = 0;
    memcpy(noted->address, r->source.address, sizeof noted->address);
}

void answers_keep(struct answers *a, const struct request *r, struct bytes answer)
{
    uint32_t at = set_of(a, r->fingerprint);
    assert(answer.length <= ANSWER_SIZE_MAX);
    for (unsigned i = 0; i < WAYS; i++) {
        struct answer *noted = &a->answers[at][i];
        if (a->sets[at].fingerprint[i] != r->fingerprint || !same(noted, r))
            continue;
        memcpy(noted->message, answer.data, answer.length);
        noted->length = (uint16_t)answer.length;
    }
}
