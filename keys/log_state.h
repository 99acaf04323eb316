/* Which records of the log, other than subject changes, are still in force: the last of each key, point and list with
 * the changes of its entries since, and the last LOG_RULES_KEPT of the rules, since one set may wait for its day while
 * another is in force. A record of an unknown type or form stands for itself. */
#pragma once

#include "keys/log.h"

#define LOG_RULES_KEPT 16

struct log_state;
struct log_state *log_state_create(void); /* NULL where memory is out */
void log_state_free(struct log_state *state);
/* Takes the next record; false where memory is out. */
bool log_state_take(struct log_state *state, const struct log_record *record);
/* Whether this record, which was taken, is in force still. A removal is not. */
bool log_state_live(const struct log_state *state, const struct log_record *record);
/* Whether this record is a list in force whose entries were changed since: what was appended again for it would be the
 * list with its changes (keys/changed_lists.h). */
bool log_state_changed(const struct log_state *state, const struct log_record *record);
/* Bytes that what is in force takes in a log which holds nothing else: of what is not younger than `sequence`, and of
 * all, which is known without a search. */
uint64_t log_state_bytes(const struct log_state *state, uint64_t sequence);
uint64_t log_state_bytes_all(const struct log_state *state);
