/* What only one point may have: its address, and the ids by which its security context is found. The dataplane refuses
 * a record that gives them to a second point. */
#pragma once

#include "control/state.h"

struct point_clash {
    uint32_t item;   /* which point of the call */
    uint32_t holder; /* the point that has it */
    bool context;    /* the context's ids; otherwise the address */
};

/* Whether points that are added in their order would have what another point has then: one of the state, or one of the
 * call. A point of the call that gives something up gives it to those after it. With memory out it answers as if point
 * 0 held it. */
bool point_clashes(const struct state *state, const struct point points[], uint32_t count, struct point_clash *out);
