#include "dataplane/generation.h"

#include <stdio.h>
#include <stdlib.h>

#include "dataplane/catalogue.h"
#include "keys/cbor.h"

/* Rule sets that wait for their time beside the one in force. */
#define RULE_SETS_MAX 8

/* The tables of one public key, which keys of the same kid share when only their terms change. */
struct key_tables {
    uint32_t references;
    struct ed25519_key *key;
    struct key_preparer *preparer; /* NULL: they were built at once */
};

struct key_entry {
    struct catalogue_entry entry;
    struct issuer_entry issuer;
    struct key_tables *tables; /* NULL: the key is retired */
};

struct point_entry {
    struct catalogue_entry entry;
    struct point point;
};
/* family and address lie together: one key */
static_assert(offsetof(struct point, address) == offsetof(struct point, address_family) + 1, "17 bytes");
#define POINT_ADDRESS_KEY_SIZE 17

struct list_entry {
    struct catalogue_entry entry;
    struct status_list list; /* its bits lie behind the entry */
};

struct rules_entry {
    uint32_t references;
    struct rule_set *rules;
};

/* In the order of the log: the last one whose time has come is in force. */
struct rules_held {
    uint32_t references;
    uint32_t count;
    struct rules_entry *sets[RULE_SETS_MAX];
};

struct generation_builder {
    struct catalogue *keys, *points, *lists;
    struct rules_held *rules;
    struct key_preparer *preparer;
    struct generation last; /* what the last generation shares */
    bool keys_changed, points_changed, lists_changed, rules_changed, changed;
    uint64_t sequence;
};

static void tables_release(struct key_tables *tables)
{
    if (!tables || --tables->references > 0)
        return;
    if (tables->preparer)
        key_preparer_drop(tables->preparer, tables->key);
    else
        ed25519_key_free(tables->key);
    free(tables);
}

static void key_entry_free(struct catalogue_entry *entry)
{
    struct key_entry *key = (struct key_entry *)entry;
    tables_release(key->tables);
    free(key);
}

static void plain_entry_free(struct catalogue_entry *entry)
{
    free(entry);
}

const struct issuer_entry *generation_key(const struct generation *g, const uint8_t kid[COSE_KID_SIZE])
{
    const struct key_entry *found = (const struct key_entry *)catalogue_find(g->keys, 0, kid);
    return found ? &found->issuer : NULL;
}

static const struct point *point_found(const struct catalogue_entry *found, uint32_t *index)
{
    if (!found)
        return NULL;
    *index = found->slot;
    return &((const struct point_entry *)found)->point;
}

const struct point *generation_point(const struct generation *g, uint32_t id, uint32_t *index)
{
    return point_found(catalogue_find(g->points, 0, &id), index);
}

/* Room for the second key of points. */
struct address_key {
    uint8_t bytes[POINT_ADDRESS_KEY_SIZE];
};

static struct address_key address_key(unsigned family, const uint8_t address[16])
{
    struct address_key key = {{(uint8_t)family}};
    memcpy(key.bytes + 1, address, 16);
    return key;
}

void generation_point_prefetch(const struct generation *g, unsigned family, const uint8_t address[16])
{
    catalogue_prefetch(g->points, 1, address_key(family, address).bytes);
}

const struct point *generation_point_at(const struct generation *g, unsigned family, const uint8_t address[16],
                                        uint32_t *index)
{
    return point_found(catalogue_find(g->points, 1, address_key(family, address).bytes), index);
}

const struct status_list *generation_list(const struct generation *g, struct bytes uri)
{
    char key[CREDENTIAL_URI_MAX + 1] = {0};
    if (uri.length > CREDENTIAL_URI_MAX)
        return NULL;
    memcpy(key, uri.data, uri.length);
    const struct list_entry *found = (const struct list_entry *)catalogue_find(g->lists, 0, key);
    return found ? &found->list : NULL;
}

const struct rule_set *generation_rules(const struct generation *g, uint64_t now_s)
{
    const struct rule_set *sets[RULE_SETS_MAX];
    for (uint32_t i = 0; i < g->rules->count; i++)
        sets[i] = g->rules->sets[i]->rules;
    return rule_set_pick(sets, g->rules->count, now_s);
}

