/* The fair peer: the best ordinary server for the same job that a good engineer would write with what Debian ships.
 * Kernel UDP sockets in batches (recvmmsg, sendmmsg), a compact CoAP parser, libsodium, LMDB for status; one thread on
 * one core. It answers the same requests with the same answers; its policy is the shipped rules of tests/load/profiles,
 * written down in C. */
#pragma once

#include "keys/issuer.h"

#define PEER_KEYS_MAX 64

struct peer_options {
    const char *status; /* directory of the LMDB environment */
    uint16_t port;
    unsigned core; /* pinned to it */
    struct issuer_key keys[PEER_KEYS_MAX];
    uint32_t key_count;
};

/* Serves until it is killed. Returns only where it cannot start. */
void peer_serve(const struct peer_options *options);

/* One message in, one answer out; returns the answer's size, 0 for none. `room` has PEER_ANSWER_MAX bytes. */
#define PEER_ANSWER_MAX 256
struct peer;
struct peer *peer_open(const struct peer_options *options);
void peer_close(struct peer *peer);
/* Before and after a batch: the view of the status that the batch sees. */
void peer_begin(struct peer *peer);
void peer_end(struct peer *peer);
size_t peer_answer(struct peer *peer, struct bytes message, uint8_t *room);

/* Status for the peer: only what is not valid is stored. `add` calls peer_status_put for each. */
struct peer_status;
struct peer_status *peer_status_create(const char *directory);
bool peer_status_put(struct peer_status *status, struct bytes uri, uint32_t index, uint8_t value);
bool peer_status_close(struct peer_status *status);
