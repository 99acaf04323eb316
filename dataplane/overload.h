/* A worker's own load. As long as its receive queue runs empty everything is taken. When bursts come full one after the
 * other, more arrives than can be judged: then requests are taken at a limited pace and the rest is told so at once,
 * before anything dear is done for it. The pace follows what the worker manages: it rises while there is idle time, and
 * falls while bursts stay full. Who waits least matters most: each class of priority may use up the bucket only down to
 * its own mark, so that malls are refused before metro gates.
 *
 * One a worker, not shared; pure: time is passed in. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define OVERLOAD_CLASSES 4

struct overload {
    uint32_t fixed_per_s; /* 0: measured */
    uint32_t burst_max;   /* frames of a full burst */
    double pace_per_s;    /* 0: nothing is limited */
    double tokens;
    uint64_t refilled_ns;
    uint64_t interval_ns;       /* begin of the interval that is being watched */
    uint32_t full, polls, idle; /* bursts of this interval */
    uint32_t taken, refused;    /* requests of this interval */
};

void overload_init(struct overload *overload, uint32_t fixed_per_s, uint32_t burst_max);
/* After each poll of the receive queue: how many frames it gave. */
void overload_poll(struct overload *overload, uint32_t frames, uint64_t now_ns);
/* Whether a request of this priority (0 first to be served … 3 first to be shed) is taken now. */
bool overload_take(struct overload *overload, unsigned priority, uint64_t now_ns);
