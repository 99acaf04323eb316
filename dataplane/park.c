#include "dataplane/park.h"

#include <stdlib.h>

struct place {
    uint64_t cookie; /* 0: free */
    uint64_t deadline_ns;
    struct request request;
};

/* `order` holds the cookies in the order they came in; those that have left already are passed over at its head. */
struct park {
    uint64_t wait_ns;
    uint64_t serial;
    unsigned count, free_count, order_head, order_count;
    uint16_t free[PARKED_MAX];
    uint64_t order[PARKED_MAX];
    struct place places[PARKED_MAX];
};
static_assert((PARKED_MAX & (PARKED_MAX - 1)) == 0 && PARKED_MAX <= UINT16_MAX + 1, "a cookie is serial and place");

struct park *park_new(uint64_t wait_ns)
{
    struct park *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->wait_ns = wait_ns;
    p->serial = 1;
    for (unsigned i = 0; i < PARKED_MAX; i++)
        p->free[p->free_count++] = (uint16_t)i;
    return p;
}

void park_free(struct park *p)
{
    free(p);
}

static struct place *place_of(struct park *p, uint64_t cookie)
{
    struct place *place = &p->places[cookie % PARKED_MAX];
    return place->cookie == cookie ? place : NULL;
}

bool park_room(const struct park *p, uint64_t *cookie)
{
    if (p->free_count == 0 || p->order_count == PARKED_MAX)
        return false;
    *cookie = p->serial * PARKED_MAX + p->free[p->free_count - 1];
    return true;
}

void park_put(struct park *p, const struct request *r, uint64_t now_ns)
{
    uint64_t cookie = p->serial++ * PARKED_MAX + p->free[--p->free_count];
    struct place *place = &p->places[cookie % PARKED_MAX];
    place->cookie = cookie;
    place->deadline_ns = now_ns + p->wait_ns;
    place->request = *r;
    p->order[(p->order_head + p->order_count++) % PARKED_MAX] = cookie;
    p->count++;
}

struct request *park_take(struct park *p, uint64_t cookie)
{
    struct place *place = place_of(p, cookie);
    if (!place)
        return NULL;
    place->cookie = 0;
    p->free[p->free_count++] = (uint16_t)(cookie % PARKED_MAX);
    p->count--;
    return &place->request;
}

struct request *park_take_late(struct park *p, uint64_t now_ns)
{
    while (p->order_count > 0) {
        uint64_t cookie = p->order[p->order_head];
        const struct place *place = place_of(p, cookie);
        if (place && now_ns < place->deadline_ns)
            return NULL;
        p->order_head = (p->order_head + 1) % PARKED_MAX;
        p->order_count--;
        if (place)
            return park_take(p, cookie);
    }
    return NULL;
}

unsigned park_count(const struct park *p)
{
    return p->count;
}
