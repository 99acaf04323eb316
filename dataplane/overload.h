/* A worker's own load. Where the backlog says that more arrives than can be judged (backlog.h), seven of eight requests
 * of a burst are taken and the others are told so at once, before anything dear is done for them. Who waits least
 * matters most: each class of priority may use up the burst only down to its own mark, so that malls are refused before
 * metro gates. Where the configuration gives a pace, that holds as well, whatever the load.
 *
 * One a worker, not shared; pure: time is passed in. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define OVERLOAD_CLASSES 4

struct overload {
    uint32_t fixed_per_s; /* 0: none */
    uint32_t burst_max;   /* frames of a full burst */
    uint32_t shedding;    /* requests of this burst; 0: no overload */
    uint32_t left;        /* of those, how many may be taken still */
    double tokens;        /* of the pace */
    uint64_t refilled_ns;
};

void overload_init(struct overload *overload, uint32_t fixed_per_s, uint32_t burst_max);
/* Before each burst: its size where there is overload, else 0. */
void overload_burst(struct overload *overload, uint32_t shedding);
/* Whether a request of this priority (0 first to be served … 3 first to be shed) is taken now. */
bool overload_take(struct overload *overload, unsigned priority, uint64_t now_ns);
