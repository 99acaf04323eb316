#include "dataplane/admit.h"

#include "keys/secret_memory.h"

#define PREFIX_BYTES_IPV4 3
#define PREFIX_BYTES_IPV6 7
#define KID_MAX 16

struct admit {
    struct admit_options options;
    struct meters *points, *venues, *failures;
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
    if (a->points && a->venues && a->failures)
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