static void rules_release(struct rules_held *held)
{
    if (--held->references > 0)
        return;
    for (uint32_t i = 0; i < held->count; i++)
        if (--held->sets[i]->references == 0) {
            rule_set_free(held->sets[i]->rules);
            free(held->sets[i]);
        }
    free(held);
}

struct generation_builder *generation_builder_new(const uint8_t subject_hash_key[SUBJECT_HASH_KEY_SIZE])
{
    static const struct catalogue_key kid = {offsetof(struct key_entry, issuer.key.kid), COSE_KID_SIZE};
    static const struct catalogue_key point[2] = {
        {offsetof(struct point_entry, point.id), sizeof(uint32_t)},
        {offsetof(struct point_entry, point.address_family), POINT_ADDRESS_KEY_SIZE}};
    static const struct catalogue_key uri = {offsetof(struct list_entry, list.uri), CREDENTIAL_URI_MAX + 1};
    struct generation_builder *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    memcpy(b->last.subject_hash_key, subject_hash_key, SUBJECT_HASH_KEY_SIZE);
    b->keys = catalogue_new(&kid, 1);
    b->points = catalogue_new(point, 2);
    b->lists = catalogue_new(&uri, 1);
    b->rules = calloc(1, sizeof *b->rules);
    if (!b->keys || !b->points || !b->lists || !b->rules) {
        generation_builder_free(b);
        return NULL;
    }
    b->rules->references = 1;
    b->keys_changed = b->points_changed = b->lists_changed = b->rules_changed = b->changed = true;
    return b;
}

void generation_builder_free(struct generation_builder *b)
{
    struct catalogue *parts[] = {b->keys, b->points, b->lists, b->last.keys, b->last.points, b->last.lists};
    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i])
            catalogue_release(parts[i]);
    if (b->rules)
        rules_release(b->rules);
    if (b->last.rules)
        rules_release(b->last.rules);
    free(b);
}

static bool refuse(char *error, size_t error_size, const char *what)
{
    snprintf(error, error_size, "%s", what);
    return false;
}

static bool put(struct catalogue *catalogue, struct catalogue_entry *entry,
                void (*free_entry)(struct catalogue_entry *), char *error, size_t error_size)
{
    entry->references = 1;
    entry->free = free_entry;
    switch (catalogue_put(catalogue, entry)) {
    case CATALOGUE_OK:
        return true;
    case CATALOGUE_KEY_TAKEN:
        free_entry(entry);
        return refuse(error, error_size, "address belongs to another point");
    default:
        free_entry(entry);
        return refuse(error, error_size, "out of memory");
    }
}

void generation_builder_prepare_with(struct generation_builder *b, struct key_preparer *preparer)
{
    b->preparer = preparer;
}

/* NULL where memory is out. */
static struct key_tables *tables_new(struct key_preparer *preparer, const uint8_t public_key[32])
{
    struct key_tables *tables = malloc(sizeof *tables);
    if (!tables)
        return NULL;
    *tables = (struct key_tables){.references = 1, .preparer = preparer};
    tables->key = preparer ? ed25519_key_open(public_key) : ed25519_key_prepare(public_key);
    if (tables->key && preparer && !key_preparer_put(preparer, tables->key)) {
        ed25519_key_free(tables->key);
        tables->key = NULL;
    }
    if (tables->key)
        return tables;
    free(tables);
    return NULL;
}

/* Those of the key that this one replaces, where the public key is the same; else new ones. */
static struct key_tables *tables_for(struct generation_builder *b, const struct issuer_key *key)
{
    const struct key_entry *before = (const struct key_entry *)catalogue_find(b->keys, 0, key->kid);
    if (!before || !before->tables ||
        memcmp(before->issuer.key.public_key, key->public_key, sizeof key->public_key) != 0)
        return tables_new(b->preparer, key->public_key);
    before->tables->references++;
    return before->tables;
}

