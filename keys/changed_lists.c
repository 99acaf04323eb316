#include "keys/changed_lists.h"

#include <stdlib.h>

#include "keys/status_list.h"

struct held {
    struct held *next;
    struct status_list list;
    uint8_t bits[];
};

struct changed_lists {
    struct held *first, **last;               /* in the order in which they came */
    uint8_t encoded[STATUS_LIST_ENCODED_MAX]; /* room of changed_lists_each */
};

struct changed_lists *changed_lists_create(void)
{
    struct changed_lists *lists = calloc(1, sizeof(*lists));
    if (lists)
        lists->last = &lists->first;
    return lists;
}

void changed_lists_free(struct changed_lists *lists)
{
    if (!lists)
        return;
    while (lists->first) {
        struct held *held = lists->first;
        lists->first = held->next;
        free(held);
    }
    free(lists);
}

static enum changed_lists_result take_list(struct changed_lists *lists, const struct log_record *record)
{
    struct status_list list;
    if (!status_list_decode(record->payload, &list))
        return CHANGED_LISTS_NOT_MEANT;
    struct held *held = malloc(sizeof(*held) + list.entries / 4);
    if (!held)
        return CHANGED_LISTS_OUT_OF_MEMORY;
    held->next = NULL;
    held->list = list;
    held->list.bits = memcpy(held->bits, list.bits, list.entries / 4);
    *lists->last = held;
    lists->last = &held->next;
    return CHANGED_LISTS_TAKEN;
}

static enum changed_lists_result take_change(struct changed_lists *lists, const struct log_record *record)
{
    struct status_change change;
    if (!status_change_decode(record->payload, &change))
        return CHANGED_LISTS_NOT_MEANT;
    for (struct held *held = lists->first; held; held = held->next) {
        if (strcmp(held->list.uri, change.uri) == 0) {
            status_change_apply(&change, &held->list, held->bits); /* one that does not fit changes nothing */
            return CHANGED_LISTS_TAKEN;
        }
    }
    return CHANGED_LISTS_NOT_MEANT;
}

enum changed_lists_result changed_lists_take(struct changed_lists *lists, const struct log_state *state,
                                             const struct log_record *record)
{
    if (record->type == LOG_STATUS_LIST && log_state_changed(state, record))
        return take_list(lists, record);
    if (record->type == LOG_LIST_CHANGE && log_state_live(state, record))
        return take_change(lists, record);
    return CHANGED_LISTS_NOT_MEANT;
}

bool changed_lists_each(struct changed_lists *lists, bool (*put)(void *context, struct bytes payload), void *context)
{
    for (const struct held *held = lists->first; held; held = held->next) {
        size_t size = status_list_encode(&held->list, lists->encoded, sizeof(lists->encoded));
        if (!put(context, (struct bytes){lists->encoded, size}))
            return false;
    }
    return true;
}
