#include "dataplane/overload.h"

#define INTERVAL_NS UINT64_C(1000000)
#define BUCKET_NS UINT64_C(1000000) /* the bucket holds what the pace gives in this time */
/* A share of full bursts in an interval above which more arrives than is taken, and of idle polls above which there is
 * room for more. */
#define FULL_SHARE 0.5
#define IDLE_SHARE 0.1
#define RISE 1.05
#define FALL 0.9

void overload_init(struct overload *o, uint32_t fixed_per_s, uint32_t burst_max)
{
    *o = (struct overload){.fixed_per_s = fixed_per_s, .burst_max = burst_max, .pace_per_s = fixed_per_s};
}

static double bucket_of(const struct overload *o)
{
    double size = o->pace_per_s * ((double)BUCKET_NS / 1e9);
    /* A burst always fits, or a slow worker would refuse the first requests after a pause. */
    return size > o->burst_max ? size : o->burst_max;
}

/* The pace for the next interval from what this one saw. */
static void adjust(struct overload *o, uint64_t length_ns)
{
    bool overrun = o->full > o->polls * FULL_SHARE, room = o->idle > o->polls * IDLE_SHARE;
    if (o->fixed_per_s)
        return;
    if (o->pace_per_s == 0) {
        /* What was managed without a limit is where the limit begins. */
        if (overrun && o->taken > 0) {
            o->pace_per_s = (double)o->taken * 1e9 / (double)length_ns;
            o->tokens = bucket_of(o);
        }
    } else if (overrun)
        o->pace_per_s *= FALL;
    else if (room && o->refused > 0)
        o->pace_per_s *= RISE;
    else if (room)
        o->pace_per_s = 0; /* all that came was taken, with time to spare */
    if (o->pace_per_s > 0 && o->pace_per_s < 1000)
        o->pace_per_s = 1000; /* it can always find out that there is room */
}

void overload_poll(struct overload *o, uint32_t frames, uint64_t now_ns)
{
    o->polls++;
    o->full += frames == o->burst_max;
    o->idle += frames == 0;
    if (now_ns - o->interval_ns < INTERVAL_NS)
        return;
    adjust(o, now_ns - o->interval_ns);
    o->interval_ns = now_ns;
    o->full = o->polls = o->idle = o->taken = o->refused = 0;
}

bool overload_take(struct overload *o, unsigned priority, uint64_t now_ns)
{
    if (o->pace_per_s == 0) {
        o->taken++;
        return true;
    }
    double bucket = bucket_of(o);
    o->tokens += o->pace_per_s * (double)(now_ns - o->refilled_ns) / 1e9;
    o->refilled_ns = now_ns;
    if (o->tokens > bucket)
        o->tokens = bucket;
    double mark = bucket * (priority < OVERLOAD_CLASSES ? priority : OVERLOAD_CLASSES - 1) / (2.0 * OVERLOAD_CLASSES);
    if (o->tokens < 1 + mark) {
        o->refused++;
        return false;
    }
    o->tokens--;
    o->taken++;
    return true;
}