static bool apply_key(struct generation_builder *b, struct bytes payload, char *error, size_t error_size)
{
    struct key_entry *key = calloc(1, sizeof *key);
    if (!key)
        return refuse(error, error_size, "out of memory");
    if (!issuer_key_decode(payload, &key->issuer.key)) {
        free(key);
        return refuse(error, error_size, "key record is malformed");
    }
    /* A retired key is refused before any signature is looked at. */
    if (!key->issuer.key.retired)
        key->tables = tables_for(b, &key->issuer.key);
    if (!key->issuer.key.retired && !key->tables) {
        free(key);
        return refuse(error, error_size, "out of memory for signature tables");
    }
    key->issuer.tables = key->tables ? key->tables->key : NULL;
    b->keys_changed = true;
    return put(b->keys, &key->entry, key_entry_free, error, error_size);
}

static bool apply_point(struct generation_builder *b, struct bytes payload, char *error, size_t error_size)
{
    struct point_entry *point = calloc(1, sizeof *point);
    if (!point)
        return refuse(error, error_size, "out of memory");
    if (!point_decode(payload, &point->point)) {
        free(point);
        return refuse(error, error_size, "point record is malformed");
    }
    b->points_changed = true;
    return put(b->points, &point->entry, plain_entry_free, error, error_size);
}

static bool apply_point_remove(struct generation_builder *b, struct bytes payload, char *error, size_t error_size)
{
    struct cbor_reader in = cbor_read(payload);
    uint64_t id = cbor_take_uint(&in);
    uint32_t key = (uint32_t)id;
    if (!cbor_done(&in) || id > UINT32_MAX)
        return refuse(error, error_size, "point removal is malformed");
    if (!catalogue_remove(b->points, &key))
        return refuse(error, error_size, "no such point to remove");
    b->points_changed = true;
    return true;
}

static bool apply_list(struct generation_builder *b, struct bytes payload, char *error, size_t error_size)
{
    struct status_list list;
    if (!status_list_decode(payload, &list))
        return refuse(error, error_size, "status list record is malformed");
    struct list_entry *entry = malloc(sizeof *entry + list.entries / 4);
    if (!entry)
        return refuse(error, error_size, "out of memory");
    entry->list = list;
    entry->list.bits = memcpy(entry + 1, list.bits, list.entries / 4);
    b->lists_changed = true;
    return put(b->lists, &entry->entry, plain_entry_free, error, error_size);
}

/* The entry that a change may be made in: the builder's alone, which no generation shares; a copy where one does. */
static struct list_entry *own_list(struct list_entry *entry)
{
    if (entry->entry.references == 1)
        return entry;
    size_t size = sizeof *entry + entry->list.entries / 4;
    struct list_entry *copy = malloc(size);
    if (copy) {
        memcpy(copy, entry, size);
        copy->list.bits = (const uint8_t *)(copy + 1);
        copy->entry.references = 1;
    }
    return copy;
}

/* A log that was folded may begin with changes of a list that comes again later, with them in it. */
static bool apply_list_change(struct generation_builder *b, struct bytes payload, char *error, size_t error_size)
{
    struct status_change change;
    if (!status_change_decode(payload, &change))
        return refuse(error, error_size, "status list change is malformed");
    struct list_entry *known = (struct list_entry *)catalogue_find(b->lists, 0, change.uri);
    if (!known)
        return true;
    struct list_entry *entry = own_list(known);
    if (!entry)
        return refuse(error, error_size, "out of memory");
    bool fits = status_change_apply(&change, &entry->list, (uint8_t *)(entry + 1));
    if (entry != known && fits) {
        b->lists_changed = true;
        return put(b->lists, &entry->entry, plain_entry_free, error, error_size);
    }
    if (entry != known)
        free(entry);
    return fits || refuse(error, error_size, "status list change goes beyond the list's end");
}

static void hold_rules(struct generation_builder *b, struct rules_held *held)
{
    rules_release(b->rules);
    b->rules = held;
    b->rules_changed = true;
}

/* A set that was put in force and does not load leaves none in force: what it should have replaced is not the city's
 * will any more. */
