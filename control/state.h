/* What is in force, as control knows it: the outcome of every record of the log, in memory. It changes by records only,
 * the same way at start and while running, so that a restart returns to it. Subject records are not in here: there may
 * be 25 million of them; they are looked up in the store. */
#pragma once

#include "keys/issuer.h"
#include "keys/log.h"
#include "keys/log_state.h"
#include "keys/point.h"
#include "keys/status_list.h"
#include "keys/subject.h"

#define STATE_KEYS_MAX 4096
#define STATE_POINTS_MAX (1u << 20)
#define STATE_LISTS_MAX 1024
#define STATE_RULES_KEPT LOG_RULES_KEPT /* versions that `rules rollback` can return to */

struct state_list {
    struct status_list list; /* `list.bits` is `bits` */
    uint8_t *bits;
    uint64_t sequence;
};

struct state_rules {
    uint64_t sequence;
    uint32_t version;      /* 0 where the dataplane cannot load the program */
    uint64_t from_s, to_s; /* to_s UINT64_MAX: open */
    uint8_t *program;      /* the record's payload */
    size_t size;
    char *text; /* the rule set file; NULL where the log has none */
};

struct state {
    struct issuer_key *keys;
    uint32_t key_count;
    struct point *points; /* in no order */
    uint32_t point_count;
    uint32_t point_room;
    uint32_t *point_index; /* id -> place in points + 1, open addressing, a power of two */
    uint32_t point_index_size;
    struct state_list *lists;
    uint32_t list_count;
    struct state_rules rules[STATE_RULES_KEPT]; /* in the order they were applied; the last may wait for its time */
    uint32_t rules_count;
    char *rules_text;  /* of the program that comes next, or NULL */
    uint64_t sequence; /* of the last record applied */
    uint64_t subject_changes;
};

bool state_init(struct state *state);
void state_free(struct state *state);

enum state_error {
    STATE_OK,
    STATE_ERROR_FORM, /* the payload is not in its type's form */
    STATE_ERROR_FULL, /* more of its kind than fit */
    STATE_ERROR_MEMORY,
};
const char *state_error_text(enum state_error error);

/* Takes a record that is, or is about to be, in the log. Changes nothing where it fails. */
enum state_error state_apply(struct state *state, const struct log_record *record);

/* Whether a record, which is in its type's form, finds room: it does where it replaces what is there. */
bool state_has_room(const struct state *state, enum log_type type, struct bytes payload);

/* NULL where there is none. Valid until the next state_apply. */
const struct issuer_key *state_key(const struct state *state, const uint8_t kid[COSE_KID_SIZE]);
const struct point *state_point(const struct state *state, uint32_t id);
const struct state_list *state_list(const struct state *state, const char *uri);
/* The set applied last. */
const struct state_rules *state_rules_last(const struct state *state);
/* The set that the dataplane decides by at `now_s`, which may have ended; NULL where none has begun. */
const struct state_rules *state_rules_at(const struct state *state, uint64_t now_s);
/* "in force", "waits", "expired", "replaced", "does not load": the set at `place`, in words. */
const char *state_rules_standing(const struct state *state, uint32_t place, uint64_t now_s);
