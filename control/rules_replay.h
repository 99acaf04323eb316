/* What a rule set would have made of decisions that were recorded: JSON lines as `chengmen explain --json` prints them,
 * of which "facts" ({path: value, …}), "verdict", "reason", "obligations" and "rule" are read. Only the rows are asked
 * again; what was refused before any row was asked carries no facts and is counted apart. */
#pragma once

#include <stdio.h>

#include "control/json.h"
#include "dataplane/rules.h"

struct rules_replay {
    uint64_t decisions;       /* made again */
    uint64_t changed;         /* verdict, reason or obligations differ */
    uint64_t verdict_changed; /* of them, those with another verdict */
    uint64_t without_facts;
};

/* Reads all lines; writes a line about each of the first changes to `out` (may be NULL). False with a problem, its
 * message naming the line, where one is no such record. */
bool rules_replay(const struct rule_set *rules, struct bytes lines, struct rules_replay *result, FILE *out,
                  struct json_problems *problems);

#define FACTS_ROLES_ROOM 1024
/* Facts from a JSON object {path: value, …}. Texts belong to the tree, roles to `roles`. */
bool facts_read_json(const struct json_place *object, struct facts *facts, uint8_t roles[FACTS_ROLES_ROOM],
                     struct json_problems *problems);