static bool apply_rules(struct generation_builder *b, struct bytes payload, char *error, size_t error_size)
{
    struct rules_held *held = calloc(1, sizeof *held);
    struct rules_entry *entry = calloc(1, sizeof *entry);
    if (!held || !entry) {
        free(held);
        free(entry);
        return refuse(error, error_size, "out of memory");
    }
    held->references = entry->references = 1;
    entry->rules = rule_set_load(payload, error, error_size);
    if (!entry->rules) {
        free(entry);
        hold_rules(b, held);
        return false;
    }
    /* A set whose time comes no earlier than the new one's can never be in force again. */
    uint32_t first = b->rules->count == RULE_SETS_MAX ? 1 : 0;
    for (uint32_t i = first; i < b->rules->count; i++)
        if (rule_set_from_s(b->rules->sets[i]->rules) < rule_set_from_s(entry->rules)) {
            held->sets[held->count] = b->rules->sets[i];
            held->sets[held->count++]->references++;
        }
    held->sets[held->count++] = entry;
    hold_rules(b, held);
    return true;
}

bool generation_apply(struct generation_builder *b, const struct log_record *record, char *error, size_t error_size)
{
    b->sequence = record->sequence;
    b->changed = true;
    switch (record->type) {
    case LOG_KEY:
        return apply_key(b, record->payload, error, error_size);
    case LOG_POINT:
        return apply_point(b, record->payload, error, error_size);
    case LOG_POINT_REMOVE:
        return apply_point_remove(b, record->payload, error, error_size);
    case LOG_RULES:
        return apply_rules(b, record->payload, error, error_size);
    case LOG_STATUS_LIST:
        return apply_list(b, record->payload, error, error_size);
    case LOG_LIST_CHANGE:
        return apply_list_change(b, record->payload, error, error_size);
    case LOG_SUBJECT:
    case LOG_TABLE:
    case LOG_RULES_TEXT:
        return true;
    default:
        return refuse(error, error_size, "record of a type that this version does not know");
    }
}

bool generation_changed(const struct generation_builder *b)
{
    return b->changed;
}

void generation_each_point(const struct generation_builder *b, void (*visit)(void *context, const struct point *point),
                           void *context)
{
    for (uint32_t slot = 0; slot < b->points->slots_used; slot++)
        if (b->points->slots[slot])
            visit(context, &((const struct point_entry *)b->points->slots[slot])->point);
}

const struct point *generation_builder_point(const struct generation_builder *b, uint32_t id)
{
    const struct point_entry *found = (const struct point_entry *)catalogue_find(b->points, 0, &id);
    return found ? &found->point : NULL;
}

/* The part for the next generation: the last one's where nothing changed, else a new clone. */
static bool share(struct catalogue **last, const struct catalogue *work, bool *changed)
{
    if (*changed) {
        struct catalogue *clone = catalogue_clone(work);
        if (!clone)
            return false;
        if (*last)
            catalogue_release(*last);
        *last = clone;
        *changed = false;
    }
    return true;
}

struct generation *generation_build(struct generation_builder *b, const struct store_view *subjects)
{
    struct generation *g = malloc(sizeof *g);
    if (!g || !share(&b->last.keys, b->keys, &b->keys_changed) ||
        !share(&b->last.points, b->points, &b->points_changed) || !share(&b->last.lists, b->lists, &b->lists_changed)) {
        free(g);
        return NULL;
    }
    if (b->rules_changed) {
        if (b->last.rules)
            rules_release(b->last.rules);
        b->last.rules = b->rules;
        b->rules->references++;
        b->rules_changed = false;
    }
    static uint64_t numbers; /* beyond one builder: a log is read anew by another. Store thread only */
    *g = b->last;
    g->number = ++numbers;
    g->keys->references++;
    g->points->references++;
    g->lists->references++;
    g->rules->references++;
    g->sequence = b->sequence;
    g->subjects = *subjects;
    b->changed = false;
    return g;
}

void generation_free(struct generation *g)
{
    catalogue_release(g->keys);
    catalogue_release(g->points);
    catalogue_release(g->lists);
    rules_release(g->rules);
    free(g);
}
