#include "keys/log_state.h"

#include <stdlib.h>
#include <xxhash.h>

#include "keys/cbor.h"
#include "keys/issuer.h"
#include "keys/log_format.h"
#include "keys/point.h"
#include "keys/status_list.h"

/* Open addressing on 128 bits of hash, which stand for what a record is about. */
struct entry {
    XXH128_hash_t about;
    uint64_t sequence; /* of the last record about it; 0: empty */
    uint64_t bytes;    /* its frame's; 0: removed */
    uint64_t changed;  /* sequence of the last change of the list's entries; 0: none since */
};

struct log_state {
    struct entry *entries;
    size_t room; /* a power of two */
    size_t count;
    uint64_t bytes;
    uint64_t rules_taken[2]; /* programs, texts */
};

#define ROOM_MIN 1024

struct log_state *log_state_create(void)
{
    struct log_state *state = calloc(1, sizeof(*state));
    if (!state)
        return NULL;
    state->room = ROOM_MIN;
    state->entries = calloc(state->room, sizeof(*state->entries));
    if (state->entries)
        return state;
    free(state);
    return NULL;
}

void log_state_free(struct log_state *state)
{
    if (!state)
        return;
    free(state->entries);
    free(state);
}

static XXH128_hash_t hash(enum log_type type, const void *data, size_t length)
{
    return XXH3_128bits_withSeed(data, length, (uint64_t)type);
}

/* Whether the record is state at all; `out` gets what it is about. Of rules the last LOG_RULES_KEPT are in force side
 * by side, so that what a record replaces goes by how many were taken before it. `change`: it does not replace. */
static bool about(const struct log_record *record, uint64_t rules_taken, XXH128_hash_t *out, bool *change)
{
    *change = false;
    union {
        struct issuer_key key;
        struct point point;
        struct status_list list;
        struct status_change change;
    } decoded;
    switch (record->type) {
    case LOG_SUBJECT:
    case LOG_TABLE:
        return false;
    case LOG_KEY:
        if (!issuer_key_decode(record->payload, &decoded.key))
            break;
        *out = hash(LOG_KEY, decoded.key.kid, sizeof(decoded.key.kid));
        return true;
    case LOG_POINT:
        if (!point_decode(record->payload, &decoded.point))
            break;
        *out = hash(LOG_POINT, &decoded.point.id, sizeof(decoded.point.id));
        return true;
    case LOG_POINT_REMOVE: {
        struct cbor_reader in = cbor_read(record->payload);
        uint32_t id = (uint32_t)cbor_take_uint(&in);
        if (!cbor_done(&in))
            break;
        *out = hash(LOG_POINT, &id, sizeof(id));
        return true;
    }
    case LOG_RULES:
    case LOG_RULES_TEXT: {
        uint64_t place = rules_taken % LOG_RULES_KEPT;
        *out = hash(record->type, &place, sizeof(place));
        return true;
    }
    case LOG_STATUS_LIST:
        if (!status_list_decode(record->payload, &decoded.list))
            break;
        *out = hash(LOG_STATUS_LIST, decoded.list.uri, strlen(decoded.list.uri));
        return true;
    case LOG_LIST_CHANGE:
        if (!status_change_decode(record->payload, &decoded.change))
            break;
        *out = hash(LOG_STATUS_LIST, decoded.change.uri, strlen(decoded.change.uri));
        *change = true;
        return true;
    }
    *out = hash((enum log_type)(1000 + (uint32_t)record->type), &record->sequence, sizeof(record->sequence));
    return true;
}

static struct entry *find(const struct log_state *state, XXH128_hash_t wanted)
{
    size_t at = (size_t)wanted.low64 & (state->room - 1);
    while (state->entries[at].sequence != 0 && !XXH128_isEqual(state->entries[at].about, wanted))
        at = (at + 1) & (state->room - 1);
    return &state->entries[at];
}

static bool grow(struct log_state *state)
{
    struct log_state larger = {.room = state->room * 2};
    larger.entries = calloc(larger.room, sizeof(*larger.entries));
    if (!larger.entries)
        return false;
    for (size_t i = 0; i < state->room; i++) {
        if (state->entries[i].sequence != 0)
            *find(&larger, state->entries[i].about) = state->entries[i];
    }
    free(state->entries);
    state->entries = larger.entries;
    state->room = larger.room;
    return true;
}

bool log_state_take(struct log_state *state, const struct log_record *record)
{
    XXH128_hash_t wanted;
    bool change, rules = record->type == LOG_RULES || record->type == LOG_RULES_TEXT;
    uint64_t *taken = &state->rules_taken[record->type == LOG_RULES_TEXT];
    if (!about(record, *taken, &wanted, &change))
        return true;
    *taken += rules;
    if (change) { /* of a list that the log has no more, or not yet: it comes again with the change in it */
        struct entry *list = find(state, wanted);
        list->changed = list->sequence != 0 ? record->sequence : 0;
        return true;
    }
    if (state->count * 2 >= state->room && !grow(state))
        return false;
    struct entry *entry = find(state, wanted);
    state->count += entry->sequence == 0;
    state->bytes -= entry->bytes;
    *entry = (struct entry){.about = wanted, .sequence = record->sequence};
    entry->bytes = record->type == LOG_POINT_REMOVE ? 0 : log_frame_size(record->payload.length);
    state->bytes += entry->bytes;
    return true;
}

bool log_state_live(const struct log_state *state, const struct log_record *record)
{
    XXH128_hash_t wanted;
    bool change, rules = record->type == LOG_RULES || record->type == LOG_RULES_TEXT;
    for (uint64_t place = 0; place < (rules ? LOG_RULES_KEPT : 1); place++) {
        if (!about(record, place, &wanted, &change) || record->type == LOG_POINT_REMOVE)
            continue;
        const struct entry *entry = find(state, wanted);
        if (change ? entry->sequence < record->sequence && record->sequence <= entry->changed
                   : entry->sequence == record->sequence)
            return true;
    }
    return false;
}

bool log_state_changed(const struct log_state *state, const struct log_record *record)
{
    XXH128_hash_t wanted;
    bool change;
    if (!about(record, 0, &wanted, &change) || change)
        return false;
    const struct entry *entry = find(state, wanted);
    return entry->sequence == record->sequence && entry->changed > 0;
}

uint64_t log_state_bytes_all(const struct log_state *state)
{
    return state->bytes;
}

uint64_t log_state_bytes(const struct log_state *state, uint64_t sequence)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < state->room; i++)
        bytes +=
            state->entries[i].sequence != 0 && state->entries[i].sequence <= sequence ? state->entries[i].bytes : 0;
    return bytes;
}
