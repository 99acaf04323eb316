/* A small city for tests of the worker: one simulated port, one worker, keys and points put in by the log's records. */
#pragma once

#include "dataplane/worker.h"
#include "keys/overlay.h"
#include "keys/point.h"
#include "tests/simulator/port_sim.h"

#define WORLD_NOW_S 1583420400u /* 2020-03-05T15:00:00Z */

struct world {
    struct config config;
    struct port *port;
    struct publisher *publisher;
    struct overlay *overlay;
    struct admit *admit;
    struct generation_builder *builder;
    struct worker *worker;
    struct backlog *backlog;
    uint64_t sequence;
    uint8_t secret_key[64], other_secret_key[64];
};

extern const uint8_t world_kid[COSE_KID_SIZE], world_list_kid[COSE_KID_SIZE];

/* CN-310000's key for all classes and regions 310000, a key for status lists, point 11 (a hospital, at the peer's
 * addresses of frames.h) and no rules. The clock stands at WORLD_NOW_S. */
void world_start(struct world *world);
void world_stop(struct world *world);

/* Applies one record and publishes the next generation. */
void world_apply(struct world *world, enum log_type type, struct bytes payload);
/* The same for a record that must be refused. */
void world_apply_bad(struct world *world, enum log_type type, struct bytes payload);
void world_put_key(struct world *world, const struct issuer_key *key);
void world_put_point(struct world *world, const struct point *point);
struct issuer_key world_key(const struct world *world);
struct point world_point(void);

/* One frame in, one step; the answer, or an empty view. `why` is the reason that was counted. */
struct bytes world_exchange(struct world *world, struct bytes frame, uint32_t flags, enum reason *why);

/* A dynamic, green credential of CN-310000, issued now, and what tests change of it. */
struct credential world_claims(void);
struct bytes world_sign(const struct credential *claims, const uint8_t kid[COSE_KID_SIZE], const uint8_t secret_key[64],
                        uint8_t *room, size_t size);
/* {1: id, 2: code}. */
struct bytes world_request(uint32_t id, struct bytes code, uint8_t *room, size_t size);
/* A whole frame: POST /v, Content-Format 60. */
struct bytes world_post(enum coap_type type, uint16_t message_id, struct bytes payload, uint8_t *room);
