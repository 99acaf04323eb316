/* A generation: one immutable set of keys, points, rules and status that a verdict is computed from. Built by the store
 * thread from the log's records; parts that did not change are shared between generations and counted by references
 * that only the store thread touches. Subjects are the exception: the view's overlay is changed in place by the store
 * thread, record by record, each of them whole to every reader. */
#pragma once

#include "dataplane/key_preparer.h"
#include "dataplane/rules.h"
#include "keys/ed25519/ed25519.h"
#include "keys/issuer.h"
#include "keys/log.h"
#include "keys/point.h"
#include "keys/status_list.h"
#include "keys/store.h"

/* A key with its tables, which a retired one has not, and which a new one may get later. */
struct issuer_entry {
    struct issuer_key key;
    struct ed25519_key *tables;
};

struct generation {
    uint64_t number;   /* of this process: no other has the same, not even one of the same records read anew */
    uint64_t sequence; /* the log's last record in it */
    struct catalogue *keys, *points, *lists;
    struct rules_held *rules;
    struct store_view subjects;
    uint8_t subject_hash_key[SUBJECT_HASH_KEY_SIZE]; /* the store's */
};

/* Readers: workers and explain. All are constant time; NULL where nothing is found. */
const struct issuer_entry *generation_key(const struct generation *g, const uint8_t kid[COSE_KID_SIZE]);
const struct point *generation_point(const struct generation *g, uint32_t id, uint32_t *index);
const struct point *generation_point_at(const struct generation *g, unsigned family, const uint8_t address[16],
                                        uint32_t *index);
/* Fetches where generation_point_at begins. */
void generation_point_prefetch(const struct generation *g, unsigned family, const uint8_t address[16]);
const struct status_list *generation_list(const struct generation *g, struct bytes uri);
/* The rule set in force at `now_s`, or NULL. */
const struct rule_set *generation_rules(const struct generation *g, uint64_t now_s);

/* The builder: what the store thread holds. One record after the other goes in; generation_build makes the next
 * generation of all that went in, sharing what did not change. */
struct generation_builder;
struct generation_builder *generation_builder_new(const uint8_t subject_hash_key[SUBJECT_HASH_KEY_SIZE]);
void generation_builder_free(struct generation_builder *builder);
/* Leaves the tables of keys that come from now on to the preparer, which outlives builder and generations. Without one
 * they are built before generation_apply returns. */
void generation_builder_prepare_with(struct generation_builder *builder, struct key_preparer *preparer);

/* Takes one record of the log; those of subjects and tables are the store's and only counted. False where its payload
 * is not in its form: `error` gets one line; nothing changed. */
bool generation_apply(struct generation_builder *builder, const struct log_record *record, char *error,
                      size_t error_size);
/* True where records went in since the last build that the workers do not see yet. */
bool generation_changed(const struct generation_builder *builder);
/* Calls `visit` for every point that went in and was not removed. */
void generation_each_point(const struct generation_builder *builder,
                           void (*visit)(void *context, const struct point *point), void *context);
/* The point, or NULL. */
const struct point *generation_builder_point(const struct generation_builder *builder, uint32_t id);
/* The next generation; NULL where memory is out, and then the builder may be asked again. */
struct generation *generation_build(struct generation_builder *builder, const struct store_view *subjects);
/* Frees a generation that no reader holds any more, and the parts that no other generation shares. Store thread only.
 */
void generation_free(struct generation *g);
