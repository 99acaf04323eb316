#include "control/state.h"

#include <stdlib.h>

#include "dataplane/rules.h"

#define POINT_ROOM_FIRST 256

bool state_init(struct state *state)
{
    memset(state, 0, sizeof *state);
    state->keys = calloc(STATE_KEYS_MAX, sizeof *state->keys);
    state->lists = calloc(STATE_LISTS_MAX, sizeof *state->lists);
    return state->keys && state->lists;
}

static void free_rules(struct state_rules *rules)
{
    free(rules->program);
    free(rules->text);
}

void state_free(struct state *state)
{
    for (uint32_t i = 0; i < state->list_count; i++)
        free(state->lists[i].bits);
    for (uint32_t i = 0; i < state->rules_count; i++)
        free_rules(&state->rules[i]);
    free(state->rules_text);
    free(state->keys);
    free(state->lists);
    free(state->points);
    free(state->point_index);
    memset(state, 0, sizeof *state);
}

const char *state_error_text(enum state_error error)
{
    static const char *const texts[] = {"ok", "not in the form of its type", "no more of its kind fit",
                                        "out of memory"};
    return texts[error];
}

static struct issuer_key *find_key(const struct state *state, const uint8_t kid[COSE_KID_SIZE])
{
    for (uint32_t i = 0; i < state->key_count; i++)
        if (memcmp(state->keys[i].kid, kid, COSE_KID_SIZE) == 0)
            return &state->keys[i];
    return NULL;
}

const struct issuer_key *state_key(const struct state *state, const uint8_t kid[COSE_KID_SIZE])
{
    return find_key(state, kid);
}

/* The place in point_index where `id` stands or would stand. The index is at most half full. */
static uint32_t point_slot(const struct state *state, uint32_t id)
{
    uint32_t mask = state->point_index_size - 1, slot = id * 2654435761u & mask;
    while (state->point_index[slot] && state->points[state->point_index[slot] - 1].id != id)
        slot = (slot + 1) & mask;
    return slot;
}

const struct point *state_point(const struct state *state, uint32_t id)
{
    if (state->point_count == 0)
        return NULL;
    uint32_t place = state->point_index[point_slot(state, id)];
    return place ? &state->points[place - 1] : NULL;
}

/* Makes the index anew; entries of an open-addressed table cannot be taken out singly without moving others. */
static void index_points(struct state *state)
{
    memset(state->point_index, 0, state->point_index_size * sizeof *state->point_index);
    for (uint32_t i = 0; i < state->point_count; i++)
        state->point_index[point_slot(state, state->points[i].id)] = i + 1;
}

static bool grow_points(struct state *state)
{
    uint32_t room = state->point_room ? state->point_room * 2 : POINT_ROOM_FIRST;
    struct point *points = realloc(state->points, room * sizeof *points);
    if (!points)
        return false;
    state->points = points;
    uint32_t *index = calloc(room * 2, sizeof *index);
    if (!index)
        return false;
    free(state->point_index);
    state->point_index = index;
    state->point_index_size = room * 2;
    state->point_room = room;
    index_points(state);
    return true;
}

static enum state_error apply_point(struct state *state, struct bytes payload)
{
    struct point point;
    if (!point_decode(payload, &point))
        return STATE_ERROR_FORM;
    bool known = state_point(state, point.id);
    if (!known && state->point_count == STATE_POINTS_MAX)
        return STATE_ERROR_FULL;
    if (!known && state->point_count == state->point_room && !grow_points(state))
        return STATE_ERROR_MEMORY;
    uint32_t slot = point_slot(state, point.id);
    if (!known)
        state->point_index[slot] = ++state->point_count;
    state->points[state->point_index[slot] - 1] = point;
    return STATE_OK;
}

static bool decode_id(struct bytes payload, uint32_t *id)
{
    struct cbor_reader in = cbor_read(payload);
    uint64_t value = cbor_take_uint(&in);
    *id = (uint32_t)value;
    return cbor_done(&in) && value <= UINT32_MAX;
}

static enum state_error apply_point_remove(struct state *state, struct bytes payload)
{
    uint32_t id;
    if (!decode_id(payload, &id))
        return STATE_ERROR_FORM;
    const struct point *point = state_point(state, id);
    if (!point)
        return STATE_OK;
    state->points[point - state->points] = state->points[--state->point_count];
    index_points(state);
    return STATE_OK;
}

static enum state_error apply_key(struct state *state, struct bytes payload)
{
    struct issuer_key key;
    if (!issuer_key_decode(payload, &key))
        return STATE_ERROR_FORM;
    struct issuer_key *place = find_key(state, key.kid);
    if (!place && state->key_count == STATE_KEYS_MAX)
        return STATE_ERROR_FULL;
    if (!place)
        place = &state->keys[state->key_count++];
    *place = key;
    return STATE_OK;
}

static struct state_list *find_list(const struct state *state, const char *uri)
{
    for (uint32_t i = 0; i < state->list_count; i++)
        if (strcmp(state->lists[i].list.uri, uri) == 0)
            return &state->lists[i];
    return NULL;
}

const struct state_list *state_list(const struct state *state, const char *uri)
{
    return find_list(state, uri);
}

static enum state_error apply_list(struct state *state, const struct log_record *record)
{
    struct status_list list;
    if (!status_list_decode(record->payload, &list))
        return STATE_ERROR_FORM;
    struct state_list *place = find_list(state, list.uri);
    if (!place && state->list_count == STATE_LISTS_MAX)
        return STATE_ERROR_FULL;
    size_t size = (list.entries + 3) / 4;
    uint8_t *bits = malloc(size + 1);
    if (!bits)
        return STATE_ERROR_MEMORY;
    memcpy(bits, list.bits, size);
    if (!place)
        place = &state->lists[state->list_count++];
    free(place->bits);
    *place = (struct state_list){.list = list, .bits = bits, .sequence = record->sequence};
    place->list.bits = bits;
    return STATE_OK;
}

