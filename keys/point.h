/* Scanning points: identity, venue, how they prove who they are, how often they may ask. */
#pragma once

#include "keys/bytes.h"

#define POINT_TEXT_MAX 48
#define POINT_MASTER_SECRET_MAX 32
/* As the log carries it: sealed (seal.h), and by that longer than any secret. */
#define POINT_MASTER_SECRET_SEALED_MAX (POINT_MASTER_SECRET_MAX + 40)
#define POINT_ID_CONTEXT_MAX 8

enum point_mode {
    POINT_MODE_ENFORCE = 0,
    POINT_MODE_ADVISORY = 1,     /* the colour is shown, the verdict is REFER */
    POINT_MODE_NOT_REQUIRED = 2, /* the venue asks for no code; its rules still see the evidence */
};

enum point_oscore_alg { POINT_OSCORE_NONE = 0, POINT_OSCORE_AES_CCM = 10, POINT_OSCORE_CHACHA20 = 24 };

/* OSCORE input (RFC 8613 section 3.2), as the appliance sees it: the point's sender id is our recipient id. */
struct point_oscore {
    enum point_oscore_alg alg;
    uint8_t master_secret[POINT_MASTER_SECRET_SEALED_MAX];
    uint8_t master_salt[8];
    uint8_t id_context[POINT_ID_CONTEXT_MAX];
    uint8_t point_id[4];     /* the point's sender id */
    uint8_t appliance_id[4]; /* the appliance's sender id */
    uint8_t master_secret_size, master_salt_size, id_context_size, point_id_size, appliance_id_size;
};

/* One point as the log carries it. */
struct point {
    uint32_t id;
    char venue[POINT_TEXT_MAX + 1];
    char venue_class[POINT_TEXT_MAX + 1]; /* `hospital`, `office`, … */
    char group[POINT_TEXT_MAX + 1];       /* point group; may be empty */
    uint32_t district;                    /* GB/T 2260; 0 where not given */
    uint32_t zone;                        /* anti-passback zone; 0 where not given */
    enum point_mode mode;
    uint8_t priority;       /* 0 first to be served … 3 first to be shed */
    uint8_t address_family; /* 0 no plain CoAP, 4, 6 */
    uint8_t address[16];    /* source address of plain CoAP; IPv4 in the first four bytes */
    uint32_t rate_per_s;    /* budget; 0: the configuration's default */
    uint32_t burst;
    struct point_oscore oscore;
};

#define POINT_ENCODED_MAX 512
size_t point_encode(const struct point *point, uint8_t *room, size_t size);
bool point_decode(struct bytes in, struct point *out);

const char *point_mode_name(enum point_mode mode);
