#include "dataplane/answers.h"

#include <stdlib.h>
#include <xxhash.h>

#define WAYS 4
#define EXCHANGE_LIFETIME_NS (UINT64_C(247) * 1000000000)

struct answer {
    uint64_t fingerprint; /* 0: never used */
    uint64_t since_ns;
    uint8_t address[16];
    uint16_t port;
    uint16_t length; /* 0: being made */
    uint8_t message[ANSWER_SIZE_MAX];
};

struct answers {
    uint64_t secret;
    uint32_t set_mask;
    struct answer entries[];
};

struct answers *answers_new(uint32_t entries, uint64_t secret)
{
    uint32_t sets = entries / WAYS > 0 ? entries / WAYS : 1;
    assert((sets & (sets - 1)) == 0);
    struct answers *a = calloc(1, sizeof *a + (size_t)sets * WAYS * sizeof a->entries[0]);
    if (a) {
        a->secret = secret;
        a->set_mask = sets - 1;
    }
    return a;
}

void answers_free(struct answers *a)
{
    free(a);
}

uint64_t answers_fingerprint(const struct answers *a, const struct request *r)
{
    uint64_t seed = XXH3_64bits_withSeed(r->source.address, sizeof r->source.address, a->secret ^ r->source.port);
    uint64_t hash = XXH3_64bits_withSeed(r->frame.data + r->datagram, r->datagram_length, seed);
    return hash ? hash : 1;
}

static bool same(const struct answer *entry, const struct request *r)
{
    return entry->fingerprint == r->fingerprint && entry->port == r->source.port &&
           memcmp(entry->address, r->source.address, sizeof entry->address) == 0;
}

static struct answer *set_of(struct answers *a, const struct request *r)
{
    return &a->entries[(r->fingerprint & a->set_mask) * WAYS];
}

enum answer_state answers_find(struct answers *a, const struct request *r, uint64_t now_ns, struct bytes *answer)
{
    struct answer *set = set_of(a, r);
    for (unsigned i = 0; i < WAYS; i++)
        if (same(&set[i], r) && now_ns - set[i].since_ns < EXCHANGE_LIFETIME_NS) {
            *answer = (struct bytes){set[i].message, set[i].length};
            return set[i].length > 0 ? ANSWER_KEPT : ANSWER_PENDING;
        }
    return ANSWER_NEW;
}

void answers_note(struct answers *a, const struct request *r, uint64_t now_ns)
{
    struct answer *set = set_of(a, r), *oldest = set;
    for (unsigned i = 1; i < WAYS; i++)
        if (set[i].since_ns < oldest->since_ns)
            oldest = &set[i];
    oldest->fingerprint = r->fingerprint;
    oldest->since_ns = now_ns;
    oldest->port = r->source.port;
    oldest->length = 0;
    memcpy(oldest->address, r->source.address, sizeof oldest->address);
}

void answers_keep(struct answers *a, const struct request *r, struct bytes answer)
{
    struct answer *set = set_of(a, r);
    assert(answer.length <= ANSWER_SIZE_MAX);
    for (unsigned i = 0; i < WAYS; i++)
        if (same(&set[i], r)) {
            memcpy(set[i].message, answer.data, answer.length);
            set[i].length = (uint16_t)answer.length;
        }
}
