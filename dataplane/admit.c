#include "dataplane/admit.h"

#include <stdatomic.h>

#include "keys/secret_memory.h"

#define PREFIX_BYTES_IPV4 3
#define PREFIX_BYTES_IPV6 7
#define ADDRESS_BYTES_MAX 16
#define KID_MAX 16
#define TRUSTED_SHARE 10     /* of the budget of all failures: points that are trusted make few */
#define CHALLENGE_SOURCES 16 /* that may have challenges of one kid at once */
#define ECHO_PERIOD_SHIFT 36 /* 69 s */

struct admit {
    struct admit_options options;
    struct meters *points, *venues, *failures, *validated;
    struct keyed_hash echo;
    _Atomic uint64_t attacked_until_ns;
};

struct admit *admit_create(const struct admit_options *options)
{
    struct admit *a = secret_memory_take(sizeof *a, NULL);
    if (!a)
        return NULL;
    a->options = *options;
    a->points = meters_create(options->points_max);
    a->venues = meters_create(options->points_max);
    a->failures = meters_create(options->failures_max);
    a->validated = meters_create(options->failures_max);
    a->echo = keyed_hash_random();
    if (a->points && a->venues && a->failures && a->validated)
        return a;
    admit_destroy(a);
    return NULL;
}

void admit_destroy(struct admit *a)
{
    if (!a)
        return;
    meters_destroy(a->points);
    meters_destroy(a->venues);
    meters_destroy(a->failures);
    meters_destroy(a->validated);
    secret_memory_give(a, sizeof *a);
}

static uint32_t whole_seconds(uint64_t wait_ns)
{
    return (uint32_t)(wait_ns / 1000000000) + 1;
}

static struct bytes point_name(const struct point *point)
{
    return (struct bytes){(const uint8_t *)&point->id, sizeof point->id};
}

void admit_prefetch(const struct admit *a, const struct point *point)
{
    meter_prefetch(a->points, point_name(point));
}

enum reason admit_point(struct admit *a, const struct point *point, uint64_t now_ns, uint32_t *max_age_s)
{
    struct meter_rate rate = a->options.point;
    uint64_t wait_ns;
    if (point->rate_per_s)
        rate.per_s = point->rate_per_s;
    if (point->burst)
        rate.burst = point->burst;
    *max_age_s = 0;
    if (!meter_take(a->points, point_name(point), rate, now_ns, &wait_ns)) {
        *max_age_s = whole_seconds(wait_ns);
        return REASON_POINT_BUDGET;
    }
    if (!meter_take(a->venues, bytes_of_text(point->venue), a->options.venue, now_ns, &wait_ns)) {
        *max_age_s = whole_seconds(wait_ns);
        return REASON_VENUE_BUDGET;
    }
    return REASON_NONE;
}

/* Names of different kinds begin differently, so that they have nothing in common. */
static bool take_failure(struct admit *a, char kind, struct bytes of, struct meter_rate rate, uint64_t now_ns)
{
    uint8_t name[1 + KID_MAX] = {(uint8_t)kind};
    uint64_t wait_ns;
    size_t size = of.length < KID_MAX ? of.length : KID_MAX;
    if (size)
        memcpy(name + 1, of.data, size);
    return meter_take(a->failures, (struct bytes){name, 1 + size}, rate, now_ns, &wait_ns);
}

enum reason admit_failure(struct admit *a, unsigned family, const uint8_t *address, struct bytes kid, enum reason why,
                          uint64_t now_ns)
{
    const struct admit_options *o = &a->options;
    struct bytes prefix = {address, family == 4 ? PREFIX_BYTES_IPV4 : PREFIX_BYTES_IPV6};
    bool answer = take_failure(a, family == 4 ? '4' : '6', prefix, o->failure, now_ns) &&
                  (kid.length == 0 || take_failure(a, 'k', kid, o->failure, now_ns)) &&
                  take_failure(a, 'a', (struct bytes){NULL, 0}, o->failure_all, now_ns);
    return answer ? why : REASON_SOURCE_BUDGET;
}

void admit_trusted_failure(struct admit *a, uint64_t now_ns)
{
    struct meter_rate rate = a->options.failure_all;
    rate.per_s /= TRUSTED_SHARE;
    rate.burst /= TRUSTED_SHARE;
    if (!take_failure(a, 't', (struct bytes){NULL, 0}, rate, now_ns))
        atomic_store_explicit(&a->attacked_until_ns, now_ns + ADMIT_ATTACK_NS, memory_order_relaxed);
}

/* Bound to the address and to a period: this one's and the last one's are taken. */
static void echo_of(const struct admit *a, struct bytes address, uint64_t period, uint8_t echo[ADMIT_ECHO_SIZE])
{
    uint8_t text[ADDRESS_BYTES_MAX + sizeof period];
    memcpy(text, address.data, address.length);
    memcpy(text + address.length, &period, sizeof period);
    uint64_t mac = keyed_hash_of(&a->echo, (struct bytes){text, address.length + sizeof period});
    memcpy(echo, &mac, ADMIT_ECHO_SIZE);
}

enum reason admit_source(struct admit *a, unsigned family, const uint8_t *address, struct bytes echo, uint64_t now_ns,
                         uint8_t wanted[ADMIT_ECHO_SIZE])
{
    if (now_ns >= atomic_load_explicit(&a->attacked_until_ns, memory_order_relaxed))
        return REASON_NONE;
    struct bytes source = {address, family == 4 ? 4 : ADDRESS_BYTES_MAX};
    if (meter_marked(a->validated, source, now_ns))
        return REASON_NONE;
    for (uint64_t ago = 2; ago-- > 0;) {
        echo_of(a, source, (now_ns >> ECHO_PERIOD_SHIFT) - ago, wanted);
        if (bytes_equal(echo, (struct bytes){wanted, ADMIT_ECHO_SIZE})) {
            meter_mark(a->validated, source, now_ns + ADMIT_VALID_NS);
            return REASON_NONE;
        }
    }
    return REASON_SOURCE_ECHO;
}

bool admit_challenge(struct admit *a, unsigned family, const uint8_t *address, struct bytes kid, uint64_t now_ns)
{
    struct meter_rate one = a->options.failure, all = {one.per_s * CHALLENGE_SOURCES, one.burst * CHALLENGE_SOURCES};
    uint8_t name[KID_MAX + PREFIX_BYTES_IPV6];
    size_t size = family == 4 ? PREFIX_BYTES_IPV4 : PREFIX_BYTES_IPV6, kid_size = kid.length < 8 ? kid.length : 8;
    memcpy(name, address, size);
    memcpy(name + size, kid.data, kid_size);
    return take_failure(a, 'c', (struct bytes){name, size + kid_size}, one, now_ns) &&
           take_failure(a, 'C', kid, all, now_ns);
}
