/* What a client does again later: a binary heap ordered by time. Fixed room. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum later_kind {
    LATER_REPEAT, /* the same datagram again, as CoAP retransmits */
    LATER_RETRY,  /* a new request for the same credential, as people do */
    LATER_ECHO,   /* the request anew, with the Echo that it was challenged with */
};

struct later {
    uint64_t due;    /* ticks */
    uint32_t number; /* sequence number to repeat, or pool entry to retry */
    uint8_t kind;    /* enum later_kind */
    uint8_t attempts;
};

struct laters {
    struct later *heap;
    uint32_t count;
    uint32_t room;
};

bool laters_open(struct laters *laters, uint32_t room);
void laters_close(struct laters *laters);
/* False where the room is full. */
bool laters_push(struct laters *laters, struct later item);
/* The earliest; the caller saw that count is not 0. */
struct later laters_pop(struct laters *laters);
