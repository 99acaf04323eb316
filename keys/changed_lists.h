/* Lists with the changes of their entries applied: what takes the place of both where a log is written anew. */
#pragma once

#include "keys/log_state.h"

struct changed_lists;
struct changed_lists *changed_lists_create(void); /* NULL where memory is out */
void changed_lists_free(struct changed_lists *lists);

enum changed_lists_result { CHANGED_LISTS_TAKEN, CHANGED_LISTS_NOT_MEANT, CHANGED_LISTS_OUT_OF_MEMORY };
/* Takes the next record, in the log's order: a list whose entries were changed since, by `state` (which has taken the
 * whole log), or such a change of a list that was taken. Others are not meant. */
enum changed_lists_result changed_lists_take(struct changed_lists *lists, const struct log_state *state,
                                             const struct log_record *record);
/* Calls `put` with the payload of a LOG_STATUS_LIST for each, until it returns false; then so does this. */
bool changed_lists_each(struct changed_lists *lists, bool (*put)(void *context, struct bytes payload), void *context);
