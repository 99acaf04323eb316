/* Who may ask, how often. The order is the cheapest first: what fails before it is authentic is answered within a
 * budget a source and a kid, so that forged requests bring no flood of errors onto the network; an authentic request
 * takes from its point's budget, then from its venue's. The appliance's own load is overload.h's.
 *
 * A forged source address costs its owner nothing: the budgets of failures decide only whether a failure is answered,
 * never whether a request is heard. All functions take the time and are safe on all workers at once. */
#pragma once

#include "dataplane/meter.h"
#include "dataplane/reasons.h"
#include "keys/point.h"

struct admit_options {
    uint32_t points_max;
    struct meter_rate point;       /* where a point's own record gives none */
    struct meter_rate venue;       /* per_s 0: none */
    struct meter_rate failure;     /* answered failures of a source prefix, and of a kid */
    struct meter_rate failure_all; /* and of all together */
    uint32_t failures_max;         /* prefixes and kids that are remembered */
};

/* What is right for an office of 100,000 points: see config.def for a point's own. */
#define ADMIT_FAILURE_DEFAULT ((struct meter_rate){.per_s = 10, .burst = 20})
#define ADMIT_FAILURE_ALL_DEFAULT ((struct meter_rate){.per_s = 10000, .burst = 1000})
#define ADMIT_FAILURES_MAX_DEFAULT UINT32_C(65536)

struct admit;
/* NULL where there is no memory. */
struct admit *admit_create(const struct admit_options *options);
void admit_destroy(struct admit *admit);

/* Fetches what admit_point will read. */
void admit_prefetch(const struct admit *admit, const struct point *point);

/* REASON_NONE, REASON_POINT_BUDGET or REASON_VENUE_BUDGET; with these, `*max_age_s` is when to come back, at least 1.
 */
enum reason admit_point(struct admit *admit, const struct point *point, uint64_t now_ns, uint32_t *max_age_s);

/* A request that was not authentic ends in `why`. Returns `why` where it may be answered, else REASON_SOURCE_BUDGET.
 * `family` is 4 or 6, the address as in keys/point.h; the kid is empty where there was none. IPv4 sources are budgeted
 * by /24, IPv6 by /56. */
enum reason admit_failure(struct admit *admit, unsigned family, const uint8_t *address, struct bytes kid,
                          enum reason why, uint64_t now_ns);

/* A plain request from a trusted prefix ended in an error. Where these are more than a tenth of the budget of all
 * failures, somebody sends under addresses of the prefix: then, until ADMIT_ATTACK_NS have passed without that, a plain
 * request is heard only from a source that receives what is sent to it (RFC 9175 section 2.3), which it shows by the
 * Echo that it was sent, once in ADMIT_VALID_NS. */
#define ADMIT_ATTACK_NS UINT64_C(2000000000)
#define ADMIT_VALID_NS UINT64_C(600000000000)
#define ADMIT_ECHO_SIZE 8
void admit_trusted_failure(struct admit *admit, uint64_t now_ns);
/* REASON_NONE, or REASON_SOURCE_ECHO with the value to ask for. `echo` is what the request brought; may be empty. */
enum reason admit_source(struct admit *admit, unsigned family, const uint8_t *address, struct bytes echo,
                         uint64_t now_ns, uint8_t wanted[ADMIT_ECHO_SIZE]);

/* Whether a challenge under OSCORE may be sent to this source and kid: a request that is sent again and again, by whom
 * ever, must not use up the numbers that challenges are made with. */
bool admit_challenge(struct admit *admit, unsigned family, const uint8_t *address, struct bytes kid, uint64_t now_ns);
