#include "dataplane/overload.h"

#define BUCKET_NS UINT64_C(1000000) /* the bucket holds what the pace gives in this time */

void overload_init(struct overload *o, uint32_t fixed_per_s, uint32_t burst_max)
{
    *o = (struct overload){.fixed_per_s = fixed_per_s, .burst_max = burst_max};
}

void overload_burst(struct overload *o, uint32_t shedding)
{
    o->shedding = shedding;
    o->left = shedding - shedding / 8;
}

/* What a class leaves for those before it: at most three eighths. */
static double mark_of(double whole, unsigned priority)
{
    return whole * (priority < OVERLOAD_CLASSES ? priority : OVERLOAD_CLASSES - 1) / (2.0 * OVERLOAD_CLASSES);
}

/* A burst always fits, or a slow worker would refuse the first requests after a pause. */
static bool take_token(struct overload *o, unsigned priority, uint64_t now_ns)
{
    double bucket = o->fixed_per_s * ((double)BUCKET_NS / 1e9);
    if (bucket < o->burst_max)
        bucket = o->burst_max;
    o->tokens += o->fixed_per_s * (double)(now_ns - o->refilled_ns) / 1e9;
    o->refilled_ns = now_ns;
    if (o->tokens > bucket)
        o->tokens = bucket;
    if (o->tokens < 1 + mark_of(bucket, priority))
        return false;
    o->tokens--;
    return true;
}

bool overload_take(struct overload *o, unsigned priority, uint64_t now_ns)
{
    if (o->shedding && o->left < 1 + mark_of(o->shedding, priority))
        return false;
    if (o->fixed_per_s && !take_token(o, priority, now_ns))
        return false;
    if (o->shedding)
        o->left--;
    return true;
}