/* A log that was folded may begin with changes of a list that comes again later, with them in it. */
static enum state_error apply_list_change(struct state *state, const struct log_record *record)
{
    struct status_change change;
    if (!status_change_decode(record->payload, &change))
        return STATE_ERROR_FORM;
    struct state_list *place = find_list(state, change.uri);
    if (place && !status_change_apply(&change, &place->list, place->bits))
        return STATE_ERROR_FORM;
    if (place)
        place->sequence = record->sequence;
    return STATE_OK;
}

static enum state_error apply_rules(struct state *state, const struct log_record *record)
{
    uint8_t *program = malloc(record->payload.length + 1);
    if (!program)
        return STATE_ERROR_MEMORY;
    memcpy(program, record->payload.data, record->payload.length);
    if (state->rules_count == STATE_RULES_KEPT) {
        free_rules(&state->rules[0]);
        memmove(&state->rules[0], &state->rules[1], (STATE_RULES_KEPT - 1) * sizeof state->rules[0]);
        state->rules_count--;
    }
    /* A program of another release counts and can be replaced; the dataplane says what it thinks of it. */
    char ignored[256];
    struct rule_set *set = rule_set_load(record->payload, ignored, sizeof ignored);
    uint32_t version = set ? rule_set_version(set) : 0;
    uint64_t from_s = set ? rule_set_from_s(set) : 0, to_s = set ? rule_set_to_s(set) : 0;
    rule_set_free(set);
    state->rules[state->rules_count++] = (struct state_rules){.sequence = record->sequence,
                                                              .version = version,
                                                              .from_s = from_s,
                                                              .to_s = to_s,
                                                              .program = program,
                                                              .size = record->payload.length,
                                                              .text = state->rules_text};
    state->rules_text = NULL;
    return STATE_OK;
}

static enum state_error apply_rules_text(struct state *state, struct bytes payload)
{
    char *text = malloc(payload.length + 1);
    if (!text)
        return STATE_ERROR_MEMORY;
    memcpy(text, payload.data, payload.length);
    text[payload.length] = '\0';
    free(state->rules_text);
    state->rules_text = text;
    return STATE_OK;
}

const struct state_rules *state_rules_last(const struct state *state)
{
    return state->rules_count ? &state->rules[state->rules_count - 1] : NULL;
}

/* As the dataplane has it: of what was applied since a set that does not load, the last whose time has come. */
const struct state_rules *state_rules_at(const struct state *state, uint64_t now_s)
{
    for (uint32_t place = state->rules_count; place-- > 0 && state->rules[place].version != 0;)
        if (state->rules[place].from_s <= now_s)
            return &state->rules[place];
    return NULL;
}

const char *state_rules_standing(const struct state *state, uint32_t place, uint64_t now_s)
{
    const struct state_rules *rules = &state->rules[place];
    if (rules->version == 0)
        return "does not load";
    for (uint32_t later = place + 1; later < state->rules_count; later++)
        if (state->rules[later].version == 0 || state->rules[later].from_s <= rules->from_s ||
            state->rules[later].from_s <= now_s)
            return "replaced";
    if (rules->from_s > now_s)
        return "waits";
    return rules->to_s <= now_s ? "expired" : "in force";
}

static enum state_error apply_subjects(struct state *state, struct bytes payload)
{
    struct subject_record record;
    if (payload.length == 0 || payload.length % sizeof record != 0)
        return STATE_ERROR_FORM;
    for (size_t at = 0; at < payload.length; at += sizeof record) {
        memcpy(&record, payload.data + at, sizeof record);
        if (!subject_record_valid(&record))
            return STATE_ERROR_FORM;
    }
    state->subject_changes += payload.length / sizeof record;
    return STATE_OK;
}

enum state_error state_apply(struct state *state, const struct log_record *record)
{
    enum state_error error = STATE_OK;
    switch (record->type) {
    case LOG_KEY:
        error = apply_key(state, record->payload);
        break;
    case LOG_POINT:
        error = apply_point(state, record->payload);
        break;
    case LOG_POINT_REMOVE:
        error = apply_point_remove(state, record->payload);
        break;
    case LOG_RULES:
        error = apply_rules(state, record);
        break;
    case LOG_RULES_TEXT:
        error = apply_rules_text(state, record->payload);
        break;
    case LOG_STATUS_LIST:
        error = apply_list(state, record);
        break;
    case LOG_LIST_CHANGE:
        error = apply_list_change(state, record);
        break;
    case LOG_SUBJECT:
        error = apply_subjects(state, record->payload);
        break;
    default:
        break;
    }
    if (error == STATE_OK)
        state->sequence = record->sequence;
    return error;
}

bool state_has_room(const struct state *state, enum log_type type, struct bytes payload)
{
    struct issuer_key key;
    struct point point;
    struct status_list list;
    switch (type) {
    case LOG_KEY:
        return state->key_count < STATE_KEYS_MAX || (issuer_key_decode(payload, &key) && find_key(state, key.kid));
    case LOG_POINT:
        return state->point_count < STATE_POINTS_MAX || (point_decode(payload, &point) && state_point(state, point.id));
    case LOG_STATUS_LIST:
        return state->list_count < STATE_LISTS_MAX ||
               (status_list_decode(payload, &list) && find_list(state, list.uri));
    default:
        return true;
    }
}
