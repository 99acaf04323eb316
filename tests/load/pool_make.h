/* A profile's requests, made: reproducible from the seed, but for the time they are issued at. */
#pragma once

#include "keys/point.h"
#include "keys/status_list.h"
#include "tests/load/pool.h"
#include "tests/load/profile.h"

/* Subjects are numbered; subject s belongs to issuer s modulo the issuers' number, and its status stands in one of that
 * issuer's lists. */
struct subject_place {
    uint32_t issuer;
    uint32_t shard; /* which list of the issuer's */
    uint32_t index; /* in it */
};
struct subject_place subject_place(const struct profile *profile, uint64_t subject);
enum state subject_state(const struct profile *profile, uint64_t seed, uint64_t subject);
void subject_pseudonym(uint64_t seed, uint64_t subject, uint8_t out[SUBJECT_SIZE]);
void status_uri(const struct signer *signer, uint32_t issuer, uint32_t shard, char *out, size_t size);
/* Lists that each issuer has. */
uint32_t status_shards(const struct profile *profile);
/* The bits of one list: STATUS_LIST_BYTES_MAX bytes. */
void status_bits(const struct profile *profile, uint64_t seed, uint32_t issuer, uint32_t shard, uint8_t *bits);

/* The venue class of a point (index into profile->venues), and its record as the log carries it: point i has number
 * i + 1 and the address `first_address` + i, and a budget that a load does not reach. */
uint32_t point_venue(const struct profile *profile, uint64_t seed, uint32_t point);
struct point pool_point(const struct profile *profile, uint64_t seed, uint32_t first_address, uint32_t point);

/* Makes all requests, on every processor. Dynamic credentials live 60 s from `now_s`. False where memory is out. */
bool pool_make(const struct profile *profile, const struct signer *signer, uint64_t seed, uint64_t now_s,
               struct pool *out);
