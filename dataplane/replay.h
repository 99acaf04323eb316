/* The same code shown twice: where and when each dynamic or delegated credential was last seen, by its cti. One table
 * of fixed size for all workers, without locks: 16 bytes an entry, four of one bucket in a cache line. A full bucket
 * forgets its oldest entry, and says where that one could still have been shown. Only credentials whose signature and
 * times were verified come here, so nobody can fill it with inventions. */
#pragma once

#include "keys/credential.h"

#define REPLAY_POINTS_MAX (1u << 20)
#define REPLAY_ZONE_MAX ((1u << 20) - 1)
/* A credential is not shown any more after this time: 60 s, and the clocks' skew. */
#define REPLAY_LIFE_S 370

struct replay;

/* Room for `entries`, at least 4. `secret` keys the fingerprints. NULL where memory is out. */
struct replay *replay_new(uint32_t entries, uint64_t secret);
void replay_free(struct replay *replay);

/* Asks the processor for what replay_note will touch; worth while for a burst before its decisions. */
void replay_prefetch(const struct replay *replay, const uint8_t kid[COSE_KID_SIZE], const uint8_t cti[CTI_SIZE]);

struct sighting {
    bool seen;   /* it was shown before; the rest says where and when */
    bool forgot; /* an entry that was still alive had to make room */
    uint32_t point_index;
    uint32_t zone; /* REPLAY_ZONE_MAX: another worker is shown it in this very moment, who knows where */
    uint32_t age_s;
};

/* Notes that the credential is shown at a point now, and tells where it was shown before. Safe on all workers. Of two
 * workers that are shown one code at the same time, at least one is told of the other. */
struct sighting replay_note(struct replay *replay, const uint8_t kid[COSE_KID_SIZE], const uint8_t cti[CTI_SIZE],
                            uint32_t point_index, uint32_t zone, uint64_t now_s);
